"""Golden values are those of scipy; where it is installed, random numbers are compared too."""

import math

import numpy as np
import pytest

from keras_bert import metrics

NUMBERS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]
PREDICTED_NUMBERS = [2, 7, 1, 8, 2, 8, 1, 8, 2, 8, 4]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (metrics.pearson_correlation(NUMBERS, PREDICTED_NUMBERS), 0.09422924859889797),
        (metrics.spearman_correlation(NUMBERS, PREDICTED_NUMBERS), 0.1384567651467695),
        (metrics.mean_squared_error(NUMBERS, PREDICTED_NUMBERS), 145 / 11),
    ],
)
def test_golden_values(value, expected):
    assert isinstance(value, float)
    assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("metric", [metrics.pearson_correlation, metrics.spearman_correlation])
def test_correlation_with_a_constant_is_nan(metric):
    assert math.isnan(metric([0.1, 0.1, 0.1], [1.0, 2.0, 4.0]))
    assert math.isnan(metric([1.0, 2.0, 4.0], [0.1, 0.1, 0.1]))
    assert math.isnan(metric([1.0, 2.0, 4.0], [1.0, math.nan, 0.1]))
    assert math.isnan(metric([1.0], [2.0]))


@pytest.mark.reference("scipy")
@pytest.mark.filterwarnings("ignore")
def test_numbers_as_scipy_correlates_them():
    from scipy import stats as reference

    generator = np.random.default_rng(11)
    for _ in range(300):
        size, scale = generator.integers(2, 23), 10.0 ** generator.integers(-9, 9)
        decimals = generator.integers(0, 3)
        pair = [(generator.normal(size=size).round(decimals) + 5) * scale for _ in range(2)]
        expected = reference.pearsonr(*pair).statistic
        found = metrics.pearson_correlation(*pair)
        assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)
        expected = reference.spearmanr(*pair).statistic
        found = metrics.spearman_correlation(*pair)
        assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (lambda: metrics.mean_squared_error([1.0, 2.0], [[1.0], [2.0]]), r"one shape \[N\]"),
    ],
)
def test_what_does_not_fit_is_refused(score, message):
    with pytest.raises(ValueError, match=message):
        score()
