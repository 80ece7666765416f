"""Every task's checkpoint: transformers' opens with its numbers, ours comes back, opens there."""

import dataclasses
import json

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.checkpoints import hub

B, T = 2, 7


def packer(tokenizer, length=23):
    return kb.Packer(tokenizer, length)


TASKS = {
    "classification": lambda e, p: kb.TextClassifier(e, p, ("no", "perhaps", "yes")),
    "regression": lambda e, p: kb.TextClassifier(
        e, p, ("score",), ("first", "second"), "regression"
    ),
    "several labels": lambda e, p: kb.TextClassifier(
        e, p, ("a", "b", "c"), problem="multi_label_classification", dropout=0.3
    ),
    "long texts": lambda e, p: kb.TextClassifier(e, p, ("no", "yes"), stride=5),
    "multiple choice": lambda e, p: kb.MultipleChoice(e, p),
    "tokens": lambda e, p: kb.TokenClassifier(e, p, ("O", "B-X", "I-X"), dropout=0.2),
    "question answering": lambda e, p: kb.QuestionAnswerer(e, p, no_answer_threshold=1.5),
    "embedding": lambda e, p: kb.SentenceEmbedder(e, p, pooling="max", normalize=False),
    "embedding of layers": lambda e, p: kb.SentenceEmbedder(e, p, layers=(0, 2)),
}


def inputs_of(task):
    rank = len(task.inputs[0].shape)
    ids = np.random.default_rng(3).integers(
        5, 97, [B, 3, T][: 1 + 2 * (rank > 2)] + [T] * (rank < 3)
    )
    ids = ids.astype("int32")
    return {"token_ids": ids, "segment_ids": ids % 2, "padding_mask": np.ones_like(ids)}


@pytest.mark.parametrize("make", TASKS.values(), ids=TASKS)
def test_what_is_saved_comes_back(tmp_path, tokenizer, config, make):
    task = make(kb.BertEncoder(config), packer(tokenizer, 19))
    kb.save(task, tmp_path)
    loaded = kb.load(tmp_path).model
    assert type(loaded) is type(task)
    assert loaded.settings() == task.settings()
    assert loaded.packer.sequence_length == 19
    for name, value in task(inputs_of(task)).items():
        np.testing.assert_array_equal(loaded(inputs_of(task))[name], value)


@pytest.mark.parametrize("make", list(TASKS.values())[:-2], ids=list(TASKS)[:-2])
def test_google_form_holds_the_same_weights(tmp_path, tokenizer, config, make):
    config = dataclasses.replace(config, activation="gelu_tanh")
    task = make(kb.BertEncoder(config), packer(tokenizer))
    kb.save_google(task, tmp_path / "google", tokenizer)
    loaded = kb.load(tmp_path / "google").model
    theirs = {weight.path: weight for weight in loaded.weights}
    for weight in task.weights:
        np.testing.assert_array_equal(theirs[weight.path], weight)


GOLDEN = {
    "classification": ("TextClassifier", ("logits",)),
    "token": ("TokenClassifier", ("logits",)),
    "qa": ("QuestionAnswerer", ("start_logits", "end_logits")),
    "multiple_choice": ("MultipleChoice", ("logits",)),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_numbers_of_transformers(shared, name):
    kind, outputs = GOLDEN[name]
    folder = shared / "golden" / "hf_bert_3x48" / name
    expected = np.load(folder / "expected.npz")
    task = kb.load(folder).model
    assert type(task).__name__ == kind
    got = task({key: expected[key] for key in task.input_names})
    mask = expected["padding_mask"]
    for output in outputs:
        where = mask.astype(bool) if expected[output].shape[: mask.ndim] == mask.shape else ...
        np.testing.assert_allclose(
            np.asarray(got[output])[where], expected[output][where], atol=1e-5
        )


def test_labels_are_those_of_the_config(shared):
    task = kb.load(shared / "golden" / "hf_bert_3x48" / "classification").model
    assert task.labels == tuple(f"LABEL_{i}" for i in range(5))


TRANSFORMERS = {
    "classification": "AutoModelForSequenceClassification",
    "regression": "AutoModelForSequenceClassification",
    "several labels": "AutoModelForSequenceClassification",
    "multiple choice": "AutoModelForMultipleChoice",
    "tokens": "AutoModelForTokenClassification",
    "question answering": "AutoModelForQuestionAnswering",
}


@pytest.mark.reference("torch", "transformers")
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers_opens_what_we_save(tmp_path, tokenizer, config, drawn, name):
    import torch
    import transformers

    task = drawn(TASKS[name](kb.BertEncoder(config), packer(tokenizer)))
    kb.save(task, tmp_path)
    model, loading = getattr(transformers, TRANSFORMERS[name]).from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert not loading["missing_keys"] and not loading["unexpected_keys"]
    features = inputs_of(task)
    theirs = model.eval()(
        input_ids=torch.tensor(features["token_ids"]),
        token_type_ids=torch.tensor(features["segment_ids"]),
        attention_mask=torch.tensor(features["padding_mask"]),
    )
    for output, value in task(features).items():
        np.testing.assert_allclose(value, theirs[output].detach().numpy(), atol=1e-5)
    if hasattr(task, "labels"):
        assert tuple(model.config.id2label.values()) == task.labels
    if hasattr(task, "problem"):
        assert model.config.problem_type == task.problem


def test_dropout_may_be_set_for_training(tmp_path, tokenizer, config):
    kb.save(TASKS["several labels"](kb.BertEncoder(config), packer(tokenizer)), tmp_path)
    task = kb.load(tmp_path, dropout=0.25).model
    assert task.encoder.config.dropout == task.encoder.config.attention_dropout == 0.25
    assert task.dropout == 0.25


def test_a_head_that_the_file_lacks_is_an_error(tmp_path, tokenizer, config):
    kb.save(kb.BertEncoder(config), tmp_path, tokenizer)
    (tmp_path / "checksums.json").unlink()
    content = json.loads((tmp_path / hub.CONFIG_FILE).read_text())
    content["architectures"] = ["BertForSequenceClassification"]
    (tmp_path / hub.CONFIG_FILE).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"classifier.bias, classifier.weight are missing"):
        kb.load(tmp_path)


def test_model_max_length_is_honoured(tmp_path, tokenizer, config):
    kb.save(kb.BertEncoder(config), tmp_path / "bare", tokenizer)
    kb.save(TASKS["classification"](kb.BertEncoder(config), packer(tokenizer)), tmp_path / "task")
    for path in (tmp_path / "task" / hub.CONFIG_FILE, tmp_path / "task" / "tokenizer_config.json"):
        content = json.loads(path.read_text())
        content.pop("keras_bert", None)
        if "model_max_length" in content:
            content["model_max_length"] = 13
        path.write_text(json.dumps(content))
    (tmp_path / "task" / "checksums.json").unlink()
    assert kb.load(tmp_path / "task").model.packer.sequence_length == 13
