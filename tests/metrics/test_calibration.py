import numpy as np
import pytest

from keras_bert import metrics


def test_bins_have_their_upper_bounds_and_zero_is_in_the_first():
    found = metrics.calibration([1, 0, 1, 1], [0.0, 0.5, 0.50001, 1.0], num_bins=2)
    assert found.counts.tolist() == [2, 2]
    assert found.accuracy.tolist() == [0.5, 1.0]


def test_the_error_is_that_of_its_definition():
    draw = np.random.default_rng(3)
    confidences = draw.random(500)
    right = draw.random(500) < confidences**2
    bins = np.ceil(confidences * 10)
    expected = sum(
        np.mean(bins == b) * abs(right[bins == b].mean() - confidences[bins == b].mean())
        for b in range(1, 11)
    )
    assert metrics.calibration(right, confidences).error == pytest.approx(expected)


def test_one_who_is_as_sure_as_right_has_no_error():
    assert metrics.calibration([1, 1, 1, 0], [0.75] * 4).error == 0.0


@pytest.mark.parametrize(
    ("right", "confidences"), [([1, 2], [0.5, 0.5]), ([1], [1.1]), ([1, 0], [0.5]), ([], [])]
)
def test_what_is_no_probability_is_refused(right, confidences):
    with pytest.raises(ValueError):
        metrics.calibration(right, confidences)
