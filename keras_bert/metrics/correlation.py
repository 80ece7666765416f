"""How well predicted numbers go along with those that are wanted."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from keras_bert.metrics.checks import numbers


def pearson_correlation(labels: ArrayLike, predictions: ArrayLike) -> float:
    """The linear correlation of numbers.

    Args:
        labels: float [N].
        predictions: float [N].

    Returns:
        float from -1 to 1; nan, as in scipy, if all labels or all predictions are one number.

    Raises:
        ValueError: the two are not of one shape [N], N > 0.

    Example:

    >>> from keras_bert.metrics import pearson_correlation
    >>> pearson_correlation([1.0, 2.0, 3.0], [0.0, 0.0, 3.0])
    0.866...
    """
    labels, predictions = numbers(labels, predictions)
    directions = []
    for values in (labels, predictions):
        if (values == values[0]).all():
            return math.nan
        deviations = values - values.mean()
        directions.append(deviations / np.linalg.norm(deviations))
    return float(np.clip(np.dot(*directions), -1.0, 1.0))


def spearman_correlation(labels: ArrayLike, predictions: ArrayLike) -> float:
    """The linear correlation of ranks; equal numbers share the mean of theirs.

    Args:
        labels: float [N].
        predictions: float [N].

    Returns:
        As `pearson_correlation`.

    Raises:
        ValueError: as of `pearson_correlation`.

    Example:

    >>> from keras_bert.metrics import spearman_correlation
    >>> spearman_correlation([1.0, 2.0, 3.0], [0.1, 0.1, 9.0])
    0.866...
    """
    ranks = []
    for values in numbers(labels, predictions):
        _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
        means = np.cumsum(counts) - (counts - 1) / 2
        ranks.append(np.where(np.isnan(values), np.nan, means[places]))
    return pearson_correlation(*ranks)


def mean_squared_error(labels: ArrayLike, predictions: ArrayLike) -> float:
    """The mean of the squared differences.

    Args:
        labels: float [N].
        predictions: float [N].

    Returns:
        float.

    Raises:
        ValueError: as of `pearson_correlation`.

    Example:

    >>> from keras_bert.metrics import mean_squared_error
    >>> mean_squared_error([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    labels, predictions = numbers(labels, predictions)
    return float(np.square(labels - predictions).mean())
