"""What stands on an encoder: the pooler, and the heads of pretraining."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_bert.layers.activations import ACTIVATIONS, ActivatedDense
from keras_bert.layers.configured import Configured, registered
from keras_bert.layers.dropout import Dropout
from keras_bert.layers.initializers import independent
from keras_bert.layers.norm import LayerNorm


def logits_policy(dtype=None) -> keras.DTypePolicy:
    """The policy of what makes logits: all in the precision of the variables.

    Under mixed_bfloat16 that is float32, as https://keras.io/api/mixed_precision asks of a last
    layer; a model that is stored in bfloat16, to be served, computes all in that.

    Args:
        dtype: keras dtype policy of the other layers; None is the global one.

    Example:

    >>> from keras_bert.layers.heads import logits_policy
    >>> [logits_policy(name).name for name in ("float32", "mixed_bfloat16", "bfloat16")]
    ['float32', 'float32', 'bfloat16']
    """
    policy = keras.config.dtype_policy() if dtype is None else keras.dtype_policies.get(dtype)
    return keras.DTypePolicy(policy.variable_dtype)


@registered
class Pooler(Configured):
    """The hidden state of a first token, [CLS], through a dense layer: BERT's has a tanh.

    Devlin et al. 2018; google-research/bert `modeling.py`. Other families have other activations,
    a dropout before it, or a norm behind it.

    Args:
        hidden_dim: int, width D.
        kernel_initializer: initializer of the matrix.
        activation: "tanh", or one of `ACTIVATIONS`.
        use_bias: bool.
        norm: layer behind the activation, not built yet; None where there is none.
        dropout: float, of the states that come.

    Args (call):
        states: float [..., D], those of first tokens alone.

    Returns:
        float [..., D].

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.heads import Pooler
    >>> tuple(Pooler(15)(np.zeros([2, 15])).shape)
    (2, 15)
    """

    def __init__(
        self,
        hidden_dim: int,
        kernel_initializer="glorot_uniform",
        *,
        activation: str = "tanh",
        use_bias: bool = True,
        norm: keras.layers.Layer | None = None,
        dropout: float = 0.0,
        dtype=None,
        name: str | None = None,
    ):
        super().__init__(dtype=dtype, name=name)
        self.dense = keras.layers.Dense(
            hidden_dim,
            activation=ACTIVATIONS.get(activation, activation),
            use_bias=use_bias,
            kernel_initializer=independent(kernel_initializer),
            dtype=dtype,
            name="dense",
        )
        self.norm = norm
        self.dropout = Dropout(dropout, dtype=dtype)

    def build(self, states_shape):
        for layer in (self.dense, self.dropout, self.norm):
            if layer is not None:
                layer.build((None, states_shape[-1]))

    def call(self, states, training=None):
        x = self.dense(self.dropout(states, training=training))
        return x if self.norm is None else self.norm(x, training=training)


@registered
class FirstPositions(Configured):
    """The positions of the first token, [CLS], of every sequence of a row.

    Args:
        num_sequences: int, sequences K that a row may hold.

    Args (call):
        padding_mask: int [B, T], 0 where there is padding, else the number of the sequence, which
            follow each other from 1 on.

    Returns:
        int [B, K]; for what a row has fewer than K, some other position of it.

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.heads import FirstPositions
    >>> np.asarray(FirstPositions(2)(np.array([[1, 1, 2, 0]]))).tolist()
    [[0, 2]]
    """

    def __init__(self, num_sequences: int, name: str | None = None):
        super().__init__(dtype="int32", name=name)
        self.num_sequences = num_sequences

    def call(self, padding_mask):
        numbers = ops.arange(1, self.num_sequences + 1, dtype=padding_mask.dtype)[None, :, None]
        mask = padding_mask[:, None, :]
        before = ops.sum(ops.cast((mask > 0) & (mask < numbers), "int32"), axis=-1)
        return ops.minimum(before, ops.shape(padding_mask)[1] - 1)

    def compute_output_shape(self, padding_mask_shape):
        return (padding_mask_shape[0], self.num_sequences)


class MaskedLMHead(keras.layers.Layer):
    """Scores of the vocabulary for hidden states, with the embeddings as output weights.

    Devlin et al. 2018; google-research/bert `run_pretraining.py`.

    Args:
        token_embedding: the built `keras.layers.Embedding` [V, D] whose weights are used.
        activation: "gelu", "gelu_tanh" or "relu": the encoder's.
        norm_epsilon: float, added to the variance of the layer norm.
        kernel_initializer: initializer of the dense layer.
        use_bias: bool, whether the dense layer and the norm have biases; the logits always do.
        dtype: keras dtype policy of the dense layer and the norm; logits: `logits_policy`.

    Args (call):
        states: float [B, P, D], the hidden states at the masked positions.

    Returns:
        float [B, P, V], logits, float32 under mixed_bfloat16.

    Example:

    >>> import keras, numpy as np
    >>> from keras_bert.layers.heads import MaskedLMHead
    >>> embedding = keras.layers.Embedding(97, 15)
    >>> embedding.build([None])
    >>> head = MaskedLMHead(embedding)
    >>> tuple(head(np.zeros([2, 3, 15])).shape)
    (2, 3, 97)
    """

    def __init__(
        self,
        token_embedding: keras.layers.Embedding,
        activation: str = "gelu",
        norm_epsilon: float = 1e-12,
        kernel_initializer="glorot_uniform",
        *,
        use_bias: bool = True,
        dtype=None,
        name: str | None = None,
    ):
        super().__init__(dtype=logits_policy(dtype), name=name)
        self.token_embedding = token_embedding
        self.dense = ActivatedDense(
            token_embedding.output_dim,
            activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            dtype=dtype,
            name="dense",
        )
        self.norm = LayerNorm(norm_epsilon, center=use_bias, dtype=dtype, name="norm")

    def build(self, states_shape):
        self.dense.build((None, states_shape[-1]))
        self.norm.build((None, self.dense.units))
        self.bias = self.add_weight(
            shape=(self.token_embedding.input_dim,), initializer="zeros", name="bias"
        )

    def call(self, states, training=None):
        x = self.norm(self.dense(ops.reshape(states, (-1, states.shape[-1]))))  # [B*P, D]
        table = ops.cast(self.token_embedding.embeddings, self.compute_dtype)
        logits = product_with_rows(x, table, training) + self.bias
        return ops.reshape(logits, (*ops.shape(states)[:2], self.token_embedding.input_dim))

    def get_config(self) -> dict[str, Any]:
        """Refused: a head that is opened again would have a table of its own."""
        raise ValueError(
            f"The layer {self.name} shares the table of an encoder's pieces, of which Keras' files "
            "and clone_model would make a second one: save a BertPretrainer or a FillMask, or use "
            "kb.save; a clone of a model is model.on(model.encoder.anew())."
        )


def product_with_rows(x, rows, training: bool | None = False):
    """[M, D] times the transpose of [V, D], whose gradient comes in the layout of the rows.

    The tape's comes as [D, V] and is transposed: 2 % of a training step of "small". Where nothing
    is trained the derivative is the tape's (`activations.gelu` says why).

    The product has the precision of the rows, float32 in training: bfloat16 would round logits of
    10 by up to 0.03. Its gradients are computed in the precision of x. With x in bfloat16 a
    training step of "small" takes 1.55 s on 2 cores, with all in bfloat16 1.61: the table is cast
    for one product the less.
    """
    return _trained_product(x, rows) if training else _product(x, rows)[0]


def _product(x, rows):
    """The value, and the function of its derivative."""

    def gradient(*args, upstream=None):
        dy = ops.cast(args[-1] if upstream is None else upstream, x.dtype)
        dx = ops.matmul(dy, ops.cast(rows, x.dtype))
        return dx, ops.cast(ops.matmul(ops.transpose(dy), x), rows.dtype)

    return ops.matmul(ops.cast(x, rows.dtype), ops.transpose(rows)), gradient


_trained_product = ops.custom_gradient(_product)
