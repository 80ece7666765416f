"""Several checkpoints of one task as one: the mean of their outputs, or of their weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_bert.tasks.setting import settings_of
from keras_bert.tasks.task import Task

# Members may have learned with another dropout, and refuse at another score: the first one's holds.
_FREE = ("packer", "dropout", "no_answer_threshold")


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
    _check_alike(tasks, _shapes)
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


def ensemble(tasks: Sequence[Task]) -> Task:
    """A task that answers by the mean of the outputs (logits) of all: for any runs.

    It answers, scores and is exported like each of them; it is neither trained nor saved, as a
    checkpoint holds one model.

    Args:
        tasks: sequence of Task, of one kind, with the same settings and tokenizer; they may differ
            in size.

    Returns:
        A new one, with the settings of the first and the weights of all, which it shares; those
        given stay what they are.

    Raises:
        ValueError: they are not alike.
    """
    _check_alike(tasks, _outputs)
    return tasks[0].with_members(tasks)


def _check_alike(tasks: Sequence[Task], size: Callable[[Task], dict[str, Any]]) -> None:
    if not tasks or not all(isinstance(task, Task) for task in tasks):
        raise ValueError(
            "What is combined must be tasks, at least one, but is "
            f"{[type(task).__name__ for task in tasks]}: load fine-tuned checkpoints."
        )
    first = _kind(tasks[0]) | size(tasks[0])
    for task in tasks[1:]:
        other = _kind(task) | size(task)
        if other != first:
            name = next(name for name in first | other if first.get(name) != other.get(name))
            raise ValueError(
                f"Tasks that are combined must be of one kind, with the same settings, but {name} "
                f"is {first.get(name)!r:.200} of the first and {other.get(name)!r:.200} of another "
                "one: combine runs of one recipe."
            )


def _kind(task: Task) -> dict[str, Any]:
    """All in which members must be alike."""
    settings = {name: value for name, value in settings_of(task).items() if name not in _FREE}
    own = task.tokenizer.settings()
    tokenizer = {f"the tokenizer's {name}": value for name, value in own.items()}
    length = task.packer.sequence_length
    return {"the task": type(task).__name__, **settings, "sequence_length": length, **tokenizer}


def _outputs(task: Task) -> dict[str, Any]:
    return {f"the shape of {name}": tensor.shape for name, tensor in task.output.items()}


def _shapes(task: Task) -> dict[str, Any]:
    return {f"the shape of {weight.path}": weight.shape for weight in task.weights}
