"""Graphs: from a task's strings to its answers without Python between, never with old settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from keras_bert.tasks.setting import settings_of


class Graphs:
    """A task's `answer` as a traced graph; traced anew where what it was made of is another by now.

    A graph holds the settings and the precision that there were, but reads the weights anew.

    Args:
        task: Task.

    Args (call):
        columns: dict of string tensors, a batch of examples of any size.

    Returns:
        What `Task.answer` gives.
    """

    def __init__(self, task: Any):
        self._task = task
        self._made: dict[tuple, tuple] = {}

    def __call__(self, columns: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        names, made_of = tuple(columns), self._made_of()
        if self._made.get(names, (None,))[0] != made_of:
            # For batches of any size: a graph for each would take long to make.
            graph = tf.function(
                lambda columns: self._task.answer(columns),
                input_signature=[{name: spec_of(value) for name, value in columns.items()}],
                autograph=False,
            )
            self._made[names] = made_of, graph
        return self._made[names][1](columns)

    def _made_of(self) -> tuple:
        length = self._task.packer.sequence_length
        return length, tuple(_policies(self._task)), settings_of(self._task)


def _policies(model: keras.Model) -> Iterator[str]:
    """The precision of each layer."""
    yield model.dtype_policy.name
    for layer in getattr(model, "layers", ()):
        yield from _policies(layer)


def spec_of(column: tf.Tensor | tf.RaggedTensor) -> tf.TensorSpec | tf.RaggedTensorSpec:
    """What a column of any number of examples is, texts or lists of them."""
    if isinstance(column, tf.RaggedTensor):
        return tf.RaggedTensorSpec([None, None, *column.shape[2:]], column.dtype, ragged_rank=1)
    return tf.TensorSpec([None, *column.shape[1:]], column.dtype)
