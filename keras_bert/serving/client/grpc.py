"""TF Serving's gRPC interface, from the client's side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import grpc
import numpy as np
from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_bert.serving.wire import errors, proto_tensors, signatures

SIGNATURE_DEF = "signature_def"
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # `Client` tries again by itself, and then the connection should be tried, too.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class GrpcClient:
    """Asks one model over gRPC.

    Args:
        target: str, such as "localhost:8500".
        name: str, the model's name.
        version: int or None.
        label: str or None.
        secure: bool, whether to use TLS.
    """

    def __init__(
        self, target: str, name: str, version: int | None, label: str | None, secure: bool
    ):
        if secure:
            credentials = grpc.ssl_channel_credentials()
            self._channel = grpc.secure_channel(target, credentials, _OPTIONS)
        else:
            self._channel = grpc.insecure_channel(target, _OPTIONS)
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)
        self._spec = model_pb2.ModelSpec(name=name)
        if version is not None:
            self._spec.version.value = version
        elif label is not None:
            self._spec.version_label = label

    def predict(
        self,
        name: str,
        signature: signatures.Signature,
        inputs: Mapping[str, np.ndarray],
        timeout_s: float,
    ) -> dict[str, np.ndarray]:
        """The outputs of the signature called `name`."""
        request = predict_pb2.PredictRequest(model_spec=self._spec)
        request.model_spec.signature_name = name
        for key, array in inputs.items():
            request.inputs[key].CopyFrom(proto_tensors.write(array))
        answer = _ask(self._prediction.Predict, request, timeout_s)
        return proto_tensors.read(answer.outputs, signature.outputs, trusted=True)

    def signature_defs(self, timeout_s: float) -> Mapping[str, Any]:
        """The signatures, as `signatures.read` takes them."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._spec, metadata_field=[SIGNATURE_DEF]
        )
        answer = _ask(self._prediction.GetModelMetadata, request, timeout_s)
        signature_defs = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata[SIGNATURE_DEF].Unpack(signature_defs)
        content = json_format.MessageToDict(signature_defs, preserving_proto_field_name=True)
        return content.get("signature_def", {})

    def status(self, timeout_s: float) -> dict[int, str]:
        """The state of each version."""
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self._spec)
        states = get_model_status_pb2.ModelVersionStatus.State
        return {
            version.version: states.Name(version.state)
            for version in _ask(
                self._models.GetModelStatus, request, timeout_s
            ).model_version_status
        }

    def close(self) -> None:
        self._channel.close()


def _ask(method: Callable, request, timeout_s: float):
    try:
        return method(request, timeout=timeout_s)
    except grpc.RpcError as error:
        raise errors.from_code(error.code().name, error.details()) from error
