"""Questions with choices, one of which is right.

They become rows of one form: `context` and `question`, str; `choices`, list of str; and `label`,
int, the index of the right one. A choice is read as the pair of texts `context` and
`question + " " + choice`. Where the data has no context, the question is the context and `question`
is empty. Where nobody knows the right one, there is no `label`: such rows can be answered.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from absl import logging

from keras_bert.data.compression import plain_name
from keras_bert.data.examples.dialects import TOLD, Dialect, table_rows
from keras_bert.data.examples.tables import read_jsonl, read_table, row_of
from keras_bert.data.paths import matching_files
from keras_bert.data.rows import Path, Row, field
from keras_bert.data.text_files import read_json

# What the files of COPA call "cause" and "effect", as its authors ask it.
COPA_QUESTIONS = {
    "cause": "What was the cause of this?",
    "effect": "What happened as a result?",
}

_SWAG_COLUMNS = ("sent1", "sent2", "ending0", "ending1")
_KEYS = ("ABCDEFGHI", "123456789")
# What stands for a right choice that nobody knows.
_UNKNOWN = (None, "", -1)


def read_swag(path: Path, dialect: Dialect = TOLD) -> list[Row]:
    """Reads the CSV files of [SWAG](https://arxiv.org/abs/1808.05326): the ending of a sentence.

    Args:
        path: path of a CSV file, plain or compressed, with the columns sent1 (the context),
            sent2 (the question: how the next sentence begins), ending0, ending1 and so on (the
            choices), and label, unless nobody knows it. There may be others.
        dialect: `Dialect`, how the file is written.

    Returns:
        list of Row as the module says; `source` is "path:line".

    Raises:
        ValueError: a column or a choice is missing, or a label is none of the choices.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.examples.choices import read_swag
    >>> path = os.path.join(tempfile.mkdtemp(), "val.csv")
    >>> lines = [",sent1,sent2,ending0,ending1,label\\n", "0,A film begins.,It,is fine.,ends.,0\\n"]
    >>> _ = open(path, "w").write("".join(lines))
    >>> read_swag(path)[0]["choices"]
    ['is fine.', 'ends.']
    """
    rows = read_table(path, dialect=dataclasses.replace(dialect, form="csv"))
    names = list(rows[0]) if rows else []
    missing = [name for name in _SWAG_COLUMNS if name not in names]
    if missing:
        raise ValueError(
            f"{path}: a file of SWAG must have the columns {', '.join(_SWAG_COLUMNS)}, but "
            f"{', '.join(missing)} are missing: restore the file, or name its form."
        )
    return [_swag_example(row) for row in rows]


def read_copa(
    path: Path, questions: Mapping[str, str] = COPA_QUESTIONS, *, encoding: str | None = None
) -> list[Row]:
    """Reads COPA as [SuperGLUE](https://arxiv.org/abs/1905.00537) has it, and XCOPA.

    Args:
        path: path of a file, plain or compressed, with a JSON object on every line: premise
            (the context), question ("cause" or "effect"), choice1, choice2 and so on, and label,
            counted from 0.
        questions: dict, how to ask for a cause and an effect, in the language of the data.
        encoding: str, as in `read_jsonl`.

    Returns:
        list of Row as the module says; `source` is "path:line".

    Raises:
        ValueError: a key or a choice is missing, or a label is none of the choices.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.examples.choices import read_copa
    >>> path = os.path.join(tempfile.mkdtemp(), "val.jsonl")
    >>> line = '{"premise": "I left.", "question": "cause", "choice1": "The film was bad.", '
    >>> _ = open(path, "w").write(line + '"choice2": "It was fine.", "label": 0}\\n')
    >>> read_copa(path)[0]["question"]
    'What was the cause of this?'
    """
    return [_copa_example(record, questions) for record in read_jsonl(path, encoding)]


def read_arc(path: Path, dialect: Dialect = TOLD) -> list[Row]:
    """Reads the questions of [ARC](https://arxiv.org/abs/1803.05457), which have no context.

    A CSV file pads questions of fewer choices with empty cells. Questions whose right choice is not
    among those that are there are left out of it, counted, and reported.

    Args:
        path: path of a file, plain or compressed. Either its own form, a JSON object on every
            line with question.stem, question.choices (each a text and a label) and answerKey, the
            label of the right one; or `.csv` without header: the question, its choices, and the
            right one as a letter from A or a number from 1.
        dialect: `Dialect`, how the file is written; of JSON its encoding.

    Returns:
        list of Row as the module says; `source` is "path:line".

    Raises:
        ValueError: a key or a choice is missing; in JSON, the right one is none of the choices.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.examples.choices import read_arc
    >>> path = os.path.join(tempfile.mkdtemp(), "dev.csv")
    >>> _ = open(path, "w").write("Which is a planet?,the sun,Mars,B\\n")
    >>> example = read_arc(path)[0]
    >>> example["context"], example["question"], example["label"]
    ('Which is a planet?', '', 1)
    """
    if plain_name(path).endswith((".csv", ".tsv")):
        return _arc_rows(path, dialect)
    return [_arc_example(record) for record in read_jsonl(path, dialect.encoding)]


def read_race(path: Path, encoding: str | None = None) -> list[Row]:
    """Reads the articles of [RACE](https://arxiv.org/abs/1704.04683), with several questions each.

    Args:
        path: a folder, a file or a glob: each file holds a JSON object with article (the context),
            questions, options (the choices of each question) and answers (letters from A).
        encoding: str, as in `read_json`.

    Returns:
        list of Row as the module says; `source` is "path:questions[index]".

    Raises:
        ValueError: a key or a choice is missing, or an answer is none of the choices.

    Example:

    >>> import json, os, tempfile
    >>> from keras_bert.data.examples.choices import read_race
    >>> folder = tempfile.mkdtemp()
    >>> article = {"article": "It is a fine film.", "questions": ["How is the film?"]}
    >>> with open(os.path.join(folder, "high1.txt"), "w") as file:
    ...     json.dump({**article, "options": [["Bad.", "Fine."]], "answers": ["B"]}, file)
    >>> read_race(folder)[0]["label"]
    1
    """
    return [example for file in matching_files(path) for example in _race_questions(file, encoding)]


def _swag_example(row: Row) -> Row:
    label = row.get("label")
    label = int(label) if label and re.fullmatch("-?[0-9]{1,9}", label) else label
    choices = _numbered(row, "ending", 0)
    return _choice_example(row["sent1"], row["sent2"], choices, label, row.source)


def _copa_example(record: Row, questions: Mapping[str, str]) -> Row:
    place = record.source
    asked = field(record, "question", str, place)
    if asked not in questions:
        raise ValueError(
            f"{place}: 'question' must be one of {', '.join(questions)}, but is {asked!r}: "
            "correct it, or name the form that the file has."
        )
    context = field(record, "premise", str, place)
    choices = _numbered(record, "choice", 1)
    return _choice_example(context, questions[asked], choices, record.get("label"), place)


def _arc_example(record: Row) -> Row:
    place = record.source
    question = field(record, "question", dict, place)
    choices = field(question, "choices", list, place)
    labels = [field(choice, "label", str, place) for choice in choices]
    texts = [field(choice, "text", str, place) for choice in choices]
    key = record.get("answerKey")
    label = labels.index(key) if labels.count(key) == 1 else key
    return _choice_example(field(question, "stem", str, place), "", texts, label, place)


def _arc_rows(path: Path, dialect: Dialect) -> list[Row]:
    examples, left_out = [], []
    rows = table_rows(path, dialect)
    num_choices = len(rows[0][1]) - 2 if rows else 0
    names = ("question", *(f"choice {i}" for i in range(1, num_choices + 1)), "key")
    for line, cells in rows:
        place = f"{path}:{line}"
        question, *choices, key = row_of(names, cells, place).values()
        while choices and not choices[-1].strip():
            choices.pop()
        label = _index(key)
        if isinstance(label, int) and label >= len(choices):
            left_out.append(place)
        else:
            examples.append(_choice_example(question, "", choices, label, place))
    if left_out:
        logging.warning(
            "%s: left out %d questions whose right choice is not there, the first: %s.",
            *(path, len(left_out), left_out[0]),
        )
    return examples


def _race_questions(path: str, encoding: str | None) -> Iterator[Row]:
    record = read_json(path, encoding)
    article = field(record, "article", str, path)
    columns = [field(record, key, list, path) for key in ("questions", "options", "answers")]
    if len({len(column) for column in columns}) > 1:
        raise ValueError(
            f"{path}: there must be as many options and answers as questions, but there are "
            f"{', '.join(str(len(column)) for column in columns)}: restore the file."
        )
    for index, (question, options, answer) in enumerate(zip(*columns, strict=True)):
        place = f"{path}:questions[{index}]"
        yield _choice_example(article, question, options, _index(answer), place)


def _index(key: Any) -> Any:
    """The index that a letter from A or a number from 1 stands for; another key as it is."""
    for keys in _KEYS:
        if isinstance(key, str) and len(key) == 1 and key in keys:
            return keys.index(key)
    return key


def _numbered(row: Row, stem: str, first: int) -> list[Any]:
    """The columns whose names are a stem and a number, from the first one to the last."""
    choices: list[Any] = []
    while (name := f"{stem}{first + len(choices)}") in row:
        choices.append(row[name])
    return choices


def _choice_example(context: Any, question: Any, choices: Any, label: Any, place: str) -> Row:
    texts = choices if isinstance(choices, list) else []
    empty = [i for i, text in enumerate(texts) if not isinstance(text, str) or not text.strip()]
    if len(texts) < 2 or empty:
        raise ValueError(
            f"{place}: there must be at least two choices, each with a text, but they are "
            f"{choices!r:.200}: correct them."
        )
    is_index = isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(texts)
    if not is_index and label not in _UNKNOWN:
        raise ValueError(
            f"{place}: one of the {len(texts)} choices must be the right one, but what is said to "
            f"be it is {label!r:.50}: correct it."
        )
    if not all(isinstance(x, str) for x in (context, question)) or not (context + question).strip():
        raise ValueError(f"{place}: there must be a question, but it is {question!r}: correct it.")
    row = Row({"context": context, "question": question, "choices": texts}, place)
    return row.with_columns({**row, "label": label}) if is_index else row
