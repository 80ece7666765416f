"""Tables to rows: TSV and CSV as the world writes them, JSON, lines and paragraphs of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from absl import logging

from keras_bert.data.examples.dialects import TOLD, Dialect, named_columns, table_rows
from keras_bert.data.rows import Path, Row
from keras_bert.data.text_files import file_lines, filled_lines, parsed_json, read_json


def read_table(
    path: Path, columns: Sequence[str] | None = None, dialect: Dialect = TOLD
) -> list[Row]:
    r"""Reads a TSV or CSV file, plain or compressed: a row a line, its values str.

    Lines end with "\n" or "\r\n". Empty lines are left out, and reported; so are columns without a
    name, such as the index that pandas writes. Blanks around names are no part of them.

    Args:
        path: path of the file.
        columns: names of the columns of a file without header; None takes them from its first line.
        dialect: `Dialect`, how the file is written.

    Returns:
        list of Row, the columns; `source` is "path:line" of the line that the row begins in.

    Raises:
        ValueError: a row has more or fewer cells than there are columns; no column has a name, or
            two have the same; a quotation is not closed; the file is not in the encoding.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.examples.tables import read_table
    >>> path = os.path.join(tempfile.mkdtemp(), "dev.tsv")
    >>> _ = open(path, "w").write('sentence\tlabel\na "fine" film\t1\n')
    >>> [row] = read_table(path)
    >>> row["sentence"], row["label"], os.path.basename(row.source)
    ('a "fine" film', '1', 'dev.tsv:2')
    """
    if columns is not None:
        check_names(columns, f"columns of {path}")
    rows = table_rows(path, dialect, None if columns is None else len(columns))
    place = f"columns of {path}"
    if columns is None:
        if not rows:
            raise ValueError(
                f"{path} must begin with a line of names for its columns, but is empty: restore "
                "the file."
            )
        line, header = rows.pop(0)
        place, columns = f"{path}:{line}", named_columns(header, [cells for _, cells in rows])
    elif not rows:
        return []
    return _table(path, place, columns, rows)


def read_jsonl(path: Path, encoding: str | None = None) -> list[Row]:
    """Reads a file with a JSON object on every line, plain or compressed.

    Empty lines are left out, and reported.

    Args:
        path: path of the file.
        encoding: str, that of the file; None is UTF-8, or what a byte order mark says.

    Returns:
        list of Row, the objects; `source` is "path:line".

    Raises:
        ValueError: a line is no JSON object; the file has a NUL or is not in the encoding.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.examples.tables import read_jsonl
    >>> path = os.path.join(tempfile.mkdtemp(), "dev.jsonl")
    >>> _ = open(path, "w").write('{"sentence": "a fine film", "label": 1}\\n')
    >>> read_jsonl(path)[0]["label"]
    1
    """
    rows = []
    for number, line in filled_lines(path, encoding):
        place = f"{path}:{number}"
        value = parsed_json(line, path, number)
        if not isinstance(value, dict):
            raise ValueError(
                f"{place}: a line must hold a JSON object, but this one holds {line!r:.100}: "
                "correct it, or name the form that the file has (--form=json)."
            )
        rows.append(Row(value, place))
    return rows


def read_lines(
    path: Path, column: str = "text", *, encoding: str | None = None, label: str | None = None
) -> list[Row]:
    """Reads a file with a text on every line, plain or compressed.

    That is the form of texts to be answered, and, one file a label, of the sentence polarity data,
    whose original is in Latin-1 ([Pang and Lee, 2005](https://arxiv.org/abs/cs/0506075)). Empty
    lines are reported: of a label they are left out, but texts to be answered have them as they
    are, so that answer and line have the same number.

    Args:
        path: path of the file.
        column: str, the name that the texts get.
        encoding: str, that of the file; None is UTF-8, or what a byte order mark says.
        label: str, what all its texts have as their `label`; None gives them none.

    Returns:
        list of Row, `column` and, where there is one, "label"; `source` is "path:line".

    Raises:
        ValueError: the file is not in the encoding, or has a NUL; the column is named "label" too.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.examples.tables import read_lines
    >>> path = os.path.join(tempfile.mkdtemp(), "rt-polarity.pos")
    >>> _ = open(path, "w").write("a fine film\\n")
    >>> read_lines(path), read_lines(path, "sentence", label="positive")
    ([{'text': 'a fine film'}], [{'sentence': 'a fine film', 'label': 'positive'}])
    """
    labels = {} if label is None else {"label": label}
    check_names((column, *labels), f"columns of {path}")
    if label is None:
        lines = list(enumerate(file_lines(path, encoding), 1))
        _report_kept(path, [number for number, line in lines if not line.strip()])
    else:
        lines = list(filled_lines(path, encoding))
    return [Row({column: line, **labels}, f"{path}:{number}") for number, line in lines]


def read_paragraphs(path: Path, column: str = "text", *, encoding: str | None = None) -> list[Row]:
    """Reads a file of texts with empty lines between them, plain or compressed.

    The lines of a paragraph are joined by blanks. In a file without an empty line within it every
    line is a paragraph.

    Args:
        path: path of the file.
        column: str, the name that the texts get.
        encoding: str, that of the file; None is UTF-8, or what a byte order mark says.

    Returns:
        list of Row, `column`; `source` is "path:line" of a paragraph's first line.

    Raises:
        ValueError: the file is not in the encoding, or has a NUL.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.examples.tables import read_paragraphs
    >>> path = os.path.join(tempfile.mkdtemp(), "letters.txt")
    >>> _ = open(path, "w").write("a fine\\nfilm\\n\\nthe dog\\n")
    >>> [(row["text"], os.path.basename(row.source)) for row in read_paragraphs(path)]
    [('a fine film', 'letters.txt:1'), ('the dog', 'letters.txt:4')]
    """
    check_names((column,), f"columns of {path}")
    lines = [(number, line.strip()) for number, line in enumerate(file_lines(path, encoding), 1)]
    filled = [place for place, (_, line) in enumerate(lines) if line]
    one_a_line = not filled or filled[-1] - filled[0] == len(filled) - 1
    rows: list[Row] = []
    for place in filled:
        number, line = lines[place]
        if rows and not one_a_line and lines[place - 1][1]:
            rows[-1][column] += f" {line}"
        else:
            rows.append(Row({column: line}, f"{path}:{number}"))
    return rows


def _report_kept(path: Path, numbers: Sequence[int]) -> None:
    if numbers:
        logging.warning(
            "%s: %d empty lines are texts like the others, the first is line %d.",
            *(path, len(numbers), numbers[0]),
        )


def read_json_lists(
    path: Path, part: str, columns: Sequence[str], encoding: str | None = None
) -> list[Row]:
    """Reads one part of a JSON object whose values are lists of rows: `{part: [[cell, ...], ...]}`.

    That is the form of CLINC150 ([Larson et al., 2019](https://arxiv.org/abs/1909.02027)), whose
    rows are a text and its intent.

    Args:
        path: path of the file, plain or compressed.
        part: str, the key of the rows to read, such as "train".
        columns: sequence of str, the names of a row's cells; rows that are objects name their own.
        encoding: str, that of the file; None is UTF-8, or what a byte order mark says.

    Returns:
        list of Row, the columns; `source` is "path:part[index]".

    Raises:
        ValueError: there is no such part, or a row has more or fewer cells than there are columns.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.examples.tables import read_json_lists
    >>> path = os.path.join(tempfile.mkdtemp(), "clinc150.json")
    >>> _ = open(path, "w").write('{"train": [["how are you", "greeting"]]}')
    >>> read_json_lists(path, "train", ("text", "intent"))[0]["intent"]
    'greeting'
    """
    check_names(columns, f"columns of {path}")
    parts = read_json(path, encoding)
    if not isinstance(parts, dict) or not isinstance(parts.get(part), list):
        there = list(parts) if isinstance(parts, dict) else type(parts).__name__
        raise ValueError(
            f"{path} must be a JSON object with a list {part!r}, but holds {there!r:.200}: name "
            "one of its parts."
        )
    rows = []
    for index, cells in enumerate(parts[part]):
        place = f"{path}:{part}[{index}]"
        if isinstance(cells, dict):
            rows.append(Row(cells, place))
        elif isinstance(cells, list):
            rows.append(row_of(columns, cells, place))
        else:
            raise ValueError(f"{place}: a row must be a list, but is {cells!r:.100}: correct it.")
    return rows


def check_names(columns: Sequence[str], place: str) -> None:
    """Checks names of columns.

    Args:
        columns: sequence of str.
        place: str, where they come from.

    Raises:
        ValueError: there is none, or one is empty or there twice.
    """
    if isinstance(columns, str) or not any(columns):
        raise ValueError(
            f"{place}: columns must be a sequence of names, but are {columns!r}: name them all."
        )
    for index, name in enumerate(columns):
        if not name.strip() or name in columns[:index]:
            raise ValueError(
                f"{place}: a column must have a name of its own, but column {index + 1} is "
                f"{name!r}: rename it, or name all of a file without header with --columns."
            )


def row_of(columns: Sequence[str], cells: Sequence[Any], place: str) -> Row:
    """The row of some cells.

    Args:
        columns: sequence of str, the names of the columns.
        cells: sequence, their values.
        place: str, the row's source.

    Raises:
        ValueError: there are more or fewer cells than columns.
    """
    if len(cells) != len(columns):
        raise ValueError(
            f"{place}: a row must have {len(columns)} cells, {', '.join(columns):.300}, but this "
            f"one has {len(cells)}: correct it, or say of the whole file how its cells are parted "
            "(--delimiter, --quoted or --noquoted) and named (--columns)."
        )
    return Row(dict(zip(columns, cells, strict=True)), place)


def _table(
    path: Path, place: str, columns: Sequence[str], rows: Sequence[tuple[int, list[str]]]
) -> list[Row]:
    """Rows with those columns that have a name."""
    nameless = [index for index, name in enumerate(columns) if not name]
    check_names([name for name in columns if name], place)
    if nameless:
        logging.info(
            "%s: left aside %d columns without a name, the first is column %d.",
            *(path, len(nameless), nameless[0] + 1),
        )
    table = []
    for line, cells in rows:
        row = row_of(columns, cells, f"{path}:{line}")
        row.pop("", None)
        table.append(row)
    return table
