import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.layers.heads import FirstPositions, MaskedLMHead, Pooler, product_with_rows
from keras_bert.layers.norm import LayerNorm

B, T, P, D, V = 2, 7, 3, 15, 97


@pytest.fixture
def states():
    return np.random.default_rng(1).normal(size=[B, T, D]).astype("float32")


def test_pooler_is_a_dense_layer_with_tanh(states):
    pooler = Pooler(D)
    for first in (states[:, 0], states[:, :2]):  # of one sequence, and of several
        output = pooler(first)
        kernel, bias = pooler.dense.get_weights()
        np.testing.assert_allclose(output, np.tanh(first @ kernel + bias), atol=1e-6)


def test_head_scores_the_vocabulary(states):
    embedding = keras.layers.Embedding(V, D)
    embedding.build([None])
    head = MaskedLMHead(embedding, activation="relu")
    output = head(states)
    head.bias.assign(np.arange(V))
    hidden = head.norm(head.dense(states))
    expected = np.asarray(hidden) @ np.asarray(embedding.embeddings).T
    np.testing.assert_allclose(output, expected, atol=1e-5)
    np.testing.assert_allclose(head(states), expected + np.arange(V), atol=2e-5)


def test_output_weights_are_the_embeddings():
    embedding = keras.layers.Embedding(V, D)
    embedding.build([None])
    head = MaskedLMHead(embedding)
    head.build((B, T, D))
    own = [w for w in head.weights if w is not embedding.embeddings]
    assert sum(int(np.prod(w.shape)) for w in own) == D * D + D + 2 * D + V


def test_first_positions_of_every_sequence():
    mask = np.array([[1, 1, 2, 2, 2, 3, 0], [1, 1, 1, 1, 1, 1, 1]])
    positions = np.asarray(FirstPositions(3)(mask))
    assert positions[0].tolist() == [0, 2, 5]
    assert positions[1, 0] == 0 and (positions[1] < T).all()
    assert positions.shape == (B, 3)


def test_product_with_rows_has_the_gradients_of_the_product():
    generator = np.random.default_rng(3)
    x, rows, upstream = (
        tf.constant(generator.normal(size=shape), tf.float32) for shape in ([P, D], [V, D], [P, V])
    )
    gradients = []
    for product in (
        lambda x, rows: tf.matmul(x, rows, transpose_b=True),
        lambda x, rows: product_with_rows(x, rows, training=True),
        product_with_rows,
    ):
        with tf.GradientTape() as tape:
            tape.watch([x, rows])
            loss = tf.reduce_sum(product(x, rows) * upstream)
        gradients.append(tape.gradient(loss, [x, rows]))
    for some in gradients[1:]:
        for gradient, expected in zip(some, gradients[0], strict=True):
            np.testing.assert_allclose(gradient, expected, atol=1e-5)


def test_a_pooler_may_have_another_activation_a_norm_and_no_bias(states):
    pooler = Pooler(D, activation="relu", use_bias=False, norm=LayerNorm(1e-5, name="norm"))
    output = pooler(states)
    [kernel, scale, offset] = pooler.get_weights()
    hidden = np.maximum(states @ kernel, 0)
    np.testing.assert_allclose(output, LayerNorm(1e-5)(hidden), atol=1e-5)
    dropping = Pooler(D, dropout=0.5)
    calm = np.asarray(dropping(states))
    np.testing.assert_array_equal(dropping(states), calm)
    assert not np.array_equal(dropping(states, training=True), calm)


def test_a_head_may_be_narrower_and_without_biases(states):
    embedding = keras.layers.Embedding(V, 7)
    embedding.build([None])
    head = MaskedLMHead(embedding, use_bias=False)
    assert head(states).shape == (B, T, V)
    own = [w for w in head.weights if w is not embedding.embeddings]
    assert sum(int(np.prod(w.shape)) for w in own) == D * 7 + 7 + V
