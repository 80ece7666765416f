"""How the cells of a table are parted and quoted, told from its name and all its lines."""

from __future__ import annotations

import csv
import dataclasses
import os
import re
from collections.abc import Iterator, Sequence

from absl import logging

from keras_bert.data.compression import plain_name
from keras_bert.data.rows import Path
from keras_bert.data.text_files import file_lines, report_empty

DELIMITERS = {".tsv": "\t", ".tab": "\t", ".csv": ","}

# What a person may write for a tab in a command.
_NAMES_OF_TAB = ("\\t", "tab")
_OTHER_DELIMITERS = (",", ";", "\t", "|")
_EXCEL_DELIMITER = "sep="
# Programs quote cells for these characters in them: pandas and others, Excel, and some all cells.
_QUOTED_FOR = ('"\t\n', '"\t\n,', "")
_ENCLOSED = re.compile(r'"(?:[^"]|"")*"')
_DOUBLED = re.compile(r'"(?:[^"]|"")*""(?:[^"]|"")*"')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a table is written: what parts its cells, and what encloses and encodes them.

    Args:
        delimiter: str, what stands between cells ("tab" is a tab); None is a tab for `.tsv`, a
            comma for `.csv`, or, where all lines agree on it and not on those, a semicolon, tab or
            "|" (logged).
        quoted: bool, whether a cell may stand in quotation marks, and then hold delimiters, ends of
            lines, and, doubled, quotation marks ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)).
            Otherwise they are characters as others are, as in the files of
            [GLUE](https://arxiv.org/abs/1804.07461). None is True but for tabs, and for these where
            the whole file is written so and doubled marks show it (logged).
        encoding: str, that of the file; None is UTF-8, or what a byte order mark says.
        form: "tsv" or "csv", whatever the file is called; None takes it from its name.
    """

    delimiter: str | None = None
    quoted: bool | None = None
    encoding: str | None = None
    form: str | None = None


# All of which is told from the file.
TOLD = Dialect()


def table_rows(
    path: Path, dialect: Dialect = TOLD, width: int | None = None
) -> list[tuple[int, list[str]]]:
    """The rows of a table, each the number of the line it begins in, and its cells.

    Args:
        path: path of the file.
        dialect: `Dialect`, how it is written.
        width: int, how many cells a row has if that is known.

    Raises:
        ValueError: the delimiter is not one character; a quotation is not closed; the file has a
            NUL or is not in the encoding.
    """
    delimiter, quoted = dialect.delimiter, dialect.quoted
    lines = file_lines(path, dialect.encoding)
    first = lines[0].strip().strip('"') if lines else ""
    if first.lower().startswith(_EXCEL_DELIMITER) and len(first) == len(_EXCEL_DELIMITER) + 1:
        delimiter, lines[0] = delimiter or first[-1], ""
    if delimiter is None:
        delimiter = _delimiter_of(path, dialect, lines, width)
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


def named_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The names of a header, as many as there are cells: "" for what has no name.

    A delimiter at the end of the header, or of all rows, makes no column. R numbers its rows, and
    has no name for the numbers.

    Args:
        header: sequence of str, the cells of the first line.
        rows: sequence of the cells of the others.
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


def _delimiter_of(path: Path, dialect: Dialect, lines: Sequence[str], width: int | None) -> str:
    """What the form or the name says, unless all lines agree on another one and not on that."""
    suffix = os.path.splitext(plain_name(path))[1].lower()
    usual = DELIMITERS.get(f".{dialect.form}" if dialect.form else suffix)
    if usual and _fits(lines, path, usual, dialect.quoted, width):
        return usual
    first = next(filter(None, lines), "")
    others = [one for one in _OTHER_DELIMITERS if one != usual and one in first]
    fits = [one for one in others if _fits(lines, path, one, dialect.quoted, width)]
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
        filled[0] = named_columns(filled[0], filled[1:])
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
        filled[0] = named_columns(filled[0], filled[1:])
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
