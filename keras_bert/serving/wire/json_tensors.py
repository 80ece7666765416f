"""Arrays and JSON, which TF Serving's REST interface sends: a request, an answer, their forms.

Columns are `{"inputs": {name: tensor}}`, answered with `{"outputs": {name: tensor}}`; rows are
`{"instances": [{name: tensor of one example}]}`, answered with `{"predictions": [...]}`. A single
input or output may have, or has, no name. Bytes are `{"b64": ...}`.
https://www.tensorflow.org/tfx/serving/api_rest
"""

from __future__ import annotations

import base64
import itertools
import json
import reprlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from keras_bert.serving.wire import errors, signatures

# Dimensions of a tensor. The parser stops by itself, with a RecursionError, before its stack ends.
MAX_DEPTH = 32
# Of a body, what is looked at without a stop: Python's other threads have to wait for so much.
SLICE_BYTES = 1 << 16
# An output of this ending is bytes, all other strings are text.
BYTES_SUFFIX = "_bytes"


class Request(NamedTuple):
    """A parsed request.

    Args:
        signature: str, the name of the signature that it asks for.
        content: the JSON value of the inputs.
        in_rows: bool, whether it has rows or columns.
    """

    signature: str
    content: Any
    in_rows: bool


def parse(body: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        InvalidRequestError: it is no JSON in UTF-8, or nested too deeply.
    """
    try:
        return json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise errors.invalid(
            f"The body must be JSON in UTF-8, but {error}: send a JSON object."
        ) from error


def parse_request(body: bytes) -> Request:
    """A request for a prediction, its tensors not yet read.

    Raises:
        InvalidRequestError: it is none, or has more than `signatures.MAX_VALUES` values.
    """
    if _num_values(body) > signatures.MAX_VALUES:
        raise errors.invalid(
            f"The body must have at most {signatures.MAX_VALUES} strings, numbers, lists and "
            "objects, but has more: send fewer rows, or ask by gRPC."
        )
    content = parse(body)
    if not isinstance(content, dict) or ("instances" in content) == ("inputs" in content):
        raise errors.invalid(
            'The body must be a JSON object with either "instances" (rows) or "inputs" '
            f"(columns), but is {_shown(content)}: send one of them."
        )
    name = content.get("signature_name", "")
    if not isinstance(name, str):
        raise errors.invalid(f'"signature_name" must be a string, but is {_shown(name)}.')
    in_rows = "instances" in content
    if in_rows and not (isinstance(content["instances"], list) and content["instances"]):
        raise errors.invalid(
            f'"instances" must be a list of rows, at least 1, but is '
            f"{_shown(content['instances'])}: send a row for each example."
        )
    value = content["instances" if in_rows else "inputs"]
    return Request(name or signatures.DEFAULT_SIGNATURE, value, in_rows)


def read_inputs(
    request: Request, infos: Mapping[str, signatures.TensorInfo]
) -> dict[str, np.ndarray]:
    """The inputs of a request, which are those of its signature.

    Raises:
        InvalidRequestError: they are not.
    """
    columns = (_columns_of_rows if request.in_rows else _named)(request.content, infos)
    signatures.check_names(columns, infos)
    return {name: read(name, value, infos[name]) for name, value in columns.items()}


def write_outputs(outputs: Mapping[str, np.ndarray], in_rows: bool) -> bytes:
    """The body of an answer in the form that the request had.

    Raises:
        ServingError: INTERNAL, a string is not UTF-8 and its output's name does not say bytes.
    """
    columns = {name: _output(name, array) for name, array in outputs.items()}
    if not in_rows:
        return _dump({"outputs": columns if len(columns) > 1 else next(iter(columns.values()))})
    if len(columns) == 1:
        return _dump({"predictions": next(iter(columns.values()))})
    rows = zip(*columns.values(), strict=True)
    return _dump({"predictions": [dict(zip(columns, row, strict=True)) for row in rows]})


def write_columns(signature: str, inputs: Mapping[str, np.ndarray]) -> bytes:
    """The body of a request in columns."""
    columns = {name: _nested(array, _text_or_bytes) for name, array in inputs.items()}
    return _dump({"signature_name": signature, "inputs": columns})


def read_columns(body: bytes, infos: Mapping[str, signatures.TensorInfo]) -> dict[str, np.ndarray]:
    """The arrays of an answer to a request in columns.

    Raises:
        InvalidRequestError: they are not what the signature says.
    """
    content = parse(body)
    if not isinstance(content, dict) or "outputs" not in content:
        raise errors.invalid(f'The answer must have "outputs", but is {_shown(content)}.')
    columns = _named(content["outputs"], infos)
    signatures.check_names(columns, infos)
    return {name: read(name, value, infos[name]) for name, value in columns.items()}


def read(name: str, value: Any, info: signatures.TensorInfo) -> np.ndarray:
    """The array of nested lists, of the dtype that the signature says.

    Args:
        name: str, the tensor's name, for messages.
        value: a JSON value.
        info: what the signature says.

    Returns:
        array of any shape; strings are bytes objects.

    Raises:
        InvalidRequestError: the lists are ragged, or values are not of the dtype.

    Example:

    >>> import numpy as np
    >>> from keras_bert.serving.wire import json_tensors, signatures
    >>> info = signatures.TensorInfo(signatures.STRING, (None,))
    >>> json_tensors.read("text", ["a fine film", {"b64": "/w=="}], info)
    array([b'a fine film', b'\\xff'], dtype=object)
    """
    leaves: list[Any] = [value]
    shape: list[int] = []
    while leaves and isinstance(leaves[0], list):
        size = len(leaves[0])
        is_even = all(isinstance(leaf, list) and len(leaf) == size for leaf in leaves)
        if not is_even or len(shape) == MAX_DEPTH:
            raise errors.invalid(
                f"{name!r} must be lists of equal length at each depth, at most {MAX_DEPTH} deep, "
                f"but is not at depth {len(shape)}: send a list for each dimension, pad the rows."
            )
        shape.append(size)
        leaves = list(itertools.chain.from_iterable(leaves))
    if not leaves and info.shape is not None:
        # Nothing shows the sizes after a zero.
        shape += [size or 0 for size in info.shape[len(shape) :]]
    if info.dtype == signatures.STRING:
        return _strings(name, leaves).reshape(shape)
    return _numbers(name, leaves, info.dtype).reshape(shape)


def as_base64(value: bytes) -> dict[str, str]:
    """What JSON has for bytes."""
    return {"b64": base64.b64encode(value).decode("ascii")}


def _num_values(body: bytes) -> int:
    """How many values JSON has, at most, counted in a fraction of the time of parsing it; where
    there are more than there may be, only the first are counted."""
    number, num_quotes = 1, 0
    for piece in _unescaped(body):
        parts = piece.split(b'"')
        outside = b"".join(parts[num_quotes % 2 :: 2])
        # Before each value, but the first in a list or object, is a comma.
        number += sum(map(outside.count, (b",", b"[", b"{")))
        num_quotes += len(parts) - 1
        # A value has a string, and perhaps a name.
        if max(number, num_quotes // 4) > signatures.MAX_VALUES:
            return signatures.MAX_VALUES + 1
    return number


def _unescaped(body: bytes) -> Iterator[bytes]:
    """Slices of JSON without what is escaped in its strings."""
    start = 0
    while start < len(body):
        piece = body[start : start + SLICE_BYTES]
        num_escaping = len(piece) - len(piece.rstrip(b"\\"))
        if num_escaping % 2 and len(piece) == SLICE_BYTES:  # what it escapes is not here
            piece = piece[:-1]
        start += len(piece)
        yield piece.replace(b"\\\\", b"").replace(b'\\"', b"")


def _named(value: Any, infos: Mapping[str, signatures.TensorInfo]) -> Mapping[str, Any]:
    """Columns by name; the value of a single one may come without."""
    if isinstance(value, dict) and not _is_bytes(value):
        return value
    if len(infos) != 1:
        raise errors.invalid(
            f"With {len(infos)} tensors there must be an object with a value for each, but there "
            f"is {_shown(value)}: name {', '.join(sorted(infos))}."
        )
    return {next(iter(infos)): value}


def _columns_of_rows(
    rows: list[Any], infos: Mapping[str, signatures.TensorInfo]
) -> Mapping[str, Any]:
    named = [isinstance(row, dict) and not _is_bytes(row) for row in rows]
    if not any(named):
        return _named(rows, infos)
    for number, row in enumerate(rows):
        if not named[number] or set(row) != set(infos):
            raise errors.invalid(
                f'Each row of "instances" must have the inputs {", ".join(sorted(infos))}, but '
                f"row {number} is {_shown(row)}: name each input in each row."
            )
    return {name: [row[name] for row in rows] for name in infos}


def _is_bytes(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)


def _strings(name: str, leaves: list[Any]) -> np.ndarray:
    array = np.empty(len(leaves), signatures.STRING)
    for i, leaf in enumerate(leaves):
        try:
            if isinstance(leaf, str):
                array[i] = leaf.encode("utf-8")
                continue
            if _is_bytes(leaf):
                array[i] = base64.b64decode(leaf["b64"], validate=True)
                continue
        except ValueError as error:
            raise errors.invalid(
                f"{name!r} must be Unicode strings or bytes in base64, but {_shown(leaf)} is "
                f"not: {error}."
            ) from error
        raise errors.invalid(
            f'{name!r} must be strings or {{"b64": ...}}, but has {_shown(leaf)}: send strings.'
        )
    return array


def _numbers(name: str, leaves: list[Any], dtype: np.dtype) -> np.ndarray:
    kinds = {int, float} if dtype in signatures.FLOATS else {bool if dtype == np.bool_ else int}
    wrong = set(map(type, leaves)) - kinds
    if wrong:
        shown = _shown(next(leaf for leaf in leaves if type(leaf) in wrong))
        raise errors.invalid(
            f"{name!r} must be numbers of {signatures.describe(dtype, None).split()[0]}, but has "
            f"{shown}: send numbers of that type."
        )
    try:
        with np.errstate(over="raise"):
            if dtype in signatures.FLOATS:
                return np.array(leaves, np.float64).astype(dtype)
            return np.array(leaves, dtype)
    except (OverflowError, FloatingPointError) as error:
        raise errors.invalid(
            f"{name!r} must be numbers that {dtype} can hold, but {error}: send others."
        ) from error


def _output(name: str, array: np.ndarray) -> Any:
    if array.dtype != signatures.STRING:
        return array.tolist()
    if name.endswith(BYTES_SUFFIX):
        return _nested(array, as_base64)
    try:
        return _nested(array, lambda value: value.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise errors.from_code(
            "INTERNAL",
            f"Output {name!r} must be UTF-8, but {error}: a model with bytes that are no text "
            f"names their output with {BYTES_SUFFIX!r} at the end, which is sent in base64.",
        ) from error


def _nested(array: np.ndarray, convert: Callable[[bytes], Any]) -> Any:
    """Nested lists, of strings each converted."""
    if array.dtype != signatures.STRING:
        return array.tolist()
    converted = np.empty(array.size, signatures.STRING)
    converted[:] = [convert(value) for value in array.ravel()]
    return converted.reshape(array.shape).tolist()


def _text_or_bytes(value: bytes) -> Any:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return as_base64(value)


def _dump(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _shown(value: Any) -> str:
    """The beginning of a value, for messages."""
    return reprlib.repr(value)
