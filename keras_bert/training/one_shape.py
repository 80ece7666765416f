"""Batches of one shape, for which a TPU's program is compiled: filled up by rows without weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_bert.training import replicas


def for_devices(
    dataset: tf.data.Dataset,
    *,
    like: Callable[[], tf.data.Dataset] | None = None,
    multiple: int = 1,
) -> tf.data.Dataset:
    """Batches as the devices in scope take them: on a TPU all of one shape, elsewhere as they are.

    Arguments, and what is raised, as of `of_one_shape`.
    """
    return of_one_shape(dataset, like=like, multiple=multiple) if replicas.on_tpu() else dataset


def of_one_shape(
    dataset: tf.data.Dataset,
    *,
    like: Callable[[], tf.data.Dataset] | None = None,
    multiple: int = 1,
) -> tf.data.Dataset:
    """Batches of the shape of the largest one; the losses and weighted metrics stay the same.

    A batch with fewer rows gets copies of its last one, of weight 0; other axes end in zeros, as
    they do where rows of several lengths are made a rectangle.

    Args:
        dataset: finite, unless its shapes are known: of inputs, (inputs, labels) or (inputs,
            labels, weights), nests of tensors [B, ...].
        like: function that gives a dataset with the same largest shapes, which is gone through once
            to find them, where they are not known; None has the dataset itself, which must not be
            shuffled: another pass may be in another order.
        multiple: int, of which the number of rows is to be a multiple.

    Raises:
        ValueError: the shapes are not known, and the dataset never ends.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.training.one_shape import of_one_shape
    >>> numbers = tf.data.Dataset.from_tensor_slices(([1, 2, 3], [4, 5, 6])).batch(2)
    >>> x, y, weight = list(of_one_shape(numbers).as_numpy_iterator())[-1]
    >>> x.tolist(), y.tolist(), weight.tolist()
    ([3, 3], [6, 6], [1.0, 0.0])
    """
    if _is_known(dataset) and not _num_rows(dataset.element_spec) % multiple:
        return dataset
    shapes = _largest(dataset if like is None or _is_known(dataset) else like())
    for shape in shapes:
        shape[0] = -(-shape[0] // multiple) * multiple
    is_tuple = isinstance(dataset.element_spec, tuple)

    @tf.autograph.experimental.do_not_convert
    def full(*batch: Any) -> Any:
        filled = _filled(batch, shapes)
        return filled if is_tuple else filled[0]

    return dataset.map(full, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _is_known(dataset: tf.data.Dataset) -> bool:
    specs = keras.tree.flatten(dataset.element_spec)
    return all(spec.shape.is_fully_defined() for spec in specs)


def _num_rows(element_spec: Any) -> int:
    return keras.tree.flatten(element_spec)[0].shape[0]


def _largest(dataset: tf.data.Dataset) -> list[list[int]]:
    """For each tensor the most that batches have along each axis."""
    specs = keras.tree.flatten(dataset.element_spec)
    if _is_known(dataset):
        return [spec.shape.as_list() for spec in specs]
    if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "On a TPU all batches must be of one shape, which cannot be found in a dataset that "
            f"never ends; it has {dataset.element_spec}. Give shapes, as by "
            ".batch(n, drop_remainder=True), or have `of_one_shape` before .repeat()."
        )

    @tf.autograph.experimental.do_not_convert
    def larger(shapes: tuple[tf.Tensor, ...], batch: Any) -> tuple[tf.Tensor, ...]:
        pairs = zip(shapes, keras.tree.flatten(batch), strict=True)
        return tuple(tf.maximum(shape, tf.shape(tensor)) for shape, tensor in pairs)

    none = tuple(tf.zeros(spec.shape.rank, tf.int32) for spec in specs)
    return [shape.numpy().tolist() for shape in dataset.reduce(none, larger)]


def _filled(batch: tuple, shapes: list[list[int]]) -> tuple:
    """A batch with tensors of such shapes, and weights if it has labels."""
    flat = keras.tree.flatten(batch)
    size, rows = tf.shape(flat[0])[0], shapes[0][0]
    copies = tf.minimum(tf.range(rows), size - 1)
    is_there = tf.range(rows) < size

    def fill(tensor: tf.Tensor, shape: list[int]) -> tf.Tensor:
        missing = [0, *(most - tf.shape(tensor)[i] for i, most in enumerate(shape) if i)]
        tensor = tf.pad(tf.gather(tensor, copies), [[0, number] for number in missing])
        return tf.ensure_shape(tensor, shape)

    def weighed(weight: tf.Tensor) -> tf.Tensor:
        there = tf.reshape(is_there, [rows] + [1] * (weight.shape.rank - 1))
        return tf.where(there, weight, tf.zeros_like(weight))

    filled = [fill(tensor, shape) for tensor, shape in zip(flat, shapes, strict=True)]
    inputs, *labels = keras.tree.pack_sequence_as(batch, filled)
    if not labels:
        return (inputs,)
    if len(labels) == 1:
        ones = tf.ones(rows)
        labels.append(dict.fromkeys(labels[0], ones) if isinstance(labels[0], dict) else ones)
    return inputs, labels[0], keras.tree.map_structure(weighed, labels[1])
