"""The REST interface: forms, paths, statuses, limits, and clients that are slow or go away."""

import concurrent.futures
import contextlib
import json
import socket

import numpy as np
import pytest

pytest.importorskip("httpx")

import httpx

TEXTS = ["a fine film", "a"]
POSITIVE = {scale: 1 / (1 + np.exp(-scale * np.array([6.0, -4.0]))) for scale in (1.0, 0.5)}
MEGABYTE = 1 << 20


@pytest.fixture
def ask(url):
    """Sends JSON, or bytes, to a path below the model's; gives status and content."""
    with httpx.Client(timeout=60) as client:

        def ask(path, content=None, method="POST"):
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            answer = client.request(
                method, f"{url}/v1/models/{path}", content=b"" if content is None else body
            )
            return answer.status_code, answer.json()

        yield ask


def connect(port, path, length):
    """A connection on which the head of a request was sent."""
    connection = socket.create_connection(("localhost", port), timeout=60)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode())
    return connection


@pytest.mark.parametrize(
    "path, scale",
    [
        ("toy:predict", 0.5),
        ("toy/versions/3:predict", 1.0),
        ("toy/versions/12:predict", 0.5),
        ("toy/labels/stable:predict", 1.0),
        ("toy/labels/canary:predict", 0.5),
    ],
)
def test_rows_and_columns(ask, path, scale):
    expected = np.stack([1 - POSITIVE[scale], POSITIVE[scale]], axis=1)
    status, rows = ask(path, {"instances": TEXTS})
    assert status == 200
    assert [row["label"] for row in rows["predictions"]] == ["positive", "negative"]
    probabilities = [row["probabilities"] for row in rows["predictions"]]
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    status, columns = ask(path, {"inputs": {"sentence": TEXTS}})
    assert columns["outputs"]["label"] == ["positive", "negative"]
    assert columns["outputs"]["probabilities"] == probabilities


def test_columns_without_rows(ask):
    body = {"signature_name": "tokens", "inputs": {"token_ids": [], "weights": []}}
    assert ask("toy:predict", body) == (200, {"outputs": []})


def test_another_signature_and_bytes(ask):
    body = {"signature_name": "tokens", "instances": [{"token_ids": [1, 6], "weights": [1, 2, 3]}]}
    assert ask("toy:predict", body) == (200, {"predictions": [[7.0, 14.0, 21.0]]})
    body = {"signature_name": "words", "inputs": ["a fine film", {"b64": "w6k="}]}
    words = [["a", "fine", "film"], ["é", "", ""]]
    raw = [{"b64": "YSBmaW5lIGZpbG0="}, {"b64": "w6k="}]
    assert ask("toy:predict", body) == (200, {"outputs": {"raw_bytes": raw, "words": words}})


@pytest.mark.parametrize(
    "path, status, message",
    [
        ("other:predict", 404, "'other' is not"),
        ("toy/versions/7:predict", 404, "'toy' of version 7 is not"),
        ("toy/labels/none:predict", 400, "'none' of model 'toy' is none"),
        ("toy/labels/gone:predict", 400, "'gone' of model 'toy' is of version 7"),
        ("toy/versions/x:predict", 400, "Malformed request"),
        ("toy/versions/99999999999999999999:predict", 400, "Malformed request"),
        ("toy:explain", 400, "Malformed request"),
        ("toy:classify", 501, "only has :predict"),
        ("toy/labels/stable:regress", 501, "only has :predict"),
        ("toy", 400, "Malformed request"),
    ],
)
def test_other_paths(ask, path, status, message):
    came, content = ask(path, {"instances": TEXTS})
    assert came == status
    assert message in content["error"]


def test_paths_elsewhere(url):
    answer = httpx.get(f"{url}/v2/health")
    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "Malformed request: GET /v2/health"},
    )


