"""Multi-head self-attention and the bias that hides padding."""

from __future__ import annotations

import keras
from keras import ops

from keras_bert.layers.configured import Configured, registered
from keras_bert.layers.dropout import Dropout
from keras_bert.layers.initializers import independent
from keras_bert.layers.rows import gather, scatter

# Added to the scores of what is not to be seen before a softmax, as google-research/bert does: its
# exponential is exactly 0 in every precision, and float16 can still hold it.
MASKED_SCORE = -10000.0


@registered
class AttentionBias(Configured):
    """Turns a padding mask into what attention adds to its scores.

    Where a row holds several sequences, numbered 1, 2, ... in the mask, none sees another.

    Args:
        window: int, how many tokens to each side a token sees; None has no bound.

    Args (call):
        padding_mask: int32 [B, T], 0 where there is padding, else the number of the sequence.

    Returns:
        float [B, 1, T, T]: 0 where a token (third axis) sees another (last), -10000 where not.

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.attention import AttentionBias
    >>> np.asarray(AttentionBias()(np.array([[1, 1, 2, 0]])))[0, 0].astype(int).tolist()[1:3]
    [[0, 0, -10000, -10000], [-10000, -10000, 0, -10000]]
    """

    def __init__(self, window: int | None = None, dtype=None, name: str | None = None):
        super().__init__(dtype=dtype, name=name)
        self.window = window

    def call(self, padding_mask):
        # What padding sees is nobody's concern; it is what the first sequence sees, as in BERT.
        numbers = ops.maximum(padding_mask, 1)
        is_masked = padding_mask[:, None, None, :] != numbers[:, None, :, None]
        if self.window is not None:
            places = ops.arange(ops.shape(padding_mask)[1], dtype="int32")
            is_far = ops.abs(places[:, None] - places[None, :]) > self.window
            is_masked = ops.logical_or(is_masked, is_far)
        return ops.cast(is_masked, self.compute_dtype) * MASKED_SCORE


@registered
class SelfAttention(Configured):
    """Multi-head scaled dot-product self-attention (Vaswani et al. 2017, section 3.2).

    Hidden states come and go flattened to two dimensions: a `Dense` is then one fused call on the
    CPU, where on three dimensions it is three. Those that ask may be some of those that are seen.

    Args:
        num_heads: int, number of heads N.
        hidden_dim: int, width D of input and output.
        dropout: float, dropout of the attention probabilities.
        kernel_initializer: initializer of the four projections, which draws each anew.
        use_bias: bool, whether these have biases.
        head_dim: int, width H of a head; None is D / N.

    Args (call):
        x: float [B*T, D], the states that ask.
        states: float [B*S, D], those that are seen.
        bias: float [B, 1, T, S], added to the scores: `AttentionBias`.
        x_rows: int [n], those of the B*T rows that x alone holds, [n, D] then; None stands for all.
        states_rows: int [m], the same for `states` and its B*S rows.
        positions: int [B, T], where in their rows the states that ask stand; None: all are there.
        seed: of the dropout, as `Dropout.draw` gives it; None draws.

    Returns:
        float, the shape of x.

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.attention import SelfAttention
    >>> attention = SelfAttention(num_heads=3, hidden_dim=15)
    >>> x, bias = np.zeros([2 * 7, 15]), np.zeros([2, 1, 7, 7])
    >>> tuple(attention(x, x, bias).shape), tuple(attention.scores(x, x, bias).shape)
    ((14, 15), (2, 3, 7, 7))
    """

    def __init__(
        self,
        num_heads: int,
        hidden_dim: int,
        dropout: float = 0.0,
        kernel_initializer="glorot_uniform",
        dtype=None,
        name: str | None = None,
        *,
        use_bias: bool = True,
        head_dim: int | None = None,
    ):
        super().__init__(dtype=dtype, name=name)
        self.num_heads = num_heads
        self.head_dim = head_dim or hidden_dim // num_heads
        of_heads = num_heads * self.head_dim
        kernel_initializer = independent(kernel_initializer)
        self.query, self.key, self.value, self.projection = (
            keras.layers.Dense(
                width,
                use_bias=use_bias,
                kernel_initializer=kernel_initializer,
                dtype=dtype,
                name=part,
            )
            for part, width in (
                ("query", of_heads),
                ("key", of_heads),
                ("value", of_heads),
                ("output", hidden_dim),
            )
        )
        self.dropout = Dropout(dropout, dtype=dtype)

    def build(self, x_shape):
        for projection in (self.query, self.key, self.value):
            projection.build(x_shape)
        self.projection.build((None, self.num_heads * self.head_dim))
        self.dropout.build((None, self.num_heads, None, None))

    def call(
        self,
        x,
        states,
        bias,
        x_rows=None,
        states_rows=None,
        positions=None,
        training=None,
        seed=None,
    ):
        scores = self.scores(x, states, bias, x_rows, states_rows, positions)
        scores = self.dropout(scores, training=training, seed=seed)
        value = self._split_heads(self.value(states), ops.shape(bias)[3], bias, states_rows)
        context = ops.matmul(scores, value)  # [B, N, T, H]
        context = ops.transpose(context, (0, 2, 1, 3))
        context = gather(ops.reshape(context, (-1, self.num_heads * self.head_dim)), x_rows)
        return self.projection(context)

    def scores(self, x, states, bias, x_rows=None, states_rows=None, positions=None):
        """Attention probabilities [B, N, T, S] for the arguments of `call`, without dropout."""
        query = self._split_heads(self.query(x), ops.shape(bias)[2], bias, x_rows)
        key = self._split_heads(self.key(states), ops.shape(bias)[3], bias, states_rows)
        query, key = self.placed(query, positions), self.placed(key)
        products = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        scale = self.head_dim**-0.5
        return ops.softmax(products * scale + bias, axis=-1)

    def placed(self, heads, positions=None):
        """Queries or keys as their places in the row make them: as they are, here.

        Args:
            heads: float [B, N, T, H].
            positions: int [B, T], places in the row; None has 0, 1, 2, ...
        """
        return heads

    def _split_heads(self, x, length, bias, rows):
        """[B*T, N*H], or some rows of it, to [B, N, T, H]."""
        batch = ops.shape(bias)[0]
        x = scatter(x, rows, batch * length)
        heads = ops.reshape(x, (batch, length, self.num_heads, self.head_dim))
        return ops.transpose(heads, (0, 2, 1, 3))


@registered
class AttentionScores(Configured):
    """The attention probabilities [B, N, T, S] of a block, as a layer of a functional model.

    Args:
        block: a built `TransformerBlock`.
        num_heads: int, N; of heads that the block lacks the probabilities are 0.
    """

    def __init__(self, block: keras.layers.Layer, num_heads: int):
        super().__init__(dtype=block.dtype_policy, name=f"{block.name}_scores")
        self.block = block
        self.num_heads = num_heads

    def call(self, x, bias):
        missing = self.num_heads - self.block.attention.num_heads
        return ops.pad(self.block.scores(x, bias), ((0, 0), (0, missing), (0, 0), (0, 0)))
