"""Of which scores more is better, of which less: what an epoch, a seed or a run is chosen by."""

from __future__ import annotations

import math
from collections.abc import Sequence

# A score is a figure of which more is better, unless its name ends so.
_LESS_IS_BETTER = ("error", "loss", "perplexity")


def is_better(name: str, value: float, than: float) -> bool:
    """Whether a score is better than another one of the same name.

    Less is better where the name ends in "error", "loss" or "perplexity", otherwise more is. A
    number is better than nan, and nan than nothing.

    Args:
        name: str, of the score: "f1", "mean_squared_error", "val_loss".
        value: float.
        than: float.

    Example:

    >>> from keras_bert.metrics import is_better
    >>> is_better("f1", 0.5, 0.4), is_better("mean_squared_error", 0.5, 0.4)
    (True, False)
    """
    if math.isnan(value) or math.isnan(than):
        return math.isnan(than) and not math.isnan(value)
    return value < than if name.endswith(_LESS_IS_BETTER) else value > than


def best(name: str, values: Sequence[float]) -> int:
    """The index of the best of several scores of one name, the earliest of equal ones.

    Args:
        name: str, as of `is_better`.
        values: sequence of float; nan is the best one only where there is nothing else.

    Raises:
        ValueError: there are no values.

    Example:

    >>> from keras_bert.metrics import best
    >>> best("pearson", [float("nan"), 0.2, 0.9, 0.9]), best("mean_squared_error", [0.9, 0.1])
    (2, 1)
    """
    if not len(values):
        raise ValueError(f"There must be scores to choose from, but there is no {name}: score one.")
    found = 0
    for i, value in enumerate(values):
        if is_better(name, value, values[found]):
            found = i
    return found
