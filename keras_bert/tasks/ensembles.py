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
from keras_bert.tasks.predictions import Predictions
from keras_bert.tasks.problems import PROBLEMS
from keras_bert.tasks.setting import settings_of
from keras_bert.tasks.task import Task

# Members may have learned with another dropout, and refuse at another score: the first one's holds.
_FREE = ("packer", "dropout", "no_answer_threshold", "labels")
# In which those may differ besides whose outputs are of examples, not of their pieces.
_OF_READING = ("stride",)


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
    checkpoint holds one model. Where the outputs are of whole examples (text classification,
    multiple choice), members may be of any family, with tokenizers and lengths of their own, models
    of Keras, and files of predictions; an ensemble with a file answers the file's examples, and is
    not exported. Of the other tasks they have one tokenizer and length. Labels are known by their
    names, in any order.

    Args:
        members: sequence of Task; `Member`, which is a model of Keras; and paths of files with
            answers (`Predictions`), `.jsonl`, `.csv` and so on. At least one is a Task.
        by: "outputs", the mean of outputs, which are logits for the most part; "mean", of
            probabilities; "vote", the class that most of them say.
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
    if by == "vote" and pool.activation is None:
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
        return _of_task(first, member, place)
    if not _is_of_examples(first):
        raise ValueError(
            f"A {type(first).__name__} says something of the pieces of a text, which only tasks "
            f"with the same tokenizer say too, but a member is {member!r:.100}: leave it out."
        )
    prefix = f"member_{place}_"
    if isinstance(member, str | os.PathLike):
        found = Predictions(member, first, pool)
        if found.only_votes and pool.by != "vote":
            raise ValueError(
                f"{found.path} must have probabilities, but has rows with a label alone: take "
                "by='vote'."
            )
        return Reader(found, prefix)
    if not isinstance(member, Member) or not settings_of(first).get("labels"):
        raise ValueError(
            f"A member of an ensemble must be a task or a file of answers, or, beside classifiers "
            f"of text, a kb.Member, but is {member!r:.100}: kb.Member(model, labels=..., "
            "gives='probabilities')."
        )
    order = _order(first.labels, member.labels)
    return Reader(member.reading(tuple(first.example_spec), pool), prefix, order)


def _of_task(first: Task, member: Task, place: int) -> Reader:
    of_examples = _is_of_examples(first)
    same, other = _kind(first, of_examples), _kind(member, of_examples)
    _check_same(same, other)
    labels = (settings_of(task).get("labels") for task in (first, member))
    order = _order(*(tuple(some or ()) for some in labels))
    reads_alike = _reading(first) == _reading(member)
    if not of_examples:
        _check_same(_reading(first), _reading(member))
    return Reader(member, "" if reads_alike and not member.beside else f"member_{place}_", order)


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


def _is_of_examples(task: Task) -> bool:
    """Whether the output is of examples, [B, C], and not of pieces or of a space of its own."""
    return [*task.output] == ["logits"] and len(task.output["logits"].shape) == 2


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
        name = next(name for name in first | other if first.get(name) != other.get(name))
        raise ValueError(
            f"Tasks that are combined must be of one kind, with the same settings, but {name} "
            f"is {first.get(name)!r:.200} of the first and {other.get(name)!r:.200} of another "
            "one: combine runs of one recipe."
        )


def _labelled(task: Task) -> dict[str, Any]:
    """All in which tasks are alike that have weights of one shape and meaning."""
    labels = settings_of(task).get("labels")
    return {"labels": labels, **_kind(task, of_examples=False), **_reading(task)}


def _kind(task: Task, of_examples: bool) -> dict[str, Any]:
    """All in which members must be alike, whatever they read."""
    free = (*_FREE, *_OF_READING) if of_examples else _FREE
    settings = {name: value for name, value in settings_of(task).items() if name not in free}
    shapes = {f"the shape of {name}": tensor.shape for name, tensor in task.output.items()}
    return {"the task": type(task).__name__, **settings, **({} if of_examples else shapes)}


def _reading(task: Task) -> dict[str, Any]:
    """All in which those are alike that read the same rows."""
    own = task.tokenizer.settings()
    tokenizer = {f"the tokenizer's {name}": value for name, value in own.items()}
    stride, packer = settings_of(task).get("stride"), task.packer
    kind = type(task.tokenizer).__name__
    return {
        "sequence_length": packer.sequence_length,
        "stride": stride,
        "the tokenizer": kind,
        **tokenizer,
        "the template": packer.template,
    }


def _shapes(task: Task) -> dict[str, Any]:
    return {f"the shape of {weight.path}": weight.shape for weight in task.weights}
