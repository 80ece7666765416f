"""Pooling: one vector for a text from those of its tokens."""

from __future__ import annotations

from keras import ops

from keras_bert.layers.configured import Configured, registered

MODES = ("cls", "mean", "max", "mean_max", "none")


@registered
class Pooling(Configured):
    """Pools hidden states over the tokens of a text; padding counts for nothing.

    Sentence-BERT (Reimers and Gurevych 2019, arXiv:1908.10084), section 3; `mean_max` and `none` as
    bert-as-service has them.

    Args:
        mode: "cls", the first token; "mean" or "max" over all tokens; "mean_max", the mean and
            behind it the maximum; "none", every token for itself, and zeros in the padding.

    Args (call):
        x: float [B, T, D].
        padding_mask: int [B, T], 1 where there is a token.

    Returns:
        float [B, D], [B, 2 * D] for "mean_max", [B, T, D] for "none".

    Raises:
        ValueError: there is no such mode.

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.pooling import Pooling
    >>> x, mask = np.array([[[1.0], [3.0], [7.0]]]), np.array([[1, 1, 0]])
    >>> np.asarray(Pooling("mean_max")(x, mask)).tolist()
    [[2.0, 3.0]]
    """

    def __init__(self, mode: str, dtype=None, name: str | None = None):
        if mode not in MODES:
            raise ValueError(f"Pooling must be one of {MODES}, not {mode!r}: choose one of them.")
        super().__init__(dtype=dtype, name=name)
        self.mode = mode

    def call(self, x, padding_mask):
        is_token = padding_mask[:, :, None] > 0  # [B, T, 1]
        if self.mode == "cls":
            return x[:, 0]
        if self.mode == "none":
            return ops.where(is_token, x, 0.0)
        pooled = [_POOL[name](x, is_token) for name in self.mode.split("_")]
        return ops.concatenate(pooled, axis=-1)


def _mean(x, is_token):
    number = ops.sum(ops.cast(is_token, x.dtype), axis=1)
    # At least 1, so that a row without a token gives zeros.
    return ops.sum(ops.where(is_token, x, 0.0), axis=1) / ops.maximum(number, 1.0)


def _max(x, is_token):
    # The first position, which a row without a token has too, stands in for the padding.
    return ops.max(ops.where(is_token, x, x[:, :1]), axis=1)


_POOL = {"mean": _mean, "max": _max}
