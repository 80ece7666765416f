"""The gRPC client with TF Serving's own stubs on the other side."""

import concurrent.futures
import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("tensorflow_serving")

from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_bert.serving.client.grpc import GrpcClient
from keras_bert.serving.wire import errors, signatures
from keras_bert.serving.wire.address import Address

TEXT = signatures.TensorInfo(signatures.STRING, (None,))
SIZE = signatures.TensorInfo(np.dtype(np.int64), (None,))
SIGNATURE = signatures.Signature({"text": TEXT}, {"size": SIZE})


class Services(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    """Tells the sizes of texts, or fails with a code; remembers the models that it is asked."""

    def __init__(self):
        self.specs, self.code, self.late = [], None, threading.Event()

    def Predict(self, request, context):
        self.specs.append(request.model_spec)
        if self.code == grpc.StatusCode.DEADLINE_EXCEEDED:
            self.late.wait()
        elif self.code is not None:
            context.abort(self.code, "why")
        response = predict_pb2.PredictResponse()
        sizes = np.array([len(text) for text in tf.make_ndarray(request.inputs["text"])])
        response.outputs["size"].CopyFrom(tf.make_tensor_proto(sizes))
        return response

    def GetModelMetadata(self, request, context):
        self.specs.append(request.model_spec)
        signature_defs = get_model_metadata_pb2.SignatureDefMap()
        signature = signature_defs.signature_def["sizes"]
        for tensors, name, dtype in (
            (signature.inputs, "text", tf.string),
            (signature.outputs, "size", tf.int64),
        ):
            tensors[name].dtype = dtype.as_datatype_enum
            tensors[name].tensor_shape.dim.add(size=-1)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        [field] = request.metadata_field
        response.metadata[field].Pack(signature_defs)
        return response

    def GetModelStatus(self, request, context):
        self.specs.append(request.model_spec)
        response = get_model_status_pb2.GetModelStatusResponse()
        for version, state in ((7, "LOADING"), (3, "AVAILABLE")):
            response.model_version_status.add(version=version, state=state)
        return response


@pytest.fixture
def services():
    services = Services()
    yield services
    services.late.set()


@pytest.fixture
def client_of(services):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(services, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(services, server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    clients = []

    def client_of(address, secure=False):
        clients.append(GrpcClient(f"localhost:{port}", address, secure))
        return clients[-1]

    yield client_of
    for client in clients:
        client.close()
    server.stop(None)


def predict(client, timeout_s=60):
    texts = np.array([b"a fine film", b"\xff"], object)
    return client.predict("sizes", SIGNATURE, {"text": texts}, timeout_s)


def test_a_server_of_others_understands_and_is_understood(client_of, services):
    client = client_of(Address("toy", version=3))
    assert predict(client)["size"].tolist() == [11, 1]
    assert client.metadata(60) == {"sizes": SIGNATURE}
    assert client.status(60) == {7: "LOADING", 3: "AVAILABLE"}
    names = [(spec.name, spec.version.value, spec.signature_name) for spec in services.specs]
    assert names == [("toy", 3, "sizes"), ("toy", 3, ""), ("toy", 3, "")]


def test_labels(client_of, services):
    client_of(Address("toy", label="stable")).status(60)
    assert services.specs[0].version_label == "stable"


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        ("NOT_FOUND", errors.NotFoundError),
        ("UNAVAILABLE", errors.UnavailableError),
        ("DATA_LOSS", errors.ServingError),
    ],
)
def test_codes(client_of, services, code, cls):
    services.code = grpc.StatusCode[code]
    with pytest.raises(cls) as caught:
        predict(client_of(Address("toy")))
    assert (caught.value.code, caught.value.message) == (code, "why")


def test_an_answer_that_does_not_come(client_of, services):
    services.code = grpc.StatusCode.DEADLINE_EXCEEDED
    with pytest.raises(errors.DeadlineExceededError):
        predict(client_of(Address("toy")), timeout_s=0.2)


def test_tls_is_not_spoken_in_the_clear(client_of):
    with pytest.raises(errors.UnavailableError):
        predict(client_of(Address("toy"), secure=True))
