import dataclasses

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.checkpoints.transfer import take_heads


@pytest.fixture
def start(config, tokenizer):
    encoder = kb.BertEncoder(config)
    return kb.Checkpoint(config, tokenizer, encoder, kb.BertPretrainer(encoder, "next_sentence"))


def heads_of(model):
    shared = {id(weight) for weight in model.encoder.weights}
    return {w.path: np.array(w) for w in model.trainable_weights if id(w) not in shared}


def test_heads_that_are_there_are_taken_over(start):
    again = kb.BertPretrainer(start.encoder, "next_sentence")
    heads = take_heads(again, start)
    before, after = heads_of(start.model), heads_of(again)
    assert set(heads.taken) == before.keys() and heads.new == ()
    assert before.keys() == after.keys() and len(before) == 7
    for path, value in before.items():
        np.testing.assert_array_equal(after[path], value)


def test_heads_that_are_not_there_are_new(start):
    other = kb.BertPretrainer(start.encoder, "sentence_order")
    drawn = heads_of(other)["sentence_order/kernel"]
    heads = take_heads(other, start)
    assert len(heads.taken) == 5
    assert heads.new == ("sentence_order/kernel", "sentence_order/bias")
    taken = heads_of(other)
    np.testing.assert_array_equal(taken["sentence_order/kernel"], drawn)
    path = "masked_lm/dense/kernel"
    np.testing.assert_array_equal(taken[path], heads_of(start.model)[path])


def test_weights_that_are_shared_are_neither(start):
    assert take_heads(start.model, start) == ((), ())


def test_without_heads_of_the_same_kind_all_are_new(start):
    other = kb.BertPretrainer(start.encoder, None)
    drawn = heads_of(other)
    for case in ({"start": start, "are_alike": False}, {"start": without_heads(start)}):
        heads = take_heads(other, **case)
        assert heads.taken == () and len(heads.new) == 5
        for path, value in heads_of(other).items():
            np.testing.assert_array_equal(value, drawn[path])


def without_heads(start):
    """The same checkpoint without its heads."""
    return dataclasses.replace(start, model=None)
