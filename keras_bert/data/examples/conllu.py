"""Files in CoNLL-U, ten columns with a word on every line, to rows of words and labels."""

from __future__ import annotations

import re
from collections.abc import Iterator

from absl import logging

from keras_bert.data.examples.conll import Column, Word, cells_at, is_number, sentences
from keras_bert.data.rows import Path, Row
from keras_bert.data.text_files import file_lines

_NUM_COLUMNS = 10


def read_conllu(
    path: Path,
    *,
    word_column: Column | None = None,
    label_column: Column | None = None,
    encoding: str | None = None,
) -> list[Row]:
    r"""Reads a [CoNLL-U](https://universaldependencies.org/format.html) file.

    Comments are left out; so are lines of several words at once ("1-2") and of words that are not
    in the text ("1.1"), which are logged.

    Args:
        path: path of the file, plain or compressed.
        word_column: int, counted from 1: 2 is FORM, which None is, too.
        label_column: int, 4 is UPOS, which None is, too, 5 is XPOS.
        encoding: str, that of the file; None is UTF-8, or what a byte order mark says.

    Returns:
        list of Row, `words` and `labels`, lists of str; `source` is "path:line" of the first word;
        a row a sentence.

    Raises:
        ValueError: a line has not 10 columns or another id; a column is none of them; the file has
            a NUL or is not in the encoding.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.examples.conllu import read_conllu
    >>> path = os.path.join(tempfile.mkdtemp(), "dev.conllu")
    >>> rest = "\t_" * 6 + "\n"
    >>> lines = ["# text = zum Haus\n", f"1-2\tzum\t_\t_{rest}"]
    >>> lines += [f"1\tzu\tzu\tADP{rest}", f"2\tdem\tder\tDET{rest}", f"3\tHaus\tHaus\tNOUN{rest}"]
    >>> _ = open(path, "w").write("".join(lines))
    >>> read_conllu(path)[0]["words"]
    ['zu', 'dem', 'Haus']
    """
    word = 2 if word_column is None else _number_of(path, word_column)
    label = 4 if label_column is None else _number_of(path, label_column)
    return sentences(path, _words(path, (word, label), encoding))


def _number_of(path: Path, column: Column) -> int:
    if not is_number(column):
        raise ValueError(
            f"{path}: columns of this form must be numbers counted from 1, but one is {column!r}: "
            "correct --word_column or --label_column."
        )
    return int(column)


def _words(path: Path, columns: tuple[int, int], encoding: str | None) -> Iterator[Word | None]:
    num_ranges = num_empty_nodes = 0
    for number, line in enumerate(file_lines(path, encoding), 1):
        if not line.strip():
            yield None
            continue
        if line.startswith("#"):
            continue
        place = f"{path}:{number}"
        cells = line.split("\t")
        word, label = cells_at(cells, columns, _NUM_COLUMNS, place)
        if re.fullmatch("[0-9]+", cells[0]):
            yield Word(number, word, label)
        elif re.fullmatch("[0-9]+-[0-9]+", cells[0]):
            num_ranges += 1
        elif re.fullmatch(r"[0-9]+\.[0-9]+", cells[0]):
            num_empty_nodes += 1
        else:
            raise ValueError(
                f"{place}: a line must begin with a word's number, such as 1, 1-2 or 1.1, but "
                f"begins with {cells[0]!r:.50}: restore the file."
            )
    if num_ranges or num_empty_nodes:
        logging.info(
            "%s: left out %d lines of several words and %d of words that are not in the text.",
            *(path, num_ranges, num_empty_nodes),
        )
