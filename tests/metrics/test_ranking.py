"""Golden values are worked out by hand."""

import math

import pytest

from keras_bert import metrics


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (metrics.accuracy_at_k([7, 5, 9], [[3, 7, 5], [3, 7, 5], [9, 1, 0]], 2), 2 / 3),
        (metrics.accuracy_at_k([7, 5, 9], [[3, 7, 5], [3, 7, 5], [9, 1, 0]], 3), 1.0),
        (metrics.recall_at_k([1, 3, 2, 5, math.inf], 3), 0.6),
        (metrics.mean_reciprocal_rank([1, 3, 2, 5, math.inf]), 61 / 150),
    ],
)
def test_golden_values(value, expected):
    assert isinstance(value, float)
    assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (lambda: metrics.accuracy_at_k([1, 2], [[1, 2], [2, 1]], 3), "k between 1 and K"),
        (lambda: metrics.accuracy_at_k([1, 2], [1, 2], 1), r"\(2,\), \(2,\) and k=1"),
        (lambda: metrics.recall_at_k([0, 1], 1), "from 1 on"),
        (lambda: metrics.recall_at_k([1, 2], 0), "from 1 on"),
        (lambda: metrics.mean_reciprocal_rank([math.nan]), "from 1 on"),
        (lambda: metrics.mean_reciprocal_rank([]), "at least one"),
    ],
)
def test_what_does_not_fit_is_refused(score, message):
    with pytest.raises(ValueError, match=message):
        score()
