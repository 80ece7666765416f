"""Several checkpoints of one task as one: the mean of their outputs, or of their weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

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
    return with_members(tasks[0], tasks)


def with_members(task: Task, members: Sequence[Task]) -> Task:
    """A task of the same settings that answers by the mean of the outputs of others."""
    inputs = {
        tensor.name: keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)
        for tensor in keras.tree.flatten(task.inputs)
    }
    return task.with_model(inputs, MeanOfMembers(members)(inputs))


def members_of(model: keras.Model) -> tuple[Task, ...]:
    """The tasks that an ensemble is made of; none of another model."""
    for layer in getattr(model, "layers", ()):
        if isinstance(layer, MeanOfMembers):
            return tuple(layer.members)
    return ()


class MeanOfMembers(keras.layers.Layer):
    """The mean of the outputs of several tasks, in float32.

    Args:
        members: sequence of Task, with inputs and outputs of the same names and shapes.

    Args (call):
        inputs: dict of tensors, as each of them takes.

    Raises:
        ValueError: it is to be trained.
    """

    def __init__(self, members: Sequence[Task]):
        super().__init__(dtype="float32", name="mean_of_members")
        self.members = list(members)

    def call(self, inputs, training=None):
        if training:
            raise ValueError(
                "An ensemble answers with what its members have learned, but is to be trained: "
                "train its members."
            )
        several = [member(inputs, training=False) for member in self.members]
        return {
            name: sum(ops.cast(one[name], "float32") for one in several) / len(several)
            for name in several[0]
        }


def _check_alike(tasks: Sequence[Task], size) -> None:
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
    public = {k: v for k, v in vars(task.tokenizer).items() if not k.startswith("_")}
    tokenizer = {f"the tokenizer's {name}": value for name, value in public.items()}
    length = task.packer.sequence_length
    return {"the task": type(task).__name__, **settings, "sequence_length": length, **tokenizer}


def _outputs(task: Task) -> dict[str, Any]:
    return {f"the shape of {name}": tensor.shape for name, tensor in task.output.items()}


def _shapes(task: Task) -> dict[str, Any]:
    return {f"the shape of {weight.path}": weight.shape for weight in task.weights}
