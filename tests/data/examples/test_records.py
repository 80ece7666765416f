import gzip

import pytest
import tensorflow as tf

from keras_bert.data.examples.records import read_tfrecord


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
