"""Data for fine-tuning, whatever its form: files and TensorFlow Datasets to rows."""

from __future__ import annotations

import functools
import inspect
import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from absl import logging

from keras_bert.data.compression import opened, plain_name
from keras_bert.data.examples.choices import read_arc, read_copa, read_race, read_swag
from keras_bert.data.examples.conll import Column, read_conll, read_conllu, without_position
from keras_bert.data.examples.features import with_names
from keras_bert.data.examples.questions import questions, read_squad, squad_rows
from keras_bert.data.examples.records import TFDS, name_and_split, read_tfds
from keras_bert.data.examples.tables import read_json_lists, read_jsonl, read_lines, read_table
from keras_bert.data.examples.tagging import tagged
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
_OF_WORDS = ("word_column", "label_column", "tag_names")
_FILLED_LINE = re.compile(r"\s*\{[^\n]*\}[ \t\r]*\n\s*\{")
_JSON_PART = re.compile(r"(.+\.json(?:\.\w+)?)@([^@]+)")


def read_examples(
    path: Path | Sequence[Path],
    form: str | None = None,
    columns: Sequence[str] | None = None,
    *,
    delimiter: str | None = None,
    quoted: bool | None = None,
    encoding: str | None = None,
    word_column: Column | None = None,
    label_column: Column | None = None,
    tag_names: str | Sequence[str] | None = None,
) -> list[Row]:
    """Reads all the examples of some files, or of TensorFlow Datasets.

    Args:
        path: a path, a glob, a folder, which stands for all files beneath it, or several of these
            with commas between them; or a sequence of them. Where no file has such a name,
            "label=path" is a file with a text of that label on every line, "path.json@part" a list
            of rows in a JSON object, and "tfds:name@split", such as "tfds:glue/sst2@train", is of
            TensorFlow Datasets.
        form: str, one of `FORMS`, that of all the files; None tells it from the name of each.
        columns: names of the columns of tables without header, of the cells of "path.json@part",
            of the texts of lines, or of those to take of TensorFlow Datasets; None has a header,
            "sentence" and "label", "text" ("sentence" of "label=path"), or takes all.
        delimiter: str, what stands between cells or columns ("tab" is a tab).
        quoted: bool, whether cells may stand in quotation marks.
        encoding: str, that of the files; None is UTF-8, or what a byte order mark says.
        word_column: int, counted from 1, or from the end by negative numbers, or str: the column of
            words, as of `read_conll`; in tables, the name of the column, as of `tagged`.
        label_column: int or str, likewise of their labels.
        tag_names: as in `tagged`, where labels of words are numbers.

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
    if form is not None and form not in FORMS:
        raise ValueError(f"form must be one of {', '.join(FORMS)}, but is {form!r}: choose one.")
    options = {
        **{"columns": columns, "delimiter": delimiter, "quoted": quoted, "encoding": encoding},
        **{"word_column": word_column, "label_column": label_column, "tag_names": tag_names},
    }
    options = {name: value for name, value in options.items() if value is not None}
    files, others = [], []
    for part in parts_of(path):
        special = part.startswith(TFDS) or _JSON_PART.fullmatch(part) or "=" in part
        (others if special and not has_files(part) else files).append(part)
    rows = []
    for file in matching_files(files) if files or not others else []:
        rows += _read_file(file, form or _form_of(file, delimiter), options)
    for part in others:
        rows += _read_other(part, options)
    if not rows:
        raise ValueError(f"There must be examples, but {path!r} has none: check the files.")
    logging.info("%s: %d examples.", path, len(rows))
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


# Readers of one file by the names of the forms.
FORMS: dict[str, Callable[..., list[Row]]] = {
    "tsv": functools.partial(read_table, form="tsv"),
    "csv": functools.partial(read_table, form="csv"),
    "jsonl": read_jsonl,
    "json": read_json_rows,
    "lines": read_lines,
    "conll": read_conll,
    "weibo": functools.partial(read_conll, clean=without_position),
    "conllu": read_conllu,
    "squad": read_squad,
    "swag": read_swag,
    "copa": read_copa,
    "arc": read_arc,
    "race": read_race,
}


def _read_file(path: str, form: str, options: dict[str, Any]) -> list[Row]:
    reader = FORMS[form]
    takes = set(inspect.signature(reader).parameters)
    options = dict(options)
    if form == "lines" and "columns" in options:
        options["column"] = _only(options.pop("columns"), path)
    # Of words and labels, tables know the names of columns, but not what these are.
    of_words = set(_OF_WORDS) - takes if form in (*TABLES, *_WORDS) else set()
    _check_use(options, takes | of_words, path, form)
    rows = reader(path, **{name: value for name, value in options.items() if name in takes})
    return _of_words(with_names(rows, path), options, of_words)


def _read_other(part: str, options: dict[str, Any]) -> list[Row]:
    """The rows of what is no path."""
    columns, encoding = options.get("columns"), options.get("encoding")
    if part.startswith(TFDS):
        _check_use(options, {"columns", "encoding", *_OF_WORDS}, part, TFDS)
        return _of_words(read_tfds(*name_and_split(part), columns), options, set(_OF_WORDS))
    of_json = _JSON_PART.fullmatch(part)
    if of_json:
        _check_use(options, {"columns", "encoding", *_OF_WORDS}, part, "json")
        [path] = matching_files([of_json[1]])
        rows = read_json_lists(path, of_json[2], columns or ("sentence", "label"), encoding)
        return _of_words(rows, options, set(_OF_WORDS))
    _check_use(options, {"columns", "encoding"}, part, "lines")
    return _read_labeled(part, "sentence" if columns is None else _only(columns, part), encoding)


def _read_labeled(part: str, column: str, encoding: str | None) -> list[Row]:
    """The rows of "label=path"."""
    label, _, path = (one.strip() for one in part.partition("="))
    if not has_files(path):
        raise ValueError(
            f"There must be a file {part!r}, or, of the label {label!r}, {path!r}, but neither is "
            f"there (in {os.getcwd()}). {nearest(part)}Check the path."
        )
    return [
        row for file in matching_files([path]) for row in read_lines(file, column, encoding, label)
    ]


def _check_use(options: dict[str, Any], takes: set[str], path: str, form: str) -> None:
    useless = [name for name in options if name not in takes]
    if useless:
        raise ValueError(
            f"{path} is of the form {form}, which has no use for {useless[0]}: leave out "
            f"--{useless[0]}, or name another form (--form)."
        )


def _of_words(rows: list[Row], options: dict[str, Any], names: set[str]) -> list[Row]:
    """Rows of words and labels, if options that name their columns were not used by a reader."""
    given = [options.get(name) if name in names else None for name in _OF_WORDS]
    return rows if given == [None] * len(given) else tagged(rows, *given)


def _only(columns: Sequence[str], path: str) -> str:
    if isinstance(columns, str) or len(columns) != 1:
        raise ValueError(
            f"{path} has a text on every line, for which columns must be one name, but are "
            f"{columns!r}: give one, or say that it is a table, such as --form=tsv."
        )
    return columns[0]


def _form_of(path: str, delimiter: str | None) -> str:
    suffix = os.path.splitext(plain_name(path))[1].lower()
    form = SUFFIXES.get(suffix)
    if delimiter is not None and form in (None, "lines"):
        return "csv"
    if form is None:
        opened(path).close()  # what is no text is told first
        raise ValueError(
            f"A file must have a form, but none is given and {path} has none of the names "
            f"{', '.join(SUFFIXES)}: name one of the forms {', '.join(FORMS)} (--form)."
        )
    return form
