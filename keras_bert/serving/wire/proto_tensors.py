"""Arrays and TensorProtos, which gRPC sends: what a proto says of itself is not believed."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, MutableMapping, Sequence

import numpy as np
from google.protobuf.message import Message

from keras_bert.serving.wire import errors, messages, signatures

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
_KINDS = {messages.DATA_TYPES[kind]: kind for kind in _FIELDS}


def read(
    protos: Mapping[str, Message],
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


def write(arrays: Mapping[str, np.ndarray], protos: MutableMapping[str, Message]) -> None:
    """Puts arrays into the protos of a message: `write(inputs, request.inputs)`.

    Args:
        arrays: by name; strings are arrays of bytes objects.
        protos: a map from names to TensorProtos, which are made in it.
    """
    for name, array in arrays.items():
        proto = protos[name]
        proto.dtype = messages.DATA_TYPES[signatures.NAMES[array.dtype]]
        for size in array.shape:
            proto.tensor_shape.dim.add(size=size)
        if array.dtype == signatures.STRING:
            proto.string_val.extend(array.flat)
        else:
            proto.tensor_content = array.tobytes()


def _check(name: str, proto: Message, info: signatures.TensorInfo, trusted: bool) -> None:
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
    name: str, proto: Message, kind: str, shape: tuple[int, ...], trusted: bool
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


def _array(name: str, proto: Message) -> np.ndarray:
    kind = _KINDS[proto.dtype]
    dtype, shape = signatures.DTYPES[kind], [dim.size for dim in proto.tensor_shape.dim]
    if kind != "DT_STRING" and proto.tensor_content:
        return np.frombuffer(proto.tensor_content, dtype).reshape(shape).copy()
    try:
        array = _values(getattr(proto, _FIELDS[kind]), dtype)
    except OverflowError as error:
        raise errors.invalid(
            f"Tensor {name!r} must have values that its dtype can hold, but {error}: send others."
        ) from error
    return np.full(shape, array[0], dtype) if array.size == 1 else array.reshape(shape)


def _values(values: Sequence, dtype: np.dtype) -> np.ndarray:
    if dtype == signatures.STRING:
        return np.array(list(values), dtype)
    if dtype in signatures.HALVES:  # whose bits an integer has
        return np.fromiter(values, np.uint16, len(values)).view(dtype)
    return np.fromiter(values, dtype, len(values))
