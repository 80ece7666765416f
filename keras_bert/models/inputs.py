"""Inputs of models: what may be left out of them, and what they are not called with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

SEGMENTS = "segment_ids"


def with_segments(inputs: Any, names: Sequence[str]) -> Any:
    """A model's inputs, with segment ids of zeros where the model takes some and none are given.

    Args:
        inputs: dict of tensors or symbolic tensors with int32 `token_ids`; anything else is given
            back as it is.
        names: sequence of str, what the model takes.

    Example:

    >>> import numpy as np
    >>> from keras_bert.models.inputs import with_segments
    >>> inputs = {"token_ids": np.array([[7, 9]]), "padding_mask": np.array([[1, 1]])}
    >>> with_segments(inputs, ("token_ids", "segment_ids", "padding_mask"))["segment_ids"].tolist()
    [[0, 0]]
    """
    if not isinstance(inputs, Mapping) or "token_ids" not in inputs or SEGMENTS not in names:
        return inputs
    if inputs.get(SEGMENTS) is not None:
        return inputs
    ids = inputs["token_ids"]
    # Keras does not take tensors beside arrays.
    is_tensor = ops.is_tensor(ids) or isinstance(ids, keras.KerasTensor)
    zeros_like = ops.zeros_like if is_tensor else np.zeros_like
    return {**inputs, SEGMENTS: zeros_like(ids, dtype="int32")}


def check_call(model: keras.Model, options: Mapping[str, Any]) -> None:
    """Raise if a model is called by keywords that it does not have; Keras would pass them over."""
    unknown = sorted(set(options) - {"inputs", "training", "mask"})
    if unknown:
        raise ValueError(
            f"A {type(model).__name__} takes inputs, training and mask when it is called, not "
            f"{', '.join(unknown)}: leave that out. The encoder's probe() gives a model that shows "
            "hidden states and attention scores."
        )


@keras.saving.register_keras_serializable(package="keras_bert")
class SegmentsOptional(keras.Model):
    """A functional model of an encoder's inputs that may be called without segment ids.

    Args: those of a functional `keras.Model`.
    """

    def __call__(self, inputs, *args, **options):
        names = [tensor.name for tensor in keras.tree.flatten(self.inputs)]
        return super().__call__(with_segments(inputs, names), *args, **options)
