import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.layers.activations import ACTIVATIONS
from keras_bert.layers.attention import AttentionBias, SelfAttention
from keras_bert.layers.transformer import TransformerBlock, skipped_padding

B, T, N, D, F = 2, 7, 3, 15, 31


def block_of(activation="gelu", attention_dropout=0.0, **options):
    return TransformerBlock(
        SelfAttention(N, D, attention_dropout, name="attention"),
        keras.layers.Dense(F, ACTIVATIONS[activation], name="intermediate"),
        keras.layers.Dense(D, name="output"),
        **options,
    )


def test_weights_of_parts_are_named_after_the_block():
    """By these paths checkpoints find them."""
    block = block_of(name="layer_3")
    block(np.zeros([B, T, D]), np.zeros([B, 1, T, T]))
    dense = ("attention/query", "attention/key", "attention/value", "attention/output")
    kinds = {
        ("kernel", "bias"): (*dense, "intermediate", "output"),
        ("gamma", "beta"): ("attention_norm", "output_norm"),
    }
    expected = {
        f"layer_3/{part}/{name}"
        for names, parts in kinds.items()
        for part in parts
        for name in names
    }
    assert {weight.path for weight in block.weights} == expected


@pytest.mark.parametrize("norm_first", [False, True])
def test_block_is_attention_and_feed_forward_with_residuals(norm_first):
    block = block_of(activation="relu", norm_first=norm_first)
    x = np.random.default_rng(1).normal(size=[B, T, D]).astype("float32")
    bias = np.zeros([B, 1, T, T], "float32")
    output = block(x, bias)
    flat = x.reshape(-1, D)
    first, second = block.attention_norm, block.output_norm

    def feed_forward(y):
        return block.projection(block.intermediate(y))

    if norm_first:
        flat = flat + block.attention(first(flat), first(flat), bias)
        expected = flat + feed_forward(second(flat))
    else:
        flat = first(flat + block.attention(flat, flat, bias))
        expected = second(flat + feed_forward(flat))
    np.testing.assert_allclose(np.asarray(output).reshape(-1, D), expected, atol=1e-6)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
def test_some_positions_have_the_states_and_gradients_that_they_have_among_all(
    norm_first, recompute
):
    block = block_of(norm_first=norm_first)
    block.recompute = recompute
    generator = np.random.default_rng(1)
    x = tf.constant(generator.normal(size=[B, T, D]), tf.float32)
    bias = tf.constant(generator.normal(size=[B, 1, T, T]), tf.float32)
    positions = tf.constant([[0, 4, 4], [6, 0, 2]])
    block(x, bias)
    found = []
    for some in (lambda: block(x, bias, positions, training=True), lambda: block(x, bias)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            states = some()
            if states.shape[1] == T:
                states = tf.gather(states, positions, batch_dims=1)
            loss = tf.reduce_sum(states**3)
        found.append([states, *tape.gradient(loss, [x, *block.trainable_weights])])
    for value, expected in zip(*found, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "positions", [None, [[0, 2, 2], [3, 0, 1], [0, 0, 0]]], ids=["all", "some"]
)
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
def test_skipped_padding_changes_no_state_or_gradient_of_tokens(norm_first, recompute, positions):
    block = block_of(norm_first=norm_first)
    block.recompute = recompute
    mask = np.array([[1, 1, 2, 2, 2, 0, 0], [1, 1, 1, 1, 0, 0, 0], [0] * T])
    x = tf.constant(np.random.default_rng(1).normal(size=[*mask.shape, D]), tf.float32)
    bias = AttentionBias()(mask)
    is_read = mask if positions is None else np.take_along_axis(mask, np.array(positions), axis=1)
    block(x, bias)

    @tf.function(autograph=False)
    def states_and_gradients():
        with tf.GradientTape() as tape:
            tape.watch(x)
            at = None if positions is None else tf.constant(positions)
            states = block(x, bias, at, training=True)
            loss = tf.reduce_sum(states[is_read > 0] ** 3)
        gradients = tape.gradient(loss, [x, *(w.value for w in block.trainable_weights)])
        return states, [tf.convert_to_tensor(gradient) for gradient in gradients]

    expected_states, expected = states_and_gradients()
    states_and_gradients = tf.function(states_and_gradients.python_function, autograph=False)
    with skipped_padding():
        states, gradients = states_and_gradients()
    np.testing.assert_allclose(states[is_read > 0], expected_states[is_read > 0], atol=1e-5)
    for gradient, value in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, value, rtol=1e-4, atol=1e-4)
    if positions is None:
        np.testing.assert_array_equal(states[mask == 0], 0)


@pytest.mark.parametrize("name", ["gelu", "gelu_tanh", "relu"])
def test_activation_is_the_one_named(name):
    block = block_of(activation=name)
    block.build((B, T, D))
    x = np.linspace(-3, 3, 13, dtype="float32")
    expected = {
        "gelu": lambda x: keras.activations.gelu(x, approximate=False),
        "gelu_tanh": lambda x: keras.activations.gelu(x, approximate=True),
        "relu": keras.activations.relu,
    }[name](x)
    np.testing.assert_allclose(block.intermediate.activation(x), expected, atol=1e-6)


def test_scores_are_those_that_the_block_attends_by():
    block = block_of(norm_first=True)
    x = np.random.default_rng(1).normal(size=[B, T, D]).astype("float32")
    bias = np.zeros([B, 1, T, T], "float32")
    block(x, bias)
    normed = block.attention_norm(x.reshape(-1, D))
    expected = block.attention.scores(normed, normed, bias)
    np.testing.assert_allclose(block.scores(x, bias), expected, atol=1e-6)
    np.testing.assert_allclose(np.sum(block.scores(x, bias), axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize("norm_first", [False, True])
def test_recomputed_gradients_are_the_same_with_dropout(norm_first):
    block = block_of(dropout=0.3, attention_dropout=0.2, norm_first=norm_first)
    x = tf.constant(np.random.default_rng(1).normal(size=[B, T, D]), tf.float32)
    bias = tf.zeros([B, 1, T, T])
    block(x, bias)
    states = [variable for variable in block.variables if "seed" in variable.path]
    start = [np.array(state) for state in states]

    def gradients():
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(block(x, bias, training=True) ** 3)
        return [loss, *tape.gradient(loss, [x, *(w.value for w in block.trainable_weights)])]

    results = []
    for recompute in (False, True):
        block.recompute = recompute
        for state, value in zip(states, start, strict=True):
            state.assign(value)
        results.append(tf.function(lambda: gradients(), autograph=False)())
    assert len(results[0]) == 18
    # Rounding is that of the largest: the gradient of the key's bias is 0 but for it.
    atol = 1e-6 * max(np.abs(gradient).max() for gradient in results[0][1:])
    for value, expected in zip(*results, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-6, atol=atol)
