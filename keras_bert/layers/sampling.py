"""Pieces drawn from what a masked language model thinks of its blanks, put into their places."""

from __future__ import annotations

import math

from keras import ops

from keras_bert.layers.configured import Configured, registered


@registered
class FillBlanks(Configured):
    """Puts a draw from a masked language model's distribution into each of a row's blanks.

    No gradient comes through. It is given to the constructor with `dtype="float32"` where logits
    are to be read as they are.

    Args (call):
        token_ids: int [B, T], rows as they were before there were blanks.
        positions: int [B, P], where these are; 0, a row's first special token, is none.
        logits: float [B, P, V].
        draws: float [B, P, 2], uniform in [0, 1); the same draws give the same pieces.

    Returns:
        int32 [B, T].

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.sampling import FillBlanks
    >>> logits = np.log(np.array([[[0.0, 0.25, 0.75]]]) + 1e-30)
    >>> rows = np.array([[7, 8, 9]])
    >>> [
    ...     np.asarray(FillBlanks()(rows, np.array([[1]]), logits, np.full([1, 1, 2], u))).tolist()
    ...     for u in (0.2, 0.3)
    ... ]
    [[[7, 1, 9]], [[7, 2, 9]]]
    """

    def __init__(self, dtype=None, name: str | None = None):
        super().__init__(dtype=dtype, name=name)

    def call(self, token_ids, positions, logits, draws):
        token_ids = ops.cast(token_ids, "int32")
        number, length = ops.shape(token_ids)[:2]
        pieces = sampled(ops.stop_gradient(logits), draws)
        # One place more, behind all rows, is for what is no blank.
        starts = ops.arange(number, dtype="int32")[:, None] * length
        places = ops.where(positions > 0, starts + ops.cast(positions, "int32"), number * length)
        flat = ops.concatenate([ops.reshape(token_ids, (-1,)), ops.zeros((1,), "int32")])
        flat = ops.scatter_update(flat, ops.reshape(places, (-1, 1)), ops.reshape(pieces, (-1,)))
        return ops.reshape(flat[:-1], (number, length))


def sampled(logits, draws):
    """Classes drawn from the softmax of logits.

    By the inverse of their cumulative distribution, in two steps: first one of about sqrt(C) blocks
    of classes, then a class of the block. So sums are short, which keeps rare classes as frequent
    as they are, and what XLA has to compute small.

    Args:
        logits: float [..., C].
        draws: float [..., 2], uniform in [0, 1): one number for each step.

    Returns:
        int32 [...].

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.sampling import sampled
    >>> logits = np.tile(np.log([0.1, 0.2, 0.3, 0.4]), (10_000, 1)).astype("float32")
    >>> draws = np.random.default_rng(0).uniform(size=[10_000, 2]).astype("float32")
    >>> (np.bincount(np.asarray(sampled(logits, draws))) / 10_000).round(1).tolist()
    [0.1, 0.2, 0.3, 0.4]
    """
    size = logits.shape[-1]
    width = math.isqrt(size - 1) + 1
    num_blocks = -(-size // width)
    shares = ops.exp(logits - ops.max(logits, axis=-1, keepdims=True))
    shares = ops.pad(ops.reshape(shares, (-1, size)), [[0, 0], [0, num_blocks * width - size]])
    blocks = ops.reshape(shares, (-1, num_blocks, width))
    draws = ops.reshape(draws, (-1, 2))
    block = _first_above(ops.sum(blocks, axis=-1), draws[:, :1])
    rows = ops.arange(ops.shape(draws)[0], dtype="int32") * num_blocks + block
    within = ops.take(ops.reshape(blocks, (-1, width)), rows, axis=0)
    classes = block * width + _first_above(within, draws[:, 1:])
    return ops.reshape(classes, ops.shape(logits)[:-1])


def _first_above(shares, draws):
    """The first of some shares [M, C] where their sum so far is more than a draw [M, 1] of all."""
    sums = ops.cumsum(shares, axis=-1)
    return ops.sum(ops.cast(sums <= draws * sums[:, -1:], "int32"), axis=-1)
