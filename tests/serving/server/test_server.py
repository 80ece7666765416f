"""The server as a whole: overload, versions that change, bad company, the end."""

import concurrent.futures
import gc
import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import weakref

import grpc
import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("httpx")
pytest.importorskip("tensorflow_serving")

import httpx
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from keras_bert.serving.server import server as server_module
from keras_bert.serving.wire import json_tensors, proto_tensors


def ask_rest(server, inputs, signature="serving_default", client=httpx):
    url = f"http://localhost:{server.rest_port}/v1/models/toy:predict"
    body = {"signature_name": signature, "inputs": inputs}
    return client.post(url, json=body, timeout=60)


def request_of(inputs, signature="serving_default"):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "toy", signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


@pytest.fixture
def ask_grpc():
    channels = []

    def ask(server, request):
        channels.append(grpc.insecure_channel(f"localhost:{server.grpc_port}"))
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channels[-1])
        return stub.Predict(request, timeout=60)

    yield ask
    for channel in channels:
        channel.close()


def wait_for(server, line):
    """Asks for the metrics until they have the line."""
    with httpx.Client() as client:
        url = f"http://localhost:{server.rest_port}/monitoring/prometheus/metrics"
        while line not in client.get(url).text.splitlines():
            pass


def test_a_full_queue_refuses_and_then_goes_on(started, base_path, gate, ask_grpc):
    (base_path / "batching.config").write_text(
        "max_batch_size { value: 1 } max_enqueued_batches { value: 1 } "
        "num_batch_threads { value: 1 }"
    )
    server = started(base_path)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask_rest, server, [str(gate)], "wait")
        wait_for(server, "keras_bert_serving_batch_rows_count 1.0")
        second = pool.submit(ask_rest, server, ["a fine film"])
        wait_for(server, "keras_bert_serving_waiting_batches 1.0")
        refused = ask_rest(server, ["a"])
        assert refused.status_code == 429
        assert "At most 1 batches may wait" in refused.json()["error"]
        with pytest.raises(grpc.RpcError) as caught:
            ask_grpc(server, request_of({"sentence": ["a"]}))
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        gate.touch()
        assert first.result().status_code == second.result().status_code == 200
    assert ask_rest(server, ["a"]).status_code == 200


def test_a_new_version_takes_over_while_requests_come(started, base_path, toys):
    server = started(base_path, poll_interval_s=0.01)
    staging = base_path / "toy" / ".writing"
    shutil.copytree(toys[0.5], staging)
    staging.rename(base_path / "toy" / "2")
    expected = {1 / (1 + np.exp(-6.0 * scale)): scale for scale in (1.0, 0.5)}
    seen = []
    with httpx.Client() as client:
        while 0.5 not in seen:
            answer = ask_rest(server, ["a fine film"], client=client)
            assert answer.status_code == 200
            probability = answer.json()["outputs"]["probabilities"][0][1]
            [scale] = [scale for p, scale in expected.items() if abs(p - probability) < 1e-5]
            seen.append(scale)
    assert seen == sorted(seen, reverse=True)


def right(number):
    return {"sentence": ["x" * number, "y" * (number + 1)]}


def probabilities(number):
    return 1 / (1 + np.exp(5.0 - np.array([number, number + 1.0])))


def lying_request():
    request = request_of(right(3))
    request.inputs["sentence"].tensor_shape.dim[0].size = 2**40
    return request


BAD_REST = (
    {"inputs": {"text": ["a"]}},
    {"inputs": [1]},
    {"inputs": [["a"]]},
    {"inputs": [{"b64": "###"}]},
    {"inputs": ["x" * 5_000_000]},
    {"signature_name": "none", "inputs": ["a"]},
    {"signature_name": "total", "inputs": ["a"]},
)
BAD_GRPC = (
    request_of({"text": ["a"]}),
    request_of({"sentence": [1.0]}),
    request_of({"sentence": "scalar"}),
    request_of({"sentence": ["x" * 5_000_000]}),
    request_of({"sentence": ["a"]}, "total"),
    lying_request(),
)


def test_16_threads_of_good_and_bad_requests(started, base_path):
    server = started(base_path, max_request_bytes=1 << 23)
    channel = grpc.insecure_channel(f"localhost:{server.grpc_port}")
    predict = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
    url = f"http://localhost:{server.rest_port}/v1/models/toy:predict"

    def one(seed):
        generator = random.Random(seed)
        with httpx.Client(timeout=60) as client:
            for number in range(20):
                kind = generator.choice(("rest", "grpc", "bad_rest", "bad_grpc"))
                if kind == "rest":
                    content = client.post(url, json={"inputs": right(number)}).json()
                    came = np.array(content["outputs"]["probabilities"])[:, 1]
                    np.testing.assert_allclose(came, probabilities(number), atol=1e-6)
                elif kind == "grpc":
                    answer = predict(request_of(right(number)), timeout=60)
                    came = tf.make_ndarray(answer.outputs["probabilities"])[:, 1]
                    np.testing.assert_allclose(came, probabilities(number), atol=1e-6)
                elif kind == "bad_rest":
                    assert client.post(url, json=generator.choice(BAD_REST)).status_code == 400
                else:
                    with pytest.raises(grpc.RpcError) as caught:
                        predict(generator.choice(BAD_GRPC), timeout=60)
                    assert caught.value.code().name in ("INVALID_ARGUMENT", "FAILED_PRECONDITION")
        return seed

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(16))) == list(range(16))
    channel.close()


