"""Pairs of texts with a number that says how alike they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from absl import logging

from keras_bert.data.rows import Row
from keras_bert.tasks.examples import Example, missing_column, source_of
from keras_bert.tasks.labels import label_number


def range_of(rows: Sequence[Row]) -> tuple[float, float]:
    """The least and the greatest of the numbers of pairs, their `label`.

    Raises:
        ValueError: one of them is no number.
    """
    numbers = [_number(row) for row in rows]
    return min(numbers), max(numbers)


def cosine_of(example: Example, label_range: tuple[float, float]) -> float:
    """The cosine that a pair's number stands for.

    Args:
        example: dict with a `label`.
        label_range: pair of float, the labels of cosines 0 and 1.

    Raises:
        ValueError: there is no number, or it is not within the range.

    Example:

    >>> from keras_bert.tasks.pairs import cosine_of
    >>> cosine_of({"label": "3.0"}, (1.0, 5.0))
    0.5
    """
    if "label" not in example:
        raise ValueError(missing_column(example, "label"))
    first, last = label_range
    label = label_number(example["label"])
    if label is None or not min(first, last) <= label <= max(first, last):
        raise ValueError(
            f"{source_of(example)}: the label must be a number from {first} to {last}, but is "
            f"{example['label']!r:.100}: correct it, or name another label_range when the task "
            "is made."
        )
    return (label - first) / (last - first)


def check_range(label_range: Sequence[float]) -> None:
    """Raises a ValueError unless the labels of cosines 0 and 1 are two different numbers."""
    if len(label_range) != 2 or not np.isfinite(label_range).all() or np.ptp(label_range) == 0:
        raise ValueError(
            f"label_range must be two different numbers, the labels of cosines 0 and 1, not "
            f"{label_range!r}."
        )


def tell_unread(rows: Sequence[Row]) -> None:
    """Says that a column is not read in which others would look for the numbers of pairs.

    Args:
        rows: sequence of Row, of which pairs are learned without numbers.
    """
    if rows and "label" in rows[0]:
        logging.warning(
            "%s: the column 'label' is not read, and both texts of a pair are taken to belong "
            "together: --label_key=label learns its numbers.",
            rows[0].source,
        )


def _number(row: Row) -> float:
    number = label_number(row.get("label"))
    if number is None:
        raise ValueError(
            f"{row.source}: label must be a number, as in other rows, but is "
            f"{row.get('label')!r}: correct it, or leave the row out."
        )
    return number
