"""The client over both protocols: answers, batches, retries, deadlines, errors."""

import socket
import sys

import numpy as np
import pytest

from keras_bert.serving.client import client as client_module
from keras_bert.serving.client.client import Client
from keras_bert.serving.wire import errors, signatures
from keras_bert.serving.wire.address import Address

PROTOCOLS = ("grpc", "http")
TEXTS = ["a fine film", b"a", "é", "xxxxx"]
SIZES = np.array([11, 1, 2, 5])


def address(server, protocol):
    port = server.grpc_port if protocol == "grpc" else server.rest_port
    return f"{protocol}://localhost:{port}"


@pytest.fixture(params=PROTOCOLS)
def make(request, shared_server):
    """Makes clients of `shared_server` with the arguments given."""
    made = []

    def make(**arguments):
        made.append(Client(address(shared_server, request.param), "toy", **arguments))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("where, scale", [({}, 0.5), ({"version": 3}, 1), ({"label": "stable"}, 1)])
def test_predict(make, where, scale):
    answer = make(**where).predict(sentence=TEXTS)
    positive = 1 / (1 + np.exp(-scale * (SIZES - 5.0)))
    assert list(answer) == ["label", "probabilities"]
    assert answer["label"].tolist() == ["positive", *["negative"] * 3]
    assert answer["probabilities"].dtype == np.float32
    np.testing.assert_allclose(answer["probabilities"][:, 1], positive, atol=1e-6)


def test_a_long_list_is_sent_in_batches_and_joined(make):
    texts = [f"{'word ' * (i % 5)}end" for i in range(23)]
    answer = make(signature="words", max_batch_size=3).predict(sentence=np.array(texts))
    whole = make(signature="words", max_batch_size=8)
    expected = [whole.predict(sentence=texts[i : i + 8])["words"] for i in (0, 8, 16)]
    assert answer["words"].shape == (23, 5)
    np.testing.assert_array_equal(answer["words"], np.concatenate(expected))
    assert answer["words"][1].tolist() == ["word", "end", "", "", ""]
    assert answer["raw_bytes"].tolist() == [text.encode() for text in texts]


def test_batches_are_filled_up(make):
    answer = make(signature="words", max_batch_size=1).predict(sentence=["a b c", "d"])
    assert answer["words"].tolist() == [["a", "b", "c"], ["d", "", ""]]


def test_lists_of_strings_are_filled_up(make):
    answer = make(signature="join").predict(words=[["a", "b", "c"], (), [b"d"]])
    assert answer["text"].tolist() == ["a|b|c", "||", "d||"]


def test_what_is_no_row_for_each_example_is_refused(make):
    for wrong in ("a fine film", b"a", None, 7, {"a"}, [["a"], "b"]):
        with pytest.raises(ValueError, match="sentence|Text must be lists of str or bytes"):
            make().predict(sentence=wrong)
    with pytest.raises(ValueError, match="'token_ids' must be lists of equal length"):
        make(signature="tokens").predict(token_ids=[[1, 2], [3]], weights=[[1.0] * 3] * 2)


def test_no_rows(make):
    answer = make().predict(sentence=[])
    assert answer["label"].tolist() == []
    assert answer["probabilities"].shape == (0, 2)
    answer = make(signature="words").predict(sentence=[])
    assert answer["words"].shape == (0, 0)


def test_numbers_are_sent_as_the_signature_has_them(make):
    tokens = make(signature="tokens")
    expected = [[7.0, 14.0, 21.0], [-3.0, 0.0, 1.5]]
    for dtype in (np.int32, np.int64, np.int8, np.uint8):
        ids = np.array([[1, 6], [3, 0]], dtype)
        weights = np.array([[1, 2, 3], [-1, 0, 0.5]])
        answer = tokens.predict(token_ids=ids, weights=weights)["total"]
        assert answer.dtype == np.float32
        assert answer.tolist() == expected
    assert tokens.predict(token_ids=[[1, 6]], weights=[[1, 2, 3]])["total"].tolist() == expected[:1]


