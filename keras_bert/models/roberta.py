"""RobertaEncoder: BERT's blocks on embeddings of one segment, with positions behind padding's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from keras_bert.config import RobertaConfig
from keras_bert.layers.attention import AttentionBias
from keras_bert.layers.configured import registered
from keras_bert.layers.embeddings import Embeddings
from keras_bert.layers.heads import Pooler
from keras_bert.layers.norm import LayerNorm
from keras_bert.models.assembly import Parts, blocks, table
from keras_bert.models.encoder import Encoder


@registered
class RobertaEncoder(Encoder):
    """The encoder of "RoBERTa" (Liu et al. 2019, arXiv:1907.11692), and XLM-RoBERTa's.

    Args:
        config: RobertaConfig.
        initializer, dtype: as of every `Encoder`.

    Args (call):
        inputs: dict of int32 [B, T] `token_ids` and `padding_mask`, as of every `Encoder`.

    Returns:
        dict of `sequence_output` float [B, T, D], the last hidden states, and `pooled_output`
        float [B, D], made from the first one.

    Example:

    >>> import keras_bert as kb
    >>> import numpy as np
    >>> config = kb.RobertaConfig(
    ...     vocabulary_size=97, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> ids = np.ones([2, 7], "int32")
    >>> outputs = kb.RobertaEncoder(config)({"token_ids": ids, "padding_mask": ids})
    >>> {name: tuple(value.shape) for name, value in outputs.items()}
    {'sequence_output': (2, 7, 15), 'pooled_output': (2, 15)}
    """

    INPUTS = ("token_ids", "padding_mask")

    config: RobertaConfig

    @staticmethod
    def assemble(
        config: RobertaConfig,
        inputs: Mapping[str, keras.KerasTensor],
        initializer: Callable,
        dtype: keras.DTypePolicy,
    ) -> Parts:
        embeddings = _embeddings(config, initializer, dtype)
        mask = inputs["padding_mask"]
        return Parts(
            embeddings,
            embeddings(inputs["token_ids"], padding_mask=mask),
            blocks(config, initializer, dtype),
            [AttentionBias(dtype=dtype, name="attention_bias")(mask)] * config.num_layers,
            # The head of a classifier is a pooler under another name, with a dropout before it.
            pooler=Pooler(
                config.hidden_dim, initializer, dropout=config.dropout, dtype=dtype, name="pooler"
            ),
        )

    def masked_lm_options(self) -> dict[str, Any]:
        """As of every encoder; its activation is GELU, whatever the blocks have."""
        return {**super().masked_lm_options(), "activation": "gelu"}


def _embeddings(
    config: RobertaConfig, initializer: Callable, dtype: keras.DTypePolicy
) -> Embeddings:
    of_all = config.hidden_dim, initializer, dtype
    return Embeddings(
        table("token", config.vocabulary_size, *of_all),
        table("segment", config.num_segments, *of_all),
        table("position", config.num_position_rows, *of_all),
        first_position=config.first_position,
        norm=LayerNorm(config.norm_epsilon, dtype=dtype, name="norm"),
        dropout=config.dropout,
        dtype=dtype,
        name="embeddings",
    )
