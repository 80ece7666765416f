"""Heads have their encoder's precision, and draws of their own."""

import keras
import numpy as np
import pytest

import keras_bert as kb
from keras_bert.tasks.heads import (
    flat_rows,
    head_dropout,
    head_initializer,
    logits_layer,
    logits_policy_of,
    states_of,
)


@pytest.mark.parametrize(
    ("dtype", "logits"),
    [("float32", "float32"), ("mixed_bfloat16", "float32"), ("bfloat16", "bfloat16")],
)
def test_a_head_has_the_precision_of_its_encoder_whatever_the_processs_is(config, dtype, logits):
    encoder = kb.BertEncoder(config, dtype=dtype)
    assert encoder.dtype_policy.name == head_dropout(encoder, None).dtype_policy.name == dtype
    layer = logits_layer(encoder, 3, head_initializer(encoder, None))
    assert layer.dtype_policy.name == logits_policy_of(encoder).name == logits
    assert layer(np.ones([2, 18])).dtype.name == logits
    assert keras.config.dtype_policy().name == "float32"


@pytest.fixture(scope="module")
def encoder(config):
    return kb.BertEncoder(config)


def test_dropout_is_the_encoders_where_nothing_else_is_said(encoder):
    assert head_dropout(encoder, None).rate == encoder.config.dropout
    assert head_dropout(encoder, 0.0).rate == 0.0


def test_every_draw_is_of_its_own(encoder):
    initializer = head_initializer(encoder, None)
    assert (np.array(initializer((3, 5))) != np.array(initializer((3, 5)))).all()
    assert not np.array(head_initializer(encoder, "zeros")((3, 5))).any()


def test_rows_of_examples_are_rows_of_a_batch(encoder):
    inputs = encoder.new_inputs(has_rows=True)
    model = keras.Model(inputs, flat_rows(inputs))
    rows = {name: np.arange(30, dtype="int32").reshape(2, 3, 5) for name in inputs}
    for value in model(rows).values():
        np.testing.assert_array_equal(value, np.arange(30).reshape(6, 5))


def test_states_of_layers_are_the_encoders(encoder, tokenizer):
    rows = kb.Packer(tokenizer, 9)(["a fine film", "fox"])
    states = np.asarray(encoder.probe()(rows)["hidden_states"])
    np.testing.assert_allclose(states_of(encoder, (1,), "sum")(rows), states[1], atol=1e-6)
    added = states_of(encoder, (0, -1), "sum")(rows)
    np.testing.assert_allclose(added, states[0] + states[2], atol=1e-5)
    beside = states_of(encoder, (0, 1), "concatenate")(rows)
    np.testing.assert_allclose(beside, np.concatenate(states[:2], axis=-1), atol=1e-6)
