"""Several models as one: what they say together, or the mean of the weights of some of one run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_bert.metrics import is_better
from keras_bert.tasks.examples import Example
from keras_bert.tasks.labels import key
from keras_bert.tasks.members import Member, Reader, pool_of, readers_of
from keras_bert.tasks.pooling import KINDS, Kind, Pool
from keras_bert.tasks.problems import PROBLEMS
from keras_bert.tasks.setting import settings_of
from keras_bert.tasks.task import Task

# Members may have learned with another dropout, and refuse at another score: the first one's holds.
_FREE = ("packer", "dropout", "no_answer_threshold", "labels")
# In which those may differ besides that may read otherwise: rows, how many answers are looked at,
# and how a vector is made.
_OF_READING = ("stride", "max_question_tokens", "max_answer_tokens", "num_best")
_OF_VECTORS = ("pooling", "state_layers", "combine", "normalize", "dimensions")


def average(tasks: Sequence[Task]) -> Task:
    """A task with the mean of all weights: for epochs or steps of one run.

    Wortsman et al. 2022, "Model soups" (arXiv:2203.05482).

    Args:
        tasks: sequence of Task, of one kind and size.

    Returns:
        A new one, with the settings of the first; those given stay what they are.

    Raises:
        ValueError: they are not alike.
    """
    if not tasks or not all(isinstance(task, Task) for task in tasks):
        raise _no_members(tasks, "tasks, at least one,")
    for task in tasks[1:]:
        _check_same(_labelled(tasks[0]), _labelled(task))
        _check_same(_shapes(tasks[0]), _shapes(task))
    mean = tasks[0].copy()
    columns = zip(*(task.get_weights() for task in tasks), strict=True)
    # Averaged in double precision; the states of random generators are those of the first.
    mean.set_weights(
        [
            np.mean(values, axis=0, dtype="float64").astype(values[0].dtype)
            if np.issubdtype(values[0].dtype, np.floating)
            else values[0]
            for values in columns
        ]
    )
    return mean


def ensemble(
    members: Sequence[Task | Member | str | os.PathLike],
    by: Kind = "outputs",
    *,
    weights: Sequence[float] | None = None,
    held_out: Sequence[Example] | None = None,
) -> Task:
    """A task that answers as several models do together.

    It answers, scores and is exported like each of them; it is neither trained nor saved, as a
    checkpoint holds one model. Members may be of any family, with tokenizers and lengths of their
    own, models of Keras, and files of predictions; an ensemble with a file answers the file's
    examples, and is not exported. Labels are known by their names, in any order. What members say
    is put together by the words of the first task, by the characters where answers stand, and, of
    vectors, by their cosines ("mean"); vectors themselves ("outputs") and blanks are of one space
    and one vocabulary, so that members read alike there.

    Args:
        members: sequence of Task; `Member`, which is a model of Keras; and paths of files with
            answers (`Predictions`), `.jsonl`, `.csv` and so on. At least one is a Task.
        by: "outputs", the mean of outputs, which are logits for the most part; "mean", of
            probabilities, or of the cosines of vectors; "vote", the class, or the answer to a
            question, that most of them say.
        weights: sequence of float, one for each member; None weighs all alike.
        held_out: examples with what is learned: members weigh as much as their first score there.

    Returns:
        A new one, with the settings of the first task and the weights of all, which it shares;
        those given stay what they are.

    Raises:
        ValueError: they do not go together; the message says in what.

    Example:

    >>> import keras_bert as kb
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=1, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> one, other = (
    ...     kb.TextClassifier(kb.BertEncoder(config), kb.Packer(tokenizer, length), labels)
    ...     for length, labels in ((9, ("bad", "good")), (5, ("good", "bad")))
    ... )
    >>> both = kb.ensemble([one, other], by="mean", weights=(2, 1))
    >>> wanted = (2 * one("fine")["probabilities"][1] + other("fine")["probabilities"][0]) / 3
    >>> abs(both("fine")["probabilities"][1] - wanted) < 1e-5
    True
    """
    first = next((one for one in members if isinstance(one, Task)), None)
    if by not in KINDS or first is None:
        if first is None:
            raise _no_members(
                members, "tasks, models of Keras and files, at least one of them a task,"
            )
        raise ValueError(f"by must be one of {', '.join(KINDS)}, not {by!r}: choose one.")
    pool = Pool(by, _activation(first))
    if by == "vote" and pool.activation in (None, "unit"):
        raise ValueError(
            f"Votes are for classes, which a {type(first).__name__} does not tell apart here: "
            "take by='mean'."
        )
    if held_out is not None and weights is not None:
        raise ValueError("Give weights, or held_out examples that give them: one of them.")
    known = _checked(weights, len(members))
    readers = [_reader(first, one, i, pool) for i, one in enumerate(members)]
    if held_out is not None:
        scores = [_score(first, reader, held_out, pool) for reader in readers]
        known = _checked(scores, len(members))
    return first.with_members(readers, Pool(by, pool.activation, known))


def member_scores(task: Task, examples: Sequence[Example]) -> list[dict[str, float]]:
    """The scores of each member of an ensemble alone, in their order.

    Args:
        task: Task that `ensemble` gave.
        examples: sequence of dicts, with what is learned.
    """
    return [_scored(task, one, examples, pool_of(task)) for one in readers_of(task)]


def _reader(first: Task, member: Any, place: int, pool: Pool) -> Reader:
    """A member with what it reads, and how its labels stand."""
    if isinstance(member, Task):
        return _of_task(first, member, place, pool)
    if not _may_differ(first, pool):
        raise ValueError(f"{_why_alike(first)}, but a member is {member!r:.100}: {_advice(first)}.")
    prefix = f"member_{place}_"
    if isinstance(member, str | os.PathLike):
        rows: Any = first.ANSWER_ROWS
        found = rows(member, first, pool)
        if found.only_votes and pool.by != "vote":
            raise ValueError(
                f"{found.path} must have probabilities, but has rows with a label alone: take "
                "by='vote'."
            )
        return Reader(found, prefix)
    labels = settings_of(first).get("labels")
    if not isinstance(member, Member) or not _fits(first, member):
        raise ValueError(
            "A member of an ensemble must be a task or a file of answers, or, beside tasks that "
            f"say labels or vectors, a kb.Member that gives them, but is {member!r:.100}: "
            "kb.Member(model, labels=..., gives='probabilities')."
        )
    order = _order(labels or (), member.labels)
    of_words = not first.ONE_ROW_EACH
    columns = first.other_spec if of_words else first.example_spec
    return Reader(member.reading(tuple(columns), pool, of_words=of_words), prefix, order)


def _fits(first: Task, member: Member) -> bool:
    """Whether a model of Keras gives what a task does."""
    has_labels = bool(settings_of(first).get("labels"))
    return [*first.output] == ["embeddings"] if member.gives == "vectors" else has_labels


def _may_differ(first: Task, pool: Pool) -> bool:
    """Whether members may read otherwise than the first task."""
    if [*first.output] == ["embeddings"]:
        return pool.by != "outputs"
    return first.ANSWER_ROWS is not None and "token_embeddings" not in first.output


def _why_alike(first: Task) -> str:
    kind = type(first).__name__
    if first.ACTIVATION == "unit":
        return (
            f"The vectors of a {kind} lie in a space of their own, and their mean says something "
            "of models that read alike alone"
        )
    return (
        f"A {kind} says pieces of its own vocabulary, which only tasks with the same tokenizer say "
        "too"
    )


def _advice(first: Task) -> str:
    if [*first.output] == ["embeddings"]:
        return "take by='mean', the mean of their cosines, or leave it out"
    return "leave it out"


def _of_task(first: Task, member: Task, place: int, pool: Pool) -> Reader:
    may_differ = _may_differ(first, pool)
    _check_same(_kind(first, may_differ), _kind(member, may_differ))
    labels = (settings_of(task).get("labels") for task in (first, member))
    order = _order(*(tuple(some or ()) for some in labels))
    own, theirs = _reading(first), _reading(member)
    if not may_differ:
        shapes = (_shapes_of_outputs(task) for task in (first, member))
        own, theirs = ({**x, **shape} for x, shape in zip((own, theirs), shapes, strict=True))
        if own != theirs:
            name = _first_difference(own, theirs)
            raise ValueError(
                f"{_why_alike(first)}, but {name} is {own.get(name)!r:.200} of the first and "
                f"{theirs.get(name)!r:.200} of another one: {_advice(first)}."
            )
    reads_alike = own == theirs and not member.beside
    return Reader(member, "" if reads_alike else f"member_{place}_", order)


def _order(labels: Sequence[str], of_member: Sequence[str]) -> tuple[int, ...] | None:
    """Where each label stands among those of a member."""
    wanted, there = [*map(key, labels)], [*map(key, of_member)]
    if set(wanted) != set(there) or len(wanted) != len(there):
        raise ValueError(
            f"Members of an ensemble must have the same labels, in any order, but labels is "
            f"{tuple(labels)!r:.200} of the first and {tuple(of_member)!r:.200} of another one: "
            "combine models of one question."
        )
    order = tuple(there.index(name) for name in wanted)
    return None if order == tuple(range(len(order))) else order


def _activation(task: Task) -> Any:
    problem = PROBLEMS.get(settings_of(task).get("problem", ""))
    return task.ACTIVATION if problem is None else problem.ACTIVATION


def _score(first: Task, reader: Reader, held_out: Sequence[Example], pool: Pool) -> float:
    """A member's first score, not below 0."""
    name, score = next(iter(_scored(first, reader, held_out, pool).items()))
    if not is_better(name, 1.0, 0.0):
        raise ValueError(f"Members weigh as much as their score, but of {name} less is better.")
    return max(score, 0.0)


