"""Questions as examples have them: their answers, where these stand, and how good others are."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from keras_bert import metrics
from keras_bert.data.examples.questions import questions
from keras_bert.data.rows import Row
from keras_bert.tasks.examples import Example, missing_column, plain, source_of
from keras_bert.tasks.hooks import Breakdown
from keras_bert.tasks.labels import label_number
from keras_bert.text.packing import Packer

# Lengths of answers that are looked at together, by the longest of each.
_LENGTHS = ((0, "none"), (1, "1"), (3, "2 to 3"), (7, "4 to 7"), (math.inf, "8 and more"))
_CHINESE = re.compile(r"[\u3400-\u9fff]")


def checked_threshold(value: float | None) -> float | None:
    """A threshold of no answer as a finite number, or None."""
    if value is not None and not np.isfinite(value):
        raise ValueError(
            f"no_answer_threshold must be a finite number or None, but is {value!r}: choose 0.0, "
            "or the one that is best for development data."
        )
    return None if value is None else float(value)


def check_counts(counts: Mapping[str, Any], packer: Packer) -> None:
    """Raises a ValueError unless counts are such, and a row has room for the `stride` of them."""
    for name, value in counts.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be an int of at least 1, but is {value!r}: raise it.")
    room = (packer.room(num_segments=2) or 0) - 1
    if counts["stride"] > room:
        raise ValueError(
            f"stride must be at most the {room} pieces that a row of {packer.sequence_length} "
            f"leaves to the context beside a question, but is {counts['stride']}: choose a smaller "
            "one, or longer rows."
        )


def in_pairs(examples: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """`question` and `context`; a graph ends here unless there is one of these for each of those.

    What stands on them in a graph waits for the comparison, and cannot fail before it.
    """
    same = tf.debugging.assert_equal(
        tf.shape(examples["question"]),
        tf.shape(examples["context"]),
        "There must be one context for every question: repeat it.",
    )
    with tf.control_dependencies([] if same is None else [same]):
        return {name: tf.identity(examples[name]) for name in ("question", "context")}


def span_of(example: Example, *, may_be_none: bool) -> tuple[int, int]:
    """The characters of the context from and up to which the first answer goes.

    Args:
        example: dict with `context`, `answers` and `answer_starts`; or `impossible`.
        may_be_none: bool, whether questions without an answer can be learned.

    Returns:
        Pair of int; (0, 0) where there is no answer.

    Raises:
        ValueError: the answer is not where it is said to be, or cannot be learned.

    Example:

    >>> from keras_bert.tasks.questions import span_of
    >>> example = {"context": "Anna lives in Bonn.", "answers": ["Bonn"], "answer_starts": [14]}
    >>> span_of(example, may_be_none=False)
    (14, 18)
    """
    if example.get("impossible"):
        if not may_be_none:
            raise ValueError(
                f"{source_of(example)}: every question must have an answer as the task has no "
                "no_answer_threshold, but this one has none: make the task with 0.0, say."
            )
        return 0, 0
    answers, starts = answers_of(example), _starts_of(example)
    if len(starts) != len(answers) or not answers:
        raise ValueError(
            f"{source_of(example)}: there must be an answer and a start for every answer, but "
            f"there are {len(answers)} answers and {len(starts)} answer_starts: add them, or "
            "say that the question is impossible."
        )
    answer, start, context = answers[0], starts[0], example["context"]
    if isinstance(context, bytes):
        context = context.decode("utf-8", "ignore")
    if start < 0 or not context.startswith(answer, start):
        raise ValueError(
            f"{source_of(example)}: an answer must stand in the context where answer_starts "
            f"says, counted in characters from 0, but {answer!r} is not at {start}: correct it."
        )
    return start, start + len(answer)


def in_one_form(examples: Sequence[Example]) -> list[Example]:
    """Examples with `answers` and `answer_starts`, where they have them as the Hub does, or a text.

    Args:
        examples: sequence of dict; others, with an answer or without, stay as they are.

    Raises:
        ValueError: an answer is not in its context where it is said to be.

    Example:

    >>> from keras_bert.tasks.questions import in_one_form
    >>> example = {"question": "Who?", "context": "Ann, of Bonn.", "answers": "Ann"}
    >>> [found] = in_one_form([example])
    >>> found["answers"], found["answer_starts"]
    (['Ann'], [0])
    """
    return [_in_one_form(example, i) for i, example in enumerate(examples)]


def _in_one_form(example: Example, number: int) -> Example:
    answers = plain(example.get("answers", example.get("answer")))
    is_list = isinstance(answers, list | tuple)
    is_of_hub = isinstance(answers, Mapping) or (is_list and isinstance((*answers, 0)[0], Mapping))
    if not is_of_hub and (is_list or answers is None or "answer_starts" in example):
        return example
    columns = {name: plain(value) for name, value in example.items()} | {"answers": answers}
    row = Row(columns, str(getattr(example, "source", f"example {number}")))
    [found] = questions([row], strict=True)
    return found.with_columns({**example, **found})


def answers_of(example: Example) -> list[str]:
    """The answers of an example's question.

    Raises:
        ValueError: there are none, or they are no texts.
    """
    if "answers" not in example:
        raise ValueError(missing_column(example, "answers"))
    answers = plain(example["answers"])
    is_list = isinstance(answers, list | tuple)
    if not is_list or not all(isinstance(answer, str) and answer for answer in answers):
        raise ValueError(
            f"{source_of(example)}: answers must be a list of texts that are not empty, but are "
            f"{answers!r:.100}: correct them, or say that the question is impossible."
        )
    return list(answers)


def question_scores(
    examples: Sequence[Example], answers: Sequence[Any], no_answer_threshold: float | None
) -> dict[str, float]:
    """How good answers are, by the field's scripts, from 0 to 100.

    Args:
        examples: sequence of dict with `answers`, or `impossible`.
        answers: sequence of dict, as a QuestionAnswerer gives them.
        no_answer_threshold: float, from which score on nothing is answered; None: never.

    Returns:
        `f1`, `exact` and what the script says besides: SQuAD 1.1's or 2.0's, with the best
        threshold of no answer where there is one; or CMRC 2018's where every question has an
        answer, and half of them or more one with a Chinese character, since Chinese has no spaces
        between its words.
    """
    golds = [[] if e.get("impossible") else answers_of(e) for e in examples]
    predicted = [answer["answer"] for answer in answers]
    if _are_chinese(golds):
        found = metrics.cmrc_scores(predicted, golds)
    elif no_answer_threshold is None:
        found = metrics.squad_scores(predicted, golds)
    else:
        best = [[one["answer"] for one in answer["best_answers"]] or [""] for answer in answers]
        predicted = [texts[0] for texts in best]
        no_answer_scores = [answer["no_answer_score"] for answer in answers]
        found = metrics.squad_scores(predicted, golds, no_answer_scores, no_answer_threshold)
    return {"f1": found["f1"], **found}


def question_breakdown(examples: Sequence[Example], answers: Sequence[Any]) -> Breakdown:
    """The F1 of questions by the length of their first answer; arguments as of `question_scores`.

    Example:

    >>> from keras_bert.tasks.questions import question_breakdown
    >>> examples = [{"answers": ["the fox"]}, {"impossible": True}]
    >>> question_breakdown(examples, [{"answer": "a fox"}, {"answer": "it"}]).values
    {'none': 0.0, '2 to 3': 100.0}
    """
    golds = [[] if e.get("impossible") else answers_of(e) for e in examples]
    chinese = _are_chinese(golds)
    f1 = metrics.cmrc_f1 if chinese else metrics.squad_f1
    groups: dict[str, list[float]] = {name: [] for _, name in _LENGTHS}
    for gold, answer in zip(golds, answers, strict=True):
        first = gold[0] if gold else ""
        length = len(first if chinese else first.split())
        name = next(name for most, name in _LENGTHS if length <= most)
        groups[name].append(100 * f1(answer["answer"], gold))
    kept = {name: scores for name, scores in groups.items() if scores}
    unit = "characters" if chinese else "words"
    values = {name: float(np.mean(scores)) for name, scores in kept.items()}
    counts = {name: len(scores) for name, scores in kept.items()}
    return Breakdown("F1", f"{unit} of the answer", values, counts)


def report_cut_questions(num_tokens: np.ndarray, room: int) -> None:
    """Says how many questions are cut.

    Args:
        num_tokens: int [N], the pieces of each.
        room: int, how many of them are read.
    """
    if (num_tokens > room).any():
        logging.warning(
            "%d of %d questions have more than %d pieces and are cut: choose longer rows or "
            "another max_question_tokens if what is lost matters.",
            *(np.count_nonzero(num_tokens > room), len(num_tokens), room),
        )


def report_rows(rows_of, with_answer, answer_ends, sequence_length: int) -> None:
    """Says how many contexts are long, and how many answers are in no row.

    Args:
        rows_of: int [W], the example of each row.
        with_answer: int [...], the example of each row that holds an answer.
        answer_ends: int [N], 0 for an example without an answer.
        sequence_length: int, of the rows.
    """
    num_rows = np.bincount(rows_of)
    if (num_rows > 1).any():
        logging.info(
            "%d of %d contexts are longer than a row of %d pieces and are read in several: there "
            "are %d rows in all.",
            *(np.count_nonzero(num_rows > 1), len(num_rows), sequence_length, len(rows_of)),
        )
    has_answer = np.flatnonzero(answer_ends)
    num_lost = len(np.setdiff1d(has_answer, with_answer))
    if num_lost:
        logging.warning(
            "%d of %d answers are whole in no row, or have no piece at all: their rows learn that "
            "there is no answer. Choose longer rows or a smaller stride if that matters.",
            *(num_lost, len(has_answer)),
        )


def _starts_of(example: Example) -> list[int]:
    starts = plain(example.get("answer_starts"))
    starts = list(starts) if isinstance(starts, list | tuple) else []
    numbers = list(map(label_number, starts))
    whole = [int(number) for number in numbers if number is not None and number.is_integer()]
    if len(whole) < len(numbers):
        raise ValueError(
            f"{source_of(example)}: answer_starts must be whole numbers, characters of the context "
            f"from 0, but are {starts!r:.100}: correct them."
        )
    return whole


def _are_chinese(golds: Sequence[Sequence[str]]) -> bool:
    """Whether every question has answers, and half of them or more a Chinese one."""
    num_chinese = sum(any(map(_CHINESE.search, answers)) for answers in golds)
    return all(golds) and 2 * num_chinese >= len(golds)
