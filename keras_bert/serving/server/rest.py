"""TF Serving's REST interface, as an ASGI application.

https://www.tensorflow.org/tfx/serving/api_rest
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from keras_bert.serving.server import monitoring
from keras_bert.serving.server.prediction import Predictor, as_serving_error
from keras_bert.serving.wire import errors, json_tensors, layout, messages, signatures
from keras_bert.serving.wire.address import Address

# A model, one of its versions, or what a label stands for.
MODELS = (
    "/v1/models/{name}",
    "/v1/models/{name}/versions/{version}",
    "/v1/models/{name}/labels/{label}",
)


def application(predictor: Predictor, timeout_s: float) -> Starlette:
    """The application.

    Args:
        predictor: Predictor.
        timeout_s: float, seconds in which a request must be answered.
    """
    rest = _Rest(predictor, timeout_s)
    routes = [Route("/", rest.index), Route(monitoring.PATH, rest.metrics)]
    for path in MODELS:
        routes += [
            Route(f"{path}:predict", rest.predict, methods=["POST"]),
            Route(f"{path}:classify", rest.unimplemented, methods=["POST"]),
            Route(f"{path}:regress", rest.unimplemented, methods=["POST"]),
            Route(f"{path}/metadata", rest.metadata),
            Route(path, rest.status),
        ]
    handlers = {HTTPException: _malformed, errors.ServingError: _refused, Exception: _refused}
    return Starlette(routes=routes, exception_handlers=handlers)


class _Rest:
    def __init__(self, predictor: Predictor, timeout_s: float):
        self._predictor = predictor
        self._timeout_s = timeout_s

    async def predict(self, request: Request) -> Response:
        with self._predictor.observed(_address(request), "REST"):
            try:
                return await asyncio.wait_for(self._predict(request), self._timeout_s)
            except asyncio.TimeoutError:
                raise errors.from_code(
                    "DEADLINE_EXCEEDED",
                    f"A request must be answered within {self._timeout_s:g} s, but was not: send "
                    "fewer or shorter rows, or come back later.",
                ) from None
            except ClientDisconnect:
                raise errors.from_code("CANCELLED", "The client has gone.") from None

    async def _predict(self, request: Request) -> Response:
        body = await request.body()
        return _json(await _unless_gone(request, self._answer(_address(request), body)))

    async def _answer(self, address: Address, body: bytes) -> bytes:
        aside = self._predictor.aside
        content = await aside(len(body), json_tensors.parse_request, body)
        answer = await self._predictor.predict(
            address,
            content.signature,
            lambda infos: json_tensors.read_inputs(content, infos),
            len(body),
        )
        num_bytes = sum(array.nbytes for array in answer.outputs.values())
        return await aside(num_bytes, json_tensors.write_outputs, answer.outputs, content.in_rows)

    async def index(self, request: Request) -> Response:
        """For who looks whether there is something at this port, and what."""
        names = self._predictor.models.names()
        content = {
            "server": "keras_bert's development server, a stand-in for TensorFlow Serving",
            "models": {name: Address(name).path for name in names},
            "to_predict": "POST to the path of a model with :predict behind it",
            "metrics": monitoring.PATH,
        }
        return _json(json.dumps(content).encode())

    async def metadata(self, request: Request) -> Response:
        response = self._predictor.metadata(_address(request))
        signature_defs = messages.SignatureDefMap()
        response.metadata[signatures.SIGNATURE_DEF].Unpack(signature_defs)
        content = {
            "model_spec": _as_dict(response.model_spec),
            "metadata": {signatures.SIGNATURE_DEF: _as_dict(signature_defs)},
        }
        return _json(json.dumps(content).encode())

    async def status(self, request: Request) -> Response:
        response = self._predictor.status(_address(request))
        return _json(json.dumps(_as_dict(response)).encode())

    async def metrics(self, request: Request) -> Response:
        return Response(self._predictor.metrics.page(), media_type="text/plain")

    async def unimplemented(self, request: Request) -> Response:
        raise errors.from_code(
            "UNIMPLEMENTED",
            "This server to develop with only has :predict: use that, or TF Serving.",
        )


async def _unless_gone(request: Request, answer: Coroutine[None, None, bytes]) -> bytes:
    """Waits for the answer, and cancels it if the client goes away before."""
    task = asyncio.ensure_future(answer)
    # When the body has come, the next message is that the connection is closed.
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


def _address(request: Request) -> Address:
    parameters = request.path_params
    name, version = parameters["name"], parameters.get("version", "0")
    if ":" in name or not layout.VERSION.fullmatch(version):
        raise HTTPException(400)
    version = int(version) if "version" in parameters else None
    return Address(name, version, parameters.get("label"))


def _as_dict(message: Message) -> dict[str, Any]:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


async def _refused(request: Request, error: Exception) -> Response:
    known = as_serving_error(error)
    status = errors.HTTP_STATUS.get(known.code, 500)
    return _json(json.dumps({"error": known.message}).encode(), status)


async def _malformed(request: Request, error: Exception) -> Response:
    """TF Serving's words for a path or method below /v1 that it does not know."""
    message = f"Malformed request: {request.method} {request.url.path}"
    code = "INVALID_ARGUMENT" if request.url.path.startswith("/v1/") else "NOT_FOUND"
    return await _refused(request, errors.from_code(code, message))
