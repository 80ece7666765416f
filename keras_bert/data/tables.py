"""Text files to rows of examples: TSV and CSV, JSON lines, labeled lines, lists in JSON."""

from __future__ import annotations

import csv
import glob
import gzip
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from absl import logging

from keras_bert.data.corpus import matching

# A column's value by its name, and under SOURCE where the example came from, for later errors.
Example = dict[str, Any]
Path = str | os.PathLike
SOURCE = "source"

_DELIMITERS = {".tsv": "\t", ".csv": ","}
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


def read_table(
    path: Path,
    columns: Sequence[str] | None = None,
    delimiter: str | None = None,
    quoted: bool | None = None,
) -> list[Example]:
    r"""Reads a TSV or CSV file, in UTF-8, plain or gzip: an example a row, its values str.

    Lines end with "\n" or "\r\n". Empty lines are left out, and reported.

    Args:
        path: path of the file.
        columns: names of the columns of a file without header; None takes them from its first line.
        delimiter: str, what stands between cells; None is a tab for `.tsv`, a comma for `.csv`.
        quoted: bool, whether a cell may stand in quotation marks, and then hold delimiters, ends of
            lines, and, doubled, quotation marks ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)).
            Otherwise they are characters as others are, as in the files of
            [GLUE](https://arxiv.org/abs/1804.07461). None is False for tabs and True for the rest.

    Returns:
        list of dict, the columns and `source`, "path:line" of the line that the row begins in.

    Raises:
        ValueError: a row has more or fewer cells than there are columns; a name is empty, "source",
            or there twice; a quotation is not closed; the file has a NUL or is not UTF-8.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.tables import read_table
    >>> path = os.path.join(tempfile.mkdtemp(), "dev.tsv")
    >>> _ = open(path, "w").write('sentence\tlabel\na "fine" film\t1\n')
    >>> [example] = read_table(path)
    >>> example["sentence"], example["label"], os.path.basename(example["source"])
    ('a "fine" film', '1', 'dev.tsv:2')
    """
    if delimiter is None:
        delimiter = _delimiter_of(path)
    if quoted is None:
        quoted = delimiter != "\t"
    rows = table_rows(path, delimiter, quoted)
    place = f"columns of {path}"
    if columns is None:
        if not rows:
            raise ValueError(
                f"{path} must begin with a line of names for its columns, but is empty: restore "
                "the file."
            )
        line, columns = rows.pop(0)
        place = f"{path}:{line}"
    check_names(columns, place)
    return [row_example(columns, cells, f"{path}:{line}") for line, cells in rows]


def read_jsonl(path: Path) -> list[Example]:
    """Reads a file with a JSON object on every line, in UTF-8, plain or gzip.

    Empty lines are left out, and reported.

    Args:
        path: path of the file.

    Returns:
        list of dict, the objects with `source`, "path:line", added.

    Raises:
        ValueError: a line is no JSON object, or has a key "source"; the file has a NUL or is not
            UTF-8.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.tables import read_jsonl
    >>> path = os.path.join(tempfile.mkdtemp(), "dev.jsonl")
    >>> _ = open(path, "w").write('{"sentence": "a fine film", "label": 1}\\n')
    >>> read_jsonl(path)[0]["label"]
    1
    """
    examples = []
    for number, line in filled_lines(path):
        place = f"{path}:{number}"
        value = _parsed(line, path, number)
        if not isinstance(value, dict):
            raise ValueError(
                f"{place}: a line must hold a JSON object, but this one holds {line!r:.100}: "
                "correct it, or name the form that the file has."
            )
        if SOURCE in value:
            raise ValueError(
                f"{place}: no key may be {SOURCE!r}, which is the place that errors name: give it "
                "another name."
            )
        examples.append({**value, SOURCE: place})
    return examples


def read_labeled_lines(
    paths: Mapping[str, Path], column: str = "sentence", encoding: str = "utf-8"
) -> list[Example]:
    """Reads one file a label, with a text on every line.

    That is the form of the sentence polarity data, whose original is in Latin-1
    ([Pang and Lee, 2005](https://arxiv.org/abs/cs/0506075)). Empty lines are left out, and
    reported.

    Args:
        paths: dict of label to the path of its file, plain or gzip.
        column: str, the name that the texts get.
        encoding: str, that of the files, such as "latin-1" or "cp1252".

    Returns:
        list of dict, `column`, "label" and `source`, "path:line"; file after file.

    Raises:
        ValueError: a file is not in the encoding, or has a NUL.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.tables import read_labeled_lines
    >>> path = os.path.join(tempfile.mkdtemp(), "rt-polarity.pos")
    >>> _ = open(path, "w").write("a fine film\\n")
    >>> [example] = read_labeled_lines({"positive": path})
    >>> example["sentence"], example["label"]
    ('a fine film', 'positive')
    """
    check_names((column, "label"), f"columns of {', '.join(map(str, paths.values()))}")
    return [
        {column: line, "label": label, SOURCE: f"{path}:{number}"}
        for label, path in paths.items()
        for number, line in filled_lines(path, encoding)
    ]


