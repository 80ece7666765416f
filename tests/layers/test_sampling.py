"""Draws have the distribution of the softmax, and stand where there was a blank alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.layers.sampling import FillBlanks, sampled

# The largest number below 1 that TensorFlow draws.
MOST = np.float32(1 - 2**-23)


def draws(*shape):
    return np.random.default_rng(3).uniform(size=[*shape, 2]).astype("float32")


@pytest.mark.parametrize("size", [1, 2, 9, 11])
def test_classes_are_drawn_as_often_as_the_softmax_says(size):
    """Each within six deviations."""
    number = 40_000
    logits = np.random.default_rng(size).normal(scale=2.0, size=size).astype("float32")
    shares = np.exp(logits) / np.exp(logits).sum()
    found = np.asarray(sampled(np.tile(logits, (number, 1)), draws(number)))
    counts = np.bincount(found, minlength=size)
    deviations = np.sqrt(number * shares * (1 - shares))
    assert (np.abs(counts - number * shares) <= 6 * deviations + 1e-3 * number * (size == 1)).all()


def test_rare_classes_are_as_rare_as_they_are():
    """A class has nearly all, and 900 others have a twentieth together."""
    logits = np.zeros([4_000, 901], "float32")
    logits[:, 0] = np.log(900 * 19)
    found = np.asarray(sampled(logits, draws(4_000)))
    others = found[found > 0]
    assert 200 - 6 * 13.8 < len(others) < 200 + 6 * 13.8
    assert len(set(others.tolist())) > 100 and others.max() > 700


def test_no_draw_gives_a_class_that_cannot_be():
    logits = np.array([[-np.inf, 0.0, -np.inf, 1.0, -np.inf]], "float32")
    for draw, expected in ((0.0, 1), (MOST, 3)):
        assert np.asarray(sampled(logits, np.full([1, 2], draw, "float32"))).tolist() == [expected]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_blanks_alone_are_filled(policy):
    """Whatever the logits of what is no blank, and in the precision that draws come in."""
    rows = np.arange(10, 24, dtype="int32").reshape(2, 7)
    positions = np.array([[1, 5, 0], [3, 0, 0]], "int32")
    pieces = np.array([[2, 4, 9], [300, 9, 9]])
    logits = np.where(np.arange(301) == pieces[..., None], 50.0, 0.0).astype("float32")
    keras.config.set_dtype_policy(policy)
    layer = FillBlanks(dtype="float32")
    keras.config.set_dtype_policy("float32")
    filled = layer(rows, positions, logits, draws(2, 3))
    assert filled.dtype == "int32"
    expected = rows.copy()
    expected[0, [1, 5]], expected[1, 3] = (2, 4), 300
    np.testing.assert_array_equal(filled, expected)
    again = FillBlanks.from_config(layer.get_config())
    np.testing.assert_array_equal(again(rows, positions, logits, draws(2, 3)), expected)


def test_no_gradient_comes_through():
    logits = tf.Variable(np.zeros([1, 1, 5], "float32"))
    with tf.GradientTape() as tape:
        filled = FillBlanks()(np.ones([1, 3], "int32"), np.array([[1]]), logits, draws(1, 1))
        total = tf.reduce_sum(tf.cast(filled, "float32"))
    assert tape.gradient(total, logits) is None
