import keras
import numpy as np
import pytest

from keras_bert.layers.transformer import TransformerBlock

B, T, N, D, F = 2, 7, 3, 15, 31


@pytest.mark.parametrize("norm_first", [False, True])
def test_block_is_attention_and_feed_forward_with_residuals(norm_first):
    block = TransformerBlock(N, D, F, activation="relu", norm_first=norm_first)
    x = np.random.default_rng(1).normal(size=[B, T, D]).astype("float32")
    bias = np.zeros([B, 1, 1, T], "float32")
    output = block(x, bias)
    flat = x.reshape(-1, D)
    first, second = block.attention_norm, block.output_norm

    def feed_forward(y):
        return block.projection(block.intermediate(y))

    if norm_first:
        flat = flat + block.attention(first(flat), bias)
        expected = flat + feed_forward(second(flat))
    else:
        flat = first(flat + block.attention(flat, bias))
        expected = second(flat + feed_forward(flat))
    np.testing.assert_allclose(np.asarray(output).reshape(-1, D), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["gelu", "gelu_tanh", "relu"])
def test_activation_is_the_one_named(name):
    block = TransformerBlock(N, D, F, activation=name)
    block.build((B, T, D))
    x = np.linspace(-3, 3, 13, dtype="float32")
    expected = {
        "gelu": lambda x: keras.activations.gelu(x, approximate=False),
        "gelu_tanh": lambda x: keras.activations.gelu(x, approximate=True),
        "relu": keras.activations.relu,
    }[name](x)
    np.testing.assert_allclose(block.intermediate.activation(x), expected, atol=1e-6)


def test_scores_are_those_that_the_block_attends_by():
    block = TransformerBlock(N, D, F, norm_first=True)
    x = np.random.default_rng(1).normal(size=[B, T, D]).astype("float32")
    bias = np.zeros([B, 1, 1, T], "float32")
    block(x, bias)
    expected = block.attention.scores(block.attention_norm(x.reshape(-1, D)), bias)
    np.testing.assert_allclose(block.scores(x, bias), expected, atol=1e-6)
    np.testing.assert_allclose(np.sum(block.scores(x, bias), axis=-1), 1, atol=1e-5)
