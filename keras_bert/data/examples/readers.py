"""Data for fine-tuning, whatever its form: files and TensorFlow Datasets to rows."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from absl import logging

from keras_bert.data.compression import STANDARD_INPUT, opened, plain_name
from keras_bert.data.examples.choices import read_arc, read_copa, read_race, read_swag
from keras_bert.data.examples.conll import read_conll, without_position
from keras_bert.data.examples.conllu import read_conllu
from keras_bert.data.examples.features import with_names
from keras_bert.data.examples.questions import questions, read_squad, squad_rows
from keras_bert.data.examples.reading import OF_WORDS, TOLD, Reading
from keras_bert.data.examples.tables import (
    read_json_lists,
    read_jsonl,
    read_lines,
    read_paragraphs,
    read_table,
)
from keras_bert.data.examples.tagging import tagged
from keras_bert.data.examples.tfds import TFDS, name_and_split, read_tfds
from keras_bert.data.paths import has_files, matching_files, nearest, parts_of
from keras_bert.data.rows import Path, Row
from keras_bert.data.text_files import file_text, parsed_json

# The forms of files that have these names.
SUFFIXES = {
    ".tsv": "tsv",
    ".tab": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".txt": "lines",
    ".conll": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".conllu": "conllu",
}
# Forms whose rows have columns of the user's own names.
TABLES = ("tsv", "csv", "jsonl", "json")

# Forms whose rows are words and labels already.
_WORDS = ("conll", "weibo", "conllu")
_FILLED_LINE = re.compile(r"\s*\{[^\n]*\}[ \t\r]*\n\s*\{")
_JSON_PART = re.compile(r"(.+\.json(?:\.\w+)?)@([^@]+)")


def read_examples(path: Path | Sequence[Path], reading: Reading = TOLD) -> list[Row]:
    """Reads all the examples of some files, or of TensorFlow Datasets.

    Args:
        path: a path, a glob, a folder, which stands for all files beneath it, or several of these
            with commas between them; or a sequence of them. Where no file has such a name,
            "label=path" is a file with a text of that label on every line, "path.json@part" a list
            of rows in a JSON object, and "tfds:name@split", such as "tfds:glue/sst2@train", is of
            TensorFlow Datasets. "-" is standard input, a text a line if no form is given.
        reading: `Reading`, the form of the files, and what it leaves open.

    Returns:
        list of Row, as the form's reader gives it; each has its `source`.

    Raises:
        ValueError: there is no such file or form, or no example, or a reader refuses a file, or
            has no use for one of the arguments.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.examples.readers import read_examples
    >>> folder = tempfile.mkdtemp()
    >>> for name in ("a.tsv", "b.tsv"):
    ...     _ = open(os.path.join(folder, name), "w").write("sentence\\tlabel\\nfine\\t1\\n")
    >>> len(read_examples(os.path.join(folder, "*.tsv")))
    2
    """
    if reading.form is not None and reading.form not in FORMS:
        raise ValueError(
            f"form must be one of {', '.join(FORMS)}, but is {reading.form!r}: choose one."
        )
    files: list[str] = []
    others: list[str] = []
    for part in parts_of(path):
        special = part.startswith(TFDS) or _JSON_PART.fullmatch(part) or "=" in part
        special = special or part == STANDARD_INPUT
        (others if special and not has_files(part) else files).append(part)
    rows = []
    found = matching_files(files) if files or not others else []
    for file in found:
        rows += _read_file(file, reading)
    for part in others:
        rows += _read_other(part, reading)
    told = path if isinstance(path, str | os.PathLike) or len(path) < 2 else f"{len(found)} files"
    if not rows:
        raise ValueError(f"There must be examples, but {told!r} has none: check the files.")
    logging.info("%s: %d examples.", told, len(rows))
    return rows


def read_json_rows(path: Path, encoding: str | None = None) -> list[Row]:
    """Reads a JSON file of rows, whatever stands around them.

    That is a list of objects, such a list under `data`, the nested form of SQuAD, spaCy's list of
    pairs (a text and an object), or an object on every line after all.

    Args:
        path: path of the file, plain or compressed.
        encoding: str, that of the file; None is UTF-8, or what a byte order mark says.

    Returns:
        list of Row, as the file names their columns, or as `questions` does; `source` is
        "path:[index]", "path:data[index]", "path:line" or "path:id".

    Raises:
        ValueError: it is no JSON, or none of these forms.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.examples.readers import read_json_rows
    >>> path = os.path.join(tempfile.mkdtemp(), "dev.json")
    >>> _ = open(path, "w").write('[{"sentence": "a fine film", "label": 1}]')
    >>> read_json_rows(path)
    [{'sentence': 'a fine film', 'label': 1}]
    """
    text = file_text(path, encoding)
    if _FILLED_LINE.match(text):  # a value ends, and another begins
        return read_jsonl(path, encoding)
    content = parsed_json(text, path, 1)
    if isinstance(content, dict) and not any(isinstance(v, list | dict) for v in content.values()):
        content = [content]
    key = "data" if isinstance(content, dict) else ""
    rows = content.get("data") if key else content
    if (
        key
        and isinstance(rows, list)
        and any(isinstance(r, dict) and "paragraphs" in r for r in rows)
    ):
        return questions(list(squad_rows(path, content)))
    if not isinstance(rows, list):
        there = f"an object of {', '.join(content)}" if key else repr(content)
        raise ValueError(
            f"{path} must hold a list of rows, alone or under 'data', but holds {there:.200}: name "
            "the list that is meant, as in train.json@part, or write the rows as such a list "
            "(pandas' orient='records')."
        )
    return [_json_row(row, f"{path}:{key}[{index}]") for index, row in enumerate(rows)]


def _json_row(row: Any, place: str) -> Row:
    if isinstance(row, list) and [type(one) for one in row] == [str, dict]:
        return Row({"text": row[0], **row[1]}, place)
    if not isinstance(row, dict):
        raise ValueError(
            f"{place}: a row must be an object, but is {row!r:.100}: correct it, or name the form "
            "of the file (--form)."
        )
    return Row(row, place)


def _read_table(path: Path, reading: Reading, form: str) -> list[Row]:
    return read_table(path, reading.columns, reading.dialect(form))


def _read_texts(path: Path, reading: Reading, read: Callable[..., list[Row]]) -> list[Row]:
    column = "text" if reading.columns is None else _only(reading.columns, path)
    return read(path, column, encoding=reading.encoding)


def _read_columns(
    path: Path, reading: Reading, clean: Callable[[str], str] | None = None
) -> list[Row]:
    return read_conll(
        path,
        word_column=reading.word_column,
        label_column=reading.label_column,
        delimiter=reading.delimiter,
        clean=clean,
        encoding=reading.encoding,
    )


def _read_conllu(path: Path, reading: Reading) -> list[Row]:
    return read_conllu(
        path,
        word_column=reading.word_column,
        label_column=reading.label_column,
        encoding=reading.encoding,
    )


@dataclasses.dataclass(frozen=True)
class Form:
    """A form of files.

    Args:
        read: the reader of one file.
        uses: the names of what it has a use for in `Reading`.
    """

    read: Callable[[Path, Reading], list[Row]]
    uses: tuple[str, ...] = ("encoding",)


_CELLS = ("delimiter", "quoted", "encoding")
_COLUMNS = ("word_column", "label_column", "delimiter", "encoding")
FORMS: dict[str, Form] = {
    "tsv": Form(functools.partial(_read_table, form="tsv"), ("columns", *_CELLS)),
    "csv": Form(functools.partial(_read_table, form="csv"), ("columns", *_CELLS)),
    "jsonl": Form(lambda path, r: read_jsonl(path, r.encoding)),
    "json": Form(lambda path, r: read_json_rows(path, r.encoding)),
    "lines": Form(functools.partial(_read_texts, read=read_lines), ("columns", "encoding")),
    "paragraphs": Form(
        functools.partial(_read_texts, read=read_paragraphs), ("columns", "encoding")
    ),
    "conll": Form(_read_columns, _COLUMNS),
    "weibo": Form(functools.partial(_read_columns, clean=without_position), _COLUMNS),
    "conllu": Form(_read_conllu, ("word_column", "label_column", "encoding")),
    "squad": Form(lambda path, r: read_squad(path, encoding=r.encoding)),
    "swag": Form(lambda path, r: read_swag(path, r.dialect()), _CELLS),
    "copa": Form(lambda path, r: read_copa(path, encoding=r.encoding)),
    "arc": Form(lambda path, r: read_arc(path, r.dialect()), _CELLS),
    "race": Form(lambda path, r: read_race(path, r.encoding)),
}


def _read_file(path: str, reading: Reading) -> list[Row]:
    name = reading.form or _form_of(path, reading.delimiter)
    form = FORMS[name]
    # Of words and labels, tables know the names of columns, but not what these are.
    of_words = set(OF_WORDS).difference(form.uses) if name in (*TABLES, *_WORDS) else set()
    reading.check_use({*form.uses, *of_words}, path, name)
    return _of_words(with_names(form.read(path, reading), path), reading, of_words)


def _read_other(part: str, reading: Reading) -> list[Row]:
    """The rows of what is no path."""
    if part == STANDARD_INPUT:
        return _read_file(part, reading)
    of_words = set(OF_WORDS)
    if part.startswith(TFDS):
        reading.check_use({"columns", "encoding", *of_words}, part, TFDS)
        return _of_words(read_tfds(*name_and_split(part), reading.columns), reading, of_words)
    of_json = _JSON_PART.fullmatch(part)
    if of_json:
        reading.check_use({"columns", "encoding", *of_words}, part, "json")
        [path] = matching_files([of_json[1]])
        columns = reading.columns or ("sentence", "label")
        rows = read_json_lists(path, of_json[2], columns, reading.encoding)
        return _of_words(rows, reading, of_words)
    reading.check_use({"columns", "encoding"}, part, "lines")
    return _read_labeled(part, reading)


def _read_labeled(part: str, reading: Reading) -> list[Row]:
    """The rows of "label=path"."""
    label, _, path = (one.strip() for one in part.partition("="))
    if not has_files(path):
        raise ValueError(
            f"There must be a file {part!r}, or, of the label {label!r}, {path!r}, but neither is "
            f"there (in {os.getcwd()}). {nearest(part)}Check the path."
        )
    column = "sentence" if reading.columns is None else _only(reading.columns, part)
    return [
        row
        for file in matching_files([path])
        for row in read_lines(file, column, encoding=reading.encoding, label=label)
    ]


def _of_words(rows: list[Row], reading: Reading, names: Collection[str]) -> list[Row]:
    """Rows of words and labels, if what names their columns was not used by a reader."""
    given = {name: getattr(reading, name) for name in OF_WORDS if name in names}
    if all(value is None for value in given.values()):
        return rows
    return tagged(
        rows,
        words_key=given.get("word_column"),
        labels_key=given.get("label_column"),
        tag_names=given.get("tag_names"),
    )


def _only(columns: Sequence[str], path: Path) -> str:
    if isinstance(columns, str) or len(columns) != 1:
        raise ValueError(
            f"{path} has a text on every line, for which columns must be one name, but are "
            f"{columns!r}: give one, or say that it is a table, such as --form=tsv."
        )
    return columns[0]


def form_by_name(path: Path) -> str | None:
    """The form of a file that its name says, compressed or not; None where it says none.

    Example:

    >>> from keras_bert.data.examples.readers import form_by_name
    >>> form_by_name("dev.csv.gz"), form_by_name("notes.md")
    ('csv', None)
    """
    return SUFFIXES.get(os.path.splitext(plain_name(path))[1].lower())


def _form_of(path: str, delimiter: str | None) -> str:
    form = "lines" if path == STANDARD_INPUT else form_by_name(path)
    if delimiter is not None and form in (None, "lines"):
        return "csv"
    if form is None:
        opened(path).close()  # what is no text is told first
        raise ValueError(
            f"A file must have a form, but none is given and {path} has none of the names "
            f"{', '.join(SUFFIXES)}: name one of the forms {', '.join(FORMS)} (--form)."
        )
    return form
