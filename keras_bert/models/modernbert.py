"""ModernBertEncoder: rotary positions, gated feed-forward networks, local and global attention."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from keras_bert.config import ModernBertConfig
from keras_bert.layers.activations import GatedDense
from keras_bert.layers.attention import AttentionBias
from keras_bert.layers.configured import registered
from keras_bert.layers.embeddings import Embeddings
from keras_bert.layers.heads import Pooler
from keras_bert.layers.norm import LayerNorm, NoNorm
from keras_bert.layers.pooling import Pooling
from keras_bert.layers.rotary import RotaryAttention
from keras_bert.layers.transformer import TransformerBlock
from keras_bert.models.assembly import Parts, table
from keras_bert.models.encoder import Encoder


@registered
class ModernBertEncoder(Encoder):
    """The encoder of "ModernBERT" (Warner et al. 2024, arXiv:2412.13663).

    It has no pooler of its own: tasks read texts, and the labels of tokens too, through a dense
    layer with GELU and a norm, a part of their heads.

    Args:
        config: ModernBertConfig.
        initializer, dtype: as of every `Encoder`.

    Args (call):
        inputs: dict of int32 [B, T] `token_ids` and `padding_mask`, as of every `Encoder`.

    Returns:
        dict of `sequence_output` float [B, T, D], the last hidden states.

    Example:

    >>> import keras_bert as kb
    >>> import numpy as np
    >>> config = kb.ModernBertConfig(
    ...     vocabulary_size=97, num_layers=2, num_heads=3, hidden_dim=12, intermediate_dim=31
    ... )
    >>> ids = np.ones([2, 7], "int32")
    >>> outputs = kb.ModernBertEncoder(config)({"token_ids": ids, "padding_mask": ids})
    >>> {name: tuple(value.shape) for name, value in outputs.items()}
    {'sequence_output': (2, 7, 12)}
    """

    INPUTS = ("token_ids", "padding_mask")
    GIVES_POOLED = False
    POOLS_TOKENS = True

    config: ModernBertConfig

    @staticmethod
    def assemble(
        config: ModernBertConfig,
        inputs: Mapping[str, keras.KerasTensor],
        initializer: Callable,
        dtype: keras.DTypePolicy,
    ) -> Parts:
        embeddings = Embeddings(
            table("token", config.vocabulary_size, config.hidden_dim, initializer, dtype),
            norm=_norm(config, dtype),
            dropout=config.dropout,
            dtype=dtype,
            name="embeddings",
        )
        biases = {
            is_global: AttentionBias(window, dtype=dtype, name=name)(inputs["padding_mask"])
            for is_global, window, name in (
                (True, None, "global_bias"),
                (False, config.local_window // 2, "local_bias"),
            )
        }
        return Parts(
            embeddings,
            embeddings(inputs["token_ids"]),
            [_block(config, initializer, dtype, i) for i in range(config.num_layers)],
            [biases[config.is_global(i)] for i in range(config.num_layers)],
            norm=_norm(config, dtype),
            pooler=Pooler(
                config.hidden_dim,
                initializer,
                activation="gelu",
                use_bias=False,
                norm=_norm(config, dtype),
                dtype=dtype,
                name="pooler",
            ),
            pooling=Pooling("mean", dtype="float32") if config.pooling == "mean" else None,
        )

    def masked_lm_options(self) -> dict[str, Any]:
        """As of every encoder; its activation is GELU, and it has no biases but the logits'."""
        return {**super().masked_lm_options(), "activation": "gelu", "use_bias": False}


def _norm(config: ModernBertConfig, dtype: keras.DTypePolicy, name: str = "norm") -> LayerNorm:
    return LayerNorm(config.norm_epsilon, center=False, dtype=dtype, name=name)


def _block(
    config: ModernBertConfig, initializer: Callable, dtype: keras.DTypePolicy, number: int
) -> TransformerBlock:
    attention = RotaryAttention(
        config.heads_of(number),
        config.hidden_dim,
        config.attention_dropout,
        initializer,
        dtype,
        name="attention",
        use_bias=False,
        head_dim=config.head_dim,
        base=config.global_base if config.is_global(number) else config.local_base,
    )
    options = {"use_bias": False, "kernel_initializer": initializer, "dtype": dtype}
    # The embeddings are normalized already.
    first = NoNorm(dtype=dtype) if number == 0 else None
    return TransformerBlock(
        attention,
        GatedDense(
            config.intermediate_dim_of(number), config.activation, name="intermediate", **options
        ),
        keras.layers.Dense(config.hidden_dim, name="output", **options),
        norms=(
            first or _norm(config, dtype, "attention_norm"),
            _norm(config, dtype, "output_norm"),
        ),
        dropout=config.dropout,
        norm_first=True,
        dtype=dtype,
        name=f"layer_{number}",
    )
