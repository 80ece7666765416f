"""Signatures of a SavedModel, as its metadata says them, and what a request must be for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from keras_bert.serving.wire import errors

DEFAULT_SIGNATURE = "serving_default"
# What metadata holds them under; TF Serving has no other.
SIGNATURE_DEF = "signature_def"
# Of a request, where each is an object of Python for a while: 32 rows of 512 ids in three inputs
# are 49,152. JSON with so many numbers is parsed in 15 ms at most, and Python does nothing else
# meanwhile.
MAX_VALUES = 1 << 16

# Strings are arrays of objects: numpy's own string types drop trailing zero bytes.
STRING = np.dtype(object)
DTYPES = {
    "DT_STRING": STRING,
    "DT_BOOL": np.dtype(np.bool_),
    "DT_BFLOAT16": np.dtype(ml_dtypes.bfloat16),
    "DT_HALF": np.dtype(np.float16),
    "DT_FLOAT": np.dtype(np.float32),
    "DT_DOUBLE": np.dtype(np.float64),
    "DT_INT8": np.dtype(np.int8),
    "DT_INT16": np.dtype(np.int16),
    "DT_INT32": np.dtype(np.int32),
    "DT_INT64": np.dtype(np.int64),
    "DT_UINT8": np.dtype(np.uint8),
    "DT_UINT16": np.dtype(np.uint16),
    "DT_UINT32": np.dtype(np.uint32),
    "DT_UINT64": np.dtype(np.uint64),
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
HALVES = (DTYPES["DT_BFLOAT16"], DTYPES["DT_HALF"])
FLOATS = (*HALVES, DTYPES["DT_FLOAT"], DTYPES["DT_DOUBLE"])


class TensorInfo(NamedTuple):
    """What a signature says of one input or output.

    Args:
        dtype: numpy dtype, `object` for strings.
        shape: of ints, and None where any size is right; None if the rank may be any.
    """

    dtype: np.dtype
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        return describe(self.dtype, self.shape)

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of this shape is right."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            size in (None, actual) for size, actual in zip(self.shape, shape, strict=True)
        )


class Signature(NamedTuple):
    """The inputs and outputs of one signature, by name."""

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]


def read(signature_defs: Mapping[str, Any]) -> dict[str, Signature]:
    """Reads the JSON form of a map of `SignatureDef`, which TF Serving's metadata holds.

    Signatures with a tensor of a type that cannot be sent, such as a resource, are left out: they
    are the model's own, and not for requests.

    Args:
        signature_defs: dict by the signature's name, its keys named as in the proto.

    Returns:
        Signature by name.

    Example:

    >>> from keras_bert.serving.wire import signatures
    >>> text = {"dtype": "DT_STRING", "tensor_shape": {"dim": [{"size": "-1"}]}}
    >>> signatures.read({"serving_default": {"inputs": {"text": text}}})
    {'serving_default': Signature(inputs={'text': TensorInfo(dtype=dtype('O'), shape=(None,))},
                                  outputs={})}
    """
    return {
        name: Signature(_infos(content.get("inputs", {})), _infos(content.get("outputs", {})))
        for name, content in signature_defs.items()
        if all(
            info.get("dtype") in DTYPES
            for direction in ("inputs", "outputs")
            for info in content.get(direction, {}).values()
        )
    }


def describe(dtype: np.dtype, shape: Iterable[int | None] | None) -> str:
    """What messages call a tensor: its dtype and shape, such as `string [None]`."""
    name = NAMES.get(dtype, f"DT_{dtype}").removeprefix("DT_").lower()
    return f"{name} {'of any rank' if shape is None else list(shape)}"


def check_names(names: Iterable[str], inputs: Mapping[str, TensorInfo]) -> None:
    """Sees to it that a request has the inputs of the signature.

    Raises:
        InvalidRequestError: it has others.
    """
    if set(names) != set(inputs):
        raise errors.invalid(
            f"The inputs must be {_listed(inputs)}, but are {_listed(names)}: send those of the "
            "signature, which the metadata of the model has."
        )


def check(name: str, dtype: np.dtype, shape: tuple[int, ...], info: TensorInfo) -> None:
    """Sees to it that one input is what its signature says.

    Raises:
        InvalidRequestError: it is not.
    """
    if dtype != info.dtype or not info.accepts(shape):
        raise errors.invalid(
            f"Tensor {name!r} must be {info}, but is {describe(dtype, shape)}: send it as the "
            "signature has it, with a row for each example."
        )
    if not shape:
        raise errors.invalid(
            f"Tensor {name!r} must have a row for each example, but is a scalar: send a list."
        )


def num_rows(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """The number of examples of a request.

    Args:
        shapes: shape by input; all have passed `check`.

    Raises:
        InvalidRequestError: inputs have different numbers of rows.
    """
    rows = {name: shape[0] for name, shape in shapes.items()}
    if len(set(rows.values())) != 1:
        raise errors.invalid(
            f"All inputs must have the same number of rows, but they have {rows}: send a row for "
            "each example in each input."
        )
    return next(iter(rows.values()))


def _infos(tensors: Mapping[str, Any]) -> dict[str, TensorInfo]:
    return {
        name: TensorInfo(DTYPES[info["dtype"]], _shape(info.get("tensor_shape", {})))
        for name, info in tensors.items()
    }


def _shape(shape: Mapping[str, Any]) -> tuple[int | None, ...] | None:
    if shape.get("unknown_rank"):
        return None
    # The JSON form of an int64 is a string, and a zero may be left out.
    sizes = [int(dim.get("size", 0)) for dim in shape.get("dim", ())]
    return tuple(None if size < 0 else size for size in sizes)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names)) or "none"
