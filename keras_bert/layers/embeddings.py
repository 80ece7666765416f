"""What goes into the first block: the sum of piece, position and segment embeddings."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from keras_bert.layers.dropout import Dropout
from keras_bert.layers.initializers import independent
from keras_bert.layers.norm import LayerNorm


def sinusoids(num_positions: int, hidden_dim: int) -> np.ndarray:
    """Position encodings of Vaswani et al. 2017, section 3.5: sines at even, cosines at odd places.

    Args:
        num_positions: int, number of positions T.
        hidden_dim: int, even, width D.

    Returns:
        float32 [T, D].

    Example:

    >>> from keras_bert.layers.embeddings import sinusoids
    >>> sinusoids(2, 4)[0].tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    wave_numbers = 10000.0 ** (-np.arange(0, hidden_dim, 2) / hidden_dim)
    angles = np.arange(num_positions)[:, None] * wave_numbers
    pairs = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    return pairs.reshape(num_positions, hidden_dim).astype("float32")


def places_in_sequence(padding_mask):
    """How many tokens of its sequence stand before each token.

    Args:
        padding_mask: int32 [B, T], 0 where there is padding, else the number of the sequence.

    Returns:
        int32 [B, T]. Padding counts as a part of the first sequence.

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.embeddings import places_in_sequence
    >>> np.asarray(places_in_sequence(np.array([[1, 1, 1, 2, 2, 0]])))[0, :5].tolist()
    [0, 1, 2, 0, 1]
    """
    numbers = ops.maximum(padding_mask, 1)
    same = ops.cast(numbers[:, :, None] == numbers[:, None, :], "int32")
    return ops.sum(ops.tril(same, k=-1), axis=-1)


class Embeddings(keras.layers.Layer):
    """Sum of piece, position and segment embeddings, normalized (Devlin et al. 2018, figure 2).

    Args:
        vocabulary_size: int, number of pieces V.
        hidden_dim: int, width D.
        max_sequence_length: int, number of positions.
        num_segments: int, number of segment ids.
        positions: "learned" or "sinusoidal".
        dropout: float, dropout of the result.
        norm_epsilon: float, added to the variance of the layer norm; None leaves the norm out, as
            pre-norm encoders do.
        initializer: initializer of the tables, which draws each anew.

    Args (call):
        token_ids: int [B, T].
        segment_ids: int [B, T].
        padding_mask: int [B, T], 0 where there is padding, else the number of the sequence, in
            which positions count from 0.

    Returns:
        float [B, T, D].

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.embeddings import Embeddings
    >>> embeddings = Embeddings(97, 15, max_sequence_length=11, num_segments=2)
    >>> ids = np.zeros([2, 7], "int32")
    >>> tuple(embeddings(ids, ids, ids).shape)
    (2, 7, 15)
    """

    def __init__(
        self,
        vocabulary_size: int,
        hidden_dim: int,
        max_sequence_length: int,
        num_segments: int,
        positions: str = "learned",
        dropout: float = 0.0,
        norm_epsilon: float | None = 1e-12,
        initializer="uniform",
        dtype=None,
        name: str | None = None,
    ):
        super().__init__(dtype=dtype, name=name)
        self.hidden_dim = hidden_dim
        self.max_sequence_length = max_sequence_length
        initializer = independent(initializer)
        self.token, self.segment = (
            keras.layers.Embedding(size, hidden_dim, initializer, dtype=dtype, name=part)
            for part, size in (("token", vocabulary_size), ("segment", num_segments))
        )
        self.position = None
        if positions == "learned":
            self.position = keras.layers.Embedding(
                max_sequence_length, hidden_dim, initializer, dtype=dtype, name="position"
            )
        self.norm = None
        if norm_epsilon is not None:
            self.norm = LayerNorm(norm_epsilon, dtype=dtype, name="norm")
        self.dropout = Dropout(dropout, dtype=dtype)

    def build(self, token_ids_shape, segment_ids_shape=None, padding_mask_shape=None):
        if (token_ids_shape[1] or 0) > self.max_sequence_length:
            raise ValueError(
                f"A sequence may have at most {self.max_sequence_length} positions, the model's "
                f"max_sequence_length, but this one has {token_ids_shape[1]}: pack shorter rows, "
                "or use a config with more positions."
            )
        for table in (self.token, self.segment, self.position):
            if table is not None:
                table.build(token_ids_shape)
        if self.norm is not None:
            self.norm.build((*token_ids_shape, self.hidden_dim))
        self.dropout.build((*token_ids_shape, self.hidden_dim))

    def call(self, token_ids, segment_ids, padding_mask, training=None):
        positions = ops.take(self._positions(), places_in_sequence(padding_mask), axis=0)
        x = self.token(token_ids) + self.segment(segment_ids) + positions
        if self.norm is not None:
            x = self.norm(x)
        return self.dropout(x, training=training)

    def set_rows(self, ids, vectors) -> None:
        """Puts vectors, float [N, D], in the place of the embeddings of pieces, int [N]."""
        table = np.array(self.token.embeddings)
        table[ids] = vectors
        self.token.embeddings.assign(table)

    def _positions(self):
        """The table [max_sequence_length, D]."""
        if self.position is not None:
            table = self.position.embeddings
        else:
            table = sinusoids(self.max_sequence_length, self.hidden_dim)
        return ops.cast(table, self.compute_dtype)
