"""Connections over HTTP: who has one and asks nothing, and who waits for an answer."""

import contextlib
import http.client
import json
import socket

import pytest

pytest.importorskip("httpx")
pytest.importorskip("uvicorn")

import httpx

from keras_bert.serving.server import connections


def connect(server, length):
    """A connection on which the head of a request was sent."""
    connection = socket.create_connection(("localhost", server.rest_port), timeout=60)
    head = f"POST /v1/models/toy:predict HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def test_who_waits_for_an_answer_keeps_others_out(started, base_path, gate):
    server = started(base_path, max_connections=3)
    url = f"http://localhost:{server.rest_port}"
    body = json.dumps({"signature_name": "wait", "inputs": [str(gate)]}).encode()
    with contextlib.ExitStack() as stack:
        watch = stack.enter_context(httpx.Client(base_url=url))
        waiting = []
        for _ in range(2):
            waiting.append(connect(server, len(body)))
            stack.enter_context(waiting[-1]).sendall(body)
        while "batch_rows_sum 2.0" not in watch.get("/monitoring/prometheus/metrics").text:
            pass
        assert watch.get("/v1/models/toy").status_code == 200
        assert httpx.get(f"{url}/v1/models/toy").status_code == 200  # in the place of `watch`
        body = json.dumps({"signature_name": "wait", "inputs": [str(gate)] * 2}).encode()
        waiting.append(connect(server, len(body)))
        stack.enter_context(waiting[-1]).sendall(body)
        while httpx.get(f"{url}/v1/models/toy").status_code != 503:
            pass
        gate.touch()
        for connection in waiting:
            assert connection.recv(9999).startswith(b"HTTP/1.1 200 ")
    assert httpx.get(f"{url}/v1/models/toy").status_code == 200


def test_who_has_a_connection_and_says_nothing_shuts_nobody_out(started, base_path):
    server = started(base_path, max_connections=5)
    url = f"http://localhost:{server.rest_port}/v1/models/toy"
    with contextlib.ExitStack() as stack:
        idle = [
            stack.enter_context(socket.create_connection(("localhost", server.rest_port)))
            for _ in range(20)
        ]
        slow = [stack.enter_context(connect(server, 100)) for _ in range(20)]
        with httpx.Client() as client:
            for _ in range(3):
                assert client.get(url).status_code == 200
        for gone in (idle[0], slow[0]):
            with contextlib.suppress(ConnectionResetError):
                assert gone.recv(99) == b""


@pytest.mark.parametrize("sent", [b"", b"GET /v1/mod", b"x" * 4096])
def test_a_head_that_does_not_come_is_not_waited_for(shared_server, monkeypatch, sent):
    monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 0.05)
    with socket.create_connection(("localhost", shared_server.rest_port), timeout=60) as connection:
        connection.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(99) == b""


def test_a_connection_is_kept_a_while_for_the_next_request(shared_server, monkeypatch):
    with socket.create_connection(("localhost", shared_server.rest_port), timeout=60) as connection:
        answer = connection.makefile("rb")
        for timeout_s in (60.0, 0.05):
            monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", timeout_s)
            connection.sendall(b"GET /v1/models/toy HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
            head = http.client.parse_headers(answer)
            assert b"AVAILABLE" in answer.read(int(head["content-length"]))
        with contextlib.suppress(ConnectionResetError):
            assert answer.read() == b""
