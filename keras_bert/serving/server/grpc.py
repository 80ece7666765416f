"""TF Serving's gRPC services: prediction, metadata, status."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import grpc
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_bert.serving.server.prediction import Address, Predictor, as_serving_error
from keras_bert.serving.wire import errors, proto_tensors, signatures

# The one field of metadata that TF Serving knows.
SIGNATURE_DEF = "signature_def"
_STOPPING = "The server is about to stop: ask again."


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """`tensorflow.serving.PredictionService`: Predict and GetModelMetadata."""

    def __init__(self, predictor: Predictor):
        self._predictor = predictor

    async def Predict(self, request, context) -> predict_pb2.PredictResponse:
        address = _address(request.model_spec)
        async with _refusing(context):
            with self._predictor.observed(address, "GRPC"):
                return await self._predict(request, address)

    async def _predict(self, request, address: Address) -> predict_pb2.PredictResponse:
        signature = request.model_spec.signature_name or signatures.DEFAULT_SIGNATURE
        answer = await self._predictor.predict(
            address,
            signature,
            lambda infos: proto_tensors.read(request.inputs, infos),
            request.ByteSize(),
            request.output_filter,
        )
        response = predict_pb2.PredictResponse(model_spec=_spec(address, answer.version))
        response.model_spec.signature_name = signature
        for name, array in answer.outputs.items():
            response.outputs[name].CopyFrom(proto_tensors.write(array))
        return response

    async def GetModelMetadata(
        self, request, context
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        address = _address(request.model_spec)
        async with _refusing(context):
            if list(request.metadata_field) != [SIGNATURE_DEF]:
                raise errors.invalid(
                    f"metadata_field must be [{SIGNATURE_DEF!r}], but is "
                    f"{list(request.metadata_field)}: ask for that."
                )
            return metadata(self._predictor, address)

    async def Classify(self, request, context) -> None:
        await _unimplemented(context)

    async def Regress(self, request, context) -> None:
        await _unimplemented(context)

    async def MultiInference(self, request, context) -> None:
        await _unimplemented(context)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """`tensorflow.serving.ModelService`: GetModelStatus."""

    def __init__(self, predictor: Predictor):
        self._predictor = predictor

    async def GetModelStatus(self, request, context) -> get_model_status_pb2.GetModelStatusResponse:
        address = _address(request.model_spec)
        async with _refusing(context):
            return status(self._predictor, address)

    async def HandleReloadConfigRequest(self, request, context) -> None:
        await _unimplemented(context)


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

        async def respond(message: bytes, context: grpc.aio.ServicerContext):
            if self._is_closed:
                await context.abort(grpc.StatusCode.UNAVAILABLE, _STOPPING)
            task = asyncio.current_task()
            self._tasks.add(task)
            try:
                request = await _read(handler.request_deserializer, message, context)
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


async def _read(deserialize: Callable, message: bytes, context: grpc.aio.ServicerContext):
    try:
        return deserialize(message)
    except DecodeError as error:
        await context.abort(
            grpc.StatusCode.INTERNAL, f"The message must be of the method's type, but {error}."
        )


def metadata(
    predictor: Predictor, address: Address
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """The signatures of a model."""
    model = predictor.models.find(*address)
    response = get_model_metadata_pb2.GetModelMetadataResponse(
        model_spec=_spec(address, model.version)
    )
    response.metadata[SIGNATURE_DEF].Pack(model.signature_defs)
    return response


def status(predictor: Predictor, address: Address) -> get_model_status_pb2.GetModelStatusResponse:
    """The states of the versions of a model."""
    version = address.version
    if address.label:
        version = predictor.models.find(*address).version
    response = get_model_status_pb2.GetModelStatusResponse()
    for number, state in predictor.models.status(address.name, version).items():
        response.model_version_status.add(
            version=number,
            state=state.state,
            status={"error_code": state.code, "error_message": state.message},
        )
    return response


@contextlib.asynccontextmanager
async def _refusing(context: grpc.aio.ServicerContext) -> AsyncIterator[None]:
    """Answers with the status of what goes wrong in the block."""
    try:
        yield
    except Exception as error:
        known = as_serving_error(error)
        code, message = grpc.StatusCode[known.code], known.message
        # An error knows this frame, by its traceback: it must not know the error.
        del known
        await context.abort(code, message)


async def _unimplemented(context: grpc.aio.ServicerContext) -> None:
    message = "This server to develop with has no such method: use Predict, or TF Serving."
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, message)


def _address(spec: model_pb2.ModelSpec) -> Address:
    version = spec.version.value if spec.HasField("version") else None
    return Address(spec.name, version, spec.version_label or None)


def _spec(address: Address, version: int) -> model_pb2.ModelSpec:
    return model_pb2.ModelSpec(name=address.name, version={"value": version})