def _scored(
    first: Task, reader: Reader, examples: Sequence[Example], pool: Pool
) -> dict[str, float]:
    return first.with_members([reader], Pool("outputs", pool.activation)).scored(examples)


def _checked(weights: Sequence[float] | None, number: int) -> tuple[float, ...] | None:
    if weights is None:
        return None
    found = tuple(map(float, weights))
    if len(found) != number or not all(0 <= w < np.inf for w in found) or not sum(found):
        raise ValueError(
            f"weights must be {number} numbers, one for each member, none below 0 and not all 0, "
            f"but are {found}: give others."
        )
    return found


def _no_members(given: Sequence[Any], what: str) -> ValueError:
    return ValueError(
        f"What is combined must be {what} but is {[type(one).__name__ for one in given]}: load "
        "fine-tuned checkpoints."
    )


def _check_same(first: dict[str, Any], other: dict[str, Any]) -> None:
    if first != other:
        name = _first_difference(first, other)
        raise ValueError(
            f"Tasks that are combined must be of one kind, with the same settings, but {name} "
            f"is {first.get(name)!r:.200} of the first and {other.get(name)!r:.200} of another "
            "one: combine runs of one recipe."
        )


def _first_difference(first: dict[str, Any], other: dict[str, Any]) -> str:
    return next(name for name in first | other if first.get(name) != other.get(name))


