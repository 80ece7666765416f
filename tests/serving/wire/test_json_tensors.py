"""JSON of TF Serving's REST interface: rows, columns, bytes, and what is refused."""

import json

import ml_dtypes
import numpy as np
import pytest

from keras_bert.serving.wire import errors, json_tensors
from keras_bert.serving.wire.signatures import STRING, TensorInfo

FLOAT, INT = np.dtype(np.float32), np.dtype(np.int32)
TEXT = {"text": TensorInfo(STRING, (None,))}
TWO = {"ids": TensorInfo(INT, (None, 3)), "text": TensorInfo(STRING, (None,))}


def inputs(content, infos):
    request = json_tensors.parse_request(json.dumps(content).encode())
    return {
        name: array.tolist() for name, array in json_tensors.read_inputs(request, infos).items()
    }


@pytest.mark.parametrize(
    "content",
    [
        {"instances": ["a", {"b64": "/w=="}]},
        {"instances": [{"text": "a"}, {"text": {"b64": "/w=="}}]},
        {"inputs": ["a", {"b64": "/w=="}]},
        {"inputs": {"text": ["a", {"b64": "/w=="}]}},
    ],
)
def test_forms_of_one_input(content):
    assert inputs(content, TEXT) == {"text": [b"a", b"\xff"]}


@pytest.mark.parametrize(
    "content",
    [
        {"instances": [{"ids": [1, 2, 3], "text": "é"}, {"text": "", "ids": [4, 5, 6]}]},
        {"inputs": {"ids": [[1, 2, 3], [4, 5, 6]], "text": ["é", ""]}},
    ],
)
def test_forms_of_two_inputs(content):
    expected = {"ids": [[1, 2, 3], [4, 5, 6]], "text": ["é".encode(), b""]}
    assert inputs(content, TWO) == expected


def test_signature_name():
    body = b'{"signature_name": "tokens", "inputs": [1]}'
    assert json_tensors.parse_request(body).signature == "tokens"
    assert json_tensors.parse_request(b'{"inputs": [1]}').signature == "serving_default"


@pytest.mark.parametrize(
    "body, message",
    [
        (b"", "must be JSON"),
        (b"{", "must be JSON"),
        (b'{"inputs": "\xff"}', "must be JSON in UTF-8"),
        (b"[1]", "must be a JSON object with either"),
        (b"{}", "must be a JSON object with either"),
        (b'{"inputs": [1], "instances": [1]}', "must be a JSON object with either"),
        (b'{"instances": 1}', '"instances" must be a list'),
        (b'{"instances": []}', '"instances" must be a list of rows, at least 1'),
        (b'{"inputs": [1], "signature_name": 7}', '"signature_name" must be a string'),
        # How deep the parser goes depends on the version of Python.
        (b"[" * 10_000 + b"]" * 10_000, "must be (a )?JSON"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "must be (a )?JSON"),
        (b"1" * 10_000, "must be JSON"),
    ],
    ids=lambda value: str(value[:30]),
)
def test_other_bodies_are_refused(body, message):
    with pytest.raises(errors.InvalidRequestError, match=message):
        json_tensors.parse_request(body)


@pytest.mark.parametrize(
    "content, infos, message",
    [
        ({"inputs": {"texts": ["a"]}}, TEXT, "must be 'text', but are 'texts'"),
        ({"inputs": ["a"]}, TWO, "must be an object with a value for each"),
        ({"instances": ["a"]}, TWO, "must be an object with a value for each"),
        ({"instances": [{"text": "a"}, "b"]}, TEXT, "row 1 is 'b'"),
        ({"instances": [{"text": "a", "ids": [1, 2, 3]}, {"text": "b"}]}, TWO, "row 1 is"),
        ({"inputs": [1]}, TEXT, "must be strings or"),
        ({"inputs": [None]}, TEXT, "must be strings or"),
        ({"inputs": [{"b64": "###"}]}, TEXT, "bytes in base64"),
        ({"inputs": [{"b64": "YQ"}]}, TEXT, "bytes in base64"),
        ({"inputs": [{"b64": 7}]}, TEXT, "must be strings or"),
        ({"inputs": ["\ud800"]}, TEXT, "must be Unicode strings"),
        ({"inputs": [["a"], "b"]}, TEXT, "lists of equal length"),
        ({"inputs": [["a"], ["b", "c"]]}, TEXT, "lists of equal length"),
    ],
)
def test_other_inputs_are_refused(content, infos, message):
    with pytest.raises(errors.InvalidRequestError, match=message):
        inputs(content, infos)


@pytest.mark.parametrize(
    "dtype, value",
    [
        (INT, [1.0]),
        (INT, [True]),
        (INT, ["1"]),
        (INT, [2**31]),
        (np.dtype(np.uint32), [-1]),
        (np.dtype(np.bool_), [1]),
        (FLOAT, ["1"]),
        (FLOAT, [True]),
        (FLOAT, [1e39]),
        (FLOAT, [10**400]),
        (INT, [None]),
    ],
)
def test_other_numbers_are_refused(dtype, value):
    with pytest.raises(errors.InvalidRequestError, match="'x' must be numbers"):
        json_tensors.read("x", value, TensorInfo(dtype, (None,)))


