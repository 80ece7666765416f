"""Rows of answers: the columns of examples, where these came from, and ours beside them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from keras_bert.data.answers.values import as_json
from keras_bert.data.rows import Row


@dataclasses.dataclass(frozen=True)
class Columns:
    """The columns that examples have, which keep their names; ours get another where it is taken.

    Args:
        names: tuple of str, all of them.
        have_sources: bool, whether some example knows where it came from.

    Example:

    >>> from keras_bert.data.answers.rows import Columns
    >>> from keras_bert.data.rows import Row
    >>> row = Row({"text": "a fine film", "source": "a letter"}, "dev.tsv:2")
    >>> columns = Columns.of([row])
    >>> columns.row(row), columns.free("label")
    ({'text': 'a fine film', 'source': 'a letter', 'source_': 'dev.tsv:2'}, 'label')
    """

    names: tuple[str, ...]
    have_sources: bool

    @classmethod
    def of(cls, examples: Iterable[Mapping[str, Any]]) -> Columns:
        """Those of some examples."""
        names: dict[str, None] = {}
        have_sources = False
        for example in examples:
            names.update(dict.fromkeys(example))
            have_sources = have_sources or hasattr(example, "source")
        return cls(tuple(names), have_sources)

    def free(self, name: str) -> str:
        """A name that no column has, "source" or "source_", say."""
        return self.free(f"{name}_") if name in self.names else name

    def row(self, example: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of an example, and its `source` if it has one."""
        source = getattr(example, "source", None)
        return {**example, **({} if source is None else {self.free("source"): str(source)})}

    @property
    def of_rows(self) -> tuple[str, ...]:
        """The columns that `row` gives."""
        return (*self.names, self.free("source")) if self.have_sources else self.names


def sourced(examples: Iterable[Mapping[str, Any]]) -> Iterable[Row]:
    """Examples as rows: those that do not know where they came from have their number.

    Example:

    >>> from keras_bert.data.answers.rows import sourced
    >>> [row.source for row in sourced([{"text": "a fine film"}])]
    ['[0]']
    """
    for number, example in enumerate(examples):
        yield Row(example, str(getattr(example, "source", f"[{number}]")))


def digest_of(rows: Iterable[Row]) -> str:
    """The SHA-256 of rows and their sources, in hexadecimal digits: what tells them from others.

    Example:

    >>> from keras_bert.data.answers.rows import digest_of
    >>> from keras_bert.data.rows import Row
    >>> digest_of([Row({"text": "a"}, "x.txt:1")]) == digest_of([Row({"text": "a"}, "x.txt:2")])
    False
    """
    digest = hashlib.sha256()
    for row in rows:
        digest.update(as_json([row.source, row]).encode("utf-8", "replace") + b"\n")
    return digest.hexdigest()