def read_json_lists(path: Path, part: str, columns: Sequence[str]) -> list[Example]:
    """Reads one part of a JSON object whose values are lists of rows: `{part: [[cell, ...], ...]}`.

    That is the form of CLINC150 ([Larson et al., 2019](https://arxiv.org/abs/1909.02027)), whose
    rows are a text and its intent.

    Args:
        path: path of the file, in UTF-8, plain or gzip.
        part: str, the key of the rows to read, such as "train".
        columns: sequence of str, the names of a row's cells.

    Returns:
        list of dict, the columns and `source`, "path:part[index]".

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
    parts = read_json(path)
    if not isinstance(parts, dict) or not isinstance(parts.get(part), list):
        there = list(parts) if isinstance(parts, dict) else type(parts).__name__
        raise ValueError(
            f"{path} must be a JSON object with a list {part!r}, but holds {there!r:.200}: name "
            "one of its parts."
        )
    examples = []
    for index, row in enumerate(parts[part]):
        place = f"{path}:{part}[{index}]"
        if not isinstance(row, list):
            raise ValueError(f"{place}: a row must be a list, but is {row!r:.100}: correct it.")
        examples.append(row_example(columns, row, place))
    return examples


def table_rows(path: Path, delimiter: str, quoted: bool) -> list[tuple[int, list[str]]]:
    """The rows of a table, each the number of the line it begins in, and its cells.

    Args:
        path: path of the file.
        delimiter: str, what stands between cells.
        quoted: bool, whether a cell may stand in quotation marks.

    Raises:
        ValueError: the delimiter is not one character; a quotation is not closed; the file has a
            NUL or is not UTF-8.
    """
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(
            f"{path}: a delimiter must be one character, but is {delimiter!r}: choose '\\t' or ','."
        )
    lines = file_lines(path)
    if quoted:
        rows = list(_quoted_rows(lines, path, delimiter))
    else:
        rows = [(n, line.split(delimiter) if line else []) for n, line in enumerate(lines, 1)]
    _report_empty(path, [line for line, cells in rows if not cells])
    return [row for row in rows if row[1]]


def check_names(columns: Sequence[str], place: str) -> None:
    """Checks names of columns.

    Args:
        columns: sequence of str.
        place: str, where they come from.

    Raises:
        ValueError: there is none, or one is empty, "source", or there twice.
    """
    if isinstance(columns, str) or not columns:
        raise ValueError(
            f"{place}: columns must be a sequence of names, but are {columns!r}: name them all."
        )
    for index, name in enumerate(columns):
        if not name.strip() or name == SOURCE or name in columns[:index]:
            raise ValueError(
                f"{place}: a column must have a name of its own that is not {SOURCE!r} (the place "
                f"that errors name), but column {index + 1} is {name!r}: rename it."
            )


def row_example(columns: Sequence[str], cells: Sequence[Any], place: str) -> Example:
    """The example of one row.

    Args:
        columns: sequence of str, the names of the columns.
        cells: sequence, their values.
        place: str, the example's source.

    Raises:
        ValueError: there are more or fewer cells than columns.
    """
    if len(cells) != len(columns):
        raise ValueError(
            f"{place}: a row must have {len(columns)} cells, {', '.join(columns)}, but this one "
            f"has {len(cells)}: correct it, or say of the whole file how its cells are parted: "
            "columns, delimiter, quoted."
        )
    example: Example = dict(zip(columns, cells, strict=True))
    example[SOURCE] = place
    return example


def read_json(path: Path) -> Any:
    """The value in a JSON file, in UTF-8, plain or gzip.

    Raises:
        ValueError: it is no JSON; the message names file and line.
    """
    return _parsed(_text(path), path, 1)


def filled_lines(path: Path, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """Numbers and lines of a text file, but for lines of white space, which are reported.

    Raises:
        ValueError: the file has a NUL or is not in the encoding.
    """
    empty = []
    for number, line in enumerate(file_lines(path, encoding), 1):
        if line.strip():
            yield number, line
        else:
            empty.append(number)
    _report_empty(path, empty)


def file_lines(path: Path, encoding: str = "utf-8") -> list[str]:
    r"""All lines of a text file, plain or gzip, without their ends.

    Lines end with "\n" or "\r\n" and with nothing else: text may hold U+2028. A byte order mark is
    dropped, and logged.

    Args:
        path: path of the file.
        encoding: str, that of the file.

    Raises:
        ValueError: the file has a NUL or is not in the encoding.
    """
    text = _text(path, encoding)
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def file_content(path: Path) -> bytes:
    """The bytes of a file, decompressed where they begin as gzip does, whatever its name.

    Raises:
        ValueError: they are not all of a gzip file.
    """
    with open(path, "rb") as file:
        content = file.read()
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(
            f"A file that begins like gzip must be gzip, but {path} is not a whole gzip file "
            f"({error}). Compress or copy it again."
        ) from error


def matching_files(pattern: Path | Sequence[Path]) -> list[str]:
    """Paths of files.

    Args:
        pattern: a path, a glob, a folder, which stands for all files beneath it, or several of
            these with commas between them; or a sequence of them.

    Returns:
        list of str, sorted.

    Raises:
        ValueError: one of them matches no file.
    """
    return matching([_as_glob(part) for part in parts_of(pattern)])


def parts_of(pattern: Path | Sequence[Path]) -> list[str]:
    """The paths and globs that a pattern is made of: several in a str have commas between them."""
    if isinstance(pattern, str | os.PathLike):
        pattern = os.fspath(pattern).split(",") if isinstance(pattern, str) else [pattern]
    return [part.strip() for part in map(os.fspath, pattern) if part.strip()]


def _as_glob(path: str) -> str:
    if os.path.isdir(path):
        return os.path.join(glob.escape(path), "**")
    return glob.escape(path) if os.path.isfile(path) else path


def _delimiter_of(path: Path) -> str:
    suffix = os.path.splitext(os.fspath(path).removesuffix(".gz"))[1]
    if suffix not in _DELIMITERS:
        raise ValueError(
            f"A table must be named .tsv or .csv, or its delimiter be given, but {path} is neither "
            "and none is given: say delimiter='\\t' or ','."
        )
    return _DELIMITERS[suffix]


def _quoted_rows(
    lines: Sequence[str], path: Path, delimiter: str
) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    begin = 1
    try:
        for cells in reader:
            yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{path}:{begin}: a quotation must be closed before the next {delimiter!r} or the end "
            f"of the file, and quotation marks in it be doubled, but in the row that begins here: "
            f"{error}. Correct the row, or say quoted=False; for cells of more than "
            f"{csv.field_size_limit()} characters use JSON lines."
        ) from error


def _report_empty(path: Path, numbers: Sequence[int]) -> None:
    if numbers:
        logging.warning(
            "%s: left out %d empty lines, the first is line %d.", path, len(numbers), numbers[0]
        )


def _parsed(text: str, path: Path, line: int) -> Any:
    """The value of JSON text that begins at a line of a file."""
    try:
        value = json.loads(text)
        if _HALF_PAIR.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}:{line + error.lineno - 1}: this must be JSON, but {error.msg} at column "
            f"{error.colno}: restore the file."
        ) from error
    except UnicodeEncodeError as error:
        near = error.object[max(0, error.start - 30) : error.start]
        place = path if "\n" in text else f"{path}:{line}"
        raise ValueError(
            f"{place}: strings must be text, but one has half a surrogate pair, "
            f"{ascii(error.object[error.start])}, after {near!r}: restore the file."
        ) from error
    return value


def _text(path: Path, encoding: str = "utf-8") -> str:
    content = file_content(path)
    try:
        text = content.decode(encoding)
    except LookupError as error:
        raise ValueError(
            f"encoding must be one that Python knows, but is {encoding!r}: try 'latin-1'."
        ) from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}:{line}: text must be {encoding}, but here is byte {content[error.start]:#04x} "
            f"at offset {error.start}: convert the file, for example with `iconv -f latin1 -t "
            "utf-8`, or say its encoding where lines are read: 'latin-1', 'cp1252' (Western), "
            "'cp1251' (Cyrillic), 'gb18030' (Chinese)."
        ) from error
    if "\0" in text:
        raise ValueError(
            f"{path}:{text.count(chr(10), 0, text.index(chr(0))) + 1}: text must have no NUL, but "
            "here is one: restore the file, or delete it with `tr -d '\\000'`."
        )
    if text.startswith("\ufeff"):
        logging.info("%s: dropped the byte order mark.", path)
        return text[1:]
    return text
