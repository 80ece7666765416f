"""The client of a served model, over gRPC or REST; `python -m keras_bert.serving.client`."""

from __future__ import annotations

import dataclasses
import json
import logging
import random
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from keras_bert import flags
from keras_bert.serving.wire import errors, json_tensors, rows, signatures

ResultT = TypeVar("ResultT")

# TF Serving's own ports, so that an address with one of them says the protocol.
SCHEME_OF_PORT = {"8500": "grpc", "8501": "http"}
SCHEMES = ("grpc", "grpcs", "http", "https")

# Kinds of numpy dtypes that may be sent as another kind; bfloat16 is of kind V.
_CASTS = {"i": "biu", "u": "biu", "f": "biufV", "V": "biuf"}

# Waiting before the n-th retry, as gRPC does it: a random part of first * factor^n, at most last.
# https://github.com/grpc/proposal/blob/master/A6-client-retries.md
FIRST_BACKOFF_S, BACKOFF_FACTOR, LAST_BACKOFF_S = 0.1, 2.0, 5.0


class Client:
    """Asks a served model, on TF Serving or on the server to develop with.

    Both protocols give the same answers; gRPC is faster with arrays of numbers. What the model's
    signature says is asked for once, and again when it no longer fits. A client may be used by
    several threads.

    Args:
        server: str, "grpc://host:port" or "http://host:port", with TLS "grpcs://" or "https://".
            Without a scheme the port must be one of TF Serving's own: 8500 for gRPC, 8501 for REST.
        model: str, the model's name.
        version: int, a version of it; the newest by default.
        label: str, a label of `models.config`, instead of a version.
        signature: str, the name of the signature to ask.
        timeout_s: float, seconds that a batch may take, with all its retries.
        num_retries: int, how often a request is sent again when the server is UNAVAILABLE. No other
            error is tried again.
        max_batch_size: int, the rows that are sent at once; at most the server's.

    Raises:
        ValueError: the server's address says no protocol, or there are version and label.
        ModuleNotFoundError: the extra `serving` is not installed.

    Example:

    >>> import keras_bert.serving.client
    >>> client = keras_bert.serving.client.Client("localhost:8501", "sst2")  # doctest: +SKIP
    >>> client.predict(sentence=["a fine film"])  # doctest: +SKIP
    {'label': array(['positive'], dtype=object),
     'probabilities': array([[0.1, 0.9]], dtype=float32)}
    """

    def __init__(
        self,
        server: str,
        model: str,
        version: int | None = None,
        label: str | None = None,
        signature: str = signatures.DEFAULT_SIGNATURE,
        timeout_s: float = 30.0,
        num_retries: int = 3,
        max_batch_size: int = 32,
    ):
        if version is not None and label is not None:
            raise ValueError(
                f"A model is asked for by version or by label, not by both: {version}, {label!r}."
            )
        if max_batch_size < 1:
            raise ValueError(f"max_batch_size must be at least 1, but is {max_batch_size}.")
        self.signature = signature
        self.timeout_s = timeout_s
        self.num_retries = num_retries
        self.max_batch_size = max_batch_size
        self._transport = _transport(*_scheme_and_target(server), model, version, label)
        self._signatures: dict[str, signatures.Signature] | None = None

    def predict(self, **inputs) -> dict[str, np.ndarray]:
        """The model's answers.

        Args:
            **inputs: by the names that the signature has, lists or arrays with a row for each
                example; strings are str (sent as UTF-8) or bytes. Where a row is a list of strings,
                shorter ones are filled up with empty strings.

        Returns:
            array by name, each with a row for each example. Strings are str, but bytes if the
            output's name ends in `_bytes`. Where batches of a long list differ in a dimension, they
            are filled up at its end with zeros and empty strings.

        Raises:
            ValueError: the inputs are not those of the signature.
            ServingError: the server did not answer; `code` says why.
        """
        signature, arrays = self._checked(inputs)
        num_rows = signatures.num_rows({name: array.shape for name, array in arrays.items()})
        parts = []
        for start in range(0, max(num_rows, 1), self.max_batch_size):
            part = {name: a[start : start + self.max_batch_size] for name, a in arrays.items()}
            parts.append(self._predict_batch(signature, part))
        return {
            name: _texts(name, rows.joined([part[name] for part in parts]))
            for name in sorted(parts[0])
        }

    def metadata(self) -> dict[str, signatures.Signature]:
        """The signatures that can be asked, by name: `.inputs` and `.outputs` with their `.dtype`
        and `.shape`."""
        self._signatures = signatures.read(self._retried(self._transport.signature_defs))
        return self._signatures

    def status(self) -> dict[int, str]:
        """The state of each version of the model, such as `{2: "AVAILABLE", 1: "END"}`."""
        return self._retried(self._transport.status)

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def _signature(self, refresh: bool) -> signatures.Signature:
        known = self.metadata() if refresh or self._signatures is None else self._signatures
        if self.signature not in known:
            raise errors.from_code(
                "FAILED_PRECONDITION",
                f"The signature must be one of {', '.join(sorted(known))}, but is "
                f"{self.signature!r}: name one that the model has.",
            )
        return known[self.signature]

    def _checked(self, inputs) -> tuple[signatures.Signature, dict[str, np.ndarray]]:
        """The signature and the arrays for it; what does not fit the signature that is known may
        fit that of a newer version."""
        new = self._signatures is None
        try:
            signature = self._signature(refresh=False)
            return signature, _arrays(inputs, signature)
        except ValueError:
            if new:
                raise
        signature = self._signature(refresh=True)
        return signature, _arrays(inputs, signature)

    def _predict_batch(self, signature: signatures.Signature, inputs) -> dict[str, np.ndarray]:
        def ask(timeout_s: float) -> dict[str, np.ndarray]:
            return self._transport.predict(self.signature, signature, inputs, timeout_s)

        try:
            return self._retried(ask)
        except errors.InvalidRequestError:
            # A newer version may have other inputs or outputs.
            before, signature = signature, self._signature(refresh=True)
            if signature == before:
                raise
        return self._retried(ask)

    def _retried(self, ask: Callable[[float], ResultT]) -> ResultT:
        """Asks until there is an answer or another error than UNAVAILABLE, or the time is over."""
        deadline = time.monotonic() + self.timeout_s
        for number in range(self.num_retries):
            try:
                return ask(max(deadline - time.monotonic(), 0.0))
            except errors.UnavailableError:
                longest = min(FIRST_BACKOFF_S * BACKOFF_FACTOR**number, LAST_BACKOFF_S)
                wait_s = random.uniform(0.0, longest)
                if time.monotonic() + wait_s >= deadline:
                    raise
                time.sleep(wait_s)
        return ask(max(deadline - time.monotonic(), 0.0))


