"""Data sets of TensorFlow Datasets to rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_bert.data.rows import Row

TFDS = "tfds:"


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

    >>> from keras_bert.data.examples.tfds import read_tfds
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
    value = text_of(value.tolist() if isinstance(value, np.ndarray | np.generic) else value, place)
    names = getattr(inner, "names", None)
    return value if names is None else _named(value, names)


def _named(value: Any, names: Sequence[str]) -> Any:
    if isinstance(value, list):
        return [_named(one, names) for one in value]
    return names[value] if value >= 0 else None


def text_of(value: Any, place: str) -> Any:
    """A value, or the values of a list, with bytes as text."""
    if isinstance(value, list):
        return [text_of(one, place) for one in value]
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{place}: strings must be UTF-8, but {value!r:.100} is not ({error.reason}): leave "
            "its column out, or write the data anew."
        ) from error
