import math

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.layers.activations import ACTIVATIONS, GatedDense, gelu


@pytest.mark.parametrize("training", [True, False])
def test_gelu_and_its_derivative_are_those_of_the_normal_distribution(training):
    x = np.linspace(-9, 9, 1001)
    cdf = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in x])
    density = np.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)
    inputs = tf.constant(x, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = gelu(inputs, training)
    np.testing.assert_allclose(y, x * cdf, atol=1e-6)
    np.testing.assert_allclose(tape.gradient(y, inputs), cdf + x * density, atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_bfloat16_stays_near_float32(name, training):
    x = tf.cast(np.linspace(-6, 6, 101), tf.bfloat16)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = ACTIVATIONS[name](x, training)
    exact = tf.cast(x, tf.float32)
    with tf.GradientTape() as exact_tape:
        exact_tape.watch(exact)
        expected = ACTIVATIONS[name](exact, training)
    # Eight bits, of values up to 6.
    np.testing.assert_allclose(tf.cast(y, tf.float32), expected, rtol=2**-7, atol=0.02)
    gradient = tf.cast(tape.gradient(y, x), tf.float32)
    np.testing.assert_allclose(gradient, exact_tape.gradient(expected, exact), atol=0.02)


def test_a_gate_is_one_half_activated_times_the_other():
    layer = GatedDense(3, "relu", use_bias=False)
    x = np.random.default_rng(1).normal(size=[5, 4]).astype("float32")
    assert layer.compute_output_shape((5, 4)) == (5, 3)
    output = layer(x)
    [kernel] = layer.get_weights()
    one, other = np.split(x @ kernel, 2, axis=1)
    np.testing.assert_allclose(output, np.maximum(one, 0) * other, atol=1e-6)
