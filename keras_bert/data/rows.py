"""Rows: what the readers give, columns of the user's own names and where they came from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

Path = str | os.PathLike

_KINDS = {
    str: "a text",
    int: "an integer",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


class Row(dict[str, Any]):
    """The columns of one example, by their names, and the place that errors name.

    Any name may be a column's: the place is no column.

    Args:
        columns: mapping of name to value.
        source: str, where the row came from, such as "path:line".

    Example:

    >>> from keras_bert.data.rows import Row
    >>> row = Row({"sentence": "a fine film", "source": "a letter"}, "dev.tsv:2")
    >>> row["source"], row.source
    ('a letter', 'dev.tsv:2')
    >>> row.with_columns({"text": row["sentence"]}).source
    'dev.tsv:2'
    """

    source: str

    def __init__(self, columns: Mapping[str, Any], source: str):
        super().__init__(columns)
        self.source = source

    def with_columns(self, columns: Mapping[str, Any]) -> Row:
        """A row of other columns, and of no others, from the same place."""
        return Row(columns, self.source)


def place_of(example: Mapping[str, Any]) -> str:
    """Where an example came from, or what it looks like if nothing says that."""
    return getattr(example, "source", "") or f"the example {dict(example)!r:.200}"


def field(record: Any, key: str, kind: type, place: str, *, may_be_empty: bool = False) -> Any:
    """A value of a JSON object, of the kind that it must have.

    Args:
        record: what should be the object.
        key: str, the name of the value.
        kind: type, one of str, int, bool, list and dict.
        place: str, where the object stands.
        may_be_empty: bool, whether a text may be blank.

    Raises:
        ValueError: it is missing, blank, or of another kind.
    """
    value: Any = record.get(key) if isinstance(record, dict) else None
    is_kind = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not is_kind or (kind is str and not may_be_empty and not value.strip()):
        there = isinstance(record, dict) and key in record
        raise ValueError(
            f"{place}: {key!r} must be {_KINDS[kind]}, but is "
            f"{format(repr(value), '.100') if there else 'missing'}: correct it, or name the form "
            "that the file has (--form)."
        )
    return value