@pytest.mark.parametrize(
    "content, message",
    [
        (
            {"signature_name": "none", "inputs": TEXTS},
            "must be one of join, serving_default, tokens",
        ),
        ({"inputs": {"text": TEXTS}}, "must be 'sentence', but are 'text'"),
        ({"inputs": [1, 2]}, "must be strings or"),
        ({"inputs": "a fine film"}, "must be string [None], but is string []"),
        ({"inputs": [TEXTS]}, "must be string [None], but is string [1, 2]"),
        ({"instances": []}, "at least 1"),
        ({"inputs": ["a"] * 9}, "at most 8 rows"),
        ({"inputs": [{"b64": "/w="}]}, "in base64"),
        ({"signature_name": "total", "inputs": TEXTS}, "Output 'total' must have a row"),
        (
            {"signature_name": "tokens", "inputs": {"token_ids": [[1]], "weights": [[1, 2]]}},
            "[1, 2]",
        ),
        (b"[" * 10_000 + b"]" * 10_000, "must be"),
        (b'{"inputs": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "must be"),
        (b"\xff", "must be JSON in UTF-8"),
        (b"", "must be JSON"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_other_bodies(ask, content, message):
    status, answer = ask("toy:predict", content)
    assert status == 400
    assert message in answer["error"]


def test_large_bodies(ask):
    assert ask("toy:predict", {"inputs": ["x" * 3 * MEGABYTE]})[0] == 200
    status, answer = ask("toy:predict", {"inputs": ["x" * 5 * MEGABYTE]})
    assert status == 413
    assert "at most 4194304 bytes" in answer["error"]


def test_status_and_metadata(ask):
    version = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    expected = [{"version": number, **version} for number in ("12", "3")]
    assert ask("toy", method="GET") == (200, {"model_version_status": expected})
    for path in ("toy/versions/3", "toy/labels/stable"):
        assert ask(path, method="GET") == (200, {"model_version_status": expected[1:]})
    assert ask("other", method="GET")[0] == ask("toy/versions/7", method="GET")[0] == 404
    status, metadata = ask("toy/labels/stable/metadata", method="GET")
    assert metadata["model_spec"] == {"name": "toy", "version": "3", "signature_name": ""}
    defs = metadata["metadata"]["signature_def"]["signature_def"]
    assert defs["serving_default"]["inputs"]["sentence"]["dtype"] == "DT_STRING"
    assert defs["tokens"]["inputs"]["weights"]["tensor_shape"] == {
        "dim": [{"size": "-1", "name": ""}, {"size": "3", "name": ""}],
        "unknown_rank": False,
    }


def test_metrics(started, base_path):
    url = f"http://localhost:{started(base_path).rest_port}"
    for path in ("toy:predict", "toy:predict", "made_up:predict"):
        httpx.post(f"{url}/v1/models/{path}", json={"instances": TEXTS})
    httpx.get(f"{url}/v1/models/toy")
    page = httpx.get(f"{url}/monitoring/prometheus/metrics").text.splitlines()
    count = ':tensorflow:serving:request_count{model_name="%s",status="%s"} %.1f'
    assert count % ("toy", "OK", 2) in page
    assert count % ("", "NOT_FOUND", 1) in page
    labels = 'API="Predict",entrypoint="REST",model_name="toy"'
    assert f":tensorflow:serving:request_latency_count{{{labels}}} 2.0" in page
    assert "keras_bert_serving_batch_rows_sum 4.0" in page
    assert not [line for line in page if "made_up" in line]


def test_an_answer_that_takes_too_long(started, base_path, gate):
    url = f"http://localhost:{started(base_path, rest_timeout_s=0.1).rest_port}"
    body = {"signature_name": "wait", "inputs": [str(gate)]}
    answer = httpx.post(f"{url}/v1/models/toy:predict", json=body, timeout=60)
    assert answer.status_code == 504
    assert "answered within 0.1 s" in answer.json()["error"]


def test_a_body_that_does_not_come(started, base_path):
    server = started(base_path, rest_timeout_s=0.1)
    with connect(server.rest_port, "/v1/models/toy:predict", 100) as connection:
        connection.sendall(b'{"inputs":')
        assert connection.recv(9999).startswith(b"HTTP/1.1 504 ")


def test_a_slow_client_does_not_hold_up_others(ask, shared_server):
    body = b'{"inputs": ["a fine film"]}'
    with connect(shared_server.rest_port, "/v1/models/toy:predict", len(body)) as slow:
        for byte in body[:-1]:
            slow.sendall(bytes([byte]))
        assert ask("toy:predict", {"inputs": TEXTS})[0] == 200
        slow.sendall(body[-1:])
        assert slow.recv(9999).startswith(b"HTTP/1.1 200 ")


def test_clients_that_go_away_are_not_waited_for(started, base_path, gate):
    (base_path / "batching.config").write_text("num_batch_threads { value: 1 }")
    server = started(base_path)
    body = json.dumps({"signature_name": "wait", "inputs": [str(gate)]}).encode()
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            path = "/v1/models/toy:predict"
            connection = stack.enter_context(connect(server.rest_port, path, len(body)))
            connection.sendall(body)
        # One who leaves before the body has come, and has asked nothing.
        stack.enter_context(connect(server.rest_port, "/v1/models/toy:predict", 100))
    count = ':tensorflow:serving:request_count{model_name="toy",status="CANCELLED"} 5.0'
    page = f"http://localhost:{server.rest_port}/monitoring/prometheus/metrics"
    while count not in httpx.get(page).text:
        pass
    # The one that runs still has its thread; those that waited for it are gone.
    assert "keras_bert_serving_waiting_batches 0.0" in httpx.get(page).text
    gate.touch()
    answer = httpx.post(
        f"http://localhost:{server.rest_port}/v1/models/toy:predict", json={"inputs": TEXTS}
    )
    assert answer.status_code == 200


def test_the_root_says_what_is_here(url):
    content = httpx.get(url).json()
    assert content["models"] == {"toy": "/v1/models/toy"}
    assert ":predict" in content["to_predict"]
    assert httpx.get(url + content["models"]["toy"]).status_code == 200
    assert httpx.get(url + content["metrics"]).status_code == 200


def test_many_values_are_refused(ask):
    status, answer = ask("toy:predict", b'{"inputs": [' + b"[]," * 99_999 + b"[]]}")
    assert status == 400 and "at most 65536 strings, numbers, lists" in answer["error"]


def test_many_at_once_each_get_their_own(ask):
    def one(number):
        text = "x" * number
        status, content = ask("toy/versions/3:predict", {"inputs": [text]})
        return content["outputs"]["probabilities"][0][1]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        came = list(pool.map(one, range(40)))
    np.testing.assert_allclose(came, 1 / (1 + np.exp(5.0 - np.arange(40))), atol=1e-6)
