"""Values of Python and the arrays that a signature takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_bert.serving.wire import json_tensors, signatures

# Kinds of numpy dtypes that may be sent as another kind; bfloat16 is of kind V.
_CASTS = {"i": "biu", "u": "biu", "f": "biufV", "V": "biuf"}


def inputs_of(
    values: Mapping[str, Any], infos: Mapping[str, signatures.TensorInfo]
) -> dict[str, np.ndarray]:
    """The arrays of values, each as the signature says.

    Args:
        values: by name, lists or arrays with a row for each example. Strings are str or bytes;
            where a row is a list of them, shorter ones are filled up with empty strings.
        infos: what the signature says, by name.

    Returns:
        array by name, of the dtype that the signature says; strings are arrays of bytes objects.

    Raises:
        ValueError: the values are not those of the signature, or a number would be changed.

    Example:

    >>> import numpy as np
    >>> from keras_bert.serving.client import arrays
    >>> from keras_bert.serving.wire import signatures
    >>> info = signatures.TensorInfo(np.dtype(np.float32), (None, 2))
    >>> arrays.inputs_of({"weights": [[1, 2]]}, {"weights": info})
    {'weights': array([[1., 2.]], dtype=float32)}
    """
    signatures.check_names(values, infos)
    arrays = {name: _array(name, value, infos[name]) for name, value in values.items()}
    for name, array in arrays.items():
        signatures.check(name, array.dtype, array.shape, infos[name])
    return arrays


def output_of(name: str, array: np.ndarray) -> np.ndarray:
    """What a person takes for an output: its strings are str, if its name does not say bytes."""
    if array.dtype != signatures.STRING or name.endswith(json_tensors.BYTES_SUFFIX):
        return array
    return np.vectorize(bytes.decode, otypes=[object])(array) if array.size else array


def _array(name: str, value: Any, info: signatures.TensorInfo) -> np.ndarray:
    """The array of a value, of the dtype that the signature says if that loses nothing."""
    if info.dtype == signatures.STRING:
        array = np.array(_rectangle(value, info), signatures.STRING)
        return np.vectorize(_utf8, otypes=[object])(array) if array.size else array
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{name!r} must be lists of equal length at each depth, but is not ({error}): pad the "
            "rows."
        ) from error
    if array.dtype == info.dtype or array.dtype.kind not in _CASTS.get(info.dtype.kind, ""):
        return array
    cast = array.astype(info.dtype)
    if info.dtype.kind in "iu" and (cast != array).any():
        raise ValueError(
            f"{name!r} must be integers that {info.dtype} can hold, but has {array.max()} or "
            f"{array.min()}: send others."
        )
    return cast


def _rectangle(value: Any, info: signatures.TensorInfo) -> Any:
    """Lists of strings, where the signature has a list for each example, of equal length."""
    is_list = isinstance(value, list | tuple)
    if not is_list or info.shape is None or len(info.shape) != 2:
        return value
    if not all(isinstance(row, list | tuple) for row in value):
        return value
    width = max(map(len, value), default=0)
    return [[*row, *[""] * (width - len(row))] for row in value]


def _utf8(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, bytes):
        return value
    raise ValueError(
        f"Text must be lists of str or bytes, of equal length, but has {value!r}: send strings."
    )
