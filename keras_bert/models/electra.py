"""ElectraEncoder: BERT's blocks on embeddings that may be narrower than they."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from keras_bert.config import ElectraConfig
from keras_bert.layers.attention import AttentionBias
from keras_bert.layers.configured import registered
from keras_bert.layers.embeddings import Embeddings
from keras_bert.layers.heads import Pooler
from keras_bert.layers.norm import LayerNorm
from keras_bert.models.assembly import Parts, blocks, table
from keras_bert.models.encoder import Encoder


@registered
class ElectraEncoder(Encoder):
    """The encoder of "ELECTRA" (Clark et al. 2020, arXiv:2003.10555), generator or discriminator.

    It has no pooler of its own: tasks read texts through a dense layer with GELU, a part of their
    heads.

    Args:
        config: ElectraConfig.
        initializer, dtype: as of every `Encoder`.

    Args (call):
        inputs: dict of int32 [B, T] `token_ids`, `segment_ids` and `padding_mask`, as of every
            `Encoder`.

    Returns:
        dict of `sequence_output` float [B, T, D], the last hidden states.

    Example:

    >>> import keras_bert as kb
    >>> import numpy as np
    >>> config = kb.ElectraConfig(
    ...     vocabulary_size=97,
    ...     num_layers=2,
    ...     num_heads=3,
    ...     hidden_dim=15,
    ...     intermediate_dim=31,
    ...     embedding_dim=5,
    ... )
    >>> ids = np.ones([2, 7], "int32")
    >>> inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids}
    >>> {name: tuple(value.shape) for name, value in kb.ElectraEncoder(config)(inputs).items()}
    {'sequence_output': (2, 7, 15)}
    """

    INPUTS = ("token_ids", "segment_ids", "padding_mask")
    GIVES_POOLED = False

    config: ElectraConfig

    def limits(self) -> dict[str, int]:
        return {**super().limits(), "segment_ids": self.config.num_segments}

    @staticmethod
    def assemble(
        config: ElectraConfig,
        inputs: Mapping[str, keras.KerasTensor],
        initializer: Callable,
        dtype: keras.DTypePolicy,
    ) -> Parts:
        embeddings = _embeddings(config, initializer, dtype)
        bias = AttentionBias(dtype=dtype, name="attention_bias")(inputs["padding_mask"])
        return Parts(
            embeddings,
            embeddings(inputs["token_ids"], inputs["segment_ids"], inputs["padding_mask"]),
            blocks(config, initializer, dtype),
            [bias] * config.num_layers,
            pooler=Pooler(
                config.hidden_dim,
                initializer,
                activation="gelu",
                dropout=config.dropout,
                dtype=dtype,
                name="pooler",
            ),
        )

    def masked_lm_options(self) -> dict[str, Any]:
        """As of every encoder; its activation is GELU, whatever the blocks have."""
        return {**super().masked_lm_options(), "activation": "gelu"}


def _embeddings(
    config: ElectraConfig, initializer: Callable, dtype: keras.DTypePolicy
) -> Embeddings:
    of_all = config.embedding_dim, initializer, dtype
    projection = None
    if config.is_projected:
        projection = keras.layers.Dense(
            config.hidden_dim, kernel_initializer=initializer, dtype=dtype, name="projection"
        )
    return Embeddings(
        table("token", config.vocabulary_size, *of_all),
        table("segment", config.num_segments, *of_all),
        table("position", config.max_sequence_length, *of_all),
        norm=LayerNorm(config.norm_epsilon, dtype=dtype, name="norm"),
        dropout=config.dropout,
        projection=projection,
        dtype=dtype,
        name="embeddings",
    )
