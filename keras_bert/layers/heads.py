"""What stands on an encoder in pretraining: the pooler and the masked-language-model head."""

from __future__ import annotations

import keras
from keras import ops

from keras_bert.layers.activations import ACTIVATIONS


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
        self.norm = keras.layers.LayerNormalization(epsilon=norm_epsilon, dtype=dtype, name="norm")

    def build(self, sequence_output_shape, mask_positions_shape=None):
        flat_shape = (None, sequence_output_shape[-1])
        self.dense.build(flat_shape)
        self.norm.build(flat_shape)
        self.bias = self.add_weight(
            shape=(self.token_embedding.input_dim,), initializer="zeros", name="bias"
        )

    def call(self, sequence_output, mask_positions):
        batch, length, hidden_dim = ops.shape(sequence_output)
        first = ops.arange(batch, dtype=mask_positions.dtype)[:, None] * length
        flat_positions = ops.reshape(mask_positions + first, (-1,))
        x = ops.take(ops.reshape(sequence_output, (-1, hidden_dim)), flat_positions, axis=0)
        x = self.norm(self.dense(x))  # [B*P, D]
        table = ops.cast(self.token_embedding.embeddings, self.compute_dtype)
        logits = ops.matmul(x, ops.transpose(table)) + ops.cast(self.bias, self.compute_dtype)
        return ops.reshape(logits, (batch, -1, self.token_embedding.input_dim))
