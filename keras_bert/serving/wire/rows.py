"""Rows of arrays: cut into parts that are small enough, and joined again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from keras_bert.serving.wire import signatures

Arrays = Mapping[str, np.ndarray]


def num_bytes(arrays: Arrays) -> np.ndarray:
    """The size of each row in all arrays together; of strings, their own bytes.

    Example:

    >>> import numpy as np
    >>> from keras_bert.serving.wire import rows
    >>> text = np.array([b"a fine film", b"a"], object)
    >>> rows.num_bytes({"text": text, "id": np.array([1, 2], np.int32)}).tolist()
    [15, 5]
    """
    return np.sum([_num_bytes(array) for array in arrays.values()], axis=0)


def parts(arrays: Arrays, max_bytes: int) -> Iterator[dict[str, np.ndarray]]:
    """The same rows in as few parts as have at most so many bytes, or one row, each."""
    start, size = 0, 0
    sizes = num_bytes(arrays).tolist()
    for number, more in enumerate(sizes):
        if number > start and size + more > max_bytes:
            yield {name: array[start:number] for name, array in arrays.items()}
            start, size = number, 0
        size += more
    yield {name: array[start:] for name, array in arrays.items()}


def joined(arrays: list[np.ndarray]) -> np.ndarray:
    """The rows of all arrays; where these differ in a dimension, each is filled up at its end with
    zeros or empty strings.

    Example:

    >>> import numpy as np
    >>> from keras_bert.serving.wire import rows
    >>> rows.joined([np.array([[1, 2]]), np.array([[3]])]).tolist()
    [[1, 2], [3, 0]]
    """
    if len({array.shape[1:] for array in arrays}) > 1:
        largest = np.max([array.shape[1:] for array in arrays], axis=0)
        fill = b"" if arrays[0].dtype == signatures.STRING else 0
        arrays = [_filled(array, largest, fill) for array in arrays]
    return np.concatenate(arrays)


def _num_bytes(array: np.ndarray) -> np.ndarray:
    if array.dtype != signatures.STRING:
        return np.full(len(array), array.nbytes // max(len(array), 1))
    sizes = np.fromiter(map(len, array.flat), np.int64, array.size)
    return sizes.reshape(len(array), -1).sum(axis=1) if array.size else np.zeros(len(array), int)


def _filled(array: np.ndarray, shape: np.ndarray, fill: Any) -> np.ndarray:
    filled = np.full((len(array), *shape), fill, array.dtype)
    filled[tuple(slice(size) for size in array.shape)] = array
    return filled
