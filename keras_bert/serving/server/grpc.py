"""TF Serving's gRPC services: prediction, metadata, status."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeAlias, cast

import grpc
from google.protobuf.message import DecodeError, Message

from keras_bert.serving.server.prediction import Predictor, as_serving_error
from keras_bert.serving.wire import errors, messages, proto_tensors, signatures
from keras_bert.serving.wire.address import Address

# What TF Serving has besides.
UNIMPLEMENTED = {
    messages.PREDICTION_SERVICE: ("Classify", "Regress", "MultiInference"),
    messages.MODEL_SERVICE: ("HandleReloadConfigRequest",),
}
_STOPPING = "The server is about to stop: ask again."

Context: TypeAlias = grpc.aio.ServicerContext


class Services:
    """`tensorflow.serving.PredictionService` and `ModelService`, as far as they are here.

    Args:
        predictor: Predictor.
    """

    def __init__(self, predictor: Predictor):
        self._predictor = predictor

    def handlers(self) -> Iterator[grpc.GenericRpcHandler]:
        """What a server takes for each service."""
        implemented = (
            (messages.PREDICT, self.predict),
            (messages.GET_MODEL_METADATA, self.metadata),
            (messages.GET_MODEL_STATUS, self.status),
        )
        for service, others in UNIMPLEMENTED.items():
            methods = {name: grpc.unary_unary_rpc_method_handler(_unimplemented) for name in others}
            for method, respond in implemented:
                if method.service == service:
                    methods[method.name] = grpc.unary_unary_rpc_method_handler(
                        respond, method.request.FromString, method.response.SerializeToString
                    )
            yield grpc.method_handlers_generic_handler(service, methods)

    async def predict(self, request: Message, context: Context) -> Message:
        """Answers a PredictRequest."""
        address = messages.address_of(request.model_spec)
        async with _refusing(context):
            with self._predictor.observed(address, "GRPC"):
                return await self._predict(request, address)

    async def _predict(self, request: Message, address: Address) -> Message:
        signature = request.model_spec.signature_name or signatures.DEFAULT_SIGNATURE
        answer = await self._predictor.predict(
            address,
            signature,
            lambda infos: proto_tensors.read(request.inputs, infos),
            request.ByteSize(),
            request.output_filter,
        )
        spec = messages.spec_of(Address(address.name, answer.version), signature)
        response = messages.PredictResponse(model_spec=spec)
        proto_tensors.write(answer.outputs, response.outputs)
        return response

    async def metadata(self, request: Message, context: Context) -> Message:
        """Answers a GetModelMetadataRequest."""
        async with _refusing(context):
            if list(request.metadata_field) != [signatures.SIGNATURE_DEF]:
                raise errors.invalid(
                    f"metadata_field must be [{signatures.SIGNATURE_DEF!r}], but is "
                    f"{list(request.metadata_field)}: ask for that."
                )
            return self._predictor.metadata(messages.address_of(request.model_spec))

    async def status(self, request: Message, context: Context) -> Message:
        """Answers a GetModelStatusRequest."""
        async with _refusing(context):
            return self._predictor.status(messages.address_of(request.model_spec))


class Calls(grpc.aio.ServerInterceptor):
    """The calls that are under way: read, and ended when the server ends.

    Bytes that are no message are INTERNAL, as in other servers. What comes once the server is about
    to stop, or is not answered when it does, is UNAVAILABLE, so that clients ask again, elsewhere.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task] = set()
        self._is_closed = False

    async def intercept_service(self, continuation, handler_call_details):
        handler = await continuation(handler_call_details)
        if handler is None:  # no such method
            return None

        async def respond(message: bytes, context: Context):
            if self._is_closed:
                await context.abort(grpc.StatusCode.UNAVAILABLE, _STOPPING)
            task = cast(asyncio.Task[Any], asyncio.current_task())  # every coroutine runs in one
            self._tasks.add(task)
            try:
                request = await _read(handler.request_deserializer or bytes, message, context)
                return await handler.unary_unary(request, context)
            except asyncio.CancelledError:
                if self._is_closed and not context.cancelled():
                    await context.abort(grpc.StatusCode.UNAVAILABLE, _STOPPING)
                raise
            finally:
                self._tasks.discard(task)

        return grpc.unary_unary_rpc_method_handler(
            respond, response_serializer=handler.response_serializer
        )

    async def close(self, grace_s: float) -> None:
        """Takes no more calls, and waits so long for those that are under way."""
        self._is_closed = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace_s)
            for task in late:
                task.cancel()


async def _read(deserialize: Callable, message: bytes, context: Context):
    try:
        return deserialize(message)
    except DecodeError as error:
        await context.abort(
            grpc.StatusCode.INTERNAL, f"The message must be of the method's type, but {error}."
        )


@contextlib.asynccontextmanager
async def _refusing(context: Context) -> AsyncIterator[None]:
    """Answers with the status of what goes wrong in the block."""
    try:
        yield
    except Exception as error:
        known = as_serving_error(error)
        code, message = grpc.StatusCode[known.code], known.message
        # An error knows this frame, by its traceback: it must not know the error.
        del known
        await context.abort(code, message)


async def _unimplemented(request: bytes, context: Context) -> None:
    message = "This server to develop with has no such method: use Predict, or TF Serving."
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, message)
