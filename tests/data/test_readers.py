import gzip
import json
import logging
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.data.readers import FORMS, read_examples, read_tfds, read_tfrecord

JSON = {"question": "Q?", "answers": [{"text": "a", "answer_start": 0}]}
SQUAD = {"data": [{"paragraphs": [{"context": "a b", "qas": [{"id": "1", **JSON}]}]}]}
RACE = {"article": "a", "questions": ["Q?"], "options": [["a", "b"]], "answers": ["A"]}
COPA = {"premise": "p", "question": "cause", "choice1": "a", "choice2": "b", "label": 0}
CONLLU = "\t".join(["1", "a", "a", "NOUN", *"______"])
# A file of each form, the name that tells its form, if any does, and a key of its examples.
FILES = {
    "tsv": ("a\tb\n1\t2\n", "x.tsv", "b"),
    "csv": ('a,b\n"1",2\n', "x.csv.gz", "b"),
    "jsonl": ('{"a": 1}\n', "x.jsonl", "a"),
    "conll": ("a O\n", "x.conll", "words"),
    "weibo": ("a0 O\n", None, "words"),
    "conllu": (CONLLU, "x.conllu.gz", "words"),
    "squad": (json.dumps(SQUAD), "x.json", "answer_starts"),
    "swag": ("sent1,sent2,ending0,ending1,label\na,b,c,d,0\n", None, "choices"),
    "copa": (json.dumps(COPA), None, "choices"),
    "arc": ('{"question": {"stem": "Q?", "choices": [{"text": "a", "label": "A"}, '
            '{"text": "b", "label": "B"}]}, "answerKey": "B"}', None, "choices"),
    "race": (json.dumps(RACE), None, "choices"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_by_its_name(tmp_path, form):
    content, name, key = FILES[form]
    path = tmp_path / "any.name"
    path.write_text(content)
    [example] = read_examples(str(path), form)
    assert key in example and example["source"].startswith(f"{path}:")
    if name:
        path = tmp_path / name
        path.write_bytes(
            gzip.compress(content.encode()) if name.endswith("gz") else content.encode()
        )
        assert read_examples(path.as_posix()) == [
            {**example, "source": example["source"].replace("any.name", name)}
        ]
    if form == "weibo":
        assert example["words"] == ["a"]


def test_files_come_from_patterns_folders_and_lists(tmp_path, caplog):
    (tmp_path / "b").mkdir()
    for name in ("1.tsv", "2.tsv", "b/3.tsv"):
        (tmp_path / name).write_text(f"a\n{name}\n")
    (tmp_path / "c.csv").write_text("c\n4\n")
    with caplog.at_level(logging.INFO, logger="absl"):
        examples = read_examples(f"{tmp_path}/*.?sv, {tmp_path}/b")
    assert [example.get("a", example.get("c")) for example in examples] == [
        *("1.tsv", "2.tsv", "b/3.tsv", "4")
    ]
    assert "/b: 4 examples." in caplog.text
    assert read_examples([tmp_path / "1.tsv", tmp_path / "b"]) == [examples[0], examples[2]]
    [example] = read_examples([tmp_path / "1.tsv"], columns=("one",))[1:]
    assert example["one"] == "1.tsv"


@pytest.mark.parametrize(
    ("path", "form", "columns", "message"),
    [
        ("{}/a.tsv", "table", None, "form must be one of tsv, csv, .* but is 'table'"),
        ("{}/a.txt", None, None, r"none is given and .*a\.txt has none of the names \.tsv, \.csv"),
        ("{}/a.tsv", None, None, r"There must be examples, but '.*a\.tsv' has none"),
        ("{}/b.*", None, None, r"b\.\*' matches none"),
        ("", None, None, "must name"),
        (
            "{}/a.txt",
            "squad",
            ("a",),
            r"columns name those of tables .*a\.txt is of the form squad",
        ),
        ("tfds:glue", None, None, "must have a name and a split, but is 'tfds:glue'"),
        ("tfds:@train", None, None, "must have a name and a split"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, path, form, columns, message):
    (tmp_path / "a.tsv").write_text("text\tlabel\n")
    (tmp_path / "a.txt").write_text("text\tlabel\n")
    with pytest.raises(ValueError, match=message):
        read_examples(path.replace("{}", str(tmp_path)), form, columns)


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
        "source": "tfds:glue/sst2@train[:10%]:0",
    }
    assert type(first["score"]) is float
    # The labels of test sets are kept secret.
    assert "label" not in second and second["text"] == "fin é"
    examples = read_examples("tfds:a@train,tfds:a/b:1.0.0@test", columns=("text",))
    assert examples == [
        {"text": "fin é", "source": f"tfds:{name}:{i}"}
        for name in ("a@train", "a/b:1.0.0@test")
        for i in range(2)
    ]
    assert tfds[1:] == [("a", "train", True), ("a/b:1.0.0", "test", True)]


def test_bad_columns_of_tensorflow_datasets(tfds, monkeypatch):
    for columns in (("text", "idx"), ("source",)):
        with pytest.raises(ValueError, match="columns must be among text, label, .* but are"):
            read_tfds("glue/sst2", "train", columns)
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
    labels = {label[:2] for example in entities for label in example["ner"]}
    assert labels and labels <= {"O", "B-", "I-"}


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
    monkeypatch.setattr("keras_bert.data.readers._PARSED_AT_ONCE", 2)
    write_records(tmp_path / "a.tfrecord", FULL, PART, PART)
    write_records(tmp_path / "b.tfrecord.gz", FULL)
    examples = read_tfrecord(f"{tmp_path}/*", SPEC)
    assert [example["source"].removeprefix(f"{tmp_path}/") for example in examples] == [
        *("a.tfrecord:0", "a.tfrecord:1", "a.tfrecord:2", "b.tfrecord.gz:0")
    ]
    full, part, *others = [{k: v for k, v in e.items() if k != "source"} for e in examples]
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


@pytest.mark.parametrize("spec", [{}, {"source": SPEC["text"]}])
def test_bad_specs_are_refused(tmp_path, spec):
    path = write_records(tmp_path / "a.tfrecord", FULL)
    with pytest.raises(ValueError, match="spec must name columns, and none 'source'"):
        read_tfrecord(path.as_posix(), spec)


def test_real_files_by_their_names(shared):
    data = shared / "data"
    assert len(read_examples(f"{data}/ner/wnut17_*.conll")) == 3394 + 1009
    assert len(read_examples(f"{data}/ner/weibo_*", "weibo")) == 1350 + 270 + 270
    assert len(read_examples(f"{data}/qa/xquad.*.json,{data}/multi/*.conllu")) == 3 * 1190 + 2000
    assert len(read_examples(f"{data}/mc/xcopa_*", "copa")) == 200
