import dataclasses

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.checkpoints.transfer import shortened, take_alike, take_heads


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


def test_some_of_the_blocks_are_a_checkpoint_with_the_same_heads(start):
    short = shortened(start, 1)
    assert short.config.num_layers == short.encoder.config.num_layers == 1
    np.testing.assert_array_equal(
        heads_of(short.model)["masked_lm/dense/kernel"],
        heads_of(start.model)["masked_lm/dense/kernel"],
    )
    assert shortened(without_heads(start), 1).model is None


def test_what_has_the_same_place_and_shape_is_taken_over(start, encoder_of):
    numbers = []
    for changes in ({}, {"intermediate_dim": 30}):
        model = kb.BertPretrainer(encoder_of("DistilBert", num_layers=1, **changes), None)
        taken, trained = take_alike(model, start)
        numbers.append(trained - taken)
        one, other = model.encoder.blocks[0], start.encoder.blocks[0]
        np.testing.assert_array_equal(one.attention.key.kernel, other.attention.key.kernel)
        dense = [one.get_layer("masked_lm").dense.kernel for one in (model, start.model)]
        np.testing.assert_array_equal(*dense)
    # Of the narrower network only the last bias fits.
    assert numbers == [0, 30 * (2 * 18 + 1)]
    far = kb.BertPretrainer(encoder_of("Bert", hidden_dim=12), None)
    taken, _ = take_alike(far, start)
    assert taken == start.config.vocabulary_size + 2 * 31  # the biases that have no width
