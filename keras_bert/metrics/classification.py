"""How well classes are told: of each example one, or, in the F1s, any number."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from keras_bert.metrics.checks import check_shapes


def accuracy(labels: ArrayLike, predictions: ArrayLike) -> float:
    """The share of predictions that are right.

    Args:
        labels: int [N].
        predictions: int [N].

    Returns:
        float from 0 to 1.

    Raises:
        ValueError: the two are not integers of one shape [N], N > 0.

    Example:

    >>> from keras_bert.metrics import accuracy
    >>> accuracy([0, 1, 2, 2], [0, 2, 2, 2])
    0.75
    """
    labels, predictions = _classes(labels, predictions)
    return float((labels == predictions).mean())


def confusion_matrix(labels: ArrayLike, predictions: ArrayLike, num_classes: int) -> np.ndarray:
    """How often each class was taken for each.

    Args:
        labels: int [N], from 0 to C - 1.
        predictions: int [N], likewise.
        num_classes: int, C.

    Returns:
        int64 [C, C]: rows are labels, columns predictions.

    Raises:
        ValueError: as of `accuracy`, or a class lies outside.

    Example:

    >>> from keras_bert.metrics import confusion_matrix
    >>> confusion_matrix([0, 1, 1], [0, 0, 1], num_classes=3).tolist()
    [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    """
    labels, predictions = _classes(labels, predictions)
    lowest, highest = np.minimum(labels, predictions).min(), np.maximum(labels, predictions).max()
    if lowest < 0 or highest >= num_classes:
        raise ValueError(
            f"Classes must lie between 0 and num_classes - 1 = {num_classes - 1}, but go from "
            f"{lowest} to {highest}. Correct num_classes, or map the labels."
        )
    counts = np.bincount(labels * num_classes + predictions, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def f1(right: int, num_predicted: int, num_wanted: int) -> float:
    """The harmonic mean of precision and recall, from counts; 0 where nothing is right.

    Args:
        right: int, how many of what was predicted is wanted, at most the other two.
        num_predicted: int, how many there are in all that were predicted.
        num_wanted: int, how many there are in all that are wanted.

    Returns:
        float from 0 to 1.

    Example:

    >>> from keras_bert.metrics.classification import f1
    >>> f1(1, 1, 2)
    0.666...
    """
    if not right:
        return 0.0
    precision, recall = right / num_predicted, right / num_wanted
    return float(2 * precision * recall / (precision + recall))


def f1_binary(labels: ArrayLike, predictions: ArrayLike, positive: int = 1) -> float:
    """The harmonic mean of precision and recall of one class; 0 if it never occurs.

    Args:
        labels: int [N].
        predictions: int [N].
        positive: int, the class.

    Returns:
        float from 0 to 1.

    Raises:
        ValueError: as of `accuracy`.

    Example:

    >>> from keras_bert.metrics import f1_binary
    >>> f1_binary([1, 1, 0, 0], [1, 0, 0, 0])
    0.666...
    """
    wanted, predicted = (values == positive for values in _classes(labels, predictions))
    return f1((wanted & predicted).sum(), predicted.sum(), wanted.sum())


def f1_macro(labels: ArrayLike, predictions: ArrayLike) -> float:
    """The mean of the F1 of all classes, 0 for those that never occur; scikit-learn's `macro`.

    Args:
        labels: int [N], one class for each example, of which those count that are in the labels
            or the predictions; or 0 and 1 [N, C], any number of C classes for each.
        predictions: of the same shape.

    Returns:
        float from 0 to 1.

    Raises:
        ValueError: the shapes differ, or values are not integers, of matrices 0 and 1.

    Example:

    >>> from keras_bert.metrics import f1_macro
    >>> f1_macro([[1, 0], [1, 1]], [[1, 0], [1, 0]])
    0.5
    """
    by_class = zip(*_counts(labels, predictions), strict=True)
    return float(np.mean([f1(*counts) for counts in by_class]))


def f1_micro(labels: ArrayLike, predictions: ArrayLike) -> float:
    """The F1 of all decisions on all classes together; scikit-learn's `micro`.

    Args:
        labels: int [N], or 0 and 1 [N, C], as of `f1_macro`.
        predictions: of the same shape.

    Returns:
        float from 0 to 1.

    Raises:
        ValueError: as of `f1_macro`.

    Example:

    >>> from keras_bert.metrics import f1_micro
    >>> f1_micro([[1, 0], [1, 1]], [[1, 0], [1, 0]])
    0.8
    """
    return f1(*(counts.sum() for counts in _counts(labels, predictions)))


class ClassScores(NamedTuple):
    """How well one class is told.

    Args:
        precision: float from 0 to 1, the share of its predictions that are right; 0 without any.
        recall: float from 0 to 1, the share of its examples that are predicted; 0 without any.
        f1: float from 0 to 1, their harmonic mean.
        support: int, its examples.
    """

    precision: float
    recall: float
    f1: float
    support: int


def class_scores(labels: ArrayLike, predictions: ArrayLike, num_classes: int) -> list[ClassScores]:
    """How well each class is told; scikit-learn's `precision_recall_fscore_support`.

    Args:
        labels: int [N], from 0 to C - 1.
        predictions: int [N], likewise.
        num_classes: int, C.

    Returns:
        list of C ClassScores.

    Raises:
        ValueError: as of `confusion_matrix`.

    Example:

    >>> from keras_bert.metrics import class_scores
    >>> class_scores([0, 1, 1], [0, 0, 1], num_classes=2)[0]
    ClassScores(precision=0.5, recall=1.0, f1=0.666..., support=1)
    """
    matrix = confusion_matrix(labels, predictions, num_classes)
    rows = zip(np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1), strict=True)
    return [
        ClassScores(
            precision=float(right / max(predicted, 1)),
            recall=float(right / max(wanted, 1)),
            f1=f1(right, predicted, wanted),
            support=int(wanted),
        )
        for right, predicted, wanted in rows
    ]


def matthews_correlation(labels: ArrayLike, predictions: ArrayLike) -> float:
    """The correlation of classes, 0 if all labels or all predictions are one.

    For two classes Matthews 1975 (phi), for more Gorodkin 2004 (R_K).

    Args:
        labels: int [N].
        predictions: int [N].

    Returns:
        float from -1 to 1.

    Raises:
        ValueError: as of `accuracy`.

    Example:

    >>> from keras_bert.metrics import matthews_correlation
    >>> matthews_correlation([1, 1, 0, 0], [1, 0, 0, 0])
    0.577...
    """
    right, predicted, wanted = _counts(*_classes(labels, predictions))
    total = int(wanted.sum())
    spread = float(total**2 - predicted @ predicted) * float(total**2 - wanted @ wanted)
    covariance = float(right.sum() * total - predicted @ wanted)
    return covariance / math.sqrt(spread) if spread else 0.0


def _counts(labels: ArrayLike, predictions: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How often each class is predicted rightly, is predicted, and is wanted, each int [C]."""
    wanted, predicted = _tables(np.asarray(labels), np.asarray(predictions))
    return (wanted & predicted).sum(axis=0), predicted.sum(axis=0), wanted.sum(axis=0)


def _tables(labels: np.ndarray, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which classes each example has, and is predicted to have, bool [N, C]."""
    if labels.ndim != 2:
        labels, predictions = _classes(labels, predictions)
        classes = np.union1d(labels, predictions)
        return labels[:, None] == classes, predictions[:, None] == classes
    check_shapes(labels, predictions)
    if not (np.isin(labels, (0, 1)).all() and np.isin(predictions, (0, 1)).all()):
        raise ValueError(
            "Matrices [N, C] of classes must hold 0 and 1 only, but hold other values. Compare "
            "probabilities with a threshold first."
        )
    return labels == 1, predictions == 1


def _classes(labels: ArrayLike, predictions: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """One class of each example, and the one that is predicted, int64 [N]."""
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    check_shapes(labels, predictions, rank=1)
    if labels.dtype.kind not in "biu" or predictions.dtype.kind not in "biu":
        raise ValueError(
            f"Classes must be integers, but are {labels.dtype} and {predictions.dtype}. Map names "
            "to numbers, and take the argmax of probabilities."
        )
    return labels.astype(np.int64), predictions.astype(np.int64)
