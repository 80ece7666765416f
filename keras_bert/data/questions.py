"""Questions about a context: with answers that are spans of it, or with choices.

Questions with choices become examples of one form: `context` and `question`, str; `choices`, list
of str; `label`, int, the index of the right one; and `source`. A choice is read as the pair of
texts `context` and `question + " " + choice`. Where the data has no context, the question is the
context and `question` is empty.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from absl import logging

from keras_bert.data.tables import (
    SOURCE,
    Example,
    Path,
    check_names,
    matching_files,
    read_json,
    read_jsonl,
    row_example,
    table_rows,
)

# An answer that is not at its offset is looked for so many characters around it first.
NEARBY = 32
# What the files of COPA call "cause" and "effect", as its authors ask it.
COPA_QUESTIONS = {
    "cause": "What was the cause of this?",
    "effect": "What happened as a result?",
}

_SWAG_COLUMNS = ("sent1", "sent2", "ending0", "ending1", "label")
_KEYS = ("ABCDEFGHI", "123456789")
_KINDS = {
    str: "a text",
    int: "an integer",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def read_squad(path: Path, strict: bool = False) -> list[Example]:
    """Reads questions whose answers are spans of their context, in the form of SQuAD 1.1 and 2.0.

    ([Rajpurkar et al., 2016](https://arxiv.org/abs/1606.05250),
    [2018](https://arxiv.org/abs/1806.03822).) XQuAD, DRCD, PolicyQA and CMRC have it, too. An
    answer that is not at its offset is moved to where it is, if that is one place within `NEARBY`
    characters, or one in all the context. Other such answers are left out, and so are questions
    that keep no answer. All three are counted, and reported, and so are empty questions.

    Args:
        path: path of the file, in UTF-8, plain or gzip.
        strict: bool, whether an answer that is not at its offset is an error.

    Returns:
        list of dict: `id`, `question` and `context`, str; `title`, str, where there is one;
        `answers`, list of str, and `answer_starts`, list of int, their offsets in characters, both
        empty where the question is `impossible`, bool; and `source`, "path:id".

    Raises:
        ValueError: a key is missing; a context or an answer is empty; an id is there twice; a
            question has no answer but is not said to be impossible, or both. The message has the
            question's id.

    Example:

    >>> import json, os, tempfile
    >>> from keras_bert.data.questions import read_squad
    >>> path = os.path.join(tempfile.mkdtemp(), "dev.json")
    >>> answers = [{"text": "fine", "answer_start": 2}]
    >>> qas = [{"id": "7", "question": "How is the film?", "answers": answers}]
    >>> paragraphs = [{"context": "a fine film", "qas": qas}]
    >>> with open(path, "w") as file:
    ...     json.dump({"data": [{"paragraphs": paragraphs}]}, file)
    >>> [example] = read_squad(path)
    >>> example["answers"], example["answer_starts"], example["impossible"]
    (['fine'], [2], False)
    """
    examples: list[Example] = []
    moved, lost, left_out, ids = [], [], [], set()
    for place, article, paragraph, question in _squad_questions(path):
        example = _squad_example(path, place, article, paragraph, question)
        source = example[SOURCE]
        if example["id"] in ids:
            raise ValueError(
                f"{source}: a question must have an id of its own, but another one has it, too "
                f"({example['question']!r:.100} is the second): give it another id."
            )
        ids.add(example["id"])
        num_moved, num_lost = _put_in_place(example)
        if strict and num_moved + num_lost:
            raise ValueError(
                f"{source}: an answer must be in the context at its answer_start, but "
                f"{num_moved + num_lost} are not: correct them, or read with strict=False."
            )
        moved += [source] * num_moved
        lost += [source] * num_lost
        (examples if example["impossible"] or example["answers"] else left_out).append(example)
    _report(path, "%d questions are empty", [e for e in examples if not e["question"].strip()])
    _report(path, "moved %d answers to where they are in the context", moved)
    _report(path, "left out %d answers that are not at their offset, nor at one place", lost)
    _report(path, "left out %d questions whose answers are not in place", left_out)
    return examples


def read_swag(path: Path) -> list[Example]:
    """Reads the CSV files of [SWAG](https://arxiv.org/abs/1808.05326): the ending of a sentence.

    Args:
        path: path of a CSV file, in UTF-8, plain or gzip, with the columns sent1 (the context),
            sent2 (the question: how the next sentence begins), ending0, ending1 and so on (the
            choices), and label. There may be others, the first one without a name.

    Returns:
        list of dict as the module says; `source` is "path:line".

    Raises:
        ValueError: a column or a choice is missing, or a label is none of the choices.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.questions import read_swag
    >>> path = os.path.join(tempfile.mkdtemp(), "val.csv")
    >>> lines = [",sent1,sent2,ending0,ending1,label\\n", "0,A film begins.,It,is fine.,ends.,0\\n"]
    >>> _ = open(path, "w").write("".join(lines))
    >>> read_swag(path)[0]["choices"]
    ['is fine.', 'ends.']
    """
    rows = table_rows(path, ",", quoted=True)
    line, names = rows.pop(0) if rows else (1, [""])
    # Its own files have an index from pandas, whose column has no name.
    names = [names[0] or "index", *names[1:]]
    check_names(names, f"{path}:{line}")
    endings = _numbered(names, "ending", 0)
    missing = [name for name in _SWAG_COLUMNS if name not in names]
    if missing:
        raise ValueError(
            f"{path}:{line}: a file of SWAG must have the columns {', '.join(_SWAG_COLUMNS)}, but "
            f"{', '.join(missing)} are missing: restore the file, or name its form."
        )
    examples = []
    for line, cells in rows:
        row = row_example(names, cells, f"{path}:{line}")
        label = int(row["label"]) if re.fullmatch("[0-9]+", row["label"]) else row["label"]
        choices = [row[name] for name in endings]
        examples.append(_choice_example(row["sent1"], row["sent2"], choices, label, row[SOURCE]))
    return examples


def read_copa(path: Path, questions: Mapping[str, str] = COPA_QUESTIONS) -> list[Example]:
    """Reads COPA as [SuperGLUE](https://arxiv.org/abs/1905.00537) has it, and XCOPA.

    Args:
        path: path of a file, in UTF-8, plain or gzip, with a JSON object on every line: premise
            (the context), question ("cause" or "effect"), choice1, choice2 and so on, and label,
            counted from 0.
        questions: dict, how to ask for a cause and an effect, in the language of the data.

    Returns:
        list of dict as the module says; `source` is "path:line".

    Raises:
        ValueError: a key or a choice is missing, or a label is none of the choices.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.questions import read_copa
    >>> path = os.path.join(tempfile.mkdtemp(), "val.jsonl")
    >>> line = '{"premise": "I left.", "question": "cause", "choice1": "The film was bad.", '
    >>> _ = open(path, "w").write(line + '"choice2": "It was fine.", "label": 0}\\n')
    >>> read_copa(path)[0]["question"]
    'What was the cause of this?'
    """
    examples = []
    for record in read_jsonl(path):
        place = record[SOURCE]
        asked = _field(record, "question", str, place)
        if asked not in questions:
            raise ValueError(
                f"{place}: 'question' must be one of {', '.join(questions)}, but is {asked!r}: "
                "correct it, or name the form that the file has."
            )
        context = _field(record, "premise", str, place)
        choices = [record[name] for name in _numbered(record, "choice", 1)]
        label = _field(record, "label", int, place)
        examples.append(_choice_example(context, questions[asked], choices, label, place))
    return examples


def read_arc(path: Path) -> list[Example]:
    """Reads the questions of [ARC](https://arxiv.org/abs/1803.05457), which have no context.

    A CSV file pads questions of fewer choices with empty cells. Questions whose right choice is not
    among those that are there are left out of it, counted, and reported.

    Args:
        path: path of a file, in UTF-8, plain or gzip. Either its own form, a JSON object on every
            line with question.stem, question.choices (each a text and a label) and answerKey, the
            label of the right one; or `.csv` without header: the question, its choices, and the
            right one as a letter from A or a number from 1.

    Returns:
        list of dict as the module says; `source` is "path:line".

    Raises:
        ValueError: a key or a choice is missing; in JSON, the right one is none of the choices.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.questions import read_arc
    >>> path = os.path.join(tempfile.mkdtemp(), "dev.csv")
    >>> _ = open(path, "w").write("Which is a planet?,the sun,Mars,B\\n")
    >>> example = read_arc(path)[0]
    >>> example["context"], example["question"], example["label"]
    ('Which is a planet?', '', 1)
    """
    if os.fspath(path).removesuffix(".gz").endswith(".csv"):
        return _arc_rows(path)
    examples = []
    for record in read_jsonl(path):
        place = record[SOURCE]
        question = _field(record, "question", dict, place)
        choices = _field(question, "choices", list, place)
        labels = [_field(choice, "label", str, place) for choice in choices]
        texts = [_field(choice, "text", str, place) for choice in choices]
        key = _field(record, "answerKey", str, place)
        label = labels.index(key) if labels.count(key) == 1 else key
        stem = _field(question, "stem", str, place)
        examples.append(_choice_example(stem, "", texts, label, place))
    return examples


def read_race(path: Path) -> list[Example]:
    """Reads the articles of [RACE](https://arxiv.org/abs/1704.04683), with several questions each.

    Args:
        path: a folder, a file or a glob: each file holds a JSON object with article (the context),
            questions, options (the choices of each question) and answers (letters from A).

    Returns:
        list of dict as the module says; `source` is "path:questions[index]".

    Raises:
        ValueError: a key or a choice is missing, or an answer is none of the choices.

    Example:

    >>> import json, os, tempfile
    >>> from keras_bert.data.questions import read_race
    >>> folder = tempfile.mkdtemp()
    >>> article = {"article": "It is a fine film.", "questions": ["How is the film?"]}
    >>> with open(os.path.join(folder, "high1.txt"), "w") as file:
    ...     json.dump({**article, "options": [["Bad.", "Fine."]], "answers": ["B"]}, file)
    >>> read_race(folder)[0]["label"]
    1
    """
    return [example for file in matching_files(path) for example in _race_questions(file)]


def _squad_questions(path: Path) -> Iterator[tuple[str, Any, Any, Any]]:
    """Places of questions, their articles, paragraphs, and the questions themselves."""
    for i, article in enumerate(_field(read_json(path), "data", list, str(path))):
        place = f"{path}:data[{i}]"
        for j, paragraph in enumerate(_field(article, "paragraphs", list, place)):
            place = f"{path}:data[{i}].paragraphs[{j}]"
            for k, question in enumerate(_field(paragraph, "qas", list, place)):
                yield f"{place}.qas[{k}]", article, paragraph, question


def _squad_example(
    path: Path, place: str, article: dict, paragraph: dict, question: Any
) -> Example:
    """The example as the file has it."""
    number = question.get("id") if isinstance(question, dict) else None
    id_ = str(number) if isinstance(number, int) else _field(question, "id", str, place)
    place = f"{path}:{id_}"
    answers = _field(question, "answers", list, place)
    impossible = "is_impossible" in question and _field(question, "is_impossible", bool, place)
    if bool(answers) == impossible:
        raise ValueError(
            f"{place}: a question must have answers or is_impossible: true, but has "
            f"{'both' if impossible else 'neither'}: correct it."
        )
    title = article.get("title")
    return {
        "id": id_,
        **({"title": title} if isinstance(title, str) else {}),
        "question": _field(question, "question", str, place, may_be_empty=True),
        "context": _field(paragraph, "context", str, place),
        "answers": [_field(answer, "text", str, place) for answer in answers],
        "answer_starts": [_field(answer, "answer_start", int, place) for answer in answers],
        "impossible": impossible,
        SOURCE: place,
    }


def _put_in_place(example: Example) -> tuple[int, int]:
    """Corrects the answers of an example; how many were moved and how many taken out."""
    kept, num_moved = [], 0
    for text, start in zip(example["answers"], example["answer_starts"], strict=True):
        place = _place_of(text, start, example["context"])
        if place is not None:
            kept.append((text, place))
            num_moved += place != start
    num_lost = len(example["answers"]) - len(kept)
    example["answers"] = [text for text, _ in kept]
    example["answer_starts"] = [place for _, place in kept]
    return num_moved, num_lost


def _place_of(text: str, start: int, context: str) -> int | None:
    """Where an answer is, None if that is not certain."""
    if start >= 0 and context.startswith(text, start):
        return start
    places = [match.start() for match in re.finditer(f"(?={re.escape(text)})", context)]
    nearby = [place for place in places if abs(place - start) <= NEARBY]
    return next((found[0] for found in (nearby, places) if len(found) == 1), None)


def _report(path: Path, message: str, sources: Sequence[str | Example]) -> None:
    if sources:
        first = sources[0] if isinstance(sources[0], str) else sources[0][SOURCE]
        logging.warning(f"%s: {message}, the first: %s.", path, len(sources), first)


def _arc_rows(path: Path) -> list[Example]:
    examples, left_out = [], []
    rows = table_rows(path, ",", quoted=True)
    num_choices = len(rows[0][1]) - 2 if rows else 0
    names = ("question", *(f"choice {i}" for i in range(1, num_choices + 1)), "key")
    for line, cells in rows:
        place = f"{path}:{line}"
        question, *choices, key = list(row_example(names, cells, place).values())[:-1]
        while choices and not choices[-1].strip():
            choices.pop()
        label = _index(key)
        if isinstance(label, int) and label >= len(choices):
            left_out.append(place)
        else:
            examples.append(_choice_example(question, "", choices, label, place))
    _report(path, "left out %d questions whose right choice is not there", left_out)
    return examples


def _race_questions(path: str) -> Iterator[Example]:
    record = read_json(path)
    article = _field(record, "article", str, path)
    columns = [_field(record, key, list, path) for key in ("questions", "options", "answers")]
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


def _numbered(names: Sequence[str] | Mapping[str, Any], stem: str, first: int) -> list[str]:
    """Those of some names that are a stem with a number, from the first one to the last."""
    numbered = []
    while f"{stem}{first + len(numbered)}" in names:
        numbered.append(f"{stem}{first + len(numbered)}")
    return numbered


def _choice_example(context: Any, question: Any, choices: Any, label: Any, place: str) -> Example:
    texts = choices if isinstance(choices, list) else []
    empty = [i for i, text in enumerate(texts) if not isinstance(text, str) or not text.strip()]
    if len(texts) < 2 or empty:
        raise ValueError(
            f"{place}: there must be at least two choices, each with a text, but they are "
            f"{choices!r:.200}: correct them."
        )
    if not isinstance(label, int) or isinstance(label, bool) or not 0 <= label < len(texts):
        raise ValueError(
            f"{place}: one of the {len(texts)} choices must be the right one, but what is said to "
            f"be it is {label!r:.50}: correct it; data without right answers cannot be read."
        )
    if not isinstance(question, str) or not (context + question).strip():
        raise ValueError(f"{place}: there must be a question, but it is {question!r}: correct it.")
    example = {"context": context, "question": question, "choices": texts, "label": label}
    return {**example, SOURCE: place}


def _field(record: Any, key: str, kind: type, place: str, may_be_empty: bool = False) -> Any:
    """A value of a JSON object, of the kind that it must have."""
    value = record.get(key) if isinstance(record, dict) else None
    is_kind = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not is_kind or (kind is str and not may_be_empty and not value.strip()):
        there = isinstance(record, dict) and key in record
        raise ValueError(
            f"{place}: {key!r} must be {_KINDS[kind]}, but is "
            f"{format(repr(value), '.100') if there else 'missing'}: correct it, or name the form "
            "that the file has."
        )
    return value
