"""The gRPC services with TF Serving's own stubs: answers, statuses, limits, deadlines."""

import grpc
import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("tensorflow_serving")

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

TEXTS = ["a fine film", "a"]
MEGABYTE = 1 << 20


class Stubs:
    def __init__(self, port):
        self.channel = grpc.insecure_channel(f"localhost:{port}")
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)


@pytest.fixture
def stubs(shared_server):
    result = Stubs(shared_server.grpc_port)
    yield result
    result.channel.close()


def request_of(signature="", name="toy", version=None, label=None, filter=(), **inputs):
    request = predict_pb2.PredictRequest(output_filter=filter)
    request.model_spec.name, request.model_spec.signature_name = name, signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return request


def refusal(call, request, timeout=60):
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=timeout)
    return caught.value.code().name, caught.value.details()


@pytest.mark.parametrize(
    "where, version, scale",
    [({}, 12, 0.5), ({"version": 3}, 3, 1.0), ({"label": "stable"}, 3, 1.0)],
)
def test_predict(stubs, where, version, scale):
    answer = stubs.prediction.Predict(request_of(sentence=TEXTS, **where), timeout=60)
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == (
        "toy",
        version,
        "serving_default",
    )
    assert tf.make_ndarray(answer.outputs["label"]).tolist() == [b"positive", b"negative"]
    positive = 1 / (1 + np.exp(-scale * np.array([6.0, -4.0])))
    probabilities = tf.make_ndarray(answer.outputs["probabilities"])
    np.testing.assert_allclose(probabilities[:, 1], positive, atol=1e-6)
    assert probabilities.dtype == np.float32


def test_output_filter(stubs):
    answer = stubs.prediction.Predict(request_of(sentence=TEXTS, filter=["label"]), timeout=60)
    assert list(answer.outputs) == ["label"]
    code, message = refusal(stubs.prediction.Predict, request_of(sentence=TEXTS, filter=["x"]))
    assert code == "INVALID_ARGUMENT"
    assert "label, probabilities, but has x" in message


