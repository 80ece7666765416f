import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.layers.heads import FirstTokens, MaskedLMHead, Pooler, product_with_rows

B, T, P, D, V = 2, 7, 3, 15, 97


@pytest.fixture
def states():
    return np.random.default_rng(1).normal(size=[B, T, D]).astype("float32")


def test_pooler_reads_the_first_token(states):
    pooler = Pooler(D)
    output = pooler(states)
    kernel, bias = pooler.dense.get_weights()
    np.testing.assert_allclose(output, np.tanh(states[:, 0] @ kernel + bias), atol=1e-6)


def test_head_scores_the_vocabulary_at_the_positions(states):
    embedding = keras.layers.Embedding(V, D)
    embedding.build([None])
    head = MaskedLMHead(embedding, activation="relu")
    positions = np.array([[1, 5, 6], [2, 0, 3]])
    output = head(states, positions)
    head.bias.assign(np.arange(V))
    gathered = np.stack([states[b, positions[b]] for b in range(B)])
    hidden = head.norm(head.dense(gathered))
    expected = np.asarray(hidden) @ np.asarray(embedding.embeddings).T
    np.testing.assert_allclose(output, expected, atol=1e-5)
    np.testing.assert_allclose(head(states, positions), expected + np.arange(V), atol=2e-5)


def test_output_weights_are_the_embeddings():
    embedding = keras.layers.Embedding(V, D)
    embedding.build([None])
    head = MaskedLMHead(embedding)
    head.build((B, T, D))
    own = [w for w in head.weights if w is not embedding.embeddings]
    assert sum(int(np.prod(w.shape)) for w in own) == D * D + D + 2 * D + V


def test_first_tokens_of_every_sequence(states):
    mask = np.array([[1, 1, 2, 2, 2, 3, 0], [1, 1, 1, 1, 1, 1, 1]])
    output = np.asarray(FirstTokens(3)(states, mask))
    np.testing.assert_array_equal(output[0], states[0, [0, 2, 5]])
    np.testing.assert_array_equal(output[1, 0], states[1, 0])
    assert output.shape == (B, 3, D)


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
