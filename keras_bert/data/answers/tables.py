"""Rows to text: JSON lines, and CSV and TSV as spreadsheets and pandas read them."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from keras_bert import files
from keras_bert.data.answers.values import as_cell, as_json
from keras_bert.data.rows import Path

Write = Callable[[Iterable[Mapping[str, Any]]], None]


@contextlib.contextmanager
def json_lines(path: Path) -> Iterator[Write]:
    """A function that writes rows as JSON objects, one a line; the file is whole or not there.

    Args:
        path: path of the file.

    Yields:
        Function of some rows, which come behind those before.

    Raises:
        ValueError: another process is writing the file.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.answers.tables import json_lines
    >>> path = os.path.join(tempfile.mkdtemp(), "answers.jsonl")
    >>> with json_lines(path) as write:
    ...     write([{"text": "a fine film"}])
    ...     os.path.exists(path)
    False
    >>> open(path).read()
    '{"text": "a fine film"}\\n'
    """
    with files.whole_file(path) as staging, staging.open("w", encoding="utf-8") as file:
        yield lambda rows: file.writelines(f"{as_json(row)}\n" for row in rows)


@contextlib.contextmanager
def table(path: Path, columns: Sequence[str], delimiter: str = ",") -> Iterator[Write]:
    """A function that writes rows as lines of cells below a header (RFC 4180).

    A cell that holds the delimiter, a quotation mark or a line break stands in quotation marks, as
    pandas and Excel write it, in TSV too. Lists and objects are JSON; None is an empty cell.

    Args:
        path: path of the file.
        columns: sequence of str, the names of the columns; a row without one has an empty cell.
        delimiter: str, what stands between cells.

    Yields:
        Function of some rows, as of `json_lines`.

    Raises:
        ValueError: another process is writing the file.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.answers.tables import table
    >>> path = os.path.join(tempfile.mkdtemp(), "answers.csv")
    >>> with table(path, ("text", "label")) as write:
    ...     write([{"text": "fine, and long", "label": "good"}])
    >>> print(open(path).read(), end="")
    text,label
    "fine, and long",good
    """
    with (
        files.whole_file(path) as staging,
        staging.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(columns)
        yield lambda rows: writer.writerows(
            [as_cell(row.get(name)) for name in columns] for row in rows
        )
