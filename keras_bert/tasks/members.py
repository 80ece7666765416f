"""MeanOfMembers: the models of several tasks as one, whose outputs are the mean of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


class MeanOfMembers(keras.layers.Layer):
    """The mean of the outputs of several tasks, in float32.

    Args:
        members: sequence of Task, with inputs and outputs of the same names and shapes.

    Args (call):
        inputs: dict of tensors, as each of them takes.

    Raises:
        ValueError: it is to be trained.
    """

    def __init__(self, members: Sequence[Any]):
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


def members_of(model: keras.Model) -> tuple[Any, ...]:
    """The tasks that an ensemble is made of; none of another model."""
    for layer in model.layers:
        if isinstance(layer, MeanOfMembers):
            return tuple(layer.members)
    return ()
