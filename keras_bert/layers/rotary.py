"""Rotary positions: queries and keys turned by their places, so that scores know distances."""

from __future__ import annotations

import numpy as np
from keras import ops

from keras_bert.layers.attention import SelfAttention
from keras_bert.layers.configured import registered

# Of Su et al. 2021, as of Vaswani et al. 2017.
BASE = 10000.0


@registered
class RotaryAttention(SelfAttention):
    """Self-attention whose queries and keys are turned by their places ("RoFormer").

    Su et al. 2021, arXiv:2104.09864; the dimensions that make a pair stand half a head apart, as in
    GPT-NeoX and ModernBERT. Scores depend on distances alone, so places count from the beginning of
    the row, whichever of its sequences a token is of.

    Args:
        num_heads, hidden_dim, dropout, kernel_initializer, use_bias, head_dim: as of
            `SelfAttention`; a head has an even number of dimensions.
        base: float, by whose powers the pairs turn slower and slower; that of the paper.

    Args (call): those of `SelfAttention`.

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.rotary import RotaryAttention
    >>> attention = RotaryAttention(num_heads=3, hidden_dim=12)
    >>> x, bias = np.zeros([2 * 7, 12]), np.zeros([2, 1, 7, 7])
    >>> tuple(attention(x, x, bias).shape)
    (14, 12)
    """

    def __init__(self, *args, base: float = BASE, **options):
        super().__init__(*args, **options)
        self.base = base

    def placed(self, heads, positions=None):
        """Queries or keys, float [B, N, T, H], turned by their places."""
        if positions is None:
            positions = ops.arange(ops.shape(heads)[2], dtype="int32")[None]
        half = heads.shape[-1] // 2
        speeds = self.base ** (-np.arange(half, dtype="float32") / half)
        angles = ops.cast(positions, "float32")[:, None, :, None] * speeds  # [B, 1, T, H / 2]
        cosines, sines = (ops.cast(f(angles), heads.dtype) for f in (ops.cos, ops.sin))
        one, other = heads[..., :half], heads[..., half:]
        return ops.concatenate(
            [one * cosines - other * sines, other * cosines + one * sines], axis=-1
        )