@pytest.mark.parametrize(
    "signature, inputs, message",
    [
        ("serving_default", {"text": ["a"]}, "must be 'sentence', but are 'text'"),
        ("serving_default", {}, "must be 'sentence', but are none"),
        ("serving_default", {"sentence": "a fine film"}, r"string \[None\], but is string \[\]"),
        ("serving_default", {"sentence": [["a"], ["b"]]}, r"but is string \[2, 1\]"),
        ("serving_default", {"sentence": ["a", 1]}, "lists of str or bytes.*but has 1"),
        ("serving_default", {"sentence": [["a"], ["b", "c"]]}, "of equal length"),
        ("join", {"words": ["a", ["b"]]}, "lists of str or bytes"),
        ("tokens", {"token_ids": [[2**31]], "weights": [[1, 2, 3]]}, "int32 can hold"),
        ("tokens", {"token_ids": [[1.0]], "weights": [[1, 2, 3]]}, "but is double"),
        ("tokens", {"token_ids": [["a"]], "weights": [[1, 2, 3]]}, "must be int32"),
        ("tokens", {"token_ids": [[1]], "weights": [[1, 2]]}, r"float \[None, 3\], but is"),
        ("tokens", {"token_ids": [[1]], "weights": [[1, 2, 3]] * 2}, "same number of rows"),
        ("none", {"sentence": ["a"]}, "must be one of join, serving_default, tokens"),
    ],
)
def test_inputs_that_are_not_the_signatures(make, signature, inputs, message):
    with pytest.raises(ValueError, match=message):
        make(signature=signature).predict(**inputs)


@pytest.mark.parametrize(
    "arguments, cls, code",
    [
        ({"version": 7}, errors.NotFoundError, "NOT_FOUND"),
        ({"label": "none"}, errors.InvalidRequestError, "INVALID_ARGUMENT"),
    ],
)
def test_errors_of_the_server(make, arguments, cls, code):
    with pytest.raises(cls) as caught:
        make(**arguments).predict(sentence=["a"])
    assert caught.value.code == code


def test_errors_of_the_request(make):
    too_many = make(max_batch_size=9)
    with pytest.raises(errors.InvalidRequestError, match="at most 8 rows"):
        too_many.predict(sentence=["a"] * 9)
    with pytest.raises(errors.OverloadedError):
        make().predict(sentence=["x" * (5 << 20)])


def test_a_deadline(make, gate):
    slow = make(signature="wait", timeout_s=0.5)
    slow.metadata()
    with pytest.raises(errors.DeadlineExceededError) as caught:
        slow.predict(path=[str(gate)])
    assert isinstance(caught.value, TimeoutError)


