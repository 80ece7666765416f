"""What goes into the first block: the sum of piece, position and segment embeddings."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from keras_bert.layers.configured import Configured, registered
from keras_bert.layers.dropout import Dropout


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


@registered
class Sinusoids(Configured):
    """The table of `sinusoids`, looked up as a `keras.layers.Embedding` is; it has no weights.

    Args:
        input_dim: int, number of positions.
        output_dim: int, even, width D.

    Args (call):
        positions: int [B, T].

    Returns:
        float [B, T, D].

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.embeddings import Sinusoids
    >>> np.asarray(Sinusoids(5, 4)(np.array([[0, 0]]))).tolist()
    [[[0.0, 1.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]]]
    """

    def __init__(self, input_dim: int, output_dim: int, dtype=None, name: str | None = None):
        super().__init__(dtype=dtype, name=name)
        self.input_dim = input_dim
        self.output_dim = output_dim

    def build(self, positions_shape):
        """There is nothing to be made."""

    def call(self, positions):
        table = sinusoids(self.input_dim, self.output_dim)
        return ops.take(ops.cast(table, self.compute_dtype), positions, axis=0)


def positions_in_sequence(padding_mask):
    """How many tokens of its sequence stand before each token.

    Args:
        padding_mask: int32 [B, T], 0 where there is padding, else the number of the sequence.

    Returns:
        int32 [B, T]. Padding counts as a part of the first sequence.

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.embeddings import positions_in_sequence
    >>> np.asarray(positions_in_sequence(np.array([[1, 1, 1, 2, 2, 0]])))[0, :5].tolist()
    [0, 1, 2, 0, 1]
    """
    numbers = ops.maximum(padding_mask, 1)
    same = ops.cast(numbers[:, :, None] == numbers[:, None, :], "int32")
    return ops.sum(ops.tril(same, k=-1), axis=-1)


@registered
class Embeddings(Configured):
    """Sum of piece, segment and position embeddings, normalized (Devlin et al. 2018, figure 2).

    Weights of parts that are not built yet are named after this layer; those that are built, by
    another layer of this kind, have their weights in common with that.

    Args:
        token: `keras.layers.Embedding` [V, E] of the pieces.
        segment: `keras.layers.Embedding` of the segments; None where there are none.
        position: `keras.layers.Embedding` of the positions, or `Sinusoids`; None where embeddings
            say nothing of them.
        first_position: int, the row of the positions' table for the first token of a sequence.
        norm: layer; None leaves it out, as pre-norm encoders do.
        dropout: float, dropout of what is normalized.
        projection: layer behind that, from [B, T, E] to [B, T, D]; None where E is D.

    Args (call):
        token_ids: int [B, T].
        segment_ids: int [B, T]; None where all is of the first segment.
        padding_mask: int [B, T], 0 where there is padding, else the number of the sequence, in
            which positions count from 0.

    Returns:
        float [B, T, D].

    Example:

    >>> import keras, numpy as np
    >>> from keras_bert.layers.embeddings import Embeddings
    >>> embeddings = Embeddings(*(keras.layers.Embedding(size, 15) for size in (97, 2, 11)))
    >>> ids = np.zeros([2, 7], "int32")
    >>> tuple(embeddings(ids, ids, ids).shape)
    (2, 7, 15)
    """

    def __init__(
        self,
        token: keras.layers.Embedding,
        segment: keras.layers.Embedding | None = None,
        position: keras.layers.Embedding | Sinusoids | None = None,
        *,
        first_position: int = 0,
        norm: keras.layers.Layer | None = None,
        dropout: float = 0.0,
        projection: keras.layers.Layer | None = None,
        dtype=None,
        name: str | None = None,
    ):
        super().__init__(dtype=dtype, name=name)
        self.token = token
        self.segment = segment
        self.position = position
        self.first_position = first_position
        self.norm = norm
        self.dropout = Dropout(dropout, dtype=dtype)
        self.projection = projection

    def build(self, token_ids_shape, segment_ids_shape=None, padding_mask_shape=None):
        self._check_length(token_ids_shape[1] or 0)
        for table in (self.token, self.segment, self.position):
            if table is not None and not table.built:
                table.build(token_ids_shape)
        shape = (*token_ids_shape, self.token.output_dim)
        for layer in (self.norm, self.dropout, self.projection):
            if layer is not None and not layer.built:
                layer.build(shape)

    def _check_length(self, length: int) -> None:
        if self.position is None:
            return
        most = self.position.input_dim - self.first_position
        if length > most:
            raise ValueError(
                f"A sequence may have at most {most} positions, the model's max_sequence_length, "
                f"but this one has {length}: pack shorter rows, or use a config with more "
                "positions."
            )

    def call(self, token_ids, segment_ids=None, padding_mask=None, training=None):
        x = self.token(token_ids)
        if self.segment is not None and segment_ids is not None:
            x = x + self.segment(segment_ids)
        elif self.segment is not None:
            x = x + ops.cast(self.segment.embeddings[0], self.compute_dtype)
        if self.position is not None:
            x = x + self.position(positions_in_sequence(padding_mask) + self.first_position)
        if self.norm is not None:
            x = self.norm(x, training=training)
        x = self.dropout(x, training=training)
        return x if self.projection is None else self.projection(x)
