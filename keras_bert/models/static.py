"""StaticEncoder: a table of vectors, one for each piece, whatever stands beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras

from keras_bert.config import StaticConfig
from keras_bert.layers.configured import registered
from keras_bert.layers.embeddings import Embeddings
from keras_bert.layers.pooling import Pooling
from keras_bert.models.assembly import Parts, table
from keras_bert.models.encoder import Encoder


@registered
class StaticEncoder(Encoder):
    """The vectors of pieces alone, for sentence embeddings that cost next to nothing.

    As of "Model2Vec" (Tulkens and van Dongen 2024): see `static_embedder`. For a classifier the
    mean of all vectors stands for a text.

    Args:
        config: StaticConfig.
        initializer, dtype: as of every `Encoder`.

    Args (call):
        inputs: dict of int32 [B, T] `token_ids` and `padding_mask`, as of every `Encoder`.

    Returns:
        dict of `sequence_output` float [B, T, D].

    Example:

    >>> import numpy as np
    >>> import keras_bert as kb
    >>> from keras_bert.models.static import StaticEncoder
    >>> encoder = StaticEncoder(kb.StaticConfig(vocabulary_size=97, hidden_dim=15))
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
        embedded = embeddings(inputs["token_ids"])
        return Parts(embeddings, embedded, [], [], pooling=Pooling("mean", dtype="float32"))

    def probe(self) -> keras.Model:
        """Refused: what the encoder gives is all that happens in it.

        Raises:
            ValueError: always.
        """
        raise ValueError("StaticEncoder has no blocks to look into: its output is all that it has.")
