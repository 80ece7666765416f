"""One transformer block."""

from __future__ import annotations

import contextlib
import contextvars

import keras
from keras import ops

from keras_bert.layers.activations import ACTIVATIONS
from keras_bert.layers.attention import SelfAttention
from keras_bert.layers.dropout import Dropout
from keras_bert.layers.initializers import independent
from keras_bert.layers.norm import LayerNorm
from keras_bert.layers.rows import put_rows, take_rows

_SKIPS_PADDING = contextvars.ContextVar("skips_padding", default=False)


@contextlib.contextmanager
def skipped_padding(wanted: bool = True):
    """Within it training computes for tokens alone what blocks compute for each of them.

    Only attention then sees rectangles of rows; the states of padding are 0. Losses and gradients
    of what is not padding stay the same. Shapes depend on values, as TensorFlow's graphs allow, but
    neither XLA, TPUs nor JAX. It belongs to the step that is traced within it, and is no state of
    the blocks, which several models may share.

    Args:
        wanted: bool; False is as without it.

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.attention import AttentionBias
    >>> from keras_bert.layers.transformer import TransformerBlock, skipped_padding
    >>> block = TransformerBlock(num_heads=3, hidden_dim=15, intermediate_dim=31)
    >>> x, bias = np.ones([1, 2, 15]), AttentionBias()(np.array([[1, 0]]))
    >>> with skipped_padding():
    ...     states = block(x, bias, training=True)
    >>> [bool(np.any(state)) for state in np.asarray(states[0])]
    [True, False]
    """
    token = _SKIPS_PADDING.set(wanted)
    try:
        yield
    finally:
        _SKIPS_PADDING.reset(token)


class TransformerBlock(keras.layers.Layer):
    """Self-attention and a feed-forward network, each with dropout, residual and layer norm.

    Post-norm is BERT's (Devlin et al. 2018); pre-norm is that of Xiong et al. 2020
    (arXiv:2002.04745), whose encoder ends with a layer norm of its own.

    Args:
        num_heads: int, number of attention heads N.
        hidden_dim: int, width D of input and output.
        intermediate_dim: int, width F of the feed-forward network.
        activation: "gelu", "gelu_tanh" or "relu".
        dropout: float, dropout of what is added to the residual stream.
        attention_dropout: float, dropout of the attention probabilities.
        norm_epsilon: float, added to the variance of the layer norms.
        norm_first: bool, pre-norm.
        kernel_initializer: initializer of all matrices, which draws each anew.

    Attributes:
        recompute: bool, whether training keeps only the block's input, and computes the rest again
            on the way back, with the same dropout. False; to be set before training starts.

    Args (call):
        x: float [B, T, D].
        bias: float [B, 1, T, T], added to the attention scores: `AttentionBias`.
        places: int [B, P], places within each row; what is computed for each token is computed for
            these alone. None stands for all.

    Returns:
        float [B, T, D], or [B, P, D] at the places.

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.transformer import TransformerBlock
    >>> block = TransformerBlock(num_heads=3, hidden_dim=15, intermediate_dim=31)
    >>> x, bias = np.zeros([2, 7, 15]), np.zeros([2, 1, 7, 7])
    >>> tuple(block(x, bias).shape), tuple(block(x, bias, np.array([[0, 4], [0, 6]])).shape)
    ((2, 7, 15), (2, 2, 15))
    """

    def __init__(
        self,
        num_heads: int,
        hidden_dim: int,
        intermediate_dim: int,
        activation: str = "gelu",
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        norm_epsilon: float = 1e-12,
        norm_first: bool = False,
        kernel_initializer="glorot_uniform",
        dtype=None,
        name: str | None = None,
    ):
        super().__init__(dtype=dtype, name=name)
        self.norm_first = norm_first
        self.recompute = False
        kernel_initializer = independent(kernel_initializer)
        self.attention = SelfAttention(
            num_heads, hidden_dim, attention_dropout, kernel_initializer, dtype, name="attention"
        )
        self.intermediate, self.projection = (
            keras.layers.Dense(
                width,
                activation=function,
                kernel_initializer=kernel_initializer,
                dtype=dtype,
                name=part,
            )
            for part, width, function in (
                ("intermediate", intermediate_dim, ACTIVATIONS[activation]),
                ("output", hidden_dim, None),
            )
        )
        self.attention_norm, self.output_norm = (
            LayerNorm(norm_epsilon, dtype=dtype, name=part)
            for part in ("attention_norm", "output_norm")
        )
        self.dropout = Dropout(dropout, dtype=dtype)

    def build(self, x_shape, bias_shape=None, places_shape=None):
        flat_shape = (None, x_shape[-1])
        self.attention.build(flat_shape)
        self.intermediate.build(flat_shape)
        self.projection.build((None, self.intermediate.units))
        self.attention_norm.build(flat_shape)
        self.output_norm.build(flat_shape)
        self.dropout.build(flat_shape)

    def compute_output_shape(self, x_shape, bias_shape=None, places_shape=None):
        # Said, since Keras would trace the block to find it out: half of a load.
        return x_shape if places_shape is None else (*places_shape, x_shape[-1])

    def call(self, x, bias, places=None, training=None):
        # Drawn here, so that what is computed a second time drops the same.
        dropouts = (self.attention.dropout, self.dropout, self.dropout)
        seeds = [dropout.draw() if training else None for dropout in dropouts]

        tokens = None
        if training and _SKIPS_PADDING.get():
            # A token sees itself, padding does not.
            is_token = ops.diagonal(bias[:, 0], axis1=1, axis2=2) == 0
            (tokens,) = ops.nonzero(ops.reshape(is_token, (-1,)))

        def compute(x, bias):
            return self._compute(x, bias, places, tokens, training, *seeds)

        return (keras.remat(compute) if training and self.recompute else compute)(x, bias)

    def _compute(self, x, bias, places, tokens, training, scores_seed, attention_seed, output_seed):
        batch, length, hidden_dim = ops.shape(x)
        states = ops.reshape(x, (-1, hidden_dim))
        seen = take_rows(states, tokens)
        num_places, x_places, x = length, tokens, seen
        if places is not None:
            num_places, x_places = ops.shape(places)[1], None
            first = ops.arange(batch, dtype=places.dtype)[:, None] * length
            flat_places = ops.reshape(places + first, (-1,))
            x = take_rows(states, flat_places)
            bias = take_rows(ops.reshape(bias, (-1, length)), flat_places)
            bias = ops.reshape(bias, (batch, 1, num_places, length))

        y = x
        if self.norm_first:
            seen = self.attention_norm(seen)
            y = seen if places is None else self.attention_norm(x)
        y = self.attention(y, seen, bias, x_places, tokens, training=training, seed=scores_seed)
        x = x + self.dropout(y, training=training, seed=attention_seed)
        if not self.norm_first:
            x = self.attention_norm(x)
        y = self.output_norm(x) if self.norm_first else x
        y = self.projection(self.intermediate(y))
        x = x + self.dropout(y, training=training, seed=output_seed)
        if not self.norm_first:
            x = self.output_norm(x)
        x = put_rows(x, x_places, batch * length)
        return ops.reshape(x, (batch, num_places, hidden_dim))

    def scores(self, x, bias):
        """Attention probabilities [B, N, T, S] for the arguments of `call`."""
        x = ops.reshape(x, (-1, ops.shape(x)[-1]))
        x = self.attention_norm(x) if self.norm_first else x
        return self.attention.scores(x, x, bias)
