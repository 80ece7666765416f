"""What was written: how much its answers differ from those of the model, and its files."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_bert import files
from keras_bert.lite.lite import CONFIG_FILE

Answers = Mapping[str, np.ndarray]


def differences(
    expected: Sequence[Answers], answers: Sequence[Answers]
) -> dict[str, dict[str, float]]:
    """How much answers differ from those that were expected, by the name of the output.

    Args:
        expected: sequence of dicts of arrays.
        answers: the same; where a rectangle is wider, what fills it up is "" or 0 there.

    Returns:
        For numbers with a fraction `max_absolute_difference`, for others `share_of_rows_changed`.

    Example:

    >>> import numpy as np
    >>> from keras_bert.exporting.differences import differences
    >>> expected = {"label": np.array([b"a", b"b"], object), "value": np.array([0.5, 1.0])}
    >>> answers = {"label": np.array([b"a", b"c"], object), "value": np.array([0.75, 1.0])}
    >>> differences([expected], [answers])
    {'label': {'share_of_rows_changed': 0.5}, 'value': {'max_absolute_difference': 0.25}}
    """
    return {
        name: _difference(
            [
                _filled_up(one[name], other[name])
                for one, other in zip(expected, answers, strict=True)
            ]
        )
        for name in expected[0]
    }


def largest(found: Mapping[str, Mapping[str, float]]) -> float:
    """The largest difference of numbers among what `differences` gives.

    Example:

    >>> from keras_bert.exporting.differences import largest
    >>> largest({"label": {"share_of_rows_changed": 0.5}, "x": {"max_absolute_difference": 0.1}})
    0.1
    """
    return max((one.get("max_absolute_difference", 0.0) for one in found.values()), default=0.0)


def sizes_of(directory: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of every file below a directory, by its path there."""
    return {
        path.relative_to(directory).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": files.sha256(path),
        }
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name not in (files.LOCK, CONFIG_FILE)
    }


def _difference(pairs: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    if np.issubdtype(pairs[0][0].dtype, np.floating):
        largest = max(float(np.abs(a - b).max(initial=0)) for a, b in pairs)
        return {"max_absolute_difference": largest}
    changed = [(a != b).reshape(len(a), -1).any(axis=1) for a, b in pairs]
    return {"share_of_rows_changed": float(np.concatenate(changed).mean())}


def _filled_up(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays in the smallest shape that holds both."""
    shape = np.maximum(first.shape, second.shape)
    fill = b"" if first.dtype == object else 0
    first, second = (
        np.pad(a, [(0, n) for n in shape - a.shape], constant_values=fill) for a in (first, second)
    )
    return first, second
