"""What signatures say, and what is refused before a graph runs."""

import numpy as np
import pytest

from keras_bert.serving.wire import errors, signatures
from keras_bert.serving.wire.signatures import STRING, TensorInfo

INT32 = np.dtype(np.int32)


def test_read():
    dims = {"dim": [{"size": "-1"}, {"size": "7"}, {}]}
    content = {
        "tokens": {
            "inputs": {"ids": {"dtype": "DT_INT32", "tensor_shape": dims}},
            "outputs": {"any": {"dtype": "DT_STRING", "tensor_shape": {"unknown_rank": True}}},
        },
        "own": {"outputs": {"op": {"dtype": "DT_INVALID"}}},
    }
    assert signatures.read(content) == {
        "tokens": signatures.Signature(
            {"ids": TensorInfo(INT32, (None, 7, 0))}, {"any": TensorInfo(STRING, None)}
        )
    }


@pytest.mark.parametrize("names", [(), ("a",), ("a", "b", "c")])
def test_other_names_are_refused(names):
    with pytest.raises(errors.InvalidRequestError, match="must be 'a', 'b', but are"):
        signatures.check_names(names, {"a": None, "b": None})


@pytest.mark.parametrize(
    "dtype, shape, message",
    [
        (np.dtype(np.int64), (2, 7), r"must be int32 \[None, 7\], but is int64 \[2, 7\]"),
        (INT32, (2,), r"but is int32 \[2\]"),
        (INT32, (2, 8), r"but is int32 \[2, 8\]"),
        (INT32, (2, 7, 1), r"but is int32 \[2, 7, 1\]"),
    ],
)
def test_other_tensors_are_refused(dtype, shape, message):
    with pytest.raises(errors.InvalidRequestError, match=message):
        signatures.check("ids", dtype, shape, TensorInfo(INT32, (None, 7)))


def test_a_scalar_is_refused_whatever_the_signature_says():
    for shape in ((), None):
        with pytest.raises(errors.InvalidRequestError, match="but is a scalar"):
            signatures.check("text", STRING, (), TensorInfo(STRING, shape))


def test_any_rank_is_accepted():
    signatures.check("text", STRING, (2, 3, 5), TensorInfo(STRING, None))
    assert str(TensorInfo(STRING, None)) == "string of any rank"


def test_num_rows():
    assert signatures.num_rows({"a": (5, 7), "b": (5,)}) == 5
    assert signatures.num_rows({"a": (0, 7)}) == 0


def test_rows_that_differ_are_refused():
    with pytest.raises(errors.InvalidRequestError, match="same number of rows"):
        signatures.num_rows({"a": (5, 7), "b": (3,)})
