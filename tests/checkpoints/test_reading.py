"""Which model a directory holds, and what it reads, where files of other libraries say little."""

import json

import pytest

import keras_bert as kb
from keras_bert.checkpoints import reading
from keras_bert.checkpoints.snapshot import Snapshot


def edit(folder, name, **change):
    path = folder / name
    content = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**content, **change}))
    (folder / "checksums.json").unlink(missing_ok=True)


@pytest.fixture
def classifier(tmp_path, tokenizer, config):
    """A classifier as transformers saves it, without settings of ours."""
    task = kb.TextClassifier(kb.BertEncoder(config), kb.Packer(tokenizer, 9), ("a", "b", "c"))
    kb.save(task, tmp_path)
    content = json.loads((tmp_path / "config.json").read_text())
    del content["keras_bert"]
    (tmp_path / "config.json").write_text(json.dumps(content))
    (tmp_path / "checksums.json").unlink()
    return tmp_path


@pytest.mark.parametrize(
    ("change", "text_keys", "expected"),
    [
        ({}, None, ("sentence",)),
        ({}, ("a", "b"), ("a", "b")),
        ({"id2label": ["CONTRADICTION", "x", "Entailment"]}, None, ("premise", "hypothesis")),
        ({"id2label": ["contradiction", "x", "y"]}, ("a",), ("a",)),
        ({"sentence_transformers": {"version": "4"}}, None, ("query", "document")),
        (
            {"id2label": ["entailment", "x", "y"], "keras_bert": {"text_keys": ["mine"]}},
            None,
            ("mine",),
        ),
        ({"keras_bert": {"text_keys": ["mine"]}}, ("a", "b"), ("a", "b")),
        ({"id2label": None, "num_labels": 3}, None, ("sentence",)),
    ],
)
def test_what_a_classifier_reads(classifier, change, text_keys, expected):
    edit(classifier, "config.json", **change)
    assert kb.load(classifier, text_keys=text_keys).model.text_keys == expected


@pytest.mark.parametrize("text_keys", [(), ("a", "b", "c"), ("a", 5), ("",)])
def test_columns_that_are_none(classifier, text_keys):
    with pytest.raises(ValueError, match="text_keys must be one or two names of columns"):
        kb.load(classifier, text_keys=text_keys)


def test_columns_of_what_is_no_classifier(changeable):
    _, folder = changeable
    with pytest.raises(ValueError, match="text_keys name what a TextClassifier reads"):
        kb.load(folder, text_keys=("a",))


MODELS = {
    "encoder": (lambda e, p: e, None, ["embeddings/token/embeddings"]),
    "pretrainer": (lambda e, p: kb.BertPretrainer(e), None, ["masked_lm/bias"]),
    "classifier": (
        lambda e, p: kb.TextClassifier(e, p, ("a", "b")),
        kb.TextClassifier,
        ["classifier/kernel"],
    ),
    "questions": (lambda e, p: kb.QuestionAnswerer(e, p), kb.QuestionAnswerer, ["span/bias"]),
    "embedder": (lambda e, p: kb.SentenceEmbedder(e, p), kb.SentenceEmbedder, []),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_is_found_says_the_task_and_its_tensors(tmp_path, tokenizer, config, name):
    make, task, weights = MODELS[name]
    kb.save(make(kb.BertEncoder(config), kb.Packer(tokenizer, 9)), tmp_path, tokenizer)
    with Snapshot(tmp_path) as snapshot:
        found = reading.read_hub(snapshot, dropout=0.25, text_keys=None)
        assert found.task is task
        assert found.config.dropout == found.config.attention_dropout == 0.25
        assert all(weight in found.held for weight in weights)
        assert "classifier/kernel" not in found.held or name == "classifier"
        assert "nothing/kernel" not in found.held
        assert found.held.shape("embeddings/token/embeddings") == (101, 18)
        model = reading.model_of(kb.BertEncoder(found.config), found)
    assert type(model) is (task or (type(None) if name == "encoder" else kb.BertPretrainer))


def test_a_head_that_does_not_fit_its_settings_is_named(classifier):
    edit(classifier, "config.json", keras_bert={"stride": -1})
    with pytest.raises(ValueError, match=r"by its config.json: stride must be"):
        kb.load(classifier)
