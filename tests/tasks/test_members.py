"""The mean of several models' outputs, and copies of it in another precision."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.tasks.ensembles import ensemble
from keras_bert.tasks.members import (
    MeanOfMembers,
    Member,
    Reader,
    check_alone,
    join,
    members_of,
)
from keras_bert.tasks.pooling import Pool

TEXTS = {"sentence": tf.constant(["the quick fox", "a film"])}


def classifier(tokenizer, config, seed):
    keras.utils.set_random_seed(seed)
    config = dataclasses.replace(config, num_layers=1, initializer_range=0.3)
    return kb.TextClassifier(kb.BertEncoder(config), kb.Packer(tokenizer, 9), ("no", "yes"))


@pytest.fixture(scope="module")
def members(tokenizer, config):
    return [classifier(tokenizer, config, seed) for seed in (1, 2)]


def logits(task):
    return np.asarray(task(task.model_inputs(task.features(TEXTS)))["logits"], "float32")


def test_what_an_ensemble_would_lose_is_not_made_of_it(members):
    both = ensemble(members)
    check_alone(members[0])
    for change in (
        lambda: kb.prune(both, heads={0: [0]}),
        lambda: kb.shorten(both, 1),
        lambda: kb.resize(both, max_sequence_length=50),
    ):
        with pytest.raises(ValueError, match="has 2 members, each with its own encoder: change"):
            change()


def test_outputs_are_the_mean_of_the_members(members):
    both = ensemble(members)
    assert members_of(both) == tuple(members) and members_of(members[0]) == ()
    assert members_of(members[0].encoder) == ()
    expected = (logits(members[0]) + logits(members[1])) / 2
    np.testing.assert_allclose(logits(both), expected, atol=1e-6)
    with pytest.raises(ValueError, match="train its members"):
        MeanOfMembers([Reader(one) for one in members]).call({}, training=True)


def test_a_copy_has_copies_of_the_members(members):
    both = ensemble(members)
    copy = both.copy()
    for member, one in zip(members_of(copy), members, strict=True):
        assert member is not one and member.encoder is not one.encoder
    np.testing.assert_array_equal(logits(copy), logits(both))
    assert copy.settings() == both.settings()


def test_a_copy_in_another_precision_leaves_the_process_its_own(members):
    both = ensemble(members)
    assert both.in_precision("float32") is both
    half = both.in_precision("bfloat16")
    assert keras.config.dtype_policy().name == "float32"
    for member in members_of(half):
        floats = {w.dtype for w in member.weights if "float" in w.dtype}
        assert floats == {"bfloat16"} and member.output["logits"].dtype == "bfloat16"
    assert 0 < np.abs(logits(half) - logits(both)).max() < 0.1
    assert half.in_precision("bfloat16") is half


MAKERS = {
    "tags": lambda e, p: kb.TokenClassifier(e, p, ("A", "B")),
    "blanks": lambda e, p: kb.FillMask(kb.BertPretrainer(e), p),
    "answers": lambda e, p: kb.QuestionAnswerer(e, p, stride=2),
    "long texts": lambda e, p: kb.TextClassifier(e, p, ("A", "B"), stride=3),
    "choices": lambda e, p: kb.MultipleChoice(e, p),
}


@pytest.mark.parametrize("name", MAKERS)
def test_every_task_computes_all_in_the_precision_of_its_copy(name, tokenizer, config):
    config = dataclasses.replace(config, num_layers=1)
    task = MAKERS[name](kb.BertEncoder(config), kb.Packer(tokenizer, 9))
    half = task.copy("bfloat16")
    assert type(half) is type(task) and half.settings() == task.settings()
    assert {output.dtype for output in half.output.values()} == {"bfloat16"}
    assert {w.dtype for w in half.weights if "float" in w.dtype} == {"bfloat16"}
    whole = half.copy("float32")
    assert {output.dtype for output in whole.output.values()} == {"float32"}
    assert whole.in_precision("float32") is whole


def test_a_member_says_what_it_gives(members):
    text = keras.Input([], dtype="string")
    words = keras.layers.TextVectorization(vocabulary=["a"], output_mode="multi_hot")
    model = keras.Model(text, words(text))
    member = Member(model, labels=("no", "yes"), gives="logits").reading(("text",), Pool())
    given = member({"text": tf.constant(["a"])})["logits"]
    np.testing.assert_array_equal(given, [[0.0, 1.0]])
    with pytest.raises(ValueError, match="3 numbers of each text.*the shape is \\(2, 2\\)"):
        Member(model, labels=("no", "yes", "or"), gives="logits").reading(("text",), Pool())
    for wrong, gives in ((model, "answers"), (members, "logits")):
        with pytest.raises(ValueError, match="say which of them it gives"):
            Member(wrong, labels=("no", "yes"), gives=gives)


def test_files_hear_of_all_examples(members, tmp_path, without_graphs):
    path = tmp_path / "said.csv"
    path.write_text("probability_yes,probability_no\n1,0\n0,1\n")
    both = ensemble([*members, path], by="mean", weights=(0, 0, 1))
    examples = [{"sentence": "a film"}, {"sentence": "a fox"}]
    join(both, examples)
    assert [answer["label"] for answer in both(examples[1:])] == ["no"]
