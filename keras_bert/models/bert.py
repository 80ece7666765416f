"""BertEncoder: a BertConfig's embeddings, blocks and pooler as one functional model."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras

from keras_bert.config import BertConfig
from keras_bert.layers.attention import AttentionBias, SelfAttention
from keras_bert.layers.configured import registered
from keras_bert.layers.embeddings import Embeddings, Sinusoids
from keras_bert.layers.heads import Pooler
from keras_bert.layers.norm import LayerNorm
from keras_bert.layers.rotary import RotaryAttention
from keras_bert.models.assembly import Parts, blocks, table
from keras_bert.models.encoder import Encoder


@registered
class BertEncoder(Encoder):
    """The bidirectional transformer encoder of "BERT" (Devlin et al. 2018, arXiv:1810.04805).

    Args:
        config: BertConfig.
        initializer: initializer of all matrices and tables, which draws each anew; None is BERT's
            truncated normal.
        dtype: keras dtype policy of all layers; None takes the global one.

    Args (call):
        inputs: dict of int32 [B, T]: `token_ids`, `segment_ids` (0 for the first segment) and
            `padding_mask` (1 where there is a token), as `Packer` makes them. A row may hold
            several sequences, which do not see each other, as `Packer.join` makes them: then
            `padding_mask` numbers them 1, 2, ... and positions count from the first token of each.

    Returns:
        dict of `sequence_output` float [B, T, D], the last hidden states, and `pooled_output`
        float [B, D], made from the first one.

    Example:

    >>> import keras_bert as kb
    >>> import numpy as np
    >>> config = kb.BertConfig(
    ...     vocabulary_size=97, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> encoder = kb.BertEncoder(config)
    >>> ids = np.ones([2, 7], "int32")
    >>> outputs = encoder({"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids})
    >>> {name: tuple(value.shape) for name, value in outputs.items()}
    {'sequence_output': (2, 7, 15), 'pooled_output': (2, 15)}
    """

    INPUTS = ("token_ids", "segment_ids", "padding_mask")

    config: BertConfig

    def limits(self) -> dict[str, int]:
        return {**super().limits(), "segment_ids": self.config.num_segments}

    @staticmethod
    def assemble(
        config: BertConfig,
        inputs: Mapping[str, keras.KerasTensor],
        initializer: Callable,
        dtype: keras.DTypePolicy,
    ) -> Parts:
        embeddings = _embeddings(config, initializer, dtype)
        bias = AttentionBias(dtype=dtype, name="attention_bias")(inputs["padding_mask"])
        return Parts(
            embeddings,
            embeddings(inputs["token_ids"], inputs["segment_ids"], inputs["padding_mask"]),
            blocks(
                config,
                initializer,
                dtype,
                norm_first=config.norm_first,
                attention=RotaryAttention if config.positions == "rotary" else SelfAttention,
            ),
            [bias] * config.num_layers,
            # A pre-norm encoder ends with a norm of its own.
            LayerNorm(config.norm_epsilon, dtype=dtype, name="norm") if config.norm_first else None,
            Pooler(config.hidden_dim, initializer, dtype=dtype, name="pooler"),
        )


def _embeddings(config: BertConfig, initializer: Callable, dtype: keras.DTypePolicy) -> Embeddings:
    of_all = config.hidden_dim, initializer, dtype
    position: keras.layers.Layer | None = None
    if config.positions == "sinusoidal":
        position = Sinusoids(
            config.max_sequence_length, config.hidden_dim, dtype=dtype, name="position"
        )
    elif config.positions == "learned":
        position = table("position", config.max_sequence_length, *of_all)
    norm = None if config.norm_first else LayerNorm(config.norm_epsilon, dtype=dtype, name="norm")
    return Embeddings(
        table("token", config.vocabulary_size, *of_all),
        table("segment", config.num_segments, *of_all),
        position,
        norm=norm,
        dropout=config.dropout,
        dtype=dtype,
        name="embeddings",
    )