@pytest.mark.parametrize(
    "request_, code, message",
    [
        (request_of(name="other", sentence=TEXTS), "NOT_FOUND", "'other' is not"),
        (request_of(version=7, sentence=TEXTS), "NOT_FOUND", "'toy' of version 7"),
        (request_of(label="none", sentence=TEXTS), "INVALID_ARGUMENT", "'none' of model 'toy'"),
        (request_of("none", sentence=TEXTS), "FAILED_PRECONDITION", "but is 'none'"),
        (request_of(text=TEXTS), "INVALID_ARGUMENT", "must be 'sentence', but are 'text'"),
        (request_of(), "INVALID_ARGUMENT", "must be 'sentence', but are none"),
        (request_of(sentence=TEXTS, more=TEXTS), "INVALID_ARGUMENT", "'more', 'sentence'"),
        (request_of(sentence=[1.0]), "INVALID_ARGUMENT", "but is float [1]"),
        (request_of(sentence="scalar"), "INVALID_ARGUMENT", "but is string []"),
        (request_of(sentence=[TEXTS]), "INVALID_ARGUMENT", "but is string [1, 2]"),
        (request_of(sentence=["a"] * 9), "INVALID_ARGUMENT", "at most 8 rows"),
        (request_of("total", sentence=TEXTS), "FAILED_PRECONDITION", "Output 'total'"),
        (
            request_of("tokens", token_ids=[[1]], weights=np.ones((2, 3), np.float32)),
            "INVALID_ARGUMENT",
            "same number of rows",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals(stubs, request_, code, message):
    came, details = refusal(stubs.prediction.Predict, request_)
    assert came == code
    assert message in details


def test_a_shape_that_lies(stubs):
    for size in (2**40, -1, 3):
        request = request_of(sentence=["a", "b"])
        request.inputs["sentence"].tensor_shape.dim[0].size = size
        assert refusal(stubs.prediction.Predict, request)[0] == "INVALID_ARGUMENT"


def test_a_text_that_the_graph_refuses(started, base_path):
    stubs = Stubs(started(base_path, max_request_bytes=1 << 23).grpc_port)
    code, message = refusal(stubs.prediction.Predict, request_of(sentence=["x" * 5_000_000]))
    assert code == "INVALID_ARGUMENT"
    assert "A text must be shorter." in message
    stubs.channel.close()


def test_bytes_that_are_no_message(stubs, caplog):
    for method in ("PredictionService/Predict", "ModelService/GetModelStatus"):
        call = stubs.channel.unary_unary(f"/tensorflow.serving.{method}")
        code, message = refusal(call, b"\xff\xff no proto")
        assert (code, "must be of the method's type" in message) == ("INTERNAL", True)
    assert not [record for record in caplog.records if record.exc_info]
    assert refusal(stubs.channel.unary_unary("/tensorflow.serving.Other/Do"), b"")[0] == (
        "UNIMPLEMENTED"
    )


def test_large_messages(stubs):
    assert stubs.prediction.Predict(request_of(sentence=["x" * 3 * MEGABYTE]), timeout=60).outputs
    code, _ = refusal(stubs.prediction.Predict, request_of(sentence=["x" * 5 * MEGABYTE]))
    assert code == "RESOURCE_EXHAUSTED"
    assert stubs.prediction.Predict(request_of(sentence=TEXTS), timeout=60).outputs


def test_a_deadline(stubs, gate):
    code, _ = refusal(stubs.prediction.Predict, request_of("wait", path=[str(gate)]), timeout=0.1)
    assert code == "DEADLINE_EXCEEDED"
    assert stubs.prediction.Predict(request_of(sentence=TEXTS), timeout=60).outputs


def test_a_cancelled_call(stubs, gate):
    call = stubs.prediction.Predict.future(request_of("wait", path=[str(gate)]), timeout=60)
    call.cancel()
    assert stubs.prediction.Predict(request_of(sentence=TEXTS), timeout=60).outputs


def test_metadata(stubs):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name, request.model_spec.version_label = "toy", "stable"
    answer = stubs.prediction.GetModelMetadata(request, timeout=60)
    assert answer.model_spec.version.value == 3
    signature_defs = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signature_defs)
    assert set(signature_defs.signature_def) >= {"serving_default", "tokens"}
    request.metadata_field[:] = ["other"]
    code, message = refusal(stubs.prediction.GetModelMetadata, request)
    assert (code, "but is ['other']" in message) == ("INVALID_ARGUMENT", True)


def test_status(stubs):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "toy"
    answer = stubs.models.GetModelStatus(request, timeout=60).model_version_status
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert [(one.version, one.state) for one in answer] == [(12, available), (3, available)]
    assert answer[0].status.error_code == 0
    request.model_spec.version_label = "stable"
    answer = stubs.models.GetModelStatus(request, timeout=60).model_version_status
    assert [one.version for one in answer] == [3]
    request.model_spec.name = "other"
    assert refusal(stubs.models.GetModelStatus, request)[0] == "INVALID_ARGUMENT"
    request.model_spec.ClearField("version_label")
    assert refusal(stubs.models.GetModelStatus, request)[0] == "NOT_FOUND"


def test_other_methods_are_not_implemented(stubs):
    for call, request in (
        (stubs.prediction.Classify, classification_pb2.ClassificationRequest()),
        (stubs.prediction.Regress, regression_pb2.RegressionRequest()),
        (stubs.prediction.MultiInference, inference_pb2.MultiInferenceRequest()),
        (stubs.models.HandleReloadConfigRequest, model_management_pb2.ReloadConfigRequest()),
    ):
        code, message = refusal(call, request)
        assert (code, "use Predict" in message) == ("UNIMPLEMENTED", True)
