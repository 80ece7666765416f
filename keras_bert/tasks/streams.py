"""Streams: datasets of texts and labels as Keras has them, which are read anew in every epoch."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert.models.inputs import SEGMENTS
from keras_bert.tasks.batches import of_rows
from keras_bert.tasks.examples import Example, Reads, as_examples, plain, with_labels
from keras_bert.training.one_shape import for_devices

if TYPE_CHECKING:
    from keras_bert.tasks.learning import Learning

# What is not read by us: Keras takes batches of features from them.
_OF_KERAS = (types.GeneratorType, keras.utils.PyDataset, tf.distribute.DistributedDataset)


def are_features(given: Any, names: Sequence[str]) -> bool:
    """Whether it is a dict that holds a model's inputs: all of them, or else none.

    Args:
        given: what a model is called with.
        names: sequence of str, those of the inputs; segment ids may be left out.

    Raises:
        ValueError: there are some of them.

    Example:

    >>> from keras_bert.tasks.streams import are_features
    >>> names = ("token_ids", "segment_ids", "padding_mask")
    >>> are_features({"token_ids": [[1]], "padding_mask": [[1]]}, names)
    True
    >>> are_features({"sentence": "a fine film"}, names)
    False
    """
    if not isinstance(given, Mapping):
        return False
    lacking = [name for name in names if name not in given]
    if len(lacking) == len(names):
        return False
    if not set(lacking) <= {SEGMENTS}:
        raise ValueError(
            f"The features of a model must be {', '.join(names)}, but there are only "
            f"{', '.join(map(str, given))}: take those that `task.features` gives."
        )
    return True


def holds_texts(x: Any, names: Sequence[str]) -> bool:
    """Whether what `fit` is given are examples, and not the features of a Keras model.

    Args:
        x: the first argument of `fit`.
        names: sequence of str, those of the model's inputs.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.tasks.streams import holds_texts
    >>> dataset = tf.data.Dataset.from_tensor_slices((["a fine film"], ["good"]))
    >>> [holds_texts(x, ("token_ids",)) for x in (["a film"], dataset, {"token_ids": [[1]]}, None)]
    [True, True, False, False]
    """
    is_loader = type(x).__module__.startswith("torch.utils.data")
    if x is None or is_loader or isinstance(x, _OF_KERAS):
        return False
    if isinstance(x, tf.data.Dataset):
        x, *_ = keras.utils.unpack_x_y_sample_weight(x.element_spec)
    return not are_features(x, names)


def check_alone(**given: Any) -> None:
    """Raises a ValueError where a dataset of texts comes with what must be in it."""
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"A tf.data.Dataset must hold (x, y) or (x, y, weights), but {name} was given "
                "beside it: leave that out, and have it in the dataset."
            )


def examples_of(
    dataset: tf.data.Dataset, reads: Reads, label_column: str
) -> tuple[list[Example], np.ndarray | None]:
    """All examples of a dataset, and their weights, if it has some.

    Args:
        dataset: of x, (x, y) or (x, y, weights), in batches or not.
        reads: Reads.
        label_column: str, the column that y is.

    Raises:
        ValueError: it never ends, or something in it is no example.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.tasks.examples import Reads
    >>> from keras_bert.tasks.streams import examples_of
    >>> dataset = tf.data.Dataset.from_tensor_slices((["fine", "dull"], ["good", "bad"])).batch(2)
    >>> examples_of(dataset, Reads({"text": tf.TensorSpec([None], tf.string)}), "label")[0]
    [{'text': 'fine', 'label': 'good'}, {'text': 'dull', 'label': 'bad'}]
    """
    if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "A dataset of which all examples are read must end, but this one repeats for ever: "
            "leave .repeat() out, or say how much of it with .take(n)."
        )
    found: list[Example] = []
    weights: list[float] = []
    for element in dataset:
        examples, weight = _of_element(element, reads, label_column)
        found += examples
        weights += [] if weight is None else weight
    return found, np.array(weights, "float32") if weights else None


def streamed(
    task: Learning, dataset: tf.data.Dataset, batch_size: int, faults: list[Exception]
) -> tf.data.Dataset:
    """Batches to learn from, of a dataset of texts: what it gives anew in every epoch.

    Args:
        task: a task.
        dataset: of x, (x, y) or (x, y, weights), in batches, which stay, or not.
        batch_size: int, examples of a batch where they are not in batches.
        faults: list, which gets what is found to be wrong while batches are made: TensorFlow tells
            of it in words of its own.

    Raises:
        ValueError: the first batch has an example without a column or with a wrong label, or there
            is none.
    """
    first = next(iter(dataset.take(1)), None)
    if first is None:
        raise ValueError("There must be at least one example, but the dataset is empty.")
    if _is_one(first, task):
        dataset = dataset.ragged_batch(batch_size)
        first = next(iter(dataset.take(1)))

    def columns_of(element: Any) -> tuple[dict, dict]:
        examples, weight = _of_element(element, task.reads, task.label_column)
        return task.training_columns(task.as_examples(examples), weight)

    def columns() -> Iterator[tuple[dict, dict]]:
        try:
            yield from map(columns_of, dataset)
        except ValueError as error:
            faults.append(error)
            raise

    @tf.autograph.experimental.do_not_convert
    def batch(inputs: Mapping[str, tf.Tensor], targets: Mapping[str, tf.Tensor]) -> tuple:
        return task.batch_of(task.tokenized({**targets, **inputs}), targets)

    found = columns_of(first)
    spec = tf.nest.map_structure(_spec_of, found)
    made = tf.data.Dataset.from_generator(columns, output_signature=spec)
    if int(dataset.cardinality()) != tf.data.UNKNOWN_CARDINALITY:
        made = made.apply(tf.data.experimental.assert_cardinality(int(dataset.cardinality())))
    made = made.map(batch, tf.data.AUTOTUNE)
    if not task.ONE_ROW_EACH:
        made = of_rows(made, None, len(found[1]["weight"]))
    return for_devices(made.prefetch(tf.data.AUTOTUNE))


@contextlib.contextmanager
def told(faults: Sequence[Exception]) -> Iterator[None]:
    """A context in which an error of TensorFlow is what was found to be wrong, if anything."""
    try:
        yield
    except tf.errors.OpError as error:
        if not faults:
            raise
        raise faults[0] from error


def _is_one(element: Any, task: Learning) -> bool:
    x, *_ = keras.utils.unpack_x_y_sample_weight(element)
    return as_examples(x, task.reads)[1]


def _of_element(
    element: Any, reads: Reads, label_column: str
) -> tuple[list[Example], list[float] | None]:
    """The examples of an element of a dataset, and what they weigh."""
    x, y, weight = keras.utils.unpack_x_y_sample_weight(element)
    examples, is_one = as_examples(_as_text(x), reads)
    if y is not None:
        y = _as_text(y)
        examples = with_labels(examples, [y] if is_one else y, label_column)
    return examples, None if weight is None else np.ravel(weight).tolist()


def _as_text(tree: Any) -> Any:
    """A nest of tensors as Python has it, bytes as text."""
    if isinstance(tree, Mapping):
        return {name: _as_text(value) for name, value in tree.items()}
    tree = plain(tree)
    if isinstance(tree, list | tuple):
        return (tuple if isinstance(tree, tuple) else list)(map(_as_text, tree))
    return tree.decode("utf-8", "replace") if isinstance(tree, bytes) else tree


def _spec_of(column: tf.Tensor | tf.RaggedTensor) -> tf.TypeSpec:
    """What columns of other examples are like."""
    if isinstance(column, tf.RaggedTensor):
        return tf.RaggedTensorSpec([None] * column.shape.rank, column.dtype, column.ragged_rank)
    return tf.TensorSpec([None, *column.shape[1:]], column.dtype)