def test_a_failing_request_frees_its_tensors_at_once(
    started, base_path, gate, ask_grpc, monkeypatch
):
    """Without Python's search for circles."""
    server = started(base_path, max_request_bytes=1 << 24)
    arrays = []

    class Array(np.ndarray):
        """An array that can be referred to weakly."""

    def seen(read):
        def watched(*arguments):
            inputs = {name: array.view(Array) for name, array in read(*arguments).items()}
            arrays.extend(map(weakref.ref, inputs.values()))
            return inputs

        return watched

    monkeypatch.setattr(json_tensors, "read_inputs", seen(json_tensors.read_inputs))
    monkeypatch.setattr(proto_tensors, "read", seen(proto_tensors.read))
    gc.collect()
    gc.disable()
    try:
        for signature, text in (("serving_default", "x" * 5_000_000), ("total", "a")):
            assert ask_rest(server, [text, "b"], signature).status_code == 400
            with pytest.raises(grpc.RpcError):
                ask_grpc(server, request_of({"sentence": [text, "b"]}, signature))
        with pytest.raises(httpx.ReadTimeout):
            url = f"http://localhost:{server.rest_port}/v1/models/toy:predict"
            content = {"signature_name": "wait", "inputs": [str(gate)]}
            httpx.post(url, json=content, timeout=0.1)
        wait_for(
            server, ':tensorflow:serving:request_count{model_name="toy",status="CANCELLED"} 1.0'
        )
        # The last one still runs.
        assert len(arrays) == 5 and [array() for array in arrays[:4]] == [None] * 4
    finally:
        gc.enable()


def test_stopping_answers_what_is_under_way(started, base_path, gate, ask_grpc):
    (base_path / "batching.config").write_text("num_batch_threads { value: 2 }")
    server = started(base_path)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        rest = pool.submit(ask_rest, server, [str(gate)], "wait")
        wait_for(server, "keras_bert_serving_batch_rows_count 1.0")
        with_grpc = pool.submit(ask_grpc, server, request_of({"path": [str(gate)]}, "wait"))
        wait_for(server, "keras_bert_serving_batch_rows_count 2.0")
        stopping = pool.submit(server.stop)
        while True:
            try:
                socket.create_connection(("localhost", server.rest_port)).close()
            except ConnectionRefusedError:
                break
        gate.touch()
        assert rest.result().status_code == 200
        assert list(with_grpc.result().outputs) == ["path"]
        stopping.result()


def test_what_comes_to_a_stopping_server_is_unavailable(started, base_path, gate):
    server = started(base_path, grace_s=0.2)
    channel = grpc.insecure_channel(f"localhost:{server.grpc_port}")
    predict = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
    late = predict.future(request_of({"path": [str(gate)]}, "wait"), timeout=60)
    wait_for(server, "keras_bert_serving_batch_rows_count 1.0")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(server.stop)
        while True:  # another that comes while the first is under way
            try:
                predict(request_of(right(3)), timeout=60)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.UNAVAILABLE
                break
        assert late.exception().code() == grpc.StatusCode.UNAVAILABLE
        gate.touch()
        stopping.result()
    channel.close()


def test_a_port_that_is_taken(started, base_path):
    server = started(base_path)
    port, before = free_port(), threading.active_count()
    for ports in (
        {"grpc_port": server.grpc_port, "rest_port": port},
        {"rest_port": server.rest_port},
        {"rest_port": 99_999},
    ):
        with pytest.raises(
            ValueError, match=r"must be able to listen at localhost:\d+, but [^.]+\.$"
        ):
            started(base_path, **ports)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("localhost", port))
    assert threading.active_count() <= before


def test_any_error_at_the_start_leaves_no_thread(started, base_path, monkeypatch):
    class Unforeseen(BaseException):
        pass

    def fail(*_):
        raise Unforeseen

    monkeypatch.setattr(server_module.Server, "_rest_server", fail)
    before = threading.active_count()
    port = free_port()
    with pytest.raises(Unforeseen):
        started(base_path, rest_port=port)
    assert threading.active_count() <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("localhost", port))


def free_port():
    with socket.create_server(("localhost", 0)) as listener:
        return listener.getsockname()[1]


def test_a_wrong_configuration(started, base_path):
    (base_path / "batching.config").write_text("max_batch_size { value: 0 }")
    with pytest.raises(ValueError, match="counts of at least 1"):
        started(base_path)


def test_it_serves_until_it_is_told_to_stop(base_path, gate, host_without):
    command = [sys.executable, "-m", "keras_bert.serving.server"]
    process = subprocess.Popen(
        [*command, f"--model_base_path={base_path}", "--grpc_port=0", "--rest_port=0"],
        env=host_without("httpx", "matplotlib", "safetensors", "tensorflow_serving"),
        cwd=base_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line.startswith("gRPC at localhost:")
        url = f"http://localhost:{line.rpartition(':')[2].strip()}"
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            body = json.dumps({"signature_name": "wait", "inputs": [str(gate)]})
            predict = f"{url}/v1/models/toy:predict"
            under_way = pool.submit(httpx.post, predict, content=body, timeout=60)
            count = "keras_bert_serving_batch_rows_count 1.0"
            while count not in httpx.get(f"{url}/monitoring/prometheus/metrics").text:
                pass
            process.send_signal(signal.SIGTERM)
            with pytest.raises(httpx.TransportError):
                while True:
                    httpx.get(f"{url}/v1/models/toy")
            gate.touch()
            assert under_way.result().json() == {"outputs": [str(gate)]}
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
