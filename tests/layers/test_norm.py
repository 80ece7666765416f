import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.layers.norm import LayerNorm

B, T, D = 2, 7, 15


def value_and_gradients(layer, x, upstream, training):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
        loss = tf.reduce_sum(tf.cast(y, tf.float32) * upstream)
    return [y, *tape.gradient(loss, [x, *(w.value for w in layer.trainable_weights)])]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(B, T, D), (T, D)])
def test_value_and_gradients_are_those_of_keras(shape, training):
    generator = np.random.default_rng(1)
    x, upstream = generator.normal(3, 2, [2, *shape]).astype("float32")
    ours, stock = LayerNorm(1e-12), keras.layers.LayerNormalization(epsilon=1e-12)
    for layer in (ours, stock):
        layer.build(shape)
        layer.set_weights(np.random.default_rng(2).normal(size=[2, D]))
    results = [value_and_gradients(layer, x, upstream, training) for layer in (ours, stock)]
    for value, expected in zip(*results, strict=True):
        np.testing.assert_allclose(value, expected, atol=5e-6)


def test_reduced_precision_is_that_of_the_result_alone():
    x = np.random.default_rng(1).normal(100, 1, [T, D]).astype("float32")
    x = np.asarray(tf.cast(tf.cast(x, tf.bfloat16), tf.float32))
    exact, rounded = LayerNorm(1e-12), LayerNorm(1e-12, dtype="mixed_bfloat16")
    y = rounded(tf.cast(x, tf.bfloat16))
    assert y.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(y, tf.float32), exact(x), rtol=2**-8)


def test_names_are_those_of_keras():
    layer = LayerNorm(1e-12, name="norm")
    layer.build((None, D))
    assert [weight.path for weight in layer.weights] == ["norm/gamma", "norm/beta"]


def test_the_offset_may_be_left_out():
    x = np.random.default_rng(1).normal(3, 2, [T, D]).astype("float32")
    layer = LayerNorm(1e-5, center=False)
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)
    assert len(layer.weights) == 1
