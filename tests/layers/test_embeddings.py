import keras
import numpy as np
import pytest

from keras_bert.layers.embeddings import (
    Embeddings,
    Sinusoids,
    positions_in_sequence,
    sinusoids,
)
from keras_bert.layers.norm import LayerNorm

B, T, D, V = 2, 7, 6, 97


def embeddings(num_positions=11, learned=True, **options):
    token, segment, position = (
        keras.layers.Embedding(size, D, name=name)
        for name, size in (("token", V), ("segment", 3), ("position", num_positions))
    )
    return Embeddings(
        token, segment, position if learned else Sinusoids(num_positions, D), **options
    )


def normalized(x):
    return (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)


@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize("norm", [LayerNorm, None])
def test_embeddings_are_a_normalized_sum(learned, norm):
    layer = embeddings(learned=learned, norm=norm and norm(1e-12))
    generator = np.random.default_rng(1)
    token_ids, segment_ids = generator.integers(0, V, [B, T]), generator.integers(0, 3, [B, T])
    output = layer(token_ids, segment_ids, np.ones([B, T], "int32"))
    weights = {w.path.split("/")[-2]: np.asarray(w) for w in layer.weights}
    table = weights["position"] if learned else sinusoids(11, D)
    expected = weights["token"][token_ids] + weights["segment"][segment_ids] + table[:T]
    expected = expected if norm is None else normalized(expected)
    np.testing.assert_allclose(output, expected, atol=2e-5)


def test_positions_count_from_the_first_token_of_each_sequence():
    mask = np.array([[1, 1, 1, 2, 3, 3, 0], [1, 1, 0, 0, 0, 0, 0]])
    positions = np.asarray(positions_in_sequence(mask))
    np.testing.assert_array_equal(positions[0, :6], [0, 1, 2, 0, 0, 1])
    # Padding goes on, as in a row of one sequence.
    np.testing.assert_array_equal(positions[1], np.arange(7))
    layer = embeddings()
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
    layer = embeddings(num_positions=5)
    ids = np.zeros([B, T], "int32")
    with pytest.raises(ValueError, match="at most 5 positions.*has 7"):
        layer(ids, ids, ids)


def test_sinusoids_are_looked_up_as_a_table_is():
    layer = Sinusoids(11, D)
    positions = np.array([[3, 0], [10, 3]])
    np.testing.assert_array_equal(layer(positions), sinusoids(11, D)[positions])
    assert not layer.weights


def test_what_a_family_has_not_is_left_out():
    """Segments and positions; a first segment alone; rows before the first position; a width."""
    token, segment, position = (
        keras.layers.Embedding(size, D, name=name)
        for name, size in (("token", V), ("segment", 1), ("position", T + 2))
    )
    ids, mask = np.arange(B * T).reshape(B, T), np.ones([B, T], "int32")
    alone = Embeddings(token)
    np.testing.assert_allclose(alone(ids), np.asarray(token.embeddings)[ids])
    layer = Embeddings(
        keras.layers.Embedding(V, D),
        segment,
        position,
        first_position=2,
        projection=keras.layers.Dense(5),
    )
    output = layer(ids, padding_mask=mask)
    pieces, segments, positions, (kernel, _) = (
        part.get_weights() for part in (layer.token, segment, position, layer.projection)
    )
    x = pieces[0][ids] + segments[0][0] + positions[0][2:]
    np.testing.assert_allclose(output, x @ kernel, atol=1e-5)
