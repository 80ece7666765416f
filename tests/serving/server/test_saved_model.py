"""A SavedModel in memory: its signatures, its numbers, its warm-up."""

import json

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("tensorflow_serving")

from tensorflow_serving.apis import prediction_log_pb2

from keras_bert import files
from keras_bert.serving.server.saved_model import SavedModel
from keras_bert.serving.wire import errors
from keras_bert.serving.wire.layout import MAX_WARMUP_REQUESTS, METADATA_FILE, WARMUP_FILE


def log_of(signature, **inputs):
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.model_spec.signature_name = signature
    for name, value in inputs.items():
        log.predict_log.request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return log.SerializeToString()


def write_warmup(path, records):
    (path / WARMUP_FILE).parent.mkdir()
    with tf.io.TFRecordWriter(str(path / WARMUP_FILE)) as writer:
        for record in records:
            writer.write(record)


def load(base_path):
    return SavedModel(base_path / "toy" / "1", "toy", 1)


def test_signatures_and_numbers(base_path):
    model = load(base_path)
    names = ["join", "serving_default", "tokens", "total", "wait", "words"]
    assert sorted(model.signatures) == names
    assert str(model.signatures["tokens"].inputs["weights"]) == "float [None, 3]"
    assert str(model.signatures["serving_default"].outputs["label"]) == "string [None]"
    outputs = model.run("serving_default", {"sentence": np.array([b"a fine film", b"a"], object)})
    assert outputs["label"].tolist() == [b"positive", b"negative"]
    positive = 1 / (1 + np.exp([-6.0, 4.0]))
    np.testing.assert_allclose(outputs["probabilities"][:, 1], positive, rtol=1e-6)


def test_what_the_graph_refuses_is_told_without_where_in_it(base_path):
    model = load(base_path)
    with pytest.raises(errors.InvalidRequestError) as caught:
        model.run("serving_default", {"sentence": np.array([b"x" * 5_000_000], object)})
    message = caught.value.message
    assert message.startswith("assertion failed: [A text must be shorter.]")
    assert "node" in caught.value.__cause__.message and "node" not in message


def test_errors_of_graphs_keep_their_code(base_path, monkeypatch):
    def fail(**_):
        raise tf.errors.OutOfRangeError(None, None, "why")

    model = load(base_path)
    monkeypatch.setattr(model._model, "signatures", {"words": fail})
    with pytest.raises(errors.InvalidRequestError, match="OUT_OF_RANGE: why"):
        model.run("words", {"sentence": np.array([b"a"], object)})


def test_metadata_is_that_of_the_file(base_path):
    model = load(base_path)
    assert "__saved_model_init_op" in model.signature_defs.signature_def
    method = model.signature_defs.signature_def["tokens"].method_name
    assert method == "tensorflow/serving/predict"


def test_warm_up_runs_its_requests(base_path):
    ran = []

    class Seen(SavedModel):
        def run(self, signature, inputs):
            ran.append((signature, {name: len(array) for name, array in inputs.items()}))
            return super().run(signature, inputs)

    tokens = {"token_ids": np.ones((3, 7), np.int32), "weights": np.ones((3, 3), np.float32)}
    records = [log_of("", sentence=[b"a", b"b"]), log_of("tokens", **tokens)]
    write_warmup(base_path / "toy" / "1", records)
    Seen(base_path / "toy" / "1", "toy", 1)
    assert ran == [
        ("serving_default", {"sentence": 2}),
        ("tokens", {"token_ids": 3, "weights": 3}),
    ]


@pytest.mark.parametrize(
    "record, error",
    [
        (b"no proto", Exception),
        (prediction_log_pb2.PredictionLog(classify_log={}).SerializeToString(), ValueError),
        (log_of("tokens", sentence=[b"a"]), errors.InvalidRequestError),
        (log_of("", sentence=[b"x" * 5_000_000]), errors.InvalidRequestError),
        (log_of("missing", sentence=[b"a"]), errors.InvalidRequestError),
    ],
    ids=("no proto", "other log", "other inputs", "fails", "no signature"),
)
def test_a_bad_warm_up_request_fails_the_load(base_path, record, error):
    write_warmup(base_path / "toy" / "1", [log_of("", sentence=[b"a"]), record])
    with pytest.raises(error, match=f"{WARMUP_FILE}: ."):
        load(base_path)


@pytest.mark.parametrize("size", [0, 5, -3])
def test_a_warm_up_file_that_is_cut_off_is_noticed(base_path, size):
    path = base_path / "toy" / "1" / WARMUP_FILE
    write_warmup(base_path / "toy" / "1", [log_of("", sentence=[b"a"])])
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises((errors.ServingError, ValueError), match=str(WARMUP_FILE)):
        load(base_path)


def test_a_file_of_the_model_that_is_cut_off_is_named(base_path):
    for path in (base_path / "toy" / "1" / "variables").iterdir():
        path.write_bytes(b"")
    with pytest.raises(Exception, match="toy/1: "):
        load(base_path)


def with_metadata(path):
    """Adds the metadata that the exporter writes; gives its path."""
    listed = {
        str(file.relative_to(path)): {"sha256": files.sha256(file)}
        for file in path.rglob("*")
        if file.is_file()
    }
    (path / METADATA_FILE).parent.mkdir()
    (path / METADATA_FILE).write_text(json.dumps({"task": "TextClassifier", "files": listed}))
    return path / METADATA_FILE


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index"])
def test_a_file_that_is_not_the_one_exported_is_refused(base_path, name):
    with_metadata(base_path / "toy" / "1")
    assert load(base_path).version == 1
    file = base_path / "toy" / "1" / name
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(ValueError, match=f"{name} must be .* exported, but it is damaged"):
        load(base_path)
    file.unlink()
    with pytest.raises(ValueError, match=f"{name} must be .* exported, but it is not there"):
        load(base_path)


@pytest.mark.parametrize("text", ["{", '{"files": 7}', '{"files": {"saved_model.pb": "a sum"}}'])
def test_metadata_that_is_damaged_is_refused(base_path, text):
    with_metadata(base_path / "toy" / "1").write_text(text)
    with pytest.raises(ValueError, match=f"{METADATA_FILE} must be JSON as it was exported"):
        load(base_path)


@pytest.mark.parametrize("text", ["{}", "[]", '{"made_by": "others"}'])
def test_metadata_of_others_has_no_sums(base_path, text):
    with_metadata(base_path / "toy" / "1").write_text(text)
    assert load(base_path).version == 1


def test_too_many_warm_up_requests_fail_the_load(base_path):
    write_warmup(base_path / "toy" / "1", [log_of("", sentence=[b"a"])] * (MAX_WARMUP_REQUESTS + 1))
    with pytest.raises(ValueError, match="at most 1000 requests"):
        load(base_path)


def test_a_directory_without_a_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no .*saved_model.pb"):
        SavedModel(tmp_path, "toy", 1)


def test_a_graph_with_other_tags_is_refused(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    path = tmp_path / "saved_model.pb"
    path.write_bytes(path.read_bytes().replace(b"\x05serve", b"\x05other"))
    with pytest.raises(ValueError, match='must have a graph with the tag "serve"'):
        SavedModel(tmp_path, "toy", 1)
