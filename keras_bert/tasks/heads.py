"""What heads have in common: precision, initializer, dropout, and several rows for an example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_bert.layers.dropout import Dropout
from keras_bert.layers.heads import logits_policy
from keras_bert.layers.initializers import independent
from keras_bert.layers.rows import FlattenRows
from keras_bert.models.encoder import Encoder


def logits_policy_of(encoder: Encoder) -> keras.DTypePolicy:
    """The precision of what makes logits on an encoder: see `logits_policy`."""
    return logits_policy(encoder.dtype_policy)


def logits_layer(
    encoder: Encoder, num_logits: int, initializer, name: str = "classifier"
) -> keras.layers.Dense:
    """The linear layer that makes logits of states.

    Args:
        encoder: Encoder.
        num_logits: int.
        initializer: of the matrix, as `head_initializer` gives it.
        name: str.
    """
    return keras.layers.Dense(
        num_logits, kernel_initializer=initializer, dtype=logits_policy_of(encoder), name=name
    )


def head_dropout(encoder: Encoder, dropout: float | None) -> Dropout:
    """The dropout before a head: at its own rate, or else at the encoder's."""
    rate = encoder.config.dropout if dropout is None else dropout
    return Dropout(rate, dtype=encoder.dtype_policy)


def head_initializer(encoder: Encoder, initializer) -> keras.initializers.Initializer:
    """The initializer of a head: its own, or else a normal one, as transformers has it.

    The truncated normal of BERT's other weights spreads by 0.88 of its deviation alone, and with a
    head so much smaller a short training learns less: on 1,000 sentences of WNUT-17, with heads
    that are the same but for that factor, the F1 of three seeds was 36.9, 36.0 and 37.8 in place of
    40.1, 37.7 and 38.7.
    """
    normal = keras.initializers.RandomNormal(stddev=encoder.config.initializer_range)
    return independent(initializer or normal)


def flat_rows(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Rows with one axis more than an encoder takes, without it.

    Args:
        inputs: dict of KerasTensors [B, R, T], R rows of every example.

    Returns:
        dict of KerasTensors [B*R, T].
    """
    return {name: FlattenRows(dtype="int32")(rows) for name, rows in inputs.items()}


def check_layers(encoder: Encoder, layers: Sequence[int]) -> None:
    """Raises a ValueError unless layers are such of an encoder as `states_of` takes."""
    number = encoder.config.num_layers
    if not layers or not all(-number - 1 <= layer <= number for layer in layers):
        raise ValueError(
            f"layers must be numbers from 0, the embeddings, to {number}, the last block, or from "
            f"the end, -1 to {-number - 1}, but are {layers!r}: name at least one of them."
        )


def states_of(encoder: Encoder, layers: Sequence[int], combine: str) -> keras.Model:
    """A model from the encoder's inputs to the hidden states of some layers, side by side or added.

    Args:
        encoder: Encoder.
        layers: sequence of int: 0 is the embeddings, -1 the last block, behind the last norm.
        combine: "concatenate" or "sum", what is done with those of several layers, in float32.
    """
    states = [*encoder.hidden_states[:-1], encoder.output["sequence_output"]]
    chosen = [states[i] for i in layers]
    if len(chosen) == 1:
        return keras.Model(encoder.input, chosen[0], name="states")
    join = keras.layers.Add if combine == "sum" else keras.layers.Concatenate
    return keras.Model(encoder.input, join(dtype="float32")(chosen), name="states")
