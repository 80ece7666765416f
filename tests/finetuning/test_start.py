"""What a task starts from, and which weights of a head are taken over."""

import dataclasses

import keras
import numpy as np
import pytest

import keras_bert as kb
from keras_bert.checkpoints.fresh import FAMILIES
from keras_bert.data.rows import Row
from keras_bert.finetuning.start import make_task, new_start, take_head
from keras_bert.tasks.table import TASKS, task_class

ROWS = [Row({"sentence": text, "label": text}, f"a.tsv:{i}") for i, text in enumerate(("a", "b"))]


@pytest.fixture(scope="module")
def bert(config, tokenizer):
    """A checkpoint that every task can start from."""
    model = kb.BertPretrainer(kb.BertEncoder(dataclasses.replace(config, num_layers=1)))
    return kb.Checkpoint(model.encoder.config, tokenizer, model.encoder, model)


def classifier(start, **options):
    return make_task(task_class("text_classification"), start, ROWS, None, options)


def test_rows_are_as_long_as_is_said_or_as_the_model_has_positions(bert):
    kind = task_class("text_classification")
    assert classifier(bert).packer.sequence_length == 23
    assert make_task(kind, bert, ROWS, 9, {}).packer.sequence_length == 9
    with pytest.raises(ValueError, match="at most the model's 23 positions, not 24: .* --stride"):
        make_task(kind, bert, ROWS, 24, {})


def test_a_task_takes_the_options_that_it_has(bert):
    task = classifier(bert, labels=("b", "a"), stride=5, repair=True)
    assert (task.labels, task.stride) == (("b", "a"), 5)
    assert classifier(bert).labels == ("a", "b")


def test_new_weights_have_the_size_and_vocabulary_that_are_wanted(tokenizer):
    start = new_start(task_class("text_classification"), tokenizer, "tiny", dropout=0.3)
    assert start.model is None and start.encoder.config == start.config
    assert start.config.vocabulary_size == tokenizer.vocabulary_size
    assert start.config.dropout == start.config.attention_dropout == 0.3
    kept = new_start(task_class("fill_mask"), tokenizer, "tiny")
    assert kept.config.dropout == 0.1
    assert isinstance(make_task(task_class("fill_mask"), kept, [], 9, {}), kb.FillMask)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", TASKS)
def test_every_task_begins_with_new_weights_of_every_family(
    name, family, tokenizer, byte_pairs_of, tmp_path
):
    own = byte_pairs_of("Roberta") if family == "roberta" else tokenizer
    kind, preset = task_class(name), f"{family}_tiny" if family else "tiny"
    options = {"labels": ("O", "B-A")}
    task = make_task(kind, new_start(kind, own, preset), [], 23, options)
    kb.save(task, tmp_path / "saved")
    again = kb.load(tmp_path / "saved").model
    reads_pooled = name in ("text_classification", "multiple_choice")
    for before, after in zip(task.weights, again.weights, strict=True):
        # Of the others transformers' classes have no pooler.
        if reads_pooled or "pooler" not in before.path:
            np.testing.assert_array_equal(before, after)


def test_a_head_of_the_same_kind_and_labels_is_taken_over(bert, drawn):
    before = drawn(classifier(bert))
    start = dataclasses.replace(bert, model=before)
    task = classifier(start)
    assert take_head(task, start) == "All weights are the checkpoint's, those of the head too."
    features = task.features({"sentence": np.array(["the fox"])})
    logits = [np.asarray(one(one.model_inputs(features))["logits"]) for one in (before, task)]
    np.testing.assert_array_equal(*logits)


def test_another_head_stays_new(bert):
    start = dataclasses.replace(bert, model=classifier(bert))
    others = (classifier(start, labels=("b", "a")), kb.MultipleChoice(bert.encoder, packer(bert)))
    for task in others:
        before = np.array(task.get_layer("classifier").kernel)
        assert take_head(task, start) == (
            "New weights: classifier/kernel, classifier/bias; all others are the checkpoint's."
        )
        np.testing.assert_array_equal(task.get_layer("classifier").kernel, before)
    embedder = kb.SentenceEmbedder(bert.encoder, packer(bert))
    assert take_head(embedder, start) == "All weights are the checkpoint's."


def packer(start):
    return kb.Packer(start.tokenizer, 9)


def test_the_same_seed_makes_the_same_head(bert):
    heads = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        heads.append(np.array(classifier(bert).get_layer("classifier").kernel))
    np.testing.assert_array_equal(*heads)


def test_a_layer_before_the_logits_that_no_file_has_is_new(tmp_path, encoder_of, tokenizer):
    kb.save(kb.BertPretrainer(encoder_of("DistilBert", num_layers=1), None), tmp_path, tokenizer)
    start = kb.load(tmp_path)
    told = take_head(kb.MultipleChoice(start.encoder, packer(start)), start)
    assert told.startswith("New weights: pooler/dense/kernel, pooler/dense/bias, classifier/kernel")
    tagger = kb.TokenClassifier(start.encoder, packer(start), ("a", "b"))
    assert take_head(tagger, start).startswith("New weights: classifier/kernel, classifier/bias;")
