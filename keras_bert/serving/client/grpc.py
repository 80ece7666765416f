"""TF Serving's gRPC interface, from the client's side."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
import numpy as np
from google.protobuf.message import Message

from keras_bert.serving.wire import errors, messages, proto_tensors, signatures
from keras_bert.serving.wire.address import Address

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # `Client` tries again by itself, and then the connection should be tried, too.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
_STATES = {number: name for name, number in messages.STATES.items()}


class GrpcClient:
    """Asks one model over gRPC.

    Args:
        target: str, such as "localhost:8500".
        address: Address of the model.
        secure: bool, whether to use TLS.
    """

    def __init__(self, target: str, address: Address, secure: bool):
        if secure:
            credentials = grpc.ssl_channel_credentials()
            self._channel = grpc.secure_channel(target, credentials, _OPTIONS)
        else:
            self._channel = grpc.insecure_channel(target, _OPTIONS)
        self._address = address

    def predict(
        self,
        name: str,
        signature: signatures.Signature,
        inputs: Mapping[str, np.ndarray],
        timeout_s: float,
    ) -> dict[str, np.ndarray]:
        """The outputs of the signature called `name`."""
        request = messages.PredictRequest(model_spec=messages.spec_of(self._address, name))
        proto_tensors.write(inputs, request.inputs)
        answer = self._ask(messages.PREDICT, request, timeout_s)
        return proto_tensors.read(answer.outputs, signature.outputs, trusted=True)

    def metadata(self, timeout_s: float) -> dict[str, signatures.Signature]:
        """The signatures that can be asked, by name."""
        request = messages.GetModelMetadataRequest(
            model_spec=messages.spec_of(self._address), metadata_field=[signatures.SIGNATURE_DEF]
        )
        answer = self._ask(messages.GET_MODEL_METADATA, request, timeout_s)
        signature_defs = messages.SignatureDefMap()
        answer.metadata[signatures.SIGNATURE_DEF].Unpack(signature_defs)
        return messages.signatures_of(signature_defs)

    def status(self, timeout_s: float) -> dict[int, str]:
        """The state of each version."""
        request = messages.GetModelStatusRequest(model_spec=messages.spec_of(self._address))
        answer = self._ask(messages.GET_MODEL_STATUS, request, timeout_s)
        return {one.version: _STATES[one.state] for one in answer.model_version_status}

    def close(self) -> None:
        self._channel.close()

    def _ask(self, method: messages.Method, request: Message, timeout_s: float) -> Message:
        call = self._channel.unary_unary(
            f"/{method.service}/{method.name}",
            method.request.SerializeToString,
            method.response.FromString,
        )
        try:
            return call(request, timeout=timeout_s)
        except grpc.RpcError as error:
            raise errors.from_code(error.code().name, error.details()) from error
