"""TFRecord files to rows."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from keras_bert.data.compression import file_content
from keras_bert.data.examples.tfds import text_of
from keras_bert.data.paths import matching_files
from keras_bert.data.rows import Path, Row

_PARSED_AT_ONCE = 1024
# What stands around each record of a TFRecord file: its length, and two checksums.
_FRAME_BYTES = 16


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
                texts = [text_of(value, place) for value in values]
                examples.append(Row(dict(zip(columns, texts, strict=True)), place))
    return examples


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
