"""Batches: examples by their indices, to be learned from, answered, or put through a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Texts of about the same length are answered together, so many at a time.
ANSWER_BATCH = 32
# So many are made ready at a time where it is done once for all.
MAKE_BATCH = 1024

Columns = Mapping[str, tf.Tensor | tf.RaggedTensor]


def batches(
    make: Callable[[tf.Tensor], Any], count: int, batch_size: int, *, training: bool, seed: int
) -> tf.data.Dataset:
    """One epoch of what `make` makes of the indices of a batch, int64 [B].

    Batches to learn from are not sorted by length, since length tells of the label: on 1,000 pairs
    of STS-B that gave a Pearson correlation of 69.4 in place of 74.4, the means of 3 seeds.

    Args:
        make: a function of operations.
        count: int, how many indices there are.
        batch_size: int; one batch may be smaller.
        training: bool, whether to shuffle, anew for every epoch.
        seed: int, of the order.

    Raises:
        ValueError: `batch_size` is below 1.
    """
    _check_size(batch_size)
    indices = tf.data.Dataset.range(count)
    if training:
        indices = indices.shuffle(count, seed=seed)
    indices = indices.batch(batch_size)
    made = indices.map(_quiet(make), tf.data.AUTOTUNE)
    # Tuning costs 8 % of a training of minutes, and ends up to 40 s after it; without it there are
    # as many calls at once as cores.
    options = tf.data.Options()
    options.autotune.enabled = False
    return made.prefetch(tf.data.AUTOTUNE).with_options(options)


def of_rows(dataset: tf.data.Dataset, num_rows: int | None, batch_size: int) -> tf.data.Dataset:
    """Batches of as many rows, from batches of examples of which each may have several.

    Micro-batches and replicas each take their share of a batch, which therefore has so many rows
    however many its examples have.

    Args:
        dataset: batches of examples, whose tensors are rows.
        num_rows: int, those of all examples; None where that is not known.
        batch_size: int, rows of a batch; the last one may have fewer.
    """
    rows = dataset.unbatch().padded_batch(batch_size)
    if num_rows is not None:
        rows = rows.apply(tf.data.experimental.assert_cardinality(-(-num_rows // batch_size)))
    return rows.prefetch(tf.data.AUTOTUNE)


def taken(columns: Columns, indices: tf.Tensor) -> dict[str, tf.Tensor]:
    """The entries of columns that indices name."""
    return {name: tf.gather(values, indices) for name, values in columns.items()}


def made_of_all(make: Callable[[Columns], Columns], columns: Columns, count: int) -> Columns:
    """What `make` makes of columns, some entries at a time.

    Args:
        make: a function of columns that gives columns of as many entries.
        columns: dict of tensors [N, ...], perhaps ragged.
        count: int, N, at least 1.
    """
    parts = [
        make({name: values[first : first + MAKE_BATCH] for name, values in columns.items()})
        for first in range(0, count, MAKE_BATCH)
    ]
    return {name: tf.concat([part[name] for part in parts], axis=0) for name in parts[0]}


def buckets(columns: Columns, batch_size: int = ANSWER_BATCH) -> Iterator[list[int]]:
    """Indices of examples with texts of about the same length, so many at a time.

    Raises:
        ValueError: `batch_size` is below 1.
    """
    _check_size(batch_size)
    texts = (column for column in columns.values() if column.dtype == tf.string)
    order = np.argsort(sum(map(_num_bytes, texts)), kind="stable").tolist()
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def of_all(
    parts: Sequence[tuple[list[int], Mapping[str, np.ndarray]]], number: int
) -> dict[str, np.ndarray]:
    """Answers in parts as arrays [N, ...] of all, strings as str.

    Args:
        parts: pairs of indices and a dict of arrays, with an entry for each of them.
        number: int, N.

    Example:

    >>> import numpy as np
    >>> from keras_bert.tasks.batches import of_all
    >>> parts = [([2, 0], {"x": np.array([[1], [2]])}), ([1], {"x": np.array([[3, 4]])})]
    >>> of_all(parts, 3)["x"].tolist()
    [[2, 0], [3, 4], [1, 0]]
    """
    found = {}
    for name in parts[0][1] if parts else ():
        arrays = [answers[name] for _, answers in parts]
        shape = np.max([array.shape[1:] for array in arrays], axis=0).astype(int)
        is_text = arrays[0].dtype == object
        all_ = np.full([number, *shape], b"" if is_text else 0, arrays[0].dtype)
        for (indices, _), array in zip(parts, arrays, strict=True):
            places: tuple[Any, ...] = (np.array(indices), *map(slice, array.shape[1:]))
            all_[places] = array
        found[name] = _decoded(all_) if is_text else all_
    return found


def outputs_in_parts(model: keras.Model, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """A model's outputs for many rows, of `ANSWER_BATCH` rows at a time: long texts have many.

    Args:
        model: a model whose inputs are rows and whose outputs have an entry for every position.
        inputs: dict of int32 [W, T].

    Returns:
        dict of float32 [W, T, ...].
    """
    num_rows = tf.shape(inputs["token_ids"])[0]

    def add(first, arrays):
        some = {name: rows[first : first + ANSWER_BATCH] for name, rows in inputs.items()}
        outputs = model(some, training=False)
        part = first // ANSWER_BATCH
        return first + ANSWER_BATCH, {
            name: array.write(part, tf.cast(outputs[name], tf.float32))
            for name, array in arrays.items()
        }

    arrays = {
        name: tf.TensorArray(
            tf.float32, 1, dynamic_size=True, infer_shape=False, element_shape=output.shape
        )
        for name, output in model.output.items()
    }
    _, arrays = tf.while_loop(
        lambda first, _: (first < num_rows) | (first == 0),
        add,
        (tf.constant(0), arrays),
        parallel_iterations=1,
    )
    return {name: array.concat() for name, array in arrays.items()}


def by_example(
    outputs: Mapping[str, tf.Tensor],
    rows_of: tf.Tensor,
    number: tf.Tensor,
    length: int,
    fill: float,
) -> dict[str, tf.RaggedTensor]:
    """What was said of the positions of rows, with an entry for each example.

    Args:
        outputs: dict of float [W, T], W rows of the examples, all of the first one first.
        rows_of: int32 [W], the example that a row is of.
        number: int32 scalar, B.
        length: int, T at most.
        fill: float, what stands behind T.

    Returns:
        dict of ragged float32 [B, (rows), length].

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.tasks.batches import by_example
    >>> said = {"x": tf.constant([[1.0], [2.0], [3.0]])}
    >>> by_example(said, [0, 0, 1], 2, 2, -9.0)["x"].to_list()
    [[[1.0, -9.0], [2.0, -9.0]], [[3.0, -9.0]]]
    """
    found = {}
    for name, values in outputs.items():
        behind = [[0, 0], [0, length - tf.shape(values)[1]]]
        padded = tf.pad(tf.cast(values, tf.float32), behind, constant_values=fill)
        padded = tf.ensure_shape(padded, [None, length])
        found[name] = tf.RaggedTensor.from_value_rowids(padded, rows_of, number)
    return found


def column(answers: Sequence[Mapping[str, Any]] | Mapping[str, Any], name: str) -> np.ndarray:
    """What answers say under a name, as an array.

    Args:
        answers: as a task gives them, a dict for each example; or a dict of arrays.
        name: str.

    Example:

    >>> from keras_bert.tasks.batches import column
    >>> column([{"choice": 1}, {"choice": 0}], "choice")
    array([1, 0])
    """
    if isinstance(answers, Mapping):
        return np.asarray(answers[name])
    return np.array([answer[name] for answer in answers])


def _check_size(batch_size: int) -> None:
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}.")


def _decoded(texts: np.ndarray) -> np.ndarray:
    """An array of bytes as one of str."""
    flat = [text.decode("utf-8", "replace") for text in texts.ravel()]
    return np.array(flat, str).reshape(texts.shape)


def _num_bytes(texts: tf.Tensor | tf.RaggedTensor) -> np.ndarray:
    """The bytes of all texts of each example, int [B]."""
    lengths = tf.ragged.map_flat_values(tf.strings.length, texts)
    return (lengths if lengths.shape.rank == 1 else tf.reduce_sum(lengths, axis=1)).numpy()


def _quiet(function: Callable) -> Callable:
    """Nothing here needs AutoGraph, whose conversion of every function takes long."""
    return tf.autograph.experimental.do_not_convert(function)
