"""Answers of several models as one's: by hand."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.tasks.candidates import best_of, joined
from keras_bert.tasks.pooling import LEAST, Pool
from keras_bert.tasks.spans import NEVER

CONTEXT = tf.constant(["the fox", ""])


def candidates(shares, spans, none):
    """Those of one context, and none of an empty one."""
    missing = [NEVER] * len(spans)
    return {
        "scores": tf.constant([[*np.log(shares)], missing], tf.float32),
        "starts": tf.constant([[start for start, _ in spans], [0] * len(spans)]),
        "ends": tf.constant([[end for _, end in spans], [0] * len(spans)]),
        "none": tf.constant([np.log(none), 0.0], tf.float32),
    }


# The second one's pieces begin with their blank, and it has an answer of its own.
ONE = candidates([0.6, 0.2], [(4, 7), (0, 3)], 0.2)
OTHER = candidates([0.1, 0.3, 0.1], [(3, 7), (0, 7), (0, 3)], 0.5)
SHARES = {(4, 7): (0.6, 0.1), (0, 3): (0.2, 0.1), (0, 7): (0.0, 0.3), None: (0.2, 0.5)}


def found_of(several, pool, **options):
    found = joined(several, pool, CONTEXT, may_be_none=True, **options)
    scores, starts, ends = (values.numpy() for values in best_of(found, 4))
    assert scores[0, 3] <= NEVER / 2 and not starts[0, 3] and (scores[1] <= NEVER / 2).all()
    spans = zip(zip(starts[0].tolist(), ends[0].tolist(), strict=True), scores[0], strict=True)
    return {**dict([*spans][:3]), None: found["none"][0].numpy()}


@pytest.mark.parametrize("weights", [None, (3.0, 1.0)])
def test_distributions_over_answers_are_averaged(weights):
    one, other = np.array(weights or (1.0, 1.0)) / sum(weights or (1, 1))
    mean = found_of([ONE, OTHER], Pool("mean", "softmax", weights))
    logs = found_of([ONE, OTHER], Pool("outputs", "softmax", weights))
    assert {*mean} == {*logs} == {*SHARES}
    for span, (a, b) in SHARES.items():
        assert np.exp(mean[span]) == pytest.approx(one * a + other * b, abs=1e-5)
        wanted = one * np.log(max(a, LEAST)) + other * np.log(max(b, LEAST))
        assert logs[span] == pytest.approx(wanted, abs=1e-4)


def test_votes_are_for_answers_or_none():
    votes = found_of([ONE, OTHER, OTHER], Pool("vote", "softmax"))
    shares = {span: np.exp(score) for span, score in votes.items()}
    wanted = {(4, 7): 1 / 3, (0, 3): 0, (0, 7): 0, None: 2 / 3}
    assert shares == {span: pytest.approx(share, abs=1e-4) for span, share in wanted.items()}


def test_where_there_must_be_an_answer_none_has_no_share():
    found = joined([ONE, OTHER], Pool("mean", "softmax"), CONTEXT, may_be_none=False)
    assert np.exp(found["none"][0]) < 1e-5 < np.exp(found["none"][1])
    scores = best_of(found, 1)[0].numpy()
    assert np.exp(scores[0, 0]) == pytest.approx((0.6 / 0.8 + 0.1 / 0.5) / 2, abs=1e-5)
