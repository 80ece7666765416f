"""DistilBertEncoder: BERT's blocks, half of them, on embeddings without segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras

from keras_bert.config import DistilBertConfig
from keras_bert.layers.attention import AttentionBias
from keras_bert.layers.configured import registered
from keras_bert.layers.embeddings import Embeddings
from keras_bert.layers.heads import Pooler
from keras_bert.layers.norm import LayerNorm
from keras_bert.models.assembly import Parts, blocks, table
from keras_bert.models.encoder import Encoder


@registered
class DistilBertEncoder(Encoder):
    """The encoder of "DistilBERT" (Sanh et al. 2019, arXiv:1910.01108).

    It has no pooler of its own: tasks read texts through a dense layer with ReLU, a part of their
    heads.

    Args:
        config: DistilBertConfig.
        initializer, dtype: as of every `Encoder`.

    Args (call):
        inputs: dict of int32 [B, T] `token_ids` and `padding_mask`, as of every `Encoder`.

    Returns:
        dict of `sequence_output` float [B, T, D], the last hidden states.

    Example:

    >>> import keras_bert as kb
    >>> import numpy as np
    >>> config = kb.DistilBertConfig(
    ...     vocabulary_size=97, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> ids = np.ones([2, 7], "int32")
    >>> outputs = kb.DistilBertEncoder(config)({"token_ids": ids, "padding_mask": ids})
    >>> {name: tuple(value.shape) for name, value in outputs.items()}
    {'sequence_output': (2, 7, 15)}
    """

    INPUTS = ("token_ids", "padding_mask")
    GIVES_POOLED = False

    config: DistilBertConfig

    @staticmethod
    def assemble(
        config: DistilBertConfig,
        inputs: Mapping[str, keras.KerasTensor],
        initializer: Callable,
        dtype: keras.DTypePolicy,
    ) -> Parts:
        of_all = config.hidden_dim, initializer, dtype
        embeddings = Embeddings(
            table("token", config.vocabulary_size, *of_all),
            None,
            table("position", config.max_sequence_length, *of_all),
            norm=LayerNorm(config.norm_epsilon, dtype=dtype, name="norm"),
            dropout=config.dropout,
            dtype=dtype,
            name="embeddings",
        )
        mask = inputs["padding_mask"]
        return Parts(
            embeddings,
            embeddings(inputs["token_ids"], padding_mask=mask),
            blocks(config, initializer, dtype),
            [AttentionBias(dtype=dtype, name="attention_bias")(mask)] * config.num_layers,
            pooler=Pooler(
                config.hidden_dim, initializer, activation="relu", dtype=dtype, name="pooler"
            ),
        )
