import keras
import numpy as np

from keras_bert.layers.attention import AttentionBias, SelfAttention

B, T, N, D = 2, 7, 3, 15


def reference(x, mask, attention):
    """Vaswani et al. 2017, section 3.2, one head and one row at a time."""
    weights = {
        part.name: [np.asarray(w, "float64") for w in part.get_weights()]
        for part in (attention.query, attention.key, attention.value, attention.projection)
    }
    head_dim = D // N
    context, scores = np.zeros([B, T, D]), np.zeros([B, N, T, T])
    for b in range(B):
        query, key, value = (
            x[b] @ weights[name][0] + weights[name][1] for name in ("query", "key", "value")
        )
        for n in range(N):
            part = slice(n * head_dim, (n + 1) * head_dim)
            products = query[:, part] @ key[:, part].T / np.sqrt(head_dim)
            exponentials = np.exp(products) * mask[b]
            scores[b, n] = exponentials / exponentials.sum(-1, keepdims=True)
            context[b, :, part] = scores[b, n] @ value[:, part]
    return context @ weights["output"][0] + weights["output"][1], scores


def test_attention_is_the_papers():
    generator = np.random.default_rng(1)
    x = generator.normal(size=[B, T, D]).astype("float32")
    mask = np.array([[1] * 7, [1] * 4 + [0] * 3])
    attention = SelfAttention(N, D, kernel_initializer=keras.initializers.RandomNormal(stddev=0.4))
    bias = AttentionBias()(mask)
    flat = x.reshape(-1, D)
    output = attention(flat, flat, bias)
    expected, expected_scores = reference(x, mask, attention)
    np.testing.assert_allclose(np.asarray(output).reshape(B, T, D), expected, atol=2e-6)
    np.testing.assert_allclose(attention.scores(flat, flat, bias), expected_scores, atol=1e-6)


def test_padding_is_never_seen():
    generator = np.random.default_rng(2)
    x = generator.normal(size=[1, T, D]).astype("float32")
    attention = SelfAttention(N, D)
    bias = AttentionBias()(np.array([[1, 1, 1, 1, 0, 0, 0]]))
    changed = x.copy()
    changed[:, 4:] += 100.0
    before, after = (np.asarray(attention(y[0], y[0], bias))[:4] for y in (x, changed))
    np.testing.assert_array_equal(before, after)


def test_sequences_of_a_row_do_not_see_each_other():
    generator = np.random.default_rng(4)
    x = generator.normal(size=[T, D]).astype("float32")
    attention = SelfAttention(N, D)
    together = attention(x, x, AttentionBias()(np.array([[1, 1, 1, 2, 2, 0, 0]])))
    for start, end in [(0, 3), (3, 5)]:
        some, bias = x[start:end], AttentionBias()(np.ones([1, end - start], "int32"))
        alone = attention(some, some, bias)
        np.testing.assert_allclose(np.asarray(together)[start:end], alone, atol=1e-6)


def test_dropout_hides_attention_in_training_only():
    attention = SelfAttention(N, D, dropout=0.5)
    x, bias = np.ones([T, D], "float32"), np.zeros([1, 1, T, T], "float32")
    calm = [np.asarray(attention(x, x, bias, training=False)) for _ in range(2)]
    np.testing.assert_array_equal(*calm)
    assert not np.array_equal(calm[0], attention(x, x, bias, training=True))


def test_a_window_bounds_what_tokens_see():
    bias = np.asarray(AttentionBias(window=2)(np.array([[1] * 5 + [2, 0]])))[0, 0]
    sees = [[int(j) for j in np.flatnonzero(row == 0)] for row in bias]
    assert sees[:6] == [[0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4], [1, 2, 3, 4], [2, 3, 4], [5]]


def test_biases_may_be_left_out():
    attention = SelfAttention(N, D, use_bias=False)
    attention.build((None, D))
    assert len(attention.weights) == 4
