"""The forms that answers are written in, told from a file's name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from keras_bert.data.answers.parquet import check_installed, parquet
from keras_bert.data.answers.tables import Write, json_lines, table
from keras_bert.data.rows import Path

SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".npy": "npy",
    ".npz": "npz",
}
# What holds numbers alone, the same of every example.
ARRAYS = ("npy", "npz")

_DELIMITERS = {"csv": ",", "tsv": "\t"}


def form_of_answers(path: Path) -> str:
    """The form that a file's name says.

    Args:
        path: path of the file that is to be written.

    Raises:
        ValueError: its name says none, or what writes the form is not installed.

    Example:

    >>> from keras_bert.data.answers.forms import form_of_answers
    >>> form_of_answers("answers.csv")
    'csv'
    >>> form_of_answers("answers.xlsx")
    Traceback (most recent call last):
    ...
    ValueError: A file of answers must end in .jsonl, .ndjson, .csv, .tsv, .tab, .parquet, .npy or \
.npz, which says how it is written, but answers.xlsx ends in '.xlsx': name it so.
    """
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix not in SUFFIXES:
        *names, last = SUFFIXES
        raise ValueError(
            f"A file of answers must end in {', '.join(names)} or {last}, which says how it is "
            f"written, but {os.fspath(path)} ends in {suffix!r}: name it so."
        )
    if SUFFIXES[suffix] == "parquet":
        check_installed(path)
    return SUFFIXES[suffix]


def opened_for_rows(
    path: Path, like: Mapping[str, Sequence[Any]]
) -> contextlib.AbstractContextManager[Write]:
    """A context that gives a function which writes rows to a file, in the form that its name says.

    Args:
        path: path of the file; it is whole in the end, or not there.
        like: dict of values by column, all columns that there are: what is typed has the types of
            these.

    Raises:
        ValueError: as of `form_of_answers`, or its form holds arrays.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.answers.forms import opened_for_rows
    >>> path = os.path.join(tempfile.mkdtemp(), "answers.tsv")
    >>> with opened_for_rows(path, {"text": [], "label": []}) as write:
    ...     write([{"text": "a fine film", "label": "good"}])
    >>> open(path).read().splitlines()
    ['text\\tlabel', 'a fine film\\tgood']
    """
    form = form_of_answers(path)
    if form in ARRAYS:
        raise ValueError(
            f"{os.fspath(path)} would hold an array, but there are rows of several columns: name "
            "it .jsonl, .csv, .tsv or .parquet."
        )
    if form == "jsonl":
        return json_lines(path)
    return parquet(path, like) if form == "parquet" else table(path, [*like], _DELIMITERS[form])
