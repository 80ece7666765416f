import numpy as np
import pytest

from keras_bert.layers.embeddings import Embeddings, places_in_sequence, sinusoids

B, T, D, V = 2, 7, 6, 97


def normalized(x):
    return (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
@pytest.mark.parametrize("norm_epsilon", [1e-12, None])
def test_embeddings_are_a_normalized_sum(positions, norm_epsilon):
    layer = Embeddings(V, D, 11, 3, positions=positions, norm_epsilon=norm_epsilon)
    generator = np.random.default_rng(1)
    token_ids, segment_ids = generator.integers(0, V, [B, T]), generator.integers(0, 3, [B, T])
    output = layer(token_ids, segment_ids, np.ones([B, T], "int32"))
    weights = {w.path.split("/")[-2]: np.asarray(w) for w in layer.weights}
    table = weights["position"] if positions == "learned" else sinusoids(11, D)
    expected = weights["token"][token_ids] + weights["segment"][segment_ids] + table[:T]
    expected = expected if norm_epsilon is None else normalized(expected)
    np.testing.assert_allclose(output, expected, atol=2e-5)


def test_positions_count_from_the_first_token_of_each_sequence():
    mask = np.array([[1, 1, 1, 2, 3, 3, 0], [1, 1, 0, 0, 0, 0, 0]])
    places = np.asarray(places_in_sequence(mask))
    np.testing.assert_array_equal(places[0, :6], [0, 1, 2, 0, 0, 1])
    # Padding goes on, as in a row of one sequence.
    np.testing.assert_array_equal(places[1], np.arange(7))
    layer = Embeddings(V, D, 11, 3)
    ids = np.full([B, T], 4)
    output = np.asarray(layer(ids, ids * 0, mask))
    np.testing.assert_allclose(output[0, 3:6], output[1, [0, 0, 1]], atol=1e-6)


def test_sinusoids_are_the_papers():
    table = sinusoids(11, D)
    for position, pair in [(0, 0), (3, 1), (10, 2)]:
        angle = position / 10000 ** (2 * pair / D)
        np.testing.assert_allclose(table[position, 2 * pair], np.sin(angle), atol=1e-6)
        np.testing.assert_allclose(table[position, 2 * pair + 1], np.cos(angle), atol=1e-6)


def test_more_positions_than_the_model_has_are_refused():
    layer = Embeddings(V, D, max_sequence_length=5, num_segments=2)
    ids = np.zeros([B, T], "int32")
    with pytest.raises(ValueError, match="at most 5 positions.*has 7"):
        layer(ids, ids, ids)


def test_rows_are_put_in_their_place():
    layer = Embeddings(V, D, 11, 3)
    layer.build((B, T), (B, T))
    before = np.array(layer.token.embeddings)
    layer.set_rows([5, 2], np.array([[7.0] * D, [9.0] * D]))
    after = np.array(layer.token.embeddings)
    assert (after[5] == 7).all() and (after[2] == 9).all()
    others = [i for i in range(V) if i not in (2, 5)]
    np.testing.assert_array_equal(after[others], before[others])
