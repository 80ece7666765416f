"""A batch computed in parts, one after the other, with one of them in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf


def cut(batch: Any, number: int) -> Any:
    """Cuts each tensor of a batch, [B, ...], into parts: [number, B / number, ...].

    Args:
        batch: nest of tensors; None stays None.
        number: int, the parts to cut it into.

    Raises:
        ValueError: `number` does not divide B; where B is known only in the graph, an
            InvalidArgumentError there.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.training.micro_batches import cut
    >>> cut({"ids": tf.constant([[1], [2], [3], [4]]), "weight": None}, 2)["ids"].numpy().tolist()
    [[[1], [2]], [[3], [4]]]
    """
    return keras.tree.map_structure(lambda tensor: _cut(tensor, number), batch)


def sum_over_parts(
    gradients_of: Callable[[Any], Sequence[tf.Tensor | None]],
    parts: Any,
    number: int,
    variables: Sequence[keras.Variable],
) -> list[tf.Tensor | None]:
    """The sums of the gradients of all parts of a batch.

    Args:
        gradients_of: function of one part to a gradient for each variable, None for one that
            nothing depends on; it may update metrics, too.
        parts: what `cut` gives.
        number: int, how many there are.
        variables: sequence of variables.

    Returns:
        A gradient for each variable, of its dtype; None where no part had one.
    """
    unused: set[int] = set()

    def add(index: tf.Tensor, *sums: tf.Tensor) -> tuple[tf.Tensor, ...]:
        gradients = gradients_of(part_of(parts, index))
        unused.update(i for i, gradient in enumerate(gradients) if gradient is None)
        pairs = zip(sums, gradients, strict=True)
        return index + 1, *(s if g is None else s + tf.cast(g, s.dtype) for s, g in pairs)

    _, *sums = tf.while_loop(
        lambda index, *_: index < number,
        add,
        (tf.constant(0), *(tf.zeros(v.shape, v.dtype) for v in variables)),
        parallel_iterations=1,
    )
    return [None if i in unused else gradient for i, gradient in enumerate(sums)]


def part_of(parts: Any, index: int | tf.Tensor) -> Any:
    """One of the parts of a batch that was cut."""
    return keras.tree.map_structure(lambda t: None if t is None else t[index], parts)


def _cut(tensor: Any, number: int) -> tf.Tensor | None:
    if tensor is None:
        return None
    tensor = tf.convert_to_tensor(tensor)
    size = tensor.shape[0] if tensor.shape[0] is not None else tf.shape(tensor)[0]
    with tf.control_dependencies(_check_divisible(size, number)):
        shape = tf.concat([[number, size // number], tf.shape(tensor)[1:]], axis=0)
        parts = tf.reshape(tensor, shape)
    rows = size // number if isinstance(size, int) else None
    return tf.ensure_shape(parts, [number, rows, *tensor.shape[1:]])


def _check_divisible(size: int | tf.Tensor, number: int) -> list[tf.Operation]:
    """Raise now, or return what raises in the graph, unless `number` divides the batch size."""
    rule = f"The batch size must be a multiple of num_micro_batches={number}"
    advice = "Drop the remainder of the dataset, or choose another number."
    if not isinstance(size, int):
        check = tf.debugging.assert_equal(size % number, 0, f"{rule}. {advice}")
        return [] if check is None else [check]
    if size % number:
        raise ValueError(f"{rule}; it is {size}. {advice}")
    return []
