"""Tables to rows: TSV and CSV as the world writes them, JSON, labeled lines, plain lines."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from absl import logging

from keras_bert.data.compression import plain_name
from keras_bert.data.rows import Path, Row
from keras_bert.data.text_files import (
    file_lines,
    filled_lines,
    parsed_json,
    read_json,
    report_empty,
)

DELIMITERS = {".tsv": "\t", ".tab": "\t", ".csv": ","}

# What a person may write for a tab in a command.
_NAMES_OF_TAB = ("\\t", "tab")
_OTHER_DELIMITERS = (",", ";", "\t", "|")
_EXCEL_DELIMITER = "sep="
# Programs quote cells for these characters in them: pandas and others, Excel, and some all cells.
_QUOTED_FOR = ('"\t\n', '"\t\n,', "")
_ENCLOSED = re.compile(r'"(?:[^"]|"")*"')
_DOUBLED = re.compile(r'"(?:[^"]|"")*""(?:[^"]|"")*"')


def read_table(
    path: Path,
    columns: Sequence[str] | None = None,
    delimiter: str | None = None,
    quoted: bool | None = None,
    encoding: str | None = None,
    form: str | None = None,
) -> list[Row]:
    r"""Reads a TSV or CSV file, plain or compressed: a row a line, its values str.

    Lines end with "\n" or "\r\n". Empty lines are left out, and reported; so are columns without a
    name, such as the index that pandas writes. Blanks around names are no part of them.

    Args:
        path: path of the file.
        columns: names of the columns of a file without header; None takes them from its first line.
        delimiter: str, what stands between cells; None is a tab for `.tsv`, a comma for `.csv`, or,
            where all lines agree on it and not on those, a semicolon, tab or "|" (logged).
        quoted: bool, whether a cell may stand in quotation marks, and then hold delimiters, ends of
            lines, and, doubled, quotation marks ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)).
            Otherwise they are characters as others are, as in the files of
            [GLUE](https://arxiv.org/abs/1804.07461). None is True but for tabs, and for these where
            the whole file is written so and doubled marks show it (logged).
        encoding: str, that of the file; None is UTF-8, or what a byte order mark says.
        form: "tsv" or "csv", whatever the file is called.

    Returns:
        list of Row, the columns; `source` is "path:line" of the line that the row begins in.

    Raises:
        ValueError: a row has more or fewer cells than there are columns; no column has a name, or
            two have the same; a quotation is not closed; the file is not in the encoding.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.tables import read_table
    >>> path = os.path.join(tempfile.mkdtemp(), "dev.tsv")
    >>> _ = open(path, "w").write('sentence\tlabel\na "fine" film\t1\n')
    >>> [row] = read_table(path)
    >>> row["sentence"], row["label"], os.path.basename(row.source)
    ('a "fine" film', '1', 'dev.tsv:2')
    """
    if columns is not None:
        check_names(columns, f"columns of {path}")
    rows = table_rows(path, delimiter, quoted, encoding, form, columns and len(columns))
    place = f"columns of {path}"
    if columns is None:
        if not rows:
            raise ValueError(
                f"{path} must begin with a line of names for its columns, but is empty: restore "
                "the file."
            )
        line, header = rows.pop(0)
        place, columns = f"{path}:{line}", _named(header, [cells for _, cells in rows])
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
    >>> from keras_bert.data.tables import read_jsonl
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
    path: Path,
    column: str = "text",
    encoding: str | None = None,
    label: str | None = None,
) -> list[Row]:
    """Reads a file with a text on every line, plain or compressed.

    That is the form of texts to be answered, and, one file a label, of the sentence polarity data,
    whose original is in Latin-1 ([Pang and Lee, 2005](https://arxiv.org/abs/cs/0506075)). Empty
    lines are left out, and reported.

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
    >>> from keras_bert.data.tables import read_lines
    >>> path = os.path.join(tempfile.mkdtemp(), "rt-polarity.pos")
    >>> _ = open(path, "w").write("a fine film\\n")
    >>> read_lines(path), read_lines(path, "sentence", label="positive")
    ([{'text': 'a fine film'}], [{'sentence': 'a fine film', 'label': 'positive'}])
    """
    labels = {} if label is None else {"label": label}
    check_names((column, *labels), f"columns of {path}")
    return [
        Row({column: line, **labels}, f"{path}:{number}")
        for number, line in filled_lines(path, encoding)
    ]


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
    >>> from keras_bert.data.tables import read_json_lists
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
        if not isinstance(cells, list | dict):
            raise ValueError(f"{place}: a row must be a list, but is {cells!r:.100}: correct it.")
        is_list = isinstance(cells, list)
        rows.append(row_of(columns, cells, place) if is_list else Row(cells, place))
    return rows


def table_rows(
    path: Path,
    delimiter: str | None = None,
    quoted: bool | None = None,
    encoding: str | None = None,
    form: str | None = None,
    width: int | None = None,
) -> list[tuple[int, list[str]]]:
    """The rows of a table, each the number of the line it begins in, and its cells.

    Args:
        path: path of the file.
        delimiter, quoted, encoding, form: as in `read_table`.
        width: int, how many cells a row has if that is known.

    Raises:
        ValueError: the delimiter is not one character; a quotation is not closed; the file has a
            NUL or is not in the encoding.
    """
    lines = file_lines(path, encoding)
    first = lines[0].strip().strip('"') if lines else ""
    if first.lower().startswith(_EXCEL_DELIMITER) and len(first) == len(_EXCEL_DELIMITER) + 1:
        delimiter, lines[0] = delimiter or first[-1], ""
    if delimiter is None:
        delimiter = _delimiter_of(path, form, lines, quoted, width)
    delimiter = "\t" if delimiter in _NAMES_OF_TAB else delimiter
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(
            f"{path}: a delimiter must be one character, but is {delimiter!r}: choose one with "
            "--delimiter, such as ',', ';', '|' or tab."
        )
    if quoted is None:
        quoted = delimiter != "\t" or _is_quoted(path, lines, has_header=width is None)
    rows = list(_rows(lines, path, delimiter, quoted))
    report_empty(path, [line for line, cells in rows if not any(cells)])
    header = [row for row in rows if row[1]][:1] if width is None else []
    return [row for row in rows if any(row[1]) or row in header]


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


def _named(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The names of a header, as many as there are cells: "" for what has no name.

    A delimiter at the end of the header, or of all rows, makes no column. R numbers its rows, and
    has no name for the numbers.
    """
    names = [name.strip() for name in header]
    widths = {len(cells) for cells in rows} or {len(names)}
    if widths == {len(names) + 1} and len(rows) > 1:
        if not any(cells[-1] for cells in rows):
            return [*names, ""]
        if [cells[0] for cells in rows] == [str(n) for n in range(1, len(rows) + 1)]:
            return ["", *names]
    width = min(widths)
    return names[:width] if not any(names[width:]) else names


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


def _delimiter_of(
    path: Path, form: str | None, lines: Sequence[str], quoted: bool | None, width: int | None
) -> str:
    """What the form or the name says, unless all lines agree on another one and not on that."""
    suffix = os.path.splitext(plain_name(path))[1].lower()
    usual = DELIMITERS.get(f".{form}" if form else suffix)
    if usual and _fits(lines, path, usual, quoted, width):
        return usual
    first = next(filter(None, lines), "")
    others = [one for one in _OTHER_DELIMITERS if one != usual and one in first]
    fits = [one for one in others if _fits(lines, path, one, quoted, width)]
    if usual and not fits:
        return usual
    if len(fits) != 1:
        raise ValueError(
            f"{path}: what stands between its cells must be known, but its name does not say it, "
            f"and {' and '.join(map(repr, fits)) if fits else 'no delimiter'} would part all lines "
            "alike: say it with --delimiter, such as --delimiter=tab, or name the form (--form)."
        )
    logging.warning("%s: its cells are parted by %r, as its lines agree.", path, fits[0])
    return fits[0]


def _fits(
    lines: Sequence[str], path: Path, delimiter: str, quoted: bool | None, width: int | None
) -> bool:
    """Whether a delimiter parts all lines into the same number of cells, two at least."""
    rows = _rows(lines, path, delimiter, delimiter != "\t" if quoted is None else quoted)
    try:
        filled = [cells for _, cells in rows if any(cells)]
    except ValueError:
        return False
    if width is None and filled:
        filled[0] = _named(filled[0], filled[1:])
    widths = set(map(len, filled))
    return len(widths) == 1 and min(widths) >= 2 and (width is None or widths == {width})


def _is_quoted(path: Path, lines: Sequence[str], has_header: bool) -> bool:
    """Whether quotation marks around cells between tabs are no characters of the text.

    They are none where the whole file is as a program writes it that quotes cells, and doubled
    marks show that it did, or names in quotation marks, or lines that have the same number of cells
    only if it did. A mark that stands alone, as in GLUE, is none that such a program writes.
    """
    if not any('"' in line for line in lines):
        return False
    try:
        rows = [cells for _, cells in _rows(lines, path, "\t", quoted=True)]
    except ValueError:
        rows = []
    parted = [line.split("\t") for line in lines if line.strip("\t")]
    filled = [cells for cells in rows if any(cells)]
    if filled and has_header:
        filled[0] = _named(filled[0], filled[1:])
    is_table = len(set(map(len, filled))) == 1
    as_written = is_table and "\n".join(lines) in (_written(rows, some) for some in _QUOTED_FOR)
    doubled = any('"' in cell for cells in rows for cell in cells)
    if (as_written and (doubled or len({len(cells) for cells in parted}) > 1)) or (
        is_table and has_header and all(map(_ENCLOSED.fullmatch, parted[0]))
    ):
        logging.warning("%s: its cells are quoted, which --noquoted denies.", path)
        return True
    if as_written or any(_DOUBLED.fullmatch(cell) for cells in parted for cell in cells):
        logging.warning(
            "%s: quotation marks around its cells are taken for characters of the text, as TSV has "
            "none: say --quoted if they only enclose cells, --noquoted if they are text.",
            path,
        )
    return False


def _written(rows: Sequence[Sequence[str]], special: str) -> str:
    """Rows as a program writes them that quotes cells with certain characters, or all ("")."""
    return "\n".join(
        "\t".join(
            cell if special and not any(c in cell for c in special) else _enclosed(cell)
            for cell in cells
        )
        for cells in rows
    )


def _enclosed(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def _rows(
    lines: Sequence[str], path: Path, delimiter: str, quoted: bool
) -> Iterator[tuple[int, list[str]]]:
    if not quoted:
        for number, line in enumerate(lines, 1):
            yield number, line.split(delimiter) if line.strip(" ") else []
        return
    # Names with a blank before them, after a comma, say that all cells have one.
    names = next(filter(None, lines), "").split(delimiter)
    blank = len(names) > 1 and all(name.startswith(" ") for name in names[1:])
    reader = csv.reader(
        (f"{line}\n" for line in lines),
        delimiter=delimiter,
        strict=True,
        skipinitialspace=blank and delimiter != " ",
    )
    begin = 1
    try:
        for cells in reader:
            yield begin, [] if len(cells) == 1 and not cells[0].strip() else cells
            begin = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{path}:{begin}: a quotation must be closed before the next {delimiter!r} or the end "
            f"of the file, and quotation marks in it be doubled, but in the row that begins here: "
            f"{error}. Correct the row; say --noquoted if quotation marks are characters as others "
            "are, or --delimiter if another character parts cells; for cells of more than "
            f"{csv.field_size_limit()} characters use JSON lines."
        ) from error
