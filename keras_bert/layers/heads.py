"""What stands on an encoder in pretraining: the pooler and the masked-language-model head."""

from __future__ import annotations

import keras
from keras import ops

from keras_bert.layers.activations import ACTIVATIONS
from keras_bert.layers.norm import LayerNorm


class Pooler(keras.layers.Layer):
    """The hidden state of the first token, [CLS], through a dense layer with tanh.

    Devlin et al. 2018; google-research/bert `modeling.py`.

    Args:
        hidden_dim: int, width D.
        kernel_initializer: initializer of the matrix.

    Args (call):
        sequence_output: float [B, T, D].

    Returns:
        float [B, D].

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.heads import Pooler
    >>> tuple(Pooler(15)(np.zeros([2, 7, 15])).shape)
    (2, 15)
    """

    def __init__(self, hidden_dim: int, kernel_initializer="glorot_uniform", dtype=None, name=None):
        super().__init__(dtype=dtype, name=name)
        self.dense = keras.layers.Dense(
            hidden_dim,
            activation="tanh",
            kernel_initializer=kernel_initializer,
            dtype=dtype,
            name="dense",
        )

    def build(self, sequence_output_shape):
        self.dense.build((None, sequence_output_shape[-1]))

    def call(self, sequence_output):
        return self.dense(sequence_output[:, 0])


class FirstTokens(keras.layers.Layer):
    """The hidden states of the first token, [CLS], of every sequence of a row.

    Args:
        num_sequences: int, sequences K that a row may hold.

    Args (call):
        sequence_output: float [B, T, D].
        padding_mask: int [B, T], 0 where there is padding, else the number of the sequence, which
            follow each other from 1 on.

    Returns:
        float [B, K, D]; what a row has fewer than K is some other state of it.

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.heads import FirstTokens
    >>> states, mask = np.array([[[1.0], [3.0], [7.0], [9.0]]]), np.array([[1, 1, 2, 0]])
    >>> np.asarray(FirstTokens(2)(states, mask)).tolist()
    [[[1.0], [7.0]]]
    """

    def __init__(self, num_sequences: int, dtype=None, name: str | None = None):
        super().__init__(dtype=dtype, name=name)
        self.num_sequences = num_sequences

    def call(self, sequence_output, padding_mask):
        numbers = ops.arange(1, self.num_sequences + 1, dtype=padding_mask.dtype)[None, :, None]
        mask = padding_mask[:, None, :]
        before = ops.sum(ops.cast((mask > 0) & (mask < numbers), "int32"), axis=-1)  # [B, K]
        places = ops.minimum(before, ops.shape(sequence_output)[1] - 1)
        states = states_at(sequence_output, places)
        return ops.reshape(states, (-1, self.num_sequences, sequence_output.shape[-1]))

    def compute_output_shape(self, sequence_output_shape, padding_mask_shape):
        return (sequence_output_shape[0], self.num_sequences, sequence_output_shape[-1])


class MaskedLMHead(keras.layers.Layer):
    """Scores of the vocabulary at the masked positions, with the embeddings as output weights.

    Devlin et al. 2018; google-research/bert `run_pretraining.py`. The positions are gathered before
    the product with the vocabulary, which is the most expensive one of a small model.

    Args:
        token_embedding: the built `keras.layers.Embedding` [V, D] whose weights are used.
        activation: "gelu", "gelu_tanh" or "relu": the encoder's.
        norm_epsilon: float, added to the variance of the layer norm.
        kernel_initializer: initializer of the dense layer.

    Args (call):
        sequence_output: float [B, T, D].
        mask_positions: int [B, P], positions within the row.

    Returns:
        float [B, P, V], logits.

    Example:

    >>> import keras, numpy as np
    >>> from keras_bert.layers.heads import MaskedLMHead
    >>> embedding = keras.layers.Embedding(97, 15)
    >>> embedding.build([None])
    >>> head = MaskedLMHead(embedding)
    >>> tuple(head(np.zeros([2, 7, 15]), np.array([[1, 5, 6], [2, 0, 0]])).shape)
    (2, 3, 97)
    """

    def __init__(
        self,
        token_embedding: keras.layers.Embedding,
        activation: str = "gelu",
        norm_epsilon: float = 1e-12,
        kernel_initializer="glorot_uniform",
        dtype=None,
        name: str | None = None,
    ):
        super().__init__(dtype=dtype, name=name)
        self.token_embedding = token_embedding
        self.dense = keras.layers.Dense(
            token_embedding.output_dim,
            activation=ACTIVATIONS[activation],
            kernel_initializer=kernel_initializer,
            dtype=dtype,
            name="dense",
        )
        self.norm = LayerNorm(norm_epsilon, dtype=dtype, name="norm")

    def build(self, sequence_output_shape, mask_positions_shape=None):
        flat_shape = (None, sequence_output_shape[-1])
        self.dense.build(flat_shape)
        self.norm.build(flat_shape)
        self.bias = self.add_weight(
            shape=(self.token_embedding.input_dim,), initializer="zeros", name="bias"
        )

    def call(self, sequence_output, mask_positions):
        x = self.norm(self.dense(states_at(sequence_output, mask_positions)))  # [B*P, D]
        table = ops.cast(self.token_embedding.embeddings, self.compute_dtype)
        logits = product_with_rows(x, table) + ops.cast(self.bias, self.compute_dtype)
        shape = (*ops.shape(mask_positions), self.token_embedding.input_dim)
        return ops.reshape(logits, shape)


def states_at(sequence_output, places):
    """The states [B*P, D] of float [B, T, D] at int [B, P], places within each row."""
    batch, length, hidden_dim = ops.shape(sequence_output)
    first = ops.arange(batch, dtype=places.dtype)[:, None] * length
    flat_places = ops.reshape(places + first, (-1,))
    return ops.take(ops.reshape(sequence_output, (-1, hidden_dim)), flat_places, axis=0)


@ops.custom_gradient
def product_with_rows(x, rows):
    """[M, D] times the transpose of [V, D], whose gradient comes in the layout of the rows.

    The tape's comes as [D, V] and is transposed: 2 % of a training step of "small".
    """

    def gradient(*args, upstream=None):
        dy = args[-1] if upstream is None else upstream
        return ops.matmul(dy, rows), ops.matmul(ops.transpose(dy), x)

    return ops.matmul(x, ops.transpose(rows)), gradient
