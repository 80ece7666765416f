"""Values to arrays of a signature: what is cast, filled up, refused."""

import ml_dtypes
import numpy as np
import pytest

from keras_bert.serving.client import arrays
from keras_bert.serving.wire.signatures import STRING, TensorInfo


def array_of(value, dtype, shape=(None,)):
    return arrays.inputs_of({"x": value}, {"x": TensorInfo(np.dtype(dtype), shape)})["x"]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ([1, 0], np.int8),
        ([True, False], np.int64),
        ([1, 0], np.float16),
        ([1.0, 0.0], ml_dtypes.bfloat16),
        (np.array([1, 0], ml_dtypes.bfloat16), np.float32),
        (np.array([1.0, 0.0]), np.float32),
    ],
)
def test_numbers_are_cast_where_that_loses_nothing(value, dtype):
    array = array_of(value, dtype)
    assert array.dtype == dtype and array.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        ([300], np.int8, "int8 can hold, but has 300"),
        ([-1], np.uint32, "uint32 can hold, but has -1"),
        ([1.0], np.int32, "must be int32"),
        ([1], np.bool_, "must be bool"),
        ([[1], [2, 3]], np.int32, "of equal length at each depth"),
    ],
)
def test_others_are_refused(value, dtype, message):
    with pytest.raises(ValueError, match=message):
        array_of(value, dtype)


def test_strings():
    assert array_of(["é", b"\xff"], STRING).tolist() == ["é".encode(), b"\xff"]
    assert array_of([["a", "b"], ["c"]], STRING, (None, None)).tolist() == [
        [b"a", b"b"],
        [b"c", b""],
    ]
    assert array_of([], STRING).shape == (0,)
    with pytest.raises(ValueError, match="but has 1: send strings"):
        array_of(["a", 1], STRING)


def test_outputs():
    strings = np.array([["é".encode()]], object)
    assert arrays.output_of("label", strings).tolist() == [["é"]]
    assert arrays.output_of("label_bytes", strings) is strings
    numbers = np.zeros(2)
    assert arrays.output_of("size", numbers) is numbers
    assert arrays.output_of("label", strings[:0]).shape == (0, 1)
