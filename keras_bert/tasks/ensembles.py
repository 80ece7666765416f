"""Several checkpoints of one task as one: the mean of their outputs, or of their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from keras_bert.tasks.task import Task


def average(tasks: Sequence[Task]) -> Task:
    """The first task with the mean of all weights: for epochs or steps of one run.

    Wortsman et al. 2022, "Model soups" (arXiv:2203.05482).

    Args:
        tasks: sequence of Task, of one kind and size; the first one is changed.

    Raises:
        ValueError: they are not alike.
    """
    _check_alike(tasks)
    columns = zip(*(task.get_weights() for task in tasks), strict=True)
    # Averaged in double precision; the states of random generators are those of the first.
    tasks[0].set_weights(
        [
            np.mean(values, axis=0, dtype="float64").astype(values[0].dtype)
            if np.issubdtype(values[0].dtype, np.floating)
            else values[0]
            for values in columns
        ]
    )
    return tasks[0]


def ensemble(tasks: Sequence[Task]) -> Task:
    """The first task, with answers from the mean of the outputs (logits) of all: for any runs.

    Args:
        tasks: sequence of Task, of one kind, with the same labels and vocabulary; they may differ
            in size. The first one is changed: what it answers, and exports, is the ensemble's.

    Raises:
        ValueError: they are not alike.
    """
    _check_alike(tasks)
    first, members = tasks[0], [task.outputs_of for task in tasks]

    def outputs_of(features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        several = [member(features) for member in members]
        return {
            name: tf.add_n([tf.cast(one[name], tf.float32) for one in several]) / len(several)
            for name in several[0]
        }

    first.outputs_of = outputs_of
    return first


def _check_alike(tasks: Sequence[Task]) -> None:
    first = _kind(tasks[0])
    for task in tasks[1:]:
        if _kind(task) != first:
            raise ValueError(
                "Tasks that are combined must be of one kind, with the same labels, rows and "
                f"vocabulary, but one is {first[:-1]} and another one {_kind(task)[:-1]}: combine "
                "runs of one recipe."
            )


def _kind(task: Task) -> tuple:
    labels = getattr(task, "labels", None)
    length = task.packer.sequence_length
    return type(task).__name__, labels, length, task.tokenizer.vocabulary
