"""The client of a served model, over gRPC or REST."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np

from keras_bert.serving.client import arrays
from keras_bert.serving.wire import errors, rows, signatures
from keras_bert.serving.wire.address import Address

ResultT = TypeVar("ResultT")

# TF Serving's own ports, so that an address with one of them says the protocol.
SCHEME_OF_PORT = {"8500": "grpc", "8501": "http"}
SCHEMES = ("grpc", "grpcs", "http", "https")

# Waiting before the n-th retry, as gRPC does it: a random part of first * factor^n, at most last.
# https://github.com/grpc/proposal/blob/master/A6-client-retries.md
FIRST_BACKOFF_S, BACKOFF_FACTOR, LAST_BACKOFF_S = 0.1, 2.0, 5.0


class Transport(Protocol):
    """One protocol: asks one model, and raises a ServingError if it does not answer in time."""

    def predict(
        self,
        name: str,
        signature: signatures.Signature,
        inputs: Mapping[str, np.ndarray],
        timeout_s: float,
    ) -> dict[str, np.ndarray]: ...

    def metadata(self, timeout_s: float) -> dict[str, signatures.Signature]: ...

    def status(self, timeout_s: float) -> dict[int, str]: ...

    def close(self) -> None: ...


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
        ModuleNotFoundError: the extra `client` is not installed.

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
        *,
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
        address = Address(model, version, label)
        self._transport = _transport(*_scheme_and_target(server), address)
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
        signature, columns = self._checked(inputs)
        num_rows = signatures.num_rows({name: array.shape for name, array in columns.items()})
        parts = []
        for start in range(0, max(num_rows, 1), self.max_batch_size):
            part = {name: a[start : start + self.max_batch_size] for name, a in columns.items()}
            parts.append(self._predict_batch(signature, part))
        return {
            name: arrays.output_of(name, rows.joined([part[name] for part in parts]))
            for name in sorted(parts[0])
        }

    def metadata(self) -> dict[str, signatures.Signature]:
        """The signatures that can be asked, by name: `.inputs` and `.outputs` with their `.dtype`
        and `.shape`."""
        self._signatures = self._retried(self._transport.metadata)
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

    def _checked(
        self, inputs: Mapping[str, Any]
    ) -> tuple[signatures.Signature, dict[str, np.ndarray]]:
        """The signature and the arrays for it; what does not fit the signature that is known may
        fit that of a newer version."""
        new = self._signatures is None
        try:
            signature = self._signature(refresh=False)
            return signature, arrays.inputs_of(inputs, signature.inputs)
        except ValueError:
            if new:
                raise
        signature = self._signature(refresh=True)
        return signature, arrays.inputs_of(inputs, signature.inputs)

    def _predict_batch(
        self, signature: signatures.Signature, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
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


def _transport(scheme: str, target: str, address: Address) -> Transport:
    """The protocol's client, whose libraries only those need who use it."""
    try:
        if scheme in ("grpc", "grpcs"):
            from keras_bert.serving.client.grpc import GrpcClient

            return GrpcClient(target, address, secure=scheme == "grpcs")
        from keras_bert.serving.client.rest import RestClient

        return RestClient(f"{scheme}://{target}", address)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"The client needs {error.name}: pip install 'kerasbert[client]'", name=error.name
        ) from error