def _labelled(task: Task) -> dict[str, Any]:
    """All in which tasks are alike that have weights of one shape and meaning."""
    labels = settings_of(task).get("labels")
    shapes = _shapes_of_outputs(task)
    return {"labels": labels, **_kind(task, may_differ=False), **_reading(task), **shapes}


def _kind(task: Task, may_differ: bool) -> dict[str, Any]:
    """All in which members must be alike, whatever they read."""
    free = (*_FREE, *_OF_READING, *(_OF_VECTORS if may_differ else ()))
    settings = {name: value for name, value in settings_of(task).items() if name not in free}
    outputs = {"the output": [*task.output]} if task.ONE_ROW_EACH else {}
    return {"the task": type(task).__name__, **settings, **outputs}


def _reading(task: Task) -> dict[str, Any]:
    """All in which those are alike that read the same rows."""
    own = task.tokenizer.settings()
    tokenizer = {f"the tokenizer's {name}": value for name, value in own.items()}
    settings, packer = settings_of(task), task.packer
    kind = type(task.tokenizer).__name__
    return {
        "sequence_length": packer.sequence_length,
        **{name: settings.get(name) for name in _OF_READING},
        "the tokenizer": kind,
        **tokenizer,
        "the template": packer.template,
    }


def _shapes_of_outputs(task: Task) -> dict[str, Any]:
    return {f"the shape of {name}": tensor.shape for name, tensor in task.output.items()}


def _shapes(task: Task) -> dict[str, Any]:
    return {f"the shape of {weight.path}": weight.shape for weight in task.weights}
