"""StaticEncoder: a table of vectors, one for each piece, whatever stands beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import keras

from keras_bert.config import EncoderConfig
from keras_bert.layers.configured import registered
from keras_bert.layers.embeddings import Embeddings
from keras_bert.models.assembly import Parts, table
from keras_bert.models.encoder import Encoder


@dataclasses.dataclass(frozen=True, kw_only=True)
class StaticConfig(EncoderConfig):
    """A table of vectors: there are no blocks, heads or positions, and no dropout.

    Args:
        vocabulary_size: int, V.
        hidden_dim: int, D.
        max_sequence_length: int, the most pieces of a text.

    Raises:
        ValueError: a number is none, or smaller than 1.
    """

    num_layers: int = 0
    num_heads: int = 1
    hidden_dim: int = 256
    intermediate_dim: int = 1
    max_sequence_length: int = 2048
    dropout: float = 0.0
    attention_dropout: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        if self.num_layers:
            raise ValueError(f"num_layers of a table of vectors must be 0, not {self.num_layers}.")

    def _check_count(self, name: str, least: int = 1) -> None:
        super()._check_count(name, 0 if name == "num_layers" else least)


@registered
class StaticEncoder(Encoder):
    """The vectors of pieces alone, for sentence embeddings that cost next to nothing.

    As of "Model2Vec" (Tulkens and van Dongen 2024): see `static_embedder`.

    Args:
        config: StaticConfig.
        initializer, dtype: as of every `Encoder`.

    Args (call):
        inputs: dict of int32 [B, T] `token_ids` and `padding_mask`, as of every `Encoder`.

    Returns:
        dict of `sequence_output` float [B, T, D].

    Example:

    >>> import numpy as np
    >>> from keras_bert.models.static import StaticConfig, StaticEncoder
    >>> encoder = StaticEncoder(StaticConfig(vocabulary_size=97, hidden_dim=15))
    >>> ids = np.ones([2, 7], "int32")
    >>> tuple(encoder({"token_ids": ids, "padding_mask": ids})["sequence_output"].shape)
    (2, 7, 15)
    """

    INPUTS = ("token_ids", "padding_mask")
    GIVES_POOLED = False

    config: StaticConfig

    @staticmethod
    def assemble(
        config: StaticConfig,
        inputs: Mapping[str, keras.KerasTensor],
        initializer: Callable,
        dtype: keras.DTypePolicy,
    ) -> Parts:
        token = table("token", config.vocabulary_size, config.hidden_dim, initializer, dtype)
        embeddings = Embeddings(token, dtype=dtype, name="embeddings")
        return Parts(embeddings, embeddings(inputs["token_ids"]), [], [])
