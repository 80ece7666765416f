"""Teacher: what trained tasks say of examples, for a student to learn from."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_bert.tasks.batches import buckets, taken
from keras_bert.tasks.examples import Example
from keras_bert.tasks.graphs import spec_of
from keras_bert.tasks.setting import settings_of
from keras_bert.tasks.task import Task
from keras_bert.text.packing import Packer

Columns = Mapping[str, Any]


class Teacher:
    """One trained task, or several, which say the mean of their outputs.

    Each reads texts by its own tokenizer. What they say of examples is computed once, and kept.

    Args:
        members: sequence of Task, of one kind.

    Raises:
        ValueError: there is none, or they are of several kinds.

    Example: see `student_of`.
    """

    def __init__(self, members: Sequence[Task]):
        kinds = sorted({type(member).__name__ for member in members})
        if len(kinds) != 1 or not all(isinstance(member, Task) for member in members):
            raise ValueError(
                "A teacher must be tasks of one kind, at least one, but is "
                f"{', '.join(kinds) or 'nothing'}: load checkpoints that learned the same."
            )
        self.members = tuple(members)
        self._said: dict[tuple[int, ...], tuple[Sequence[Example], Columns]] = {}

    def said(self, examples: Sequence[Example], columns: Columns) -> Columns:
        """What is learned of examples: the mean of what the members' `taught` gives.

        Args:
            examples: sequence of dicts, by which it is known again.
            columns: dict of tensors [N, ...], with all their texts.
        """
        key = tuple(map(id, examples))
        if key not in self._said:
            several = [_said(member, columns) for member in self.members]
            mean = {
                name: functools.reduce(operator.add, (one[name] for one in several)) / len(several)
                for name in several[0]
            }
            self._said[key] = examples, mean
        return self._said[key][1]

    def read_as(self, task: Task) -> None:
        """Has the members read the columns, and the rows where these count, that a task reads.

        Raises:
            ValueError: rows have more pieces than a member has positions.
        """
        own = settings_of(task)
        for member in self.members:
            for name in ("text_keys", "label_key"):
                if name in own:
                    setattr(member, name, own[name])
            if task.IS_TAUGHT_BY_ROW:
                member.stride = 1  # which any row has room for
                packer = task.packer
                member.packer = Packer(member.tokenizer, packer.sequence_length, packer.template)
                for name in ("max_question_tokens", "stride"):
                    setattr(member, name, own[name])


def narrowed(vectors: tf.Tensor, width: int) -> tf.Tensor:
    """Vectors in fewer dimensions, with the scalar products that come nearest to theirs.

    Args:
        vectors: float32 [N, R, D].
        width: int, at most D.

    Returns:
        float32 [N, R, width].

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.tasks.teacher import narrowed
    >>> narrowed(tf.constant([[[0.0, 3.0, 4.0]], [[0.0, 6.0, 8.0]]]), 1).numpy().round(3).tolist()
    [[[5.0]], [[10.0]]]
    """
    flat = tf.cast(tf.reshape(vectors, [-1, vectors.shape[-1]]), tf.float64).numpy()
    # Not centred, which would turn the angles; and with a sign that is the same everywhere.
    _, axes = np.linalg.eigh(flat.T @ flat)
    axes = axes[:, ::-1][:, :width]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0)
    narrow = flat @ (axes * np.sign(largest))
    return tf.constant(narrow.reshape(*vectors.shape[:-1], width), tf.float32)


def _said(member: Task, columns: Columns) -> dict[str, Any]:
    """What one member says of all examples, of some of about the same length at a time."""
    texts = {name: column for name, column in columns.items() if column.dtype == tf.string}

    def say(some: Columns) -> dict[str, Any]:
        features = member.features(some)
        return member.taught(member.outputs_of(features), features)

    specs = {name: spec_of(column) for name, column in texts.items()}
    graph = tf.function(say, input_signature=[specs], autograph=False)
    order, parts = [], []
    for indices in buckets(texts):
        parts.append(graph(taken(texts, tf.constant(indices))))
        order += indices
    places = np.argsort(order)
    with tf.device("CPU"):  # where batches are made
        return {
            name: tf.gather(tf.concat([part[name] for part in parts], axis=0), places)
            for name in parts[0]
        }
