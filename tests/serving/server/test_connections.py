"""Connections over HTTP: who has one and asks nothing, and who waits for an answer."""

import contextlib
import gc
import http.client
import json
import selectors
import socket
import weakref

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


def test_a_few_events_are_taken_in_a_turn_the_first_and_the_last():
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(contextlib.closing(connections.InTurns()))
        others = []
        for number in range(9):
            one, other = socket.socketpair()
            others += [stack.enter_context(one), stack.enter_context(other)]
            selector.register(one, selectors.EVENT_READ, number)
            other.send(b"a")
        taken = [key.data for key, _ in selector.select(60)]
        assert taken == [0, 1, 7, 8]
        for number in taken:
            others[2 * number].recv(1)
        assert [key.data for key, _ in selector.select(60)] == [2, 3, 5, 6]
        others[2 * 4].recv(1)
        assert sorted(key.data for key, _ in selector.select(60)) == [2, 3, 5, 6]


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


def test_a_body_may_come_in_parts(shared_server):
    body = json.dumps({"inputs": ["a" * 300_000, "é"]}, ensure_ascii=False).encode()
    with connect(shared_server, len(body)) as connection:
        for start in range(0, len(body), 100_000):
            connection.sendall(body[start : start + 100_000])
        assert connection.recv(9999).startswith(b"HTTP/1.1 200 ")


def test_what_asks_nothing_is_not_begun(started, base_path):
    server = started(base_path)
    connect(server, 100).close()
    page = httpx.get(f"http://localhost:{server.rest_port}/monitoring/prometheus/metrics").text
    assert "request_count{" not in page


def test_a_connection_that_ends_is_freed_at_once(started, base_path, monkeypatch):
    """Without Python's search for circles."""
    made = []

    class Seen(connections.Connection):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(weakref.ref(self))

    monkeypatch.setattr(connections, "Connection", Seen)
    server = started(base_path)
    url = f"http://localhost:{server.rest_port}/v1/models/toy"
    gc.collect()
    gc.disable()
    try:
        httpx.get(url)
        httpx.post(f"{url}:predict", json={"inputs": ["a"]})
        httpx.post(f"{url}:predict", json={"inputs": 7})
        connect(server, 100).close()
        while any(one() is not None for one in made[:4]):
            httpx.get(url)
    finally:
        gc.enable()
