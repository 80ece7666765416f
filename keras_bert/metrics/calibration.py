"""Whether what is said with 80 % is right in 80 of 100 cases."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from keras_bert.metrics.checks import check_shapes


class Calibration(NamedTuple):
    """Answers by how sure they are, in bins of one width from 0 to 1.

    Args:
        counts: int [B], answers in each bin.
        confidence: float [B], the mean of their probabilities; NaN where there are none.
        accuracy: float [B], the share of them that are right; likewise.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: how far the two are apart, in the mean of answers."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float(np.nansum(gaps * self.counts) / self.counts.sum())


def calibration(right: ArrayLike, confidences: ArrayLike, num_bins: int = 10) -> Calibration:
    """How well probabilities say how often answers are right (Guo et al. 2017, arXiv:1706.04599).

    Args:
        right: bool or int [N], 1 where an answer is right.
        confidences: float [N], from 0 to 1, the probability that was said of each.
        num_bins: int, B; a bin has its upper bound, as in the paper.

    Returns:
        Calibration.

    Raises:
        ValueError: the two are not of one shape [N], N > 0, or a value lies outside.

    Example:

    >>> from keras_bert.metrics import calibration
    >>> found = calibration([1, 1, 0, 1], [0.95, 0.85, 0.85, 0.35], num_bins=2)
    >>> found.counts.tolist(), found.accuracy.round(4).tolist()
    ([1, 3], [1.0, 0.6667])
    >>> round(found.error, 4)  # 1/4 * 0.65 + 3/4 * (0.8833 - 0.6667)
    0.325
    """
    right, confidences = np.asarray(right), np.asarray(confidences, np.float64)
    check_shapes(right, confidences, rank=1)
    if not np.isin(right, (0, 1)).all() or not ((confidences >= 0) & (confidences <= 1)).all():
        raise ValueError(
            "Answers must be right, 1, or wrong, 0, and probabilities lie between 0 and 1: correct "
            "those that do not."
        )
    bins = np.clip(np.ceil(confidences * num_bins).astype(int) - 1, 0, None)
    counts = np.bincount(bins, minlength=num_bins)
    with np.errstate(invalid="ignore"):
        confidence, accuracy = (
            np.bincount(bins, weights=values, minlength=num_bins) / counts
            for values in (confidences, right.astype(np.float64))
        )
    return Calibration(counts, confidence, accuracy)
