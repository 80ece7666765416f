import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.layers.heads import (
    MaskedLMHead,
    Pooler,
    ReadPlaces,
    cross_entropy,
    product_with_rows,
    states_at,
)

B, T, P, D, V = 2, 7, 3, 15, 97


@pytest.fixture
def states():
    return np.random.default_rng(1).normal(size=[B, T, D]).astype("float32")


def test_pooler_reads_the_first_token(states):
    pooler = Pooler(D)
    output = pooler(states)
    kernel, bias = pooler.dense.get_weights()
    np.testing.assert_allclose(output, np.tanh(states[:, 0] @ kernel + bias), atol=1e-6)


def test_head_scores_the_vocabulary(states):
    embedding = keras.layers.Embedding(V, D)
    embedding.build([None])
    head = MaskedLMHead(embedding, activation="relu")
    output = head(states)
    head.bias.assign(np.arange(V))
    expected = np.asarray(head.norm(head.dense(states))) @ np.asarray(embedding.embeddings).T
    np.testing.assert_allclose(output, expected, atol=1e-5)
    np.testing.assert_allclose(head(states), expected + np.arange(V), atol=2e-5)


def test_states_at_places(states):
    places = np.array([[1, 5, 6], [2, 0, 3]])
    expected = np.concatenate([states[b, places[b]] for b in range(B)])
    np.testing.assert_array_equal(states_at(states, places), expected)


def test_output_weights_are_the_embeddings():
    embedding = keras.layers.Embedding(V, D)
    embedding.build([None])
    head = MaskedLMHead(embedding)
    head.build((B, P, D))
    own = [w for w in head.weights if w is not embedding.embeddings]
    assert sum(int(np.prod(w.shape)) for w in own) == D * D + D + 2 * D + V


def test_places_are_the_first_of_every_sequence_and_the_masked_ones():
    mask = np.array([[1, 1, 2, 2, 2, 3, 0], [1, 1, 1, 1, 1, 1, 1]], "int32")
    positions = np.array([[1, 4], [6, 2]], "int32")
    places = np.asarray(ReadPlaces(3)(mask, positions))
    assert places[0].tolist() == [0, 2, 5, 1, 4]
    assert places[1].tolist() == [0, 6, 6, 6, 2]  # there is no second and no third
    np.testing.assert_array_equal(ReadPlaces(0)(mask, positions), positions)


def test_product_with_rows_has_the_gradients_of_the_product():
    generator = np.random.default_rng(3)
    x, rows, upstream = (
        tf.constant(generator.normal(size=shape), tf.float32) for shape in ([P, D], [V, D], [P, V])
    )
    gradients = []
    for product in (product_with_rows, lambda x, rows: tf.matmul(x, rows, transpose_b=True)):
        with tf.GradientTape() as tape:
            tape.watch([x, rows])
            loss = tf.reduce_sum(product(x, rows) * upstream)
        gradients.append(tape.gradient(loss, [x, rows]))
    for gradient, expected in zip(*gradients, strict=True):
        np.testing.assert_allclose(gradient, expected, atol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_cross_entropy_and_its_gradient_are_tensorflows(scale):
    generator = np.random.default_rng(3)
    labels = generator.integers(0, V, [B, P]).astype("int32")
    logits = tf.constant(scale * generator.normal(size=[B, P, V]), tf.float32)
    upstream = generator.normal(size=[B, P]).astype("float32")
    results = []
    for loss in (cross_entropy, tf.nn.sparse_softmax_cross_entropy_with_logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            values = loss(labels, logits)
            total = tf.reduce_sum(values * upstream)
        results.append((values, tape.gradient(total, logits)))
    for value, expected in zip(*results, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-6)
