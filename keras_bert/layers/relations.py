"""What a student learns of a teacher's inner states: relations of MiniLMv2, attention, states."""

from __future__ import annotations

import math
from collections.abc import Sequence

from keras import ops

from keras_bert.layers.attention import MASKED_SCORE
from keras_bert.layers.transformer import Called

# Heads of relations at most; a student of 384 has 48 (Wang et al. 2021, section 4.1).
MOST_HEADS = 48
# An angle is not taken of vectors shorter than this.
_SHORTEST = 1e-12
# A probability is not taken to be lower, so that its logarithm is finite.
_LEAST = 1e-9


def relation_loss(own: Sequence[Called], taught: Sequence[Called], padding_mask):
    """Divergence of the relations of queries, of keys and of values in the last blocks.

    Wang et al. 2021, "MiniLMv2", arXiv:2012.15828: queries, keys and values are cut into as many
    heads for both, whatever their widths and heads are; a relation is the softmax of the products
    of all with all. Of a teacher of 24 blocks or more the fourth from the end is taken, as there.

    Args:
        own: sequence of Called, the student's blocks.
        taught: sequence of Called, the teacher's.
        padding_mask: int [B, T], 0 where there is padding, else the number of the sequence; no
            token has to do with those of another one.

    Returns:
        float32 [B], the mean over tokens and heads, the sum over the three.
    """
    of_teacher = taught[-4 if len(taught) >= 24 else -1]
    heads = num_relation_heads(own[-1].x.shape[-1], of_teacher.x.shape[-1])
    losses = [
        _divergence(
            _relation(one, padding_mask, heads), _relation(other, padding_mask, heads), padding_mask
        )
        for one, other in zip(_projected(own[-1]), _projected(of_teacher), strict=True)
    ]
    return sum(losses)


def attention_loss(own: Sequence[Called], taught: Sequence[Called], padding_mask):
    """Divergence of the attention probabilities, the mean over the student's blocks.

    As of "TinyBERT" (Jiao et al. 2020, arXiv:1909.10351) a student's block learns from the last of
    the teacher's that stand in its place.

    Args:
        own, taught, padding_mask: as of `relation_loss`; both have as many heads.

    Returns:
        float32 [B].
    """
    ratio = len(taught) / len(own)
    losses = []
    for i, one in enumerate(own):
        other = taught[round((i + 1) * ratio) - 1]
        said, wanted = (
            _logarithm(called.block.scores(called.x, called.bias)) for called in (one, other)
        )
        losses.append(_divergence(said, wanted, padding_mask))
    return sum(losses) / len(losses)


def state_loss(own: Sequence[Called], taught: Sequence[Called], padding_mask):
    """Squared difference of what goes into the blocks, the mean over them ("TinyBERT").

    Args:
        own, taught, padding_mask: as of `relation_loss`; both are as wide.

    Returns:
        float32 [B].
    """
    ratio = len(taught) / len(own)
    losses = []
    for i, one in enumerate(own):
        other = taught[min(round(i * ratio), len(taught) - 1)]
        error = ops.cast(one.x, "float32") - ops.stop_gradient(ops.cast(other.x, "float32"))
        losses.append(_mean(ops.mean(ops.square(error), axis=-1), padding_mask))
    return sum(losses) / len(losses)


def cosine_loss(own: Sequence[Called], taught: Sequence[Called], padding_mask):
    """1 less the cosine of the last hidden states and the teacher's ("DistilBERT").

    Sanh et al. 2019, arXiv:1910.01108. They are computed for every token, whatever the model is
    asked for: a pass through the last blocks.

    Args:
        own, taught, padding_mask: as of `relation_loss`; both are as wide.

    Returns:
        float32 [B].
    """
    said, wanted = (
        ops.normalize(
            ops.cast(called.block(called.x, called.bias, training=False), "float32"),
            axis=-1,
            order=2,
            epsilon=_SHORTEST,
        )
        for called in (own[-1], taught[-1])
    )
    return _mean(1.0 - ops.sum(said * ops.stop_gradient(wanted), axis=-1), padding_mask)


def num_relation_heads(own_dim: int, taught_dim: int) -> int:
    """The most heads, up to 48, that two widths can both be cut into.

    Example:

    >>> from keras_bert.layers.relations import num_relation_heads
    >>> num_relation_heads(384, 768), num_relation_heads(15, 18)
    (48, 3)
    """
    common = math.gcd(own_dim, taught_dim)
    return max(n for n in range(1, min(common, MOST_HEADS) + 1) if common % n == 0)


def _projected(called: Called) -> list:
    """Queries, keys and values of a block, float [B, T, D]."""
    block, x = called.block, called.x
    batch, length, width = ops.shape(x)[0], ops.shape(x)[1], x.shape[-1]
    states = ops.reshape(x, (-1, width))
    states = block.attention_norm(states) if block.norm_first else states
    attention = block.attention
    projections = (attention.query, attention.key, attention.value)
    return [ops.reshape(project(states), (batch, length, width)) for project in projections]


def _relation(vectors, padding_mask, num_heads: int):
    """Logarithms of how much each token has to do with each, float32 [B, N, T, T]."""
    batch, length = ops.shape(vectors)[0], ops.shape(vectors)[1]
    size = vectors.shape[-1] // num_heads
    heads = ops.reshape(ops.cast(vectors, "float32"), (batch, length, num_heads, size))
    heads = ops.transpose(heads, (0, 2, 1, 3))
    scores = ops.matmul(heads, ops.transpose(heads, (0, 1, 3, 2))) * size**-0.5
    # What padding has to do with others is nobody's concern.
    is_other = padding_mask[:, None, None, :] != padding_mask[:, None, :, None]
    return ops.log_softmax(scores + ops.cast(is_other, "float32") * MASKED_SCORE, axis=-1)


def _logarithm(probabilities):
    return ops.log(ops.maximum(ops.cast(probabilities, "float32"), _LEAST))


def _divergence(own, taught, padding_mask):
    """Of distributions, their logarithms [B, N, T, S], the mean over tokens and heads."""
    taught = ops.stop_gradient(taught)
    divergence = ops.sum(ops.exp(taught) * (taught - own), axis=-1)
    return _mean(ops.mean(divergence, axis=1), padding_mask)


def _mean(values, padding_mask):
    """The mean over those tokens of every row that are there, float32 [B]; 0 of none."""
    there = ops.cast(padding_mask > 0, "float32")
    return ops.sum(values * there, axis=1) / ops.maximum(ops.sum(there, axis=1), 1.0)
