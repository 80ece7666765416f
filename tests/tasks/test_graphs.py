"""A graph of answers is traced anew where what it was made of is another by now."""

import dataclasses

import pytest
import tensorflow as tf

import keras_bert as kb


@pytest.fixture
def task(tokenizer, config):
    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1))
    return kb.TextClassifier(encoder, kb.Packer(tokenizer, 9), ("no", "yes"))


@pytest.fixture
def traced(task, monkeypatch):
    """How often the answer was traced."""
    calls, answer = [], task.answer
    monkeypatch.setattr(task, "answer", lambda columns: calls.append(1) or answer(columns))
    return calls


def test_a_graph_serves_batches_of_any_size(task, traced):
    for texts in (["a"], ["a fox", "the dog"], ["film"]):
        assert len(task(texts)) == len(texts)
    assert len(traced) == 1


def test_a_setting_or_another_precision_has_it_traced_anew(task, traced):
    task("a")
    task.labels = ("bad", "good")
    assert task("a")["label"] in task.labels
    task.packer = kb.Packer(task.tokenizer, 7)
    task("a")
    task.get_layer("classifier").dtype_policy = "mixed_bfloat16"
    task("a")
    task("a")
    assert len(traced) == 4


def test_columns_of_other_names_have_a_graph_of_their_own(tokenizer, config):
    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1))
    task = kb.TokenClassifier(encoder, kb.Packer(tokenizer, 9), ("A", "B"))
    words, text = task({"words": ["a", "fox"]}), task("a fox")
    assert [one["label"] for one in words] == [one["label"] for one in text]
    graphs = task._graphs
    for columns in ({"text": tf.constant(["a"])}, {"words": tf.ragged.constant([["a"]])}):
        assert graphs(columns)
