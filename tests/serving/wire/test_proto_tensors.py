"""TensorProtos: arrays and back, and the lies they tell."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

from keras_bert.serving.wire import errors, messages, proto_tensors, signatures
from keras_bert.serving.wire.signatures import TensorInfo

FLOAT = np.dtype(np.float32)


def read(proto, dtype, shape=None, **arguments):
    info = TensorInfo(np.dtype(dtype), shape)
    return proto_tensors.read({"x": proto}, {"x": info}, **arguments)["x"]


def written(array):
    protos = messages.PredictRequest().inputs
    proto_tensors.write({"x": array}, protos)
    return protos["x"]


def proto(dtype, shape, **values):
    result = tensor_pb2.TensorProto(dtype=getattr(types_pb2, dtype), **values)
    for size in shape:
        result.tensor_shape.dim.add(size=size)
    return result


@pytest.mark.parametrize(
    "dtype", [dtype for dtype in signatures.DTYPES.values() if dtype != signatures.STRING]
)
def test_numbers_there_and_back(dtype):
    array = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    result = read(written(array), dtype, (None, 3))
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, array)


@pytest.mark.parametrize("dtype", signatures.DTYPES.values())
@pytest.mark.parametrize("shape", [(1,), (2, 3), (2, 0)])
def test_tensorflow_reads_the_same_and_is_read(dtype, shape):
    if dtype == signatures.STRING:
        array = np.full(shape, b"\xff\x00", dtype)
    else:
        array = (np.arange(np.prod(shape, dtype=int)).reshape(shape) + 1).astype(dtype)
    ours = tensor_pb2.TensorProto.FromString(written(array).SerializeToString())
    theirs = tf.make_tensor_proto(array, tf.string if dtype == signatures.STRING else None, shape)
    np.testing.assert_array_equal(tf.make_ndarray(ours), array)
    np.testing.assert_array_equal(read(theirs, dtype), array)
    # Of others TensorFlow writes each value by itself.
    if array.size > 1 and dtype in (signatures.STRING, np.int32, np.float32):
        assert ours == theirs


def test_strings_there_and_back():
    array = np.array([[b"a fine film", b"\xff\x00"]], object)
    np.testing.assert_array_equal(read(written(array), object), array)


def test_values_in_fields_and_one_for_all():
    np.testing.assert_array_equal(
        read(proto("DT_FLOAT", (2, 2), float_val=[1, 2, 3, 4]), FLOAT), [[1, 2], [3, 4]]
    )
    filled = tf.make_tensor_proto(7, tf.int32, shape=(3, 2))
    np.testing.assert_array_equal(read(filled, np.int32), np.full((3, 2), 7))
    half = tf.make_tensor_proto(np.array(1.5, ml_dtypes.bfloat16))
    half.tensor_shape.dim.add(size=1)
    np.testing.assert_array_equal(read(half, ml_dtypes.bfloat16), [1.5])


@pytest.mark.parametrize(
    "lie",
    [
        proto("DT_FLOAT", (2**40,), float_val=[1.0, 2.0]),
        proto("DT_FLOAT", (2**40,), float_val=[1.0]),
        proto("DT_FLOAT", (2**40, 2**40), float_val=[1.0]),
        proto("DT_FLOAT", (3,), float_val=[1.0, 2.0]),
        proto("DT_FLOAT", (3,), float_val=[1.0] * 4),
        proto("DT_FLOAT", (3,)),
        proto("DT_FLOAT", (3,), int_val=[1, 2, 3]),
        proto("DT_FLOAT", (3,), tensor_content=b"\x00" * 13),
        proto("DT_FLOAT", (3,), tensor_content=b"\x00" * 16),
        proto("DT_FLOAT", (3,), tensor_content=b"\x00" * 12, float_val=[1.0]),
        proto("DT_FLOAT", (2, 2**40, 0)),
    ],
    ids=lambda lie: str(lie.tensor_shape).replace("\n", " ")[:60],
)
def test_a_shape_without_its_values_is_refused(lie):
    with pytest.raises(errors.InvalidRequestError, match="must have a value for each of its"):
        read(lie, FLOAT)


def test_a_short_message_is_a_small_tensor():
    few = proto_tensors.MAX_FILL_BYTES // 4
    assert read(proto("DT_FLOAT", (few,), float_val=[1.0]), FLOAT).size == few
    for lie in (
        proto("DT_FLOAT", (few + 1,), float_val=[1.0]),
        proto("DT_INT32", (1, 4_000_000), int_val=[1]),
        proto("DT_INT32", (0, few * 8), int_val=[]),
        proto("DT_STRING", (few * 4,), string_val=[b""]),
    ):
        dtype = FLOAT if lie.dtype == types_pb2.DT_FLOAT else np.int32
        dtype = object if lie.dtype == types_pb2.DT_STRING else dtype
        with pytest.raises(errors.InvalidRequestError, match="must have a value for each of its"):
            read(lie, dtype)
        assert read(lie, dtype, trusted=True).nbytes < 1 << 25


def test_values_that_are_objects_of_python_are_limited(monkeypatch):
    monkeypatch.setattr(signatures, "MAX_VALUES", 3)
    for many in (
        proto("DT_STRING", (4,), string_val=[b"a"] * 4),
        proto("DT_FLOAT", (4,), float_val=[1.0] * 4),
    ):
        dtype = object if many.dtype == types_pb2.DT_STRING else FLOAT
        with pytest.raises(errors.InvalidRequestError, match="at most 3 strings, or numbers"):
            read(many, dtype)
        assert read(many, dtype, trusted=True).size == 4
    assert read(written(np.ones(4, FLOAT)), FLOAT).size == 4


def test_strings_as_raw_bytes_are_refused():
    with pytest.raises(errors.InvalidRequestError, match="must have a value for each"):
        read(proto("DT_STRING", (2,), tensor_content=b"\x01\x01ab"), object)


def test_one_long_string_for_all_is_refused():
    long = proto("DT_STRING", (100,), string_val=[b"x" * (proto_tensors.MAX_FILL_BYTES // 99)])
    with pytest.raises(errors.InvalidRequestError, match="each of its 100 elements"):
        read(long, object)


@pytest.mark.parametrize("shape", [(-1,), (2, -1), (-2, -3)])
def test_a_negative_size_is_refused(shape):
    with pytest.raises(errors.InvalidRequestError, match="must have a known shape"):
        read(proto("DT_FLOAT", shape, float_val=[1.0] * 6), FLOAT)


def test_an_unknown_rank_is_refused():
    unknown = proto("DT_FLOAT", (1,), float_val=[1.0])
    unknown.tensor_shape.unknown_rank = True
    with pytest.raises(errors.InvalidRequestError, match="must have a known shape"):
        read(unknown, FLOAT)


@pytest.mark.parametrize("dtype", [0, types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT, 9999])
def test_other_dtypes_are_refused(dtype):
    other = tensor_pb2.TensorProto(dtype=dtype)
    with pytest.raises(errors.InvalidRequestError, match=f"its dtype is DataType number {dtype}"):
        read(other, FLOAT)


def test_values_out_of_range_are_refused():
    with pytest.raises(errors.InvalidRequestError, match="that its dtype can hold"):
        read(proto("DT_INT8", (1,), int_val=[300]), np.int8)


def test_other_names_are_refused_before_anything_else():
    infos = {"x": TensorInfo(FLOAT, None), "y": TensorInfo(FLOAT, None)}
    with pytest.raises(errors.InvalidRequestError, match="must be 'x', 'y', but are 'x'"):
        proto_tensors.read({"x": proto("DT_FLOAT", (2**40,))}, infos)
