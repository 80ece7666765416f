"""Arrays and TensorProtos, which gRPC sends: what a proto says of itself is not believed."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

from keras_bert.serving.wire import errors, signatures

# The field that has a proto's values, if they are not raw bytes in `tensor_content`.
_FIELDS = {
    "DT_STRING": "string_val",
    "DT_BOOL": "bool_val",
    "DT_BFLOAT16": "half_val",
    "DT_HALF": "half_val",
    "DT_FLOAT": "float_val",
    "DT_DOUBLE": "double_val",
    "DT_INT64": "int64_val",
    "DT_UINT32": "uint32_val",
    "DT_UINT64": "uint64_val",
    **dict.fromkeys(("DT_INT8", "DT_INT16", "DT_INT32", "DT_UINT8", "DT_UINT16"), "int_val"),
}
# One value may stand for a whole tensor of so many bytes, so that a short message stays short.
MAX_FILL_BYTES = 1 << 12
_KINDS = {types_pb2.DataType.Value(kind): kind for kind in _FIELDS}


def read(
    protos: Mapping[str, tensor_pb2.TensorProto],
    infos: Mapping[str, signatures.TensorInfo],
    trusted: bool = False,
) -> dict[str, np.ndarray]:
    """The arrays of protos, each of which is what its signature says and holds what it says.

    Args:
        protos: TensorProto by name.
        infos: what the signature says, by name.
        trusted: whether a tensor may be large where its proto is short, as one value stands for
            all, and may have any number of values that are not raw bytes.

    Returns:
        array by name; strings are arrays of bytes objects.

    Raises:
        InvalidRequestError: names, a dtype or a shape are not those of the signature, or a proto
            does not have the number of values that its shape needs, or has too many.
    """
    signatures.check_names(protos, infos)
    for name, proto in protos.items():
        _check(name, proto, infos[name], trusted)
    return {name: _array(name, proto) for name, proto in protos.items()}


def write(array: np.ndarray) -> tensor_pb2.TensorProto:
    """The proto of an array; of an array of objects, one of strings."""
    dtype = tf.string if array.dtype == signatures.STRING else None
    return tf.make_tensor_proto(array, dtype, array.shape)


def _check(
    name: str, proto: tensor_pb2.TensorProto, info: signatures.TensorInfo, trusted: bool
) -> None:
    kind = _KINDS.get(proto.dtype)
    if kind is None:
        raise errors.invalid(
            f"Tensor {name!r} must be {info}, but its dtype is DataType number {proto.dtype}: "
            "send it as the signature has it."
        )
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or min(shape, default=0) < 0:
        raise errors.invalid(
            f"Tensor {name!r} must have a known shape, but has {list(shape)}: send the shape of "
            "the values."
        )
    signatures.check(name, signatures.DTYPES[kind], shape, info)
    _check_values(name, proto, kind, shape, trusted)


def _check_values(
    name: str, proto: tensor_pb2.TensorProto, kind: str, shape: tuple[int, ...], trusted: bool
) -> None:
    """Compares the number of values with the shape, before anything of that size is made."""
    size, item_size = math.prod(shape), signatures.DTYPES[kind].itemsize
    most = sys.maxsize if trusted else MAX_FILL_BYTES
    values = getattr(proto, _FIELDS[kind])
    if kind != "DT_STRING" and proto.tensor_content:
        number, whole = divmod(len(proto.tensor_content), item_size)
        right = number == size and not whole and not values
    else:
        number = len(values)
        # tf.make_tensor_proto(1, shape=[7]) sends one value for all.
        bytes_of_one = len(values[0]) if kind == "DT_STRING" and number == 1 else item_size
        fill = number == 1 and 0 < size <= most // max(bytes_of_one, item_size)
        right = number == size or fill
    # Of a tensor without values the sizes are still believed by what is computed with them.
    if not right or (size == 0 and max(shape) > most):
        raise errors.invalid(
            f"Tensor {name!r} must have a value for each of its {size} elements, as its shape is "
            f"{list(shape)}, but has {number}: send the shape of the values."
        )
    if len(values) > signatures.MAX_VALUES and not trusted:
        raise errors.invalid(
            f"Tensor {name!r} must have at most {signatures.MAX_VALUES} strings, or numbers that "
            f"are not in tensor_content, but has {number}: send fewer rows, or tensor_content."
        )


def _array(name: str, proto: tensor_pb2.TensorProto) -> np.ndarray:
    try:
        return tf.make_ndarray(proto)
    except (ValueError, TypeError, OverflowError) as error:
        raise errors.invalid(
            f"Tensor {name!r} must have values that its dtype can hold, but {error}: send others."
        ) from error
