import numpy as np
import pytest

from keras_bert.training.distillation import (
    CosineDistance,
    Itself,
    SoftMarks,
    SoftTargets,
    SquaredError,
)

GENERATOR = np.random.default_rng(7)
TAUGHT, OWN = (GENERATOR.normal(size=(3, 5)).astype("float32") for _ in range(2))


def softmax(logits):
    exponentials = np.exp(logits.astype("float64"))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def test_soft_targets_are_a_divergence_times_the_square_of_the_temperature():
    taught, own = softmax(TAUGHT / 3), softmax(OWN / 3)
    wanted = 9 * (taught * np.log(taught / own)).sum(axis=-1)
    np.testing.assert_allclose(SoftTargets(3.0).call(TAUGHT, OWN), wanted, rtol=1e-5)
    # What is behind the outputs that there are is padding of the teacher's.
    wider = np.concatenate([TAUGHT, np.full([3, 2], -1e9, "float32")], axis=1)
    np.testing.assert_allclose(SoftTargets(3.0).call(wider, OWN), wanted, rtol=1e-5)


def test_marks_are_as_many_distributions_of_two():
    pairs = [np.stack([logits, 0 * logits], axis=-1) for logits in (TAUGHT, OWN)]
    wanted = np.asarray(SoftTargets(2.0).call(*pairs)).mean(axis=-1)
    np.testing.assert_allclose(SoftMarks(2.0).call(TAUGHT, OWN), wanted, rtol=1e-4)


def test_what_is_no_distribution_has_no_temperature():
    cosines = (TAUGHT * OWN).sum(axis=1)
    cosines /= np.linalg.norm(TAUGHT, axis=1) * np.linalg.norm(OWN, axis=1)
    np.testing.assert_allclose(CosineDistance(9.0).call(TAUGHT, OWN), 1 - cosines, rtol=1e-4)
    wanted = ((TAUGHT - OWN) ** 2).mean(axis=1)
    np.testing.assert_allclose(SquaredError(9.0).call(TAUGHT, OWN), wanted, rtol=1e-5)
    assert np.array_equal(Itself().call(TAUGHT[0], OWN[0]), OWN[0])


def test_a_temperature_is_above_zero_and_kept():
    with pytest.raises(ValueError, match=r"temperature must be above 0, not 0\.0"):
        SoftTargets(0.0)
    assert SoftTargets.from_config(SoftTargets(3.0).get_config()).temperature == 3.0