@pytest.mark.parametrize(
    "dtype, value",
    [
        (INT, [[1, -7, 3]]),
        (FLOAT, [[1, 2.5], [3, 4]]),
        (np.dtype(np.bool_), [True, False]),
        (np.dtype(np.uint64), [2**64 - 1]),
        (np.dtype(ml_dtypes.bfloat16), [1.5]),
    ],
)
def test_numbers(dtype, value):
    array = json_tensors.read("x", value, TensorInfo(dtype, None))
    assert array.dtype == dtype
    assert array.tolist() == value


def test_depth_of_a_tensor_is_limited():
    value = 1
    for _ in range(json_tensors.MAX_DEPTH + 1):
        value = [value]
    with pytest.raises(errors.InvalidRequestError, match="at most 32 deep"):
        json_tensors.read("x", value, TensorInfo(INT, None))


def test_sizes_after_a_zero_are_the_signatures():
    info = TensorInfo(FLOAT, (None, None, 5))
    assert json_tensors.read("x", [[], []], info).shape == (2, 0, 5)


def test_outputs_in_rows_and_columns():
    outputs = {"label": np.array(["é".encode(), b""], object), "p": np.array([0.5, 1], FLOAT)}
    assert json.loads(json_tensors.write_outputs(outputs, in_rows=True)) == {
        "predictions": [{"label": "é", "p": 0.5}, {"label": "", "p": 1.0}]
    }
    assert json.loads(json_tensors.write_outputs(outputs, in_rows=False)) == {
        "outputs": {"label": ["é", ""], "p": [0.5, 1.0]}
    }


def test_a_single_output_loses_its_name():
    outputs = {"raw_bytes": np.array([[b"a"], [b"\xff"]], object)}
    expected = [[{"b64": "YQ=="}], [{"b64": "/w=="}]]
    for in_rows, key in ((True, "predictions"), (False, "outputs")):
        assert json.loads(json_tensors.write_outputs(outputs, in_rows)) == {key: expected}


def test_bytes_under_another_name_are_a_fault_of_the_model():
    with pytest.raises(errors.ServingError, match="INTERNAL: Output 'label' must be UTF-8"):
        json_tensors.write_outputs({"label": np.array([b"\xff"], object)}, in_rows=False)


def test_what_a_client_writes_is_what_the_server_reads():
    sent = {"ids": np.array([[1, 2, 3]], INT), "text": np.array([b"\xff"], object)}
    request = json_tensors.parse_request(json_tensors.write_columns("tokens", sent))
    assert request.signature == "tokens"
    for name, array in json_tensors.read_inputs(request, TWO).items():
        np.testing.assert_array_equal(array, sent[name])


@pytest.mark.parametrize("outputs", [TWO, TEXT])
def test_what_the_server_writes_is_what_a_client_reads(outputs):
    ids, text = np.array([[1, 2, 3]], INT), np.array([b"a"], object)
    sent = {name: {"ids": ids, "text": text}[name] for name in outputs}
    for name, array in json_tensors.read_columns(
        json_tensors.write_outputs(sent, in_rows=False), outputs
    ).items():
        assert array.dtype == outputs[name].dtype
        np.testing.assert_array_equal(array, sent[name])


def test_an_answer_without_outputs_is_refused():
    with pytest.raises(errors.InvalidRequestError, match='must have "outputs"'):
        json_tensors.read_columns(b'{"predictions": [1]}', TEXT)


@pytest.mark.parametrize(
    "body, number",
    [
        (b"7", 1),
        (b'{"inputs": ["a, b", "[", "\\"{,", "\\\\"]}', 6),
        (b"[[], [], {}]", 7),
        (b"[1, 2.5, true, null]", 5),
        (b'"' * 7, 1),
        (b'["' + b"\\\\" * 3 + b'", ""]', 3),
        (b'["' + b"\\\\" * 3 + b'\\"", ""]', 3),
    ],
)
@pytest.mark.parametrize("slice_bytes", [2, 4, 1 << 16])
def test_values_are_counted_without_parsing(monkeypatch, body, number, slice_bytes):
    monkeypatch.setattr(json_tensors, "SLICE_BYTES", slice_bytes)
    assert json_tensors._num_values(body) == number


@pytest.mark.parametrize(
    "values",
    [
        b"[]," * 99_999 + b"[]",
        b"1," * 99_999 + b"1",
        b"[" * 99_999,
        b'"",' * 199_999,
        b'"' * 299_999,
    ],
)
def test_a_body_of_many_values_is_not_parsed(monkeypatch, values):
    monkeypatch.setattr(json_tensors, "parse", None)
    with pytest.raises(errors.InvalidRequestError, match="at most 65536 strings, numbers, lists"):
        json_tensors.parse_request(b'{"inputs": [' + values + b"]}")


def test_texts_may_have_any_signs():
    texts = ["[{,}]" * 9_000, '"quoted", "[more]"' * 9_000, "\\" * 99]
    body = json_tensors.write_columns("", {"text": np.array([t.encode() for t in texts], object)})
    request = json_tensors.parse_request(body)
    assert request.content["text"] == texts
