"""One transformer block."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_bert.layers.attention import SelfAttention
from keras_bert.layers.configured import Configured, registered
from keras_bert.layers.dropout import Dropout
from keras_bert.layers.norm import LayerNorm
from keras_bert.layers.rows import gather, scatter

_SKIPS_PADDING = contextvars.ContextVar("skips_padding", default=False)
_CALLS: contextvars.ContextVar[list[Called] | None] = contextvars.ContextVar("calls", default=None)


class Called(NamedTuple):
    """What a block was called with.

    Args:
        block: TransformerBlock.
        x: float [B, T, D], the states that it was given.
        bias: float [B, 1, T, T], what its scores are added.
    """

    block: TransformerBlock
    x: Any
    bias: Any


@contextlib.contextmanager
def calls_of_blocks() -> Iterator[list[Called]]:
    """Within it what blocks are called with is kept: inner states, for no second pass.

    Example:

    >>> import keras_bert as kb
    >>> import numpy as np
    >>> from keras_bert.layers.transformer import calls_of_blocks
    >>> encoder, ids = kb.BertEncoder(kb.BertConfig.preset("tiny")), np.ones([2, 7], "int32")
    >>> with calls_of_blocks() as calls:
    ...     _ = encoder({"token_ids": ids, "padding_mask": ids})
    >>> [(one.block.name, tuple(one.x.shape)) for one in calls]
    [('layer_0', (2, 7, 128)), ('layer_1', (2, 7, 128))]
    """
    calls: list[Called] = []
    token = _CALLS.set(calls)
    try:
        yield calls
    finally:
        _CALLS.reset(token)


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

    >>> import keras, numpy as np
    >>> from keras_bert.layers.attention import AttentionBias, SelfAttention
    >>> from keras_bert.layers.transformer import TransformerBlock, skipped_padding
    >>> block = TransformerBlock(
    ...     SelfAttention(num_heads=3, hidden_dim=15),
    ...     intermediate=keras.layers.Dense(31, "relu"),
    ...     projection=keras.layers.Dense(15),
    ... )
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


@registered
class TransformerBlock(Configured):
    """Self-attention and a feed-forward network, each with dropout, residual and layer norm.

    Post-norm is BERT's (Devlin et al. 2018); pre-norm is that of Xiong et al. 2020
    (arXiv:2002.04745), whose encoder ends with a layer norm of its own.

    The parts that are handed in must not be built yet: their weights are named after the block.

    Args:
        attention: layer, called as `SelfAttention` is, with its `scores` and `dropout`.
        intermediate: layer from float [M, D] to [M, F], with its activation: the first half of the
            feed-forward network.
        projection: layer from float [M, F] to [M, D], the second half.
        dropout: float, dropout of what is added to the residual stream.
        norm_epsilon: float, added to the variance of the layer norms.
        norms: pair of layers, the norm of the attention and that of the feed-forward network; None
            makes layer norms of `norm_epsilon`.
        norm_first: bool, pre-norm.

    Attributes:
        recompute: bool, whether training keeps only the block's input, and computes the rest again
            on the way back, with the same dropout. False; to be set before training starts.

    Args (call):
        x: float [B, T, D].
        bias: float [B, 1, T, T], added to the attention scores: `AttentionBias`.
        positions: int32 [B, P], positions within each row; what is computed for each token is
            computed for these alone. None stands for all.

    Returns:
        float [B, T, D], or [B, P, D] at the positions.

    Example:

    >>> import keras, numpy as np
    >>> from keras_bert.layers.attention import SelfAttention
    >>> from keras_bert.layers.transformer import TransformerBlock
    >>> block = TransformerBlock(
    ...     SelfAttention(num_heads=3, hidden_dim=15),
    ...     intermediate=keras.layers.Dense(31, "relu"),
    ...     projection=keras.layers.Dense(15),
    ... )
    >>> x, bias = np.zeros([2, 7, 15]), np.zeros([2, 1, 7, 7])
    >>> tuple(block(x, bias).shape), tuple(block(x, bias, np.array([[0, 4], [0, 6]])).shape)
    ((2, 7, 15), (2, 2, 15))
    """

    def __init__(
        self,
        attention: SelfAttention,
        intermediate: keras.layers.Layer,
        projection: keras.layers.Layer,
        *,
        dropout: float = 0.0,
        norm_epsilon: float = 1e-12,
        norms: Sequence[keras.layers.Layer] | None = None,
        norm_first: bool = False,
        dtype=None,
        name: str | None = None,
    ):
        super().__init__(dtype=dtype, name=name)
        self.norm_first = norm_first
        self.recompute = False
        self.attention = attention
        self.intermediate = intermediate
        self.projection = projection
        if norms is None:
            norms = (
                LayerNorm(norm_epsilon, dtype=dtype, name="attention_norm"),
                LayerNorm(norm_epsilon, dtype=dtype, name="output_norm"),
            )
        self.attention_norm: keras.layers.Layer = norms[0]
        self.output_norm: keras.layers.Layer = norms[1]
        self.dropout = Dropout(dropout, dtype=dtype)

    def build(self, x_shape, bias_shape=None, positions_shape=None):
        flat_shape = (None, x_shape[-1])
        self.attention.build(flat_shape)
        self.intermediate.build(flat_shape)
        self.projection.build(self.intermediate.compute_output_shape(flat_shape))
        self.attention_norm.build(flat_shape)
        self.output_norm.build(flat_shape)
        self.dropout.build(flat_shape)

    def compute_output_shape(self, x_shape, bias_shape=None, positions_shape=None):
        # Said, since Keras would trace the block to find it out: half of a load.
        return x_shape if positions_shape is None else (*positions_shape, x_shape[-1])

    def call(self, x, bias, positions=None, training=None):
        calls = _CALLS.get()
        if calls is not None:
            calls.append(Called(self, x, bias))
        # Drawn here, so that what is computed a second time drops the same.
        dropouts = (self.attention.dropout, self.dropout, self.dropout)
        seeds = [dropout.draw() if training else None for dropout in dropouts]

        tokens = None
        if training and _SKIPS_PADDING.get():
            # A token sees itself, padding does not.
            is_token = ops.diagonal(bias[:, 0], axis1=1, axis2=2) == 0
            (tokens,) = ops.nonzero(ops.reshape(is_token, (-1,)))

        def compute(x, bias):
            return self._compute(x, bias, positions, tokens, training, seeds)

        return (keras.remat(compute) if training and self.recompute else compute)(x, bias)

    def _compute(self, x, bias, positions, tokens, training, seeds):
        """What `call` gives; of all states those of `tokens` alone, where they are given.

        Args:
            tokens: int [n], rows of the flattened states that hold a token.
            seeds: of the dropout of scores, of what attention adds, and of what is added last.
        """
        batch, length, hidden_dim = ops.shape(x)
        states = ops.reshape(x, (-1, hidden_dim))
        seen = gather(states, tokens)
        num_positions, x_rows, x = length, tokens, seen
        if positions is not None:
            num_positions, x_rows = ops.shape(positions)[1], None
            first = ops.arange(batch, dtype=positions.dtype)[:, None] * length
            rows = ops.reshape(positions + first, (-1,))
            x = gather(states, rows)
            bias = gather(ops.reshape(bias, (-1, length)), rows)
            bias = ops.reshape(bias, (batch, 1, num_positions, length))

        y = x
        if self.norm_first:
            seen = self.attention_norm(seen, training=training)
            y = seen if positions is None else self.attention_norm(x, training=training)
        y = self.attention(
            y, seen, bias, x_rows, tokens, positions, training=training, seed=seeds[0]
        )
        x = x + self.dropout(y, training=training, seed=seeds[1])
        if not self.norm_first:
            x = self.attention_norm(x, training=training)
        y = self.output_norm(x, training=training) if self.norm_first else x
        y = self.projection(self.intermediate(y, training=training))
        x = x + self.dropout(y, training=training, seed=seeds[2])
        if not self.norm_first:
            x = self.output_norm(x, training=training)
        x = scatter(x, x_rows, batch * length)
        return ops.reshape(x, (batch, num_positions, hidden_dim))

    def scores(self, x, bias):
        """Attention probabilities [B, N, T, S] for the arguments of `call`."""
        x = ops.reshape(x, (-1, ops.shape(x)[-1]))
        x = self.attention_norm(x) if self.norm_first else x
        return self.attention.scores(x, x, bias)
