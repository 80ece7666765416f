import gzip
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.data.examples.readers import read_examples
from keras_bert.data.examples.records import read_tfds, read_tfrecord


class ClassLabel:
    names = ["negative", "positive"]


class Sequence:
    def __init__(self, feature):
        self.feature = feature


FEATURES = {
    "text": object(),
    "label": ClassLabel(),
    "tags": Sequence(ClassLabel()),
    "answers": Sequence({"text": object(), "start": object()}),
    "score": object(),
}
RECORD = {
    "text": "fin é".encode(),
    "label": np.int64(1),
    "tags": np.array([0, 1]),
    "answers": {"text": np.array([b"a", b"b"], object), "start": np.array([3, 5])},
    "score": np.float32(0.5),
}


@pytest.fixture
def tfds(monkeypatch):
    """A stand-in for TensorFlow Datasets with one data set; what it was asked for."""
    asked = []

    def load(name, split, with_info):
        asked.append((name, split, with_info))
        return [RECORD, {**RECORD, "label": np.int64(-1)}], types.SimpleNamespace(features=FEATURES)

    module = types.ModuleType("tensorflow_datasets")
    module.load, module.as_numpy = load, iter
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", module)
    return asked


def test_tensorflow_datasets(tfds):
    first, second = read_tfds("glue/sst2", "train[:10%]")
    assert first == {
        "text": "fin é",
        "label": "positive",
        "tags": ["negative", "positive"],
        "answers": {"text": ["a", "b"], "start": [3, 5]},
        "score": 0.5,
    }
    assert first.source == "tfds:glue/sst2@train[:10%]:0"
    assert type(first["score"]) is float
    # The labels of test sets are kept secret.
    assert "label" not in second and second["text"] == "fin é"
    examples = read_examples("tfds:a@train,tfds:a/b:1.0.0@test", columns=("text",))
    assert examples == [{"text": "fin é"}] * 4
    assert [row.source for row in examples] == [
        f"tfds:{name}:{i}" for name in ("a@train", "a/b:1.0.0@test") for i in range(2)
    ]
    assert tfds[1:] == [("a", "train", True), ("a/b:1.0.0", "test", True)]


def test_bad_columns_of_tensorflow_datasets(tfds, monkeypatch):
    with pytest.raises(ValueError, match="columns must be among text, label, .* but are text, idx"):
        read_tfds("glue/sst2", "train", ("text", "idx"))
    monkeypatch.setitem(RECORD, "text", b"\xff")
    with pytest.raises(ValueError, match=r"tfds:a@train:0: strings must be UTF-8, but b'\\xff'"):
        read_tfds("a", "train")


def test_tensorflow_datasets_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ValueError, match="pip install tensorflow-datasets"):
        read_examples("tfds:glue/sst2@train")


@pytest.mark.reference("tensorflow_datasets")
def test_the_real_tensorflow_datasets():
    import tensorflow_datasets as datasets

    with datasets.testing.mock_data(num_examples=3):
        examples = read_tfds("glue/sst2", "validation", ("sentence", "label"))
        entities = read_tfds("conll2003", "train", ("tokens", "ner"))
    assert len(examples) == len(entities) == 3
    assert all(isinstance(example["sentence"], str) for example in examples)
    assert {example["label"] for example in examples} <= {"negative", "positive"}
    assert {label[:2] for label in entities[0]["ner"]} <= {"O", "B-", "I-"}


def feature(*values):
    if isinstance(values[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    if isinstance(values[0], float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def write_records(path, *records):
    """A TFRecord file of dicts of features, or of bytes."""
    with tf.io.TFRecordWriter(str(path), "GZIP" if path.suffix == ".gz" else None) as writer:
        for record in records:
            if not isinstance(record, bytes):
                features = tf.train.Features(feature={k: feature(*v) for k, v in record.items()})
                record = tf.train.Example(features=features).SerializeToString()
            writer.write(record)
    return path


SPEC = {
    "text": tf.io.FixedLenFeature([], tf.string),
    "span": tf.io.FixedLenFeature([2], tf.int64),
    "words": tf.io.RaggedFeature(tf.string),
    "scores": tf.io.VarLenFeature(tf.float32),
    "weight": tf.io.FixedLenFeature([], tf.float32, default_value=1.0),
}
FULL = {
    "text": (b"fin \xc3\xa9",),
    "span": (3, 5),
    "words": (b"a", b"b"),
    "scores": (0.5, 1.5, 2.5),
}
PART = {"text": (b"b",), "span": (2, 7), "weight": (0.25,)}


def test_tfrecord(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_bert.data.examples.records._PARSED_AT_ONCE", 2)
    write_records(tmp_path / "a.tfrecord", FULL, PART, PART)
    write_records(tmp_path / "b.tfrecord.gz", FULL)
    examples = read_tfrecord(f"{tmp_path}/*", SPEC)
    assert [example.source.removeprefix(f"{tmp_path}/") for example in examples] == [
        *("a.tfrecord:0", "a.tfrecord:1", "a.tfrecord:2", "b.tfrecord.gz:0")
    ]
    full, part, *others = examples
    assert full == {
        "text": "fin é",
        "span": [3, 5],
        "words": ["a", "b"],
        "scores": [0.5, 1.5, 2.5],
        "weight": 1.0,
    }
    assert part == {"text": "b", "span": [2, 7], "words": [], "scores": [], "weight": 0.25}
    assert others == [part, full]


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (
            (FULL, {**PART, "span": (1, 2, 3)}),
            r"a\.tfrecord:1: a record must be a tf\.train\.Exampl",
        ),
        ((FULL, FULL, {"text": (b"x",)}), r"a\.tfrecord:2: .* with text, span, .*span"),
        ((b"nonsense", FULL), r"a\.tfrecord:0: a record must be"),
        (({**FULL, "text": (b"\xff",)},), r"a\.tfrecord:0: strings must be UTF-8"),
        (({**FULL, "text": (1,)},), r"a\.tfrecord:0: a record must be"),
    ],
)
def test_bad_records_are_named(tmp_path, records, message):
    path = write_records(tmp_path / "a.tfrecord", *records)
    with pytest.raises(ValueError, match=message):
        read_tfrecord(path.as_posix(), SPEC)


@pytest.mark.parametrize("name", ["a.tfrecord", "a.tfrecord.gz"])
@pytest.mark.parametrize(("end", "index"), [(-5, 1), (5, 0)])
def test_damaged_files_are_named(tmp_path, name, end, index):
    data = write_records(tmp_path / "whole", FULL, PART).read_bytes()[:end]
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    with pytest.raises(ValueError, match=rf"{name}:{index}: a TFRecord file must hold whole rec"):
        read_tfrecord(f"{tmp_path}/{name}", SPEC)


@pytest.mark.parametrize("end", [-5, 12])
def test_gzip_files_that_were_cut_are_named(tmp_path, end):
    path = write_records(tmp_path / "a.tfrecord.gz", FULL, PART)
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(
        ValueError, match=r"must be gzip, but .*a\.tfrecord\.gz is not a whole gzip"
    ):
        read_tfrecord(path.as_posix(), SPEC)


def test_a_spec_must_name_columns(tmp_path):
    path = write_records(tmp_path / "a.tfrecord", {**FULL, "source": (b"x",)})
    with pytest.raises(ValueError, match="spec must name columns, but is {}"):
        read_tfrecord(path.as_posix(), {})
    [row] = read_tfrecord(path.as_posix(), {"source": SPEC["text"]})
    assert row == {"source": "x"} and row.source == f"{path}:0"