def test_metadata_and_status(make):
    client = make(label="stable")
    assert str(client.metadata()["tokens"].inputs["token_ids"]) == "int32 [None, None]"
    assert make().status() == {12: "AVAILABLE", 3: "AVAILABLE"}
    assert client.status() == {3: "AVAILABLE"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nobody_there_is_unavailable(protocol):
    pytest.importorskip("grpc")
    pytest.importorskip("httpx")
    with socket.create_server(("localhost", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        Client(f"{protocol}://localhost:{port}", "toy", num_retries=1) as client,
        pytest.raises(errors.UnavailableError),
    ):
        client.predict(sentence=["a"])


class Transport:
    """Stands in for a protocol: raises what it is given, and records what it was asked."""

    def __init__(self, failures=(), inputs=("sentence",)):
        self.failures = list(failures)
        self.inputs = list(inputs)
        self.num_metadata = 0
        self.timeouts = []

    def predict(self, name, signature, inputs, timeout_s):
        self.timeouts.append(timeout_s)
        if self.failures:
            raise errors.from_code(self.failures.pop(0), "why")
        if set(inputs) != {self.inputs[0]}:
            raise errors.invalid("other inputs")
        return {"size": np.array([len(text) for text in next(iter(inputs.values()))])}

    def metadata(self, timeout_s):
        self.num_metadata += 1
        text = signatures.TensorInfo(signatures.STRING, (None,))
        size = signatures.TensorInfo(np.dtype(np.int64), (None,))
        return {"serving_default": signatures.Signature({self.inputs[0]: text}, {"size": size})}


@pytest.fixture
def with_transport(monkeypatch):
    """Makes a client of a transport, and a list of the seconds that it waited."""

    def with_transport(transport, **arguments):
        monkeypatch.setattr(client_module, "_transport", lambda *_: transport)
        return Client("localhost:8501", "toy", **arguments)

    return with_transport


@pytest.fixture
def waits(monkeypatch):
    """The seconds that clients wait between retries, without their waiting."""
    waits, limits = [], []
    monkeypatch.setattr(client_module.time, "sleep", waits.append)

    def uniform(low, high):
        limits.append((low, high))
        return high

    monkeypatch.setattr(client_module.random, "uniform", uniform)
    yield waits
    # A random part of it: half of all clients must not come back at the same time.
    assert limits[: len(waits)] == [(0.0, wait) for wait in waits]


def test_unavailable_is_tried_again_after_longer_and_longer_waits(with_transport, waits):
    transport = Transport(["UNAVAILABLE"] * 7)
    client = with_transport(transport, num_retries=7, timeout_s=1000)
    assert client.predict(sentence=["abc"])["size"].tolist() == [3]
    np.testing.assert_allclose(waits, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0])
    assert transport.timeouts == sorted(transport.timeouts, reverse=True)


def test_retries_end(with_transport, waits):
    client = with_transport(Transport(["UNAVAILABLE"] * 9), num_retries=2)
    with pytest.raises(errors.UnavailableError):
        client.predict(sentence=["abc"])
    assert len(waits) == 2


def test_retries_end_with_the_time(with_transport, waits):
    client = with_transport(Transport(["UNAVAILABLE"] * 9), num_retries=9, timeout_s=0.3)
    with pytest.raises(errors.UnavailableError):
        client.predict(sentence=["abc"])
    np.testing.assert_allclose(waits, [0.1, 0.2])


@pytest.mark.parametrize(
    "code", ["RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "INTERNAL", "NOT_FOUND", "INVALID_ARGUMENT"]
)
def test_no_other_error_is_tried_again(with_transport, waits, code):
    transport = Transport([code])
    with pytest.raises(errors.ServingError) as caught:
        with_transport(transport).predict(sentence=["abc"])
    assert caught.value.code == code
    assert len(transport.timeouts) == 1 and not waits


def test_a_newer_version_may_have_another_signature(with_transport):
    transport = Transport()
    client = with_transport(transport)
    assert client.predict(sentence=["abc"])["size"].tolist() == [3]
    assert client.predict(sentence=["ab"])["size"].tolist() == [2]
    assert transport.num_metadata == 1
    transport.inputs = ["text"]
    assert client.predict(text=["a"])["size"].tolist() == [1]
    assert transport.num_metadata == 2
    with pytest.raises(errors.InvalidRequestError, match="must be 'text'"):
        client.predict(sentence=["a"])


def test_a_version_that_changes_between_metadata_and_request(with_transport):
    transport = Transport()
    client = with_transport(transport)
    client.metadata()
    transport.inputs = ["text"]
    with pytest.raises(errors.InvalidRequestError, match="other inputs"):
        client.predict(sentence=["a"])
    assert client.predict(text=["a"])["size"].tolist() == [1]


@pytest.mark.parametrize(
    "server, expected",
    [
        ("localhost:8500", ("grpc", "localhost:8500")),
        ("localhost:8501", ("http", "localhost:8501")),
        ("https://models.example/", ("https", "models.example")),
        ("grpcs://models.example:443", ("grpcs", "models.example:443")),
        ("http://[::1]:80", ("http", "[::1]:80")),
    ],
)
def test_the_address_says_the_protocol(monkeypatch, server, expected):
    seen = []
    monkeypatch.setattr(client_module, "_transport", lambda *arguments: seen.append(arguments))
    Client(server, "toy", label="stable")
    assert seen == [(*expected, Address("toy", None, "stable"))]


@pytest.mark.parametrize(
    "server", ["localhost:9000", "localhost", "ftp://localhost:8501", "grpc://"]
)
def test_another_address_is_refused(server):
    with pytest.raises(ValueError, match="Say the protocol"):
        Client(server, "toy")


def test_other_arguments_are_refused():
    with pytest.raises(ValueError, match="by version or by label"):
        Client("localhost:8501", "toy", version=1, label="stable")
    with pytest.raises(ValueError, match="max_batch_size must be at least 1"):
        Client("localhost:8501", "toy", max_batch_size=0)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    for module, server in (("httpx", "localhost:8501"), ("grpc", "localhost:8500")):
        for ours in ("rest", "grpc"):
            monkeypatch.delitem(sys.modules, f"keras_bert.serving.client.{ours}", raising=False)
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'kerasbert\[client\]'"):
            Client(server, "toy")
