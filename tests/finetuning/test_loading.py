"""The task in a directory, with the settings that are given."""

import dataclasses

import pytest

import keras_bert as kb
from keras_bert.finetuning.loading import load_task


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer, config):
    """A folder with a pretrained model, an encoder alone, and a classifier."""
    folder = tmp_path_factory.mktemp("loading")
    model = kb.BertPretrainer(kb.BertEncoder(dataclasses.replace(config, num_layers=1)))
    packer = kb.Packer(tokenizer, 9)
    kb.save(model, folder / "bert", tokenizer)
    kb.save(model.encoder, folder / "bare", tokenizer)
    kb.save(kb.TextClassifier(model.encoder, packer, ("bad", "fine")), folder / "films")
    return folder


def test_a_classifier_reads_the_columns_that_are_named(folder):
    task = load_task(folder / "films")
    assert (task.text_keys, task.label_key) == (("sentence",), "label")
    named = load_task(folder / "films", text_keys=("review",), label_key="mood")
    assert (named.text_keys, named.label_key) == (("review",), "mood")
    with pytest.raises(ValueError, match="must be different columns"):
        load_task(folder / "films", text_keys=("label",))


def test_a_pretrained_model_fills_blanks(folder):
    task = load_task(folder / "bert", text_keys=("review",), top_k=2)
    assert isinstance(task, kb.FillMask) and task.packer.sequence_length == 23
    assert len(task("a [MASK]")[0]) == 2
    assert load_task(folder / "bert").top_k == 5


def test_rows_may_be_longer_than_in_training(folder):
    assert load_task(folder / "films", sequence_length=23).packer.sequence_length == 23
    with pytest.raises(ValueError, match="at most the encoder's 23 positions, but is 24"):
        load_task(folder / "films", sequence_length=24)


def test_what_is_not_there_is_told(folder):
    with pytest.raises(ValueError, match="bare must hold a model with a head"):
        load_task(folder / "bare")
    with pytest.raises(ValueError, match="--top_k is for models that fill blanks, .*films"):
        load_task(folder / "films", top_k=3)
