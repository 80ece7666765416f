"""Questions whose answers are spans of their context: SQuAD's nested files, and flat rows."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from absl import logging

from keras_bert.data.rows import Path, Row, field
from keras_bert.data.text_files import read_json

# An answer that is not at its offset is looked for so many characters around it first.
NEARBY = 32

# What flat rows call their one answer, and where it begins.
_ANSWERS = ("answers", "answer", "answer_text")
_STARTS = ("answer_start", "answer_starts", "start")
_IMPOSSIBLE = ("is_impossible", "impossible")
# {'text': array(['Ann'], dtype=object), 'answer_start': array([0])}
_ARRAY = re.compile(r"array\((\[.*?\])(?:,\s*dtype=\w+)?\)", re.DOTALL)
_BOOLEANS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


def read_squad(path: Path, *, strict: bool = False, encoding: str | None = None) -> list[Row]:
    """Reads questions whose answers are spans of their context, in the form of SQuAD 1.1 and 2.0.

    ([Rajpurkar et al., 2016](https://arxiv.org/abs/1606.05250),
    [2018](https://arxiv.org/abs/1806.03822).) XQuAD, DRCD, PolicyQA and CMRC have it, too.
    `plausible_answers` are none.

    Args:
        path: path of the file, plain or compressed.
        strict: bool, as in `questions`.
        encoding: str, that of the file; None is UTF-8, or what a byte order mark says.

    Returns:
        list of Row, as `questions` gives them; `source` is "path:id".

    Raises:
        ValueError: as `questions`.

    Example:

    >>> import json, os, tempfile
    >>> from keras_bert.data.examples.questions import read_squad
    >>> path = os.path.join(tempfile.mkdtemp(), "dev.json")
    >>> answers = [{"text": "fine", "answer_start": 2}]
    >>> qas = [{"id": "7", "question": "How is the film?", "answers": answers}]
    >>> paragraphs = [{"context": "a fine film", "qas": qas}]
    >>> with open(path, "w") as file:
    ...     json.dump({"data": [{"paragraphs": paragraphs}]}, file)
    >>> [row] = read_squad(path)
    >>> row["answers"], row["answer_starts"], row["impossible"]
    (['fine'], [2], False)
    """
    return questions(list(squad_rows(path, read_json(path, encoding))), strict=strict)


def questions(rows: Sequence[Row], *, strict: bool = False) -> list[Row]:
    """Rows with a question and its context, however they say its answers, in one form.

    Answers are what the Hub's data sets have, `answers: {text: [...], answer_start: [...]}`; a list
    of `{text, answer_start}`; or one text under `answer`, with or without an `answer_start`. A row
    without any of these, nor `is_impossible`, is one to be answered.

    An answer that is not at its offset is moved to where it is, if that is one place within
    `NEARBY` characters, or one in all the context. Other such answers are left out, and so are
    questions that keep no answer. One that has no offset is where it first occurs. All are counted,
    and reported, and so are empty questions.

    Args:
        rows: sequence of Row.
        strict: bool, whether an answer that is not at its offset is an error.

    Returns:
        list of Row: `id`, `question` and `context`, str; `title`, str, where there is one;
        `answers`, list of str, and `answer_starts`, list of int, their offsets in characters, both
        empty where the question is `impossible`, bool.

    Raises:
        ValueError: a key is missing; a context or an answer is empty; an id is there twice; a
            question has no answer but is not said to be impossible, or both. The message has the
            row's source.

    Example:

    >>> from keras_bert.data.examples.questions import questions
    >>> from keras_bert.data.rows import Row
    >>> columns = {"question": "How is the film?", "context": "a fine film", "answer": "fine"}
    >>> [row] = questions([Row(columns, "dev.csv:2")])
    >>> row["answers"], row["answer_starts"], row["impossible"]
    (['fine'], [2], False)
    """
    kept, found = [], _Found()
    ids: set[str] = set()
    for row in rows:
        columns = _columns_of(row)
        if columns["id"] in ids:
            raise ValueError(
                f"{row.source}: a question must have an id of its own, but another one has it, too "
                f"({columns['question']!r:.100} is the second): give it another id."
            )
        ids.add(columns["id"])
        if "answers" in columns:
            _put_in_place(columns, row.source, found, strict)
        if columns.get("answers") or columns.get("impossible", True):
            kept.append(row.with_columns(columns))
        else:
            found.left_out.append(row.source)
        if not columns["question"].strip():
            found.empty.append(row.source)
    found.report()
    if found.left_out and not kept:
        raise ValueError(
            f"{found.left_out[0]}: answers must be parts of their contexts, but none of "
            f"{len(found.left_out)} questions has such an answer: correct the data."
        )
    return kept


def squad_rows(path: Path, content: Any) -> Iterator[Row]:
    """A row a question of SQuAD's nested form, for `questions`.

    Args:
        path: path of the file, for the rows' source.
        content: what is in it.

    Raises:
        ValueError: a key is missing.
    """
    for i, article in enumerate(field(content, "data", list, str(path))):
        place = f"{path}:data[{i}]"
        for j, paragraph in enumerate(field(article, "paragraphs", list, place)):
            place = f"{path}:data[{i}].paragraphs[{j}]"
            for k, question in enumerate(field(paragraph, "qas", list, place)):
                columns = question if isinstance(question, dict) else {}
                id_ = _id_of(columns.get("id"))
                if id_ is None:
                    id_ = field(question, "id", str, f"{place}.qas[{k}]")
                shared = {"context": paragraph.get("context"), "title": article.get("title")}
                shared = {name: value for name, value in shared.items() if value is not None}
                field(columns, "answers", list, f"{path}:{id_}")
                yield Row({**columns, **shared, "id": id_}, f"{path}:{id_}")


class _Found:
    """What was not as it should be, by the sources of the questions."""

    def __init__(self):
        self.empty: list[str] = []
        self.without_start: list[str] = []
        self.moved: list[str] = []
        self.lost: list[str] = []
        self.left_out: list[str] = []

    def report(self) -> None:
        """Logs how many there are of each, and the first."""
        for sources, message in (
            (self.empty, "%d questions are empty, the first: %s."),
            (self.without_start, "%d answers without a start are in their context several times, "
             "and are taken where they first are, the first: %s."),
            (self.moved, "Moved %d answers to where they are in the context, the first: %s."),
            (self.lost, "Left out %d answers that are not at their offset, nor at one place, the "
             "first: %s."),
            (self.left_out, "Left out %d questions whose answers are not in place, the first: %s."),
        ):  # fmt: skip
            if sources:
                logging.warning(message, len(sources), sources[0])


def _id_of(value: Any) -> str | None:
    """An id as text, None if it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else None


def _columns_of(row: Row) -> dict[str, Any]:
    """The columns of one question, its answers as the row has them; start None is not known."""
    place = row.source
    title = row.get("title")
    missing = [name for name in ("question", "context") if name not in row]
    if missing:
        raise ValueError(
            f"{place}: a row must have the columns question and context, but "
            f"{', '.join(missing)} is missing, and there are {', '.join(row):.300}: rename the "
            "columns, or name the form of the file (--form)."
        )
    columns = {
        "id": _id_of(row.get("id")) or place,
        **({"title": title} if isinstance(title, str) else {}),
        "question": field(row, "question", str, place, may_be_empty=True),
        "context": field(row, "context", str, place),
    }
    is_answered = any(name in row for name in (*_ANSWERS, *_IMPOSSIBLE))
    return {**columns, **_answered(row, place)} if is_answered else columns


def _answered(row: Row, place: str) -> dict[str, Any]:
    """The columns of a question's answers."""
    answers = _answers_of(row, place)
    marked = next((row[name] for name in _IMPOSSIBLE if row.get(name) not in (None, "")), None)
    impossible = marked is not None and _boolean(marked, place)
    if marked is None and answers is not None and _is_hub_form(row) and not answers:
        impossible = True  # as the Hub writes SQuAD 2.0
    answers = answers or []
    if impossible:  # annotation tools write an empty answer, at -1
        answers = [answer for answer in answers if answer[0].strip()]
    if bool(answers) == impossible:
        raise ValueError(
            f"{place}: a question must have answers or is_impossible: true, but has "
            f"{'both' if impossible else 'neither'}: correct it."
        )
    for text, _ in answers:
        field({"text": text}, "text", str, place)
    return {
        "answers": [text for text, _ in answers],
        "answer_starts": [start for _, start in answers],
        "impossible": impossible,
    }


def _is_hub_form(row: Row) -> bool:
    return isinstance(_value(row.get("answers")), dict)


def _value(cell: Any) -> Any:
    """A list or an object that a table has as text, as JSON, Python or pandas writes it."""
    if not isinstance(cell, str) or not cell.strip().startswith(("[", "{")):
        return cell
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(_ARRAY.sub(r"\1", cell))
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
    return cell


def _answers_of(row: Row, place: str) -> list[tuple[str, int | None]] | None:
    """Texts and starts of the answers of a row, None if it has no such column."""
    name = next((name for name in _ANSWERS if row.get(name) is not None), None)
    if name is None:
        return None
    value = _value(row[name])
    filled = (row[key] for key in _STARTS if row.get(key) not in (None, ""))
    starts: Any = _value(next(filled, None))
    if isinstance(value, dict):
        starts = value.get("answer_start", value.get("start"))
        value = value.get("text")
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        value = [value] if value.strip() else []
    if not isinstance(value, list):
        raise ValueError(
            f"{place}: {name!r} must be a list, a text, or an object of text and answer_start, but "
            f"is {row[name]!r:.100}: correct it."
        )
    if all(isinstance(one, dict) for one in value):
        pairs = [(one.get("text"), one.get("answer_start", one.get("start"))) for one in value]
        return [(_text(text, place), _start(start, place)) for text, start in pairs]
    starts = starts if isinstance(starts, list) else [starts] * len(value)
    if len(starts) != len(value):
        raise ValueError(
            f"{place}: there must be a start for every answer, but there are {len(value)} answers "
            f"and {len(starts)} starts: correct them."
        )
    return [(_text(t, place), _start(s, place)) for t, s in zip(value, starts, strict=True)]


def _text(value: Any, place: str) -> str:
    there = {} if value is None else {"text": value}
    return field(there, "text", str, place, may_be_empty=True)


def _start(value: Any, place: str) -> int | None:
    if value is None or value != value:  # pandas' nan
        return None
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,18}\s*", value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return field({"answer_start": value}, "answer_start", int, place)


def _boolean(value: Any, place: str) -> bool:
    known = _BOOLEANS.get(str(value).strip().lower())
    if known is None:
        return field({"is_impossible": value}, "is_impossible", bool, place)
    return known


def _put_in_place(columns: dict[str, Any], source: str, found: _Found, strict: bool) -> None:
    """Corrects the answers of a question, and notes what had to be done."""
    kept, moved, lost = [], 0, 0
    for text, start in zip(columns["answers"], columns["answer_starts"], strict=True):
        places = _places(text, columns["context"])
        place = _place_of(places, start)
        if start is None and len(places) > 1:
            found.without_start.append(source)
        if place is None:
            lost += 1
        else:
            kept.append((text, place))
            moved += start is not None and place != start
    if strict and moved + lost:
        raise ValueError(
            f"{source}: an answer must be in the context at its answer_start, but {moved + lost} "
            "are not: correct them, or read with strict=False."
        )
    found.moved += [source] * moved
    found.lost += [source] * lost
    columns["answers"] = [text for text, _ in kept]
    columns["answer_starts"] = [place for _, place in kept]


def _places(text: str, context: str) -> list[int]:
    return [match.start() for match in re.finditer(f"(?={re.escape(text)})", context)]


def _place_of(places: Sequence[int], start: int | None) -> int | None:
    """Where an answer is, None if that is not certain."""
    if start in places or start is None:
        return start if start is not None else next(iter(places), None)
    nearby = [place for place in places if abs(place - start) <= NEARBY]
    return next((found[0] for found in (nearby, places) if len(found) == 1), None)
