"""TF Serving's REST interface, from the client's side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx
import numpy as np

from keras_bert.serving.wire import errors, json_tensors, signatures
from keras_bert.serving.wire.address import Address

ResultT = TypeVar("ResultT")


class RestClient:
    """Asks one model over HTTP.

    Args:
        url: str, such as "http://localhost:8501"; ValueError if it is none.
        address: Address of the model.
    """

    def __init__(self, url: str, address: Address):
        try:
            self._client = httpx.Client(base_url=url)
        except httpx.InvalidURL as error:
            raise ValueError(
                f"The server must be a host, with a port, but is {url!r} ({error}): correct it."
            ) from error
        self._path = address.path

    def predict(
        self,
        name: str,
        signature: signatures.Signature,
        inputs: Mapping[str, np.ndarray],
        timeout_s: float,
    ) -> dict[str, np.ndarray]:
        """The outputs of the signature called `name`."""
        body = json_tensors.write_columns(name, inputs)
        answer = self._ask("POST", f"{self._path}:predict", timeout_s, body)
        return json_tensors.read_columns(answer, signature.outputs)

    def metadata(self, timeout_s: float) -> dict[str, signatures.Signature]:
        """The signatures that can be asked, by name."""
        return self._get(
            f"{self._path}/metadata",
            timeout_s,
            lambda content: signatures.read(
                content["metadata"][signatures.SIGNATURE_DEF]["signature_def"]
            ),
        )

    def status(self, timeout_s: float) -> dict[int, str]:
        """The state of each version."""
        return self._get(
            self._path,
            timeout_s,
            lambda content: {
                int(version["version"]): version["state"]
                for version in content["model_version_status"]
            },
        )

    def close(self) -> None:
        self._client.close()

    def _get(self, path: str, timeout_s: float, read: Callable[[Any], ResultT]) -> ResultT:
        """What the answer holds, which something else at this address may have sent."""
        body = self._ask("GET", path, timeout_s)
        try:
            return read(json_tensors.parse(body))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise errors.from_code(
                "UNKNOWN",
                f"The answer to GET {path} must be TensorFlow Serving's, but is {body[:80]!r}: "
                "check the server's address.",
            ) from error

    def _ask(self, method: str, path: str, timeout_s: float, body: bytes | None = None) -> bytes:
        """The body of the answer, all of which has come in time."""
        deadline = time.monotonic() + timeout_s
        try:
            with self._client.stream(method, path, content=body, timeout=timeout_s) as response:
                answer = _received(response, deadline)
        except httpx.TimeoutException as error:
            raise errors.from_code(
                "DEADLINE_EXCEEDED", f"No answer within {timeout_s:.3g} s: {error!r}."
            ) from error
        except httpx.DecodingError as error:
            raise errors.from_code("UNKNOWN", f"The answer cannot be read: {error}.") from error
        except httpx.TransportError as error:
            raise errors.from_code("UNAVAILABLE", f"The server is not reached: {error}.") from error
        if response.status_code != 200:
            raise errors.from_http(response.status_code, _message(answer))
        return answer


def _received(response: httpx.Response, deadline: float) -> bytes:
    """All of a body; httpx limits the time between two parts of it only."""
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the answer is slow")
    return bytes(body)


def _message(body: bytes) -> str:
    """TF Serving's message; a proxy between may answer with anything."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, TypeError, KeyError):
        return body.decode("utf-8", errors="replace")
