"""Data of TensorFlow to rows: TensorFlow Datasets, and TFRecord files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_bert.data.compression import file_content
from keras_bert.data.paths import matching_files
from keras_bert.data.rows import Path, Row

TFDS = "tfds:"

_PARSED_AT_ONCE = 1024
# What stands around each record of a TFRecord file: its length, and two checksums.
_FRAME_BYTES = 16


def read_tfds(name: str, split: str, columns: Sequence[str] | None = None) -> list[Row]:
    """Reads a split of a data set of [TensorFlow Datasets](https://www.tensorflow.org/datasets).

    Its package, tensorflow-datasets, has to be installed; it is imported here only.

    Args:
        name: str, such as "glue/sst2".
        split: str, such as "train" or "train[:10%]".
        columns: sequence of str, the features to take; None takes all.

    Returns:
        list of Row: texts are str, class labels their names (left out where the data keeps them
        secret), numbers and lists Python's; `source` is "tfds:name@split:index".

    Raises:
        ValueError: the package is not installed; there is no such data set, split or column; a
            string is not UTF-8.

    Example:

    >>> from keras_bert.data.examples.records import read_tfds
    >>> examples = read_tfds("glue/sst2", "train", ("sentence", "label"))  # doctest: +SKIP
    >>> examples[0]["label"]  # doctest: +SKIP
    'negative'
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ValueError(
            f"{TFDS}{name} needs the package tensorflow-datasets, but it cannot be imported "
            f"({error}): pip install tensorflow-datasets, or give files."
        ) from error
    dataset, info = tfds.load(name, split=split, with_info=True)
    columns = list(info.features) if columns is None else columns
    unknown = [column for column in columns if column not in info.features]
    if unknown:
        raise ValueError(
            f"{TFDS}{name}: columns must be among {', '.join(info.features)}, but are "
            f"{', '.join(columns)}: choose others."
        )
    examples = []
    for index, record in enumerate(tfds.as_numpy(dataset)):
        place = f"{TFDS}{name}@{split}:{index}"
        example = {name: _plain(record[name], info.features[name], place) for name in columns}
        example = {name: value for name, value in example.items() if value is not None}
        examples.append(Row(example, place))
    return examples


def read_tfrecord(pattern: Path | Sequence[Path], spec: Mapping[str, Any]) -> list[Row]:
    """Reads files of [tf.train.Example](https://www.tensorflow.org/tutorials/load_data/tfrecord).

    Args:
        pattern: as in `read_examples`; files are plain or, where they are named `.gz`, gzip.
        spec: dict of column to what `tf.io.parse_example` takes, such as
            `tf.io.FixedLenFeature([], tf.string)`.

    Returns:
        list of Row: texts are str, numbers and lists Python's; `source` is "path:index".

    Raises:
        ValueError: a record is damaged, is no example, lacks a column or has it in another form, or
            a string is not UTF-8.

    Example:

    >>> import os, tempfile
    >>> import tensorflow as tf
    >>> from keras_bert.data.examples.records import read_tfrecord
    >>> path = os.path.join(tempfile.mkdtemp(), "dev.tfrecord")
    >>> value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"a fine film"]))
    >>> example = tf.train.Example(features=tf.train.Features(feature={"sentence": value}))
    >>> with tf.io.TFRecordWriter(path) as writer:
    ...     writer.write(example.SerializeToString())
    >>> spec = {"sentence": tf.io.FixedLenFeature([], tf.string)}
    >>> read_tfrecord(path, spec)[0]["sentence"]
    'a fine film'
    """
    if not spec:
        raise ValueError(f"spec must name columns, but is {spec!r}: say what records have.")
    examples = []
    for path in matching_files(pattern):
        records = _records(path)
        for start in range(0, len(records), _PARSED_AT_ONCE):
            columns = _parsed(records[start : start + _PARSED_AT_ONCE], spec, path, start)
            for index, values in enumerate(zip(*columns.values(), strict=True), start):
                place = f"{path}:{index}"
                values = (_text_of(value, place) for value in values)
                examples.append(Row(dict(zip(columns, values, strict=True)), place))
    return examples


def name_and_split(path: str) -> tuple[str, str]:
    """The two parts of "tfds:name@split".

    Raises:
        ValueError: one is missing.
    """
    name, _, split = path.removeprefix(TFDS).partition("@")
    if not name or not split:
        raise ValueError(
            f"A data set of TensorFlow Datasets must have a name and a split, but is {path!r}: "
            f"write {TFDS}name@split, such as {TFDS}glue/sst2@train."
        )
    return name, split


def _plain(value: Any, feature: Any, place: str) -> Any:
    """A feature's value as Python has it, class labels by their names; None for a secret label."""
    # A sequence keeps the feature of its elements inside.
    inner = getattr(feature, "feature", feature)
    if isinstance(value, Mapping):
        return {name: _plain(value[name], inner[name], place) for name in value}
    value = _text_of(value.tolist() if isinstance(value, np.ndarray | np.generic) else value, place)
    names = getattr(inner, "names", None)
    return value if names is None else _named(value, names)


def _named(value: Any, names: Sequence[str]) -> Any:
    if isinstance(value, list):
        return [_named(one, names) for one in value]
    return names[value] if value >= 0 else None


def _text_of(value: Any, place: str) -> Any:
    """A value, or the values of a list, with bytes as text."""
    if isinstance(value, list):
        return [_text_of(one, place) for one in value]
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{place}: strings must be UTF-8, but {value!r:.100} is not ({error.reason}): leave "
            "its column out, or write the data anew."
        ) from error


def _records(path: str) -> list[bytes]:
    zipped = path.endswith(".gz")
    size = len(file_content(path)) if zipped else os.path.getsize(path)
    records, fault = [], "its last record is cut"
    try:
        for record in tf.data.TFRecordDataset(path, "GZIP" if zipped else "").as_numpy_iterator():
            records.append(record)
    except tf.errors.DataLossError as error:
        fault = error.message
    # TensorFlow takes a file that is cut near the beginning of a record for a whole one.
    if sum(len(record) + _FRAME_BYTES for record in records) != size:
        raise ValueError(
            f"{path}:{len(records)}: a TFRecord file must hold whole records, but this one is "
            f"damaged ({fault}): copy the file again."
        )
    return records


def _parsed(
    records: Sequence[bytes], spec: Mapping[str, Any], path: str, start: int
) -> dict[str, list]:
    """Columns of some records as lists, of which the first record has the index `start`."""
    try:
        columns = tf.io.parse_example(records, spec)
    except tf.errors.InvalidArgumentError as error:
        if len(records) > 1:  # one of them is to blame
            for index, record in enumerate(records, start):
                _parsed([record], spec, path, index)
        raise ValueError(
            f"{path}:{start}: a record must be a tf.train.Example with {', '.join(spec)}, but "
            f"{error.message}: give the spec that the file was written by."
        ) from error
    return {name: _as_list(value) for name, value in columns.items()}


def _as_list(value: tf.Tensor | tf.RaggedTensor | tf.SparseTensor) -> list:
    if isinstance(value, tf.SparseTensor):
        value = tf.RaggedTensor.from_sparse(value)
    return value.numpy().tolist() if isinstance(value, tf.Tensor) else value.to_list()
