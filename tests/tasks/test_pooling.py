"""One output of several: as NumPy has it, with ties, weights, and what is quite certain."""

import numpy as np
import pytest

from keras_bert.tasks.pooling import Pool

SHARES = np.array([[[0.9, 0.1], [1.0, 0.0]], [[0.2, 0.8], [0.3, 0.7]]], "float32")


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_probabilities_are_averaged_and_voted(activation):
    pool = Pool("mean", activation)
    logits = [pool.logits(share) for share in SHARES]
    np.testing.assert_allclose(pool.probabilities(logits[0]), SHARES[0], atol=1e-6)
    np.testing.assert_allclose(pool.probabilities(pool(logits)), SHARES.mean(axis=0), atol=1e-6)
    weighted = Pool("mean", activation, (3.0, 1.0))
    wanted = (3 * SHARES[0] + SHARES[1]) / 4
    np.testing.assert_allclose(pool.probabilities(weighted(logits)), wanted, atol=1e-6)
    vote = Pool("vote", activation)
    found = np.asarray(pool.probabilities(vote(logits)))
    np.testing.assert_allclose(found, np.full([2, 2], 0.5), atol=1e-4)
    # As many votes are told apart by the mean.
    assert found[0, 0] > 0.5 > found[1, 1]


def test_numbers_are_averaged_and_the_narrowest_of_a_batch_counts():
    some = [np.array([[1.0, 2.0, 9.0]], "float32"), np.array([[3.0, 6.0]], "float32")]
    np.testing.assert_allclose(Pool("mean")(some), [[2.0, 4.0]])
