"""What scores ask of the values that they compare: shapes that fit, one of each for an example."""

from __future__ import annotations

from collections.abc import Sized

import numpy as np
from numpy.typing import ArrayLike


def check_shapes(labels: np.ndarray, predictions: np.ndarray, rank: int = 2) -> None:
    """Checks that labels and predictions have one shape.

    Args:
        labels: array [N] or, of rank 2, [N, C].
        predictions: array, likewise.
        rank: int, 1 or 2, the number of axes that both must have.

    Raises:
        ValueError: the shapes differ, have another rank, or N is 0.

    Example:

    >>> import numpy as np
    >>> from keras_bert.metrics.checks import check_shapes
    >>> check_shapes(np.zeros([3]), np.zeros([3, 1]), rank=1)
    Traceback (most recent call last):
    ValueError: What is compared must be of one shape [N], N > 0, but is (3,) and (3, 1)...
    """
    if labels.ndim != rank or labels.shape != predictions.shape or not labels.size:
        raise ValueError(
            f"What is compared must be of one shape {'[N]' if rank == 1 else '[N, C]'}, N > 0, but "
            f"is {labels.shape} and {predictions.shape}. Squeeze axes of 1, and give each example "
            "one value."
        )


def check_numbers(**sequences: Sized) -> None:
    """Checks that sequences, given by the names that the error has for them, are equally long.

    Raises:
        ValueError: one is longer than another, or all are empty.

    Example:

    >>> from keras_bert.metrics.checks import check_numbers
    >>> check_numbers(predictions=["Rome"], golds=[["Rome"], ["Paris"]])
    Traceback (most recent call last):
    ValueError: There must be as many of each, at least one, ... {'predictions': 1, 'golds': 2}...
    """
    lengths = {name: len(values) for name, values in sequences.items()}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise ValueError(
            f"There must be as many of each, at least one, but there are {lengths}. Score all "
            "examples, in one order."
        )


def numbers(labels: ArrayLike, predictions: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions as numbers that can be compared, float64 [N] each.

    Args:
        labels: numbers [N], of any type.
        predictions: numbers [N], likewise.

    Raises:
        ValueError: the two are not of one shape [N], N > 0.

    Example:

    >>> from keras_bert.metrics.checks import numbers
    >>> [values.tolist() for values in numbers([1, 2], [True, False])]
    [[1.0, 2.0], [1.0, 0.0]]
    """
    labels, predictions = np.asarray(labels, np.float64), np.asarray(predictions, np.float64)
    check_shapes(labels, predictions, rank=1)
    return labels, predictions
