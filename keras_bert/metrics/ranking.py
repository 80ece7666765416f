"""How far up the right one stands among candidates, or among the results of a search."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def accuracy_at_k(labels: ArrayLike, predictions: ArrayLike, k: int) -> float:
    """The share of labels that are among the first k candidates, such as those for a [MASK].

    Args:
        labels: int [N].
        predictions: int [N, K], candidates, the best first.
        k: int from 1 to K.

    Returns:
        float from 0 to 1.

    Raises:
        ValueError: the shapes do not fit, or there are fewer than k candidates.

    Example:

    >>> from keras_bert.metrics import accuracy_at_k
    >>> accuracy_at_k([7, 5], [[3, 7, 5], [3, 7, 5]], k=2)
    0.5
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    fits = predictions.ndim == 2 and labels.shape == predictions.shape[:1] and labels.size
    if not fits or not 1 <= k <= predictions.shape[1]:
        raise ValueError(
            "There must be labels [N], N > 0, candidates [N, K] and k between 1 and K, but there "
            f"are {labels.shape}, {predictions.shape} and k={k}. Ask for at least k candidates."
        )
    return float((labels[:, None] == predictions[:, :k]).any(axis=1).mean())


def recall_at_k(ranks: ArrayLike, k: int) -> float:
    """The share of searches whose right result is among the first k.

    Args:
        ranks: float or int [N], the rank of each search's right result, from 1; inf if it is not
            found.
        k: int, at least 1.

    Returns:
        float from 0 to 1.

    Raises:
        ValueError: a rank or k is below 1, or there are no ranks.

    Example:

    >>> from keras_bert.metrics import recall_at_k
    >>> recall_at_k([1, 3, 2, float("inf")], k=2)
    0.5
    """
    return float((_ranks([k]) >= _ranks(ranks)).mean())


def mean_reciprocal_rank(ranks: ArrayLike) -> float:
    """The mean of 1 / rank of the right results.

    Args:
        ranks: float or int [N], as of `recall_at_k`.

    Returns:
        float from 0 to 1.

    Raises:
        ValueError: as of `recall_at_k`.

    Example:

    >>> from keras_bert.metrics import mean_reciprocal_rank
    >>> mean_reciprocal_rank([1, 2, 4, float("inf")])
    0.4375
    """
    return float((1.0 / _ranks(ranks)).mean())


def _ranks(ranks: ArrayLike) -> np.ndarray:
    """Ranks that were checked, float64."""
    ranks = np.asarray(ranks, np.float64)
    if not ranks.size or not (ranks >= 1).all():
        raise ValueError(
            f"Ranks, and k, must be numbers from 1 on, at least one, but are {ranks}. The best "
            "result has rank 1; leave out searches without a right result."
        )
    return ranks
