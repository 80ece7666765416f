"""What scores ask of the values that they compare."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def check_shapes(labels: np.ndarray, predictions: np.ndarray, rank: int = 2) -> None:
    if labels.ndim != rank or labels.shape != predictions.shape or not labels.size:
        raise ValueError(
            f"What is compared must be of one shape {'[N]' if rank == 1 else '[N, C]'}, N > 0, but "
            f"is {labels.shape} and {predictions.shape}. Squeeze axes of 1, and give each example "
            "one value."
        )


def check_numbers(**sequences: Sequence) -> None:
    numbers = {name: len(values) for name, values in sequences.items()}
    if len(set(numbers.values())) > 1 or 0 in numbers.values():
        raise ValueError(
            f"There must be as many of each, at least one, but there are {numbers}. Score all "
            "examples, in one order."
        )


def numbers(labels, predictions) -> tuple[np.ndarray, np.ndarray]:
    labels, predictions = np.asarray(labels, np.float64), np.asarray(predictions, np.float64)
    check_shapes(labels, predictions, rank=1)
    return labels, predictions
