"""Parts: what an encoder is made of, and the parts that encoders of several families have alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_bert.config import EncoderConfig
from keras_bert.layers.activations import ActivatedDense
from keras_bert.layers.attention import SelfAttention
from keras_bert.layers.transformer import TransformerBlock


@dataclasses.dataclass(frozen=True)
class Parts:
    """What an encoder is made of; its family says it.

    Every layer has a name of its own, since weights are known by it: to checkpoints, and among the
    models of one kind.

    Args:
        embeddings: layer; its `token` is the `keras.layers.Embedding` [V, E] of the pieces.
        embedded: symbolic float [B, T, D], what the embeddings make of the inputs.
        blocks: layers, the lowest first, which are called as `TransformerBlock` is and have its
            `scores` and `recompute`.
        biases: symbolic, for each block what it is called with beside the states.
        norm: layer behind the last block; None where there is none.
        pooler: layer that makes of the states of first tokens, [..., D], what stands for their
            texts, [..., D]; None where the family has none.
        pooling: layer called with all states and the padding mask that gives what goes to the
            pooler; None takes the states of first tokens.
    """

    embeddings: keras.layers.Layer
    embedded: keras.KerasTensor
    blocks: Sequence[keras.layers.Layer]
    biases: Sequence[keras.KerasTensor]
    norm: keras.layers.Layer | None = None
    pooler: keras.layers.Layer | None = None
    pooling: keras.layers.Layer | None = None


def table(
    name: str, rows: int, width: int, initializer: Callable, dtype: keras.DTypePolicy
) -> keras.layers.Embedding:
    """A table of embeddings, not built yet.

    Args:
        name: str.
        rows, width: int.
        initializer: as of `Encoder.assemble`.
        dtype: keras dtype policy.
    """
    return keras.layers.Embedding(rows, width, initializer, dtype=dtype, name=name)


def block(
    config: EncoderConfig,
    initializer: Callable,
    dtype: keras.DTypePolicy,
    layer: int,
    *,
    norm_first: bool = False,
    attention: type[SelfAttention] = SelfAttention,
) -> TransformerBlock:
    """A block as BERT has it, of the sizes that a config says.

    Args:
        config: EncoderConfig.
        initializer: as of `Encoder.assemble`.
        dtype: keras dtype policy.
        layer: int, which block it is, from 0 on.
        norm_first: bool, pre-norm.
        attention: class of its attention.
    """
    attends = attention(
        config.heads_of(layer),
        config.hidden_dim,
        config.attention_dropout,
        initializer,
        dtype,
        name="attention",
        head_dim=config.head_dim,
    )
    options = {"kernel_initializer": initializer, "dtype": dtype}
    intermediate = ActivatedDense(
        config.intermediate_dim_of(layer), config.activation, name="intermediate", **options
    )
    projection = keras.layers.Dense(config.hidden_dim, name="output", **options)
    return TransformerBlock(
        attends,
        intermediate,
        projection,
        dropout=config.dropout,
        norm_epsilon=config.norm_epsilon,
        norm_first=norm_first,
        dtype=dtype,
        name=f"layer_{layer}",
    )


def blocks(
    config: EncoderConfig,
    initializer: Callable,
    dtype: keras.DTypePolicy,
    **options: Any,
) -> list[TransformerBlock]:
    """As many blocks as a config says, `layer_0` and so on: see `block`."""
    return [
        block(config, initializer, dtype, layer, **options) for layer in range(config.num_layers)
    ]
