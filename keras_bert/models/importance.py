"""What a loss would lose without a head, or a column of a feed-forward network."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_bert.models.encoder import Encoder
from keras_bert.models.pruning import check_has_blocks
from keras_bert.training.movement import Movement, Parts
from keras_bert.training.trainable import Trainable


@dataclasses.dataclass(frozen=True)
class Importance:
    """How much a loss depends on each part of every block.

    Args:
        heads: for each block an array [N], of its attention heads.
        columns: for each block an array [F], of its feed-forward network's columns.
    """

    heads: Sequence[np.ndarray]
    columns: Sequence[np.ndarray]


def importance(model: Trainable, batches: Iterable) -> Importance:
    """The importance of heads and columns by the gradient of the loss.

    It is that of Michel et al. 2019 (arXiv:1905.10650, section 4.1): a head is multiplied by a gate
    of 1, and its importance is the mean absolute derivative of the loss of a batch by the gate; for
    columns that is the Taylor criterion of Molchanov et al. 2017 (arXiv:1611.06440). The derivative
    is the sum of the products of the rows of the matrix behind the part and their gradients, so
    that no gate is needed. Within each block values are divided by their Euclidean norm, as both
    papers do. There is no dropout.

    Args:
        model: a compiled pretrainer or task.
        batches: iterable of (x, y, sample_weight); the smaller the batches, the nearer to the mean
            over examples.

    Raises:
        ValueError: there is no batch.

    Example:

    >>> import keras_bert as kb
    >>> vocabulary = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "fine", "film")
    >>> packer = kb.Packer(kb.Tokenizer(vocabulary), 11)
    >>> config = kb.BertConfig(
    ...     vocabulary_size=8, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> task = kb.TextClassifier(kb.BertEncoder(config), packer, ["bad", "good"])
    >>> task.compile(kb.AdamW(1e-4), **task.objective())
    >>> data = task.dataset([{"sentence": "a fine film", "label": "good"}], batch_size=1)
    >>> found = kb.importance(task, data)
    >>> [part[0].shape for part in (found.heads, found.columns)]
    [(3,), (31,)]
    """
    blocks = model.encoder.blocks
    kernels = [kernel.value for kernels in kernels_behind(model.encoder) for kernel in kernels]

    @tf.function(autograph=False, reduce_retracing=True)
    def derivatives(x, y, sample_weight):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(kernels)
            loss = model.compute_loss(x, y, model(x, training=False), sample_weight)
        gradients = tape.gradient(loss, kernels, unconnected_gradients="zero")
        return [tf.reduce_sum(k * g, axis=1) for k, g in zip(kernels, gradients, strict=True)]

    sums, number = [np.zeros(kernel.shape[0]) for kernel in kernels], 0
    num_heads = [block.attention.num_heads for block in blocks]
    for number, batch in enumerate(batches, start=1):
        rows = [one.numpy() for one in derivatives(*batch)]
        of_heads = (one.reshape(n, -1).sum(1) for one, n in zip(rows, num_heads, strict=False))
        of_parts = [*of_heads, *rows[len(blocks) :]]
        sums = [
            np.abs(one) + (total if number > 1 else 0)
            for total, one in zip(sums, of_parts, strict=True)
        ]
    if not number:
        raise ValueError(
            "There must be at least one batch to measure importance on: give examples."
        )
    heads, columns = sums[: len(blocks)], sums[len(blocks) :]
    return Importance([_normalized(one) for one in heads], [_normalized(one) for one in columns])


def kernels_behind(encoder: Encoder) -> tuple[list[keras.Variable], list[keras.Variable]]:
    """The matrices behind the heads of every block, and those behind its columns.

    A head's output is multiplied with as many rows of the first as it is wide, a column's with a
    row of the second.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.models.importance import kernels_behind
    >>> encoder = kb.BertEncoder(kb.BertConfig.preset("tiny"))
    >>> [[tuple(one.shape) for one in kernels] for kernels in kernels_behind(encoder)]
    [[(128, 128), (128, 128)], [(512, 128), (512, 128)]]
    """
    blocks = encoder.blocks
    heads = [block.attention.projection.kernel for block in blocks]
    return heads, [block.projection.kernel for block in blocks]


def movement_of(
    encoder: Encoder, shares: tuple[float, float], *, first: int, last: int
) -> Movement:
    """What has an optimizer cut heads and columns while a model on an encoder is trained.

    Args:
        encoder: Encoder.
        shares: pair of floats in [0, 1), of all heads, and of all columns.
        first, last: int, as of `Movement`.

    Raises:
        ValueError: the encoder has no blocks.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.models.importance import movement_of
    >>> encoder = kb.BertEncoder(kb.BertConfig.preset("tiny"))
    >>> movement = movement_of(encoder, (0.5, 0.0), first=10, last=20)
    >>> [group.number_to_cut for group in movement.groups]
    [2]
    """
    check_has_blocks(encoder.config)
    heads, columns = kernels_behind(encoder)
    num_heads = [block.attention.num_heads for block in encoder.blocks]
    numbers = num_heads, [kernel.shape[0] for kernel in columns]
    parts = zip((heads, columns), numbers, shares, strict=True)
    return Movement([Parts(*one) for one in parts if one[-1]], first=first, last=last)


def least_important(values: Sequence[np.ndarray], share: float) -> Mapping[int, Sequence[int]]:
    """A share of the parts of all blocks together: those of the least importance.

    One part at least of every block stays.

    Args:
        values: for each block an array of the importance of its parts.
        share: float in [0, 1).

    Returns:
        dict of the numbers of parts by that of their block, both from 0 on.

    Raises:
        ValueError: the share is out of its range.

    Example:

    >>> import numpy as np
    >>> from keras_bert.models.importance import least_important
    >>> least_important([np.array([0.1, 0.2]), np.array([0.3, 0.9])], 0.5)
    {0: [0], 1: [0]}
    """
    if not 0 <= share < 1:
        raise ValueError(f"The share that is removed must lie in [0, 1), not {share!r}.")
    wanted = round(share * sum(map(len, values)))
    ranked = sorted(
        (float(value), layer, part)
        for layer, own in enumerate(values)
        for part, value in enumerate(own)
    )
    removed: dict[int, list[int]] = {}
    for _, layer, part in ranked:
        if sum(map(len, removed.values())) == wanted:
            break
        if len(removed.get(layer, ())) < len(values[layer]) - 1:
            removed.setdefault(layer, []).append(part)
    return {layer: sorted(parts) for layer, parts in sorted(removed.items())}


def _normalized(values: np.ndarray) -> np.ndarray:
    return values / max(float(np.linalg.norm(values)), np.finfo("float64").tiny)
