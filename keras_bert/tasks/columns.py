"""Columns: files to rows under the names that a task has, whatever the files call theirs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from keras_bert.data.examples.readers import read_examples
from keras_bert.data.examples.reading import TOLD, Reading
from keras_bert.data.rows import Row
from keras_bert.tasks.examples import nearest_first


class ExampleFiles(NamedTuple):
    """Files of examples, and how they are read: see `read_examples`.

    Args:
        path: str, globs with commas between them, or what else `read_examples` takes.
        reading: Reading.
    """

    path: str | Sequence[str]
    reading: Reading = TOLD

    def rows(self) -> list[Row]:
        """All their rows."""
        return read_examples(self.path, self.reading)


class ColumnNames(NamedTuple):
    """The names that a task has for its columns, where they are not the user's own.

    Args:
        texts: the columns with texts, in the order in which a person names them.
        label: the column with what is learned; None where it is not read.
        others: what the task reads besides. A column of this name that was not asked for is the
            user's own.
    """

    texts: tuple[str, ...]
    label: str | None = "label"
    others: tuple[str, ...] = ()

    def renamed(
        self,
        rows: Sequence[Row],
        task: str,
        labelled: bool,
        text_keys: Sequence[str] | None,
        label_key: str | None,
    ) -> list[Row]:
        """Rows under the task's names, where the user named columns; else as they are.

        Args:
            rows: sequence of Row.
            task: str, the task's name, for errors.
            labelled: bool, whether something is to be learned or compared.
            text_keys: sequence of str, the user's columns with texts; None has the task's names.
            label_key: str, the user's column with the label; None likewise.

        Raises:
            ValueError: columns are not there, or not as many as the task reads.

        Example:

        >>> from keras_bert.data.rows import Row
        >>> from keras_bert.tasks.columns import ColumnNames
        >>> names = ColumnNames(("question", "context"), "answers")
        >>> row = Row({"id": 7, "q": "Where?", "c": "in Bonn", "answers": ["Bonn"]}, "a.jsonl:1")
        >>> names.renamed([row], "question_answering", True, ("q", "c"), None)
        [{'id': 7, 'question': 'Where?', 'context': 'in Bonn', 'answers': ['Bonn']}]
        """
        if not labelled and not text_keys:
            rows = in_one_column(rows, self.texts)
        named = self._named(task, labelled, text_keys, label_key)
        if not named:
            return [*rows]
        check_columns(rows, [*named.values()], text_keys or ())
        return [self._renamed(row, named) for row in rows]

    def _named(
        self, task: str, labelled: bool, text_keys: Sequence[str] | None, label_key: str | None
    ) -> dict[str, str]:
        """The user's columns by the names that the task has for them; empty where none is named."""
        if text_keys is None and label_key is None:
            return {}
        if text_keys is not None and len(text_keys) != len(self.texts):
            raise ValueError(
                f"The task {task} reads {len(self.texts)} columns, its {', '.join(self.texts)}, "
                f"but --text_keys names {len(text_keys)}, {', '.join(text_keys)}: name one for "
                "each."
            )
        named = dict(zip(self.texts, text_keys or self.texts, strict=True))
        if self.label is not None and label_key is not None and labelled:
            named[self.label] = label_key
        return named

    def _renamed(self, row: Row, named: Mapping[str, str]) -> Row:
        """A row with the task's names for the columns that were asked for, and no others."""
        own = {*self.texts, self.label, *self.others, *named.values()}
        if self.label is not None and self.label not in named and self.label in row:
            named = {**named, self.label: self.label}
        others = {name: value for name, value in row.items() if name not in own}
        return row.with_columns({**others, **{ours: row[theirs] for ours, theirs in named.items()}})


def split(names: str | None) -> tuple[str, ...] | None:
    """Names with commas between them, one by one; None where there are none.

    Example:

    >>> from keras_bert.tasks.columns import split
    >>> split("premise, hypothesis"), split(None)
    (('premise', 'hypothesis'), None)
    """
    return tuple(name.strip() for name in names.split(",")) if names else None


def in_one_column(rows: Sequence[Row], texts: Sequence[str]) -> list[Row]:
    """Rows of one column, as lines are, under the name of the one text that a task reads."""
    columns = {name for row in rows for name in row}
    if len(columns) > 1 or len(texts) > 1:
        return [*rows]
    [column], [text] = columns, texts
    return [row.with_columns({text: row[column]}) for row in rows]


def check_columns(rows: Sequence[Row], names: Sequence[str], text_keys: Collection[str]) -> None:
    """Raises for the first column that no row has, with the flag that names it, and for gaps.

    Args:
        rows: sequence of Row, at least one.
        names: the columns that there must be.
        text_keys: those of them that hold texts.
    """
    there = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        flag = "--text_keys" if name in text_keys else "--label_key"
        if name not in there:
            others = nearest_first(name, [one for one in there if one not in names])
            raise ValueError(
                f"{_file_of(rows[0])}: there must be a column {name!r}, but the columns are "
                f"{', '.join(there)}: name the right one with {flag}"
                f"{f', such as {flag}={others[0]}' if others else ''}."
            )
        for row in rows:
            if name not in row:
                raise ValueError(
                    f"{row.source}: there must be a {name!r}, as in other rows, but there are only "
                    f"{', '.join(row)}: add it, or leave the row out."
                )


def _file_of(row: Row) -> str:
    return re.sub(r":\d+$", "", row.source)