def _scheme_and_target(server: str) -> tuple[str, str]:
    scheme, separator, target = server.rpartition("://")
    if not separator:
        scheme = SCHEME_OF_PORT.get(target.rpartition(":")[2], "")
    if scheme not in SCHEMES or not target:
        raise ValueError(
            f"The server must be grpc://host:port or http://host:port, with TLS grpcs:// or "
            f"https://, or end with TF Serving's port :8500 (gRPC) or :8501 (REST); it is "
            f"{server!r}. Say the protocol."
        )
    return scheme, target.rstrip("/")


def _transport(scheme: str, target: str, model: str, version: int | None, label: str | None):
    """The protocol's client, whose libraries only those need who use it."""
    try:
        if scheme in ("grpc", "grpcs"):
            from keras_bert.serving.client.grpc import GrpcClient

            return GrpcClient(target, model, version, label, secure=scheme == "grpcs")
        from keras_bert.serving.client.rest import RestClient

        return RestClient(f"{scheme}://{target}", model, version, label)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"The client needs {error.name}: pip install 'kerasbert[serving]'", name=error.name
        ) from error


def _arrays(inputs: Mapping[str, Any], signature: signatures.Signature) -> dict[str, np.ndarray]:
    signatures.check_names(inputs, signature.inputs)
    arrays = {name: _array(name, value, signature.inputs[name]) for name, value in inputs.items()}
    for name, array in arrays.items():
        signatures.check(name, array.dtype, array.shape, signature.inputs[name])
    return arrays


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


def _texts(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype != signatures.STRING or name.endswith(json_tensors.BYTES_SUFFIX):
        return array
    return np.vectorize(bytes.decode, otypes=[object])(array) if array.size else array


@dataclasses.dataclass(frozen=True)
class Arguments:
    server: str = flags.required("grpc://host:port or http://host:port, or localhost:8500")
    model: str = flags.required("name of the model")
    text: tuple[str, ...] = flags.flag(
        (), "text for a model with a single text input; may be repeated"
    )
    inputs: str | None = flags.flag(
        None, 'JSON of all inputs by name: {"question": ["Who?"], "context": ["I."]}'
    )
    version: int | None = flags.flag(None, "version of the model; the newest by default")
    label: str | None = flags.flag(None, "label of a version")
    signature: str = flags.flag(signatures.DEFAULT_SIGNATURE, "name of the signature")
    timeout_s: float = flags.flag(30.0, "seconds that a batch may take")


def main(arguments: Arguments) -> None:
    """Writes a line of JSON for each example."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    where = (arguments.server, arguments.model, arguments.version, arguments.label)
    try:
        with Client(*where, arguments.signature, arguments.timeout_s) as client:
            outputs = client.predict(**_inputs(arguments, client))
    except errors.ServingError as error:
        # Which flags.run shows without a traceback.
        raise ValueError(str(error)) from error
    columns = {name: array.tolist() for name, array in outputs.items()}
    for row in zip(*columns.values(), strict=True):
        line = dict(zip(columns, row, strict=True))
        sys.stdout.write(json.dumps(line, ensure_ascii=False, default=json_tensors.as_base64))
        sys.stdout.write("\n")


def _inputs(arguments: Arguments, client: Client) -> dict[str, Any]:
    signature = client.metadata().get(arguments.signature)
    infos = {} if signature is None else signature.inputs
    if arguments.inputs is not None:
        content = json_tensors.parse(arguments.inputs.encode())
        if not isinstance(content, dict):
            raise ValueError(f"--inputs must be a JSON object, but is {arguments.inputs}.")
        signatures.check_names(content, infos)
        return {name: json_tensors.read(name, content[name], infos[name]) for name in infos}
    texts = [name for name, info in infos.items() if info.dtype == signatures.STRING]
    if len(texts) != 1 or not arguments.text:
        raise ValueError(
            f"--text is for a model with a single text input, but {arguments.model} has the text "
            f"inputs {texts} and there are {len(arguments.text)} texts: give --text, or --inputs "
            "with all that the signature has."
        )
    return {texts[0]: list(arguments.text)}
