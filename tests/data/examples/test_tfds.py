import sys
import types

import numpy as np
import pytest

from keras_bert.data.examples.readers import read_examples
from keras_bert.data.examples.reading import Reading
from keras_bert.data.examples.tfds import name_and_split, read_tfds


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
    examples = read_examples("tfds:a@train,tfds:a/b:1.0.0@test", Reading(columns=("text",)))
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


def test_a_name_may_have_colons_and_a_split_brackets():
    assert name_and_split("tfds:a/b:1.0.0@train[:10%]") == ("a/b:1.0.0", "train[:10%]")
    for path in ("tfds:glue", "tfds:@train", "tfds:glue@"):
        with pytest.raises(ValueError, match=f"must have a name and a split, but is '{path}'"):
            name_and_split(path)
