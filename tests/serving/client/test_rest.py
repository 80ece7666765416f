"""The REST client with servers, and proxies between, that are not as they should be."""

import contextlib
import http.server
import threading

import pytest

pytest.importorskip("httpx")

from keras_bert.serving.client.rest import RestClient
from keras_bert.serving.wire import errors
from keras_bert.serving.wire.address import Address

TOY = Address("toy")


@pytest.fixture
def client_of():
    """Makes a client of a server whose answer to everything is what a function writes."""
    with contextlib.ExitStack() as stack:

        def client_of(answer, address=TOY):
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    answer(self)

                def log_message(self, *_):
                    pass

            server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://localhost:{server.server_address[1]}"
            client = RestClient(url, address)
            stack.callback(client.close)
            return client

        yield client_of


def send(handler, status, body):
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.mark.parametrize(
    "status, body, code, message",
    [
        (404, b'{"error": "no model"}', "NOT_FOUND", "no model"),
        (413, b"<html>too large</html>", "RESOURCE_EXHAUSTED", "<html>too large</html>"),
        (502, b"Bad \xff", "UNKNOWN", "Bad \ufffd"),
        (503, b'["no server"]', "UNAVAILABLE", '["no server"]'),
        (504, b'{"error": "slow"}', "DEADLINE_EXCEEDED", "slow"),
    ],
)
def test_statuses(client_of, status, body, code, message):
    client = client_of(lambda handler: send(handler, status, body))
    with pytest.raises(errors.ServingError) as caught:
        client.status(60)
    assert (caught.value.code, caught.value.message) == (code, message)


@pytest.mark.parametrize(
    "body",
    [
        *(b"<html>", b"[]", b"7", b'{"model_version_status": [{"version": "x"}]}', b"\xff"),
        b'{"metadata": {"signature_def": {"signature_def": [1]}}}',
    ],
)
def test_another_server_at_the_address(client_of, body):
    client = client_of(lambda handler: send(handler, 200, body))
    for ask in (client.status, client.metadata):
        with pytest.raises(errors.ServingError, match="UNKNOWN: .*check the server's address"):
            ask(60)


def test_an_answer_that_is_not_in_the_encoding_that_it_says(client_of):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", "4")
        handler.end_headers()
        handler.wfile.write(b"what")

    with pytest.raises(errors.ServingError, match="UNKNOWN: The answer cannot be read"):
        client_of(answer).status(60)


def test_an_address_that_is_none():
    with pytest.raises(ValueError, match="must be a host, with a port, but is 'http://a:b'"):
        RestClient("http://a:b", TOY)


def test_an_answer_that_does_not_end(client_of):
    def trickle(handler):
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(b" ")

    with pytest.raises(errors.DeadlineExceededError):
        client_of(trickle).status(0.2)


def test_an_answer_that_does_not_begin(client_of):
    over = threading.Event()
    with pytest.raises(errors.DeadlineExceededError):
        client_of(lambda handler: over.wait()).status(0.2)
    over.set()


def test_an_answer_that_breaks_off(client_of):
    def break_off(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()

    with pytest.raises(errors.UnavailableError):
        client_of(break_off).status(60)


def test_the_path_is_the_models(client_of):
    seen = []

    def answer(handler):
        seen.append(handler.path)
        send(handler, 200, b'{"model_version_status": [{"version": "7", "state": "LOADING"}]}')

    assert client_of(answer, Address("a/b:c", label="é")).status(60) == {7: "LOADING"}
    assert seen == ["/v1/models/a%2Fb%3Ac/labels/%C3%A9"]
