"""Files of answers to rows: what `keras-bert predict` writes, or others in its forms."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from keras_bert.data.answers.forms import ARRAYS, SUFFIXES, form_of_answers
from keras_bert.data.examples.dialects import Dialect
from keras_bert.data.examples.tables import read_jsonl, read_table
from keras_bert.data.rows import Path, Row

ANSWER = "answer"


def is_file_of_answers(path: Path) -> bool:
    """Whether a path is no folder, and its name says a form of answers.

    Example:

    >>> from keras_bert.data.answers.reading import is_file_of_answers
    >>> is_file_of_answers("checkpoints/mine")
    False
    """
    return os.path.splitext(os.fspath(path))[1].lower() in SUFFIXES and not os.path.isdir(path)


def read_answers(path: Path) -> list[Row]:
    """Reads a file of answers, a row an example.

    Args:
        path: path of the file, which ends in `.jsonl`, `.csv`, `.tsv` or `.parquet`, or the like.

    Returns:
        list of Row: the columns of the file, and under "answer" a dict of what is said of the
        example: in JSON lines what stands there; the columns themselves where there is no such
        entry. `source` is "path:line".

    Raises:
        ValueError: there is no such file, its form holds arrays, it has no row or is damaged.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.answers.reading import read_answers
    >>> path = os.path.join(tempfile.mkdtemp(), "said.jsonl")
    >>> _ = open(path, "w").write('{"text": "a fine film", "answer": {"label": "good"}}\\n')
    >>> read_answers(path)
    [{'text': 'a fine film', 'answer': {'label': 'good'}}]
    """
    if not os.path.isfile(path):
        raise ValueError(f"There must be a file of answers {os.fspath(path)}, but there is none.")
    form = form_of_answers(path)
    if form in ARRAYS:
        raise ValueError(
            f"{os.fspath(path)} holds an array, which does not say what its numbers are of: have "
            "the answers written as .jsonl, .csv, .tsv or .parquet."
        )
    if form == "jsonl":
        rows = read_jsonl(path)
    elif form == "parquet":
        rows = [*_parquet_rows(path)]
    else:
        rows = read_table(path, None, Dialect(quoted=True, form=form))
    if not rows:
        raise ValueError(f"{os.fspath(path)} must hold answers, but has none: write it again.")
    return [row.with_columns({**row, ANSWER: _said(row)}) for row in rows]


def _said(row: Row) -> dict[str, Any]:
    """What is said: under "answer_" where the example has an "answer" of its own."""
    said = row.get(f"{ANSWER}_", row.get(ANSWER))
    return said if isinstance(said, dict) else dict(row)


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow.parquet

    try:
        found = pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{os.fspath(path)} must be a whole file of Parquet, but is not ({error}): write it "
            "again."
        ) from error
    for number, row in enumerate(found):
        yield Row(row, f"{os.fspath(path)}:[{number}]")
