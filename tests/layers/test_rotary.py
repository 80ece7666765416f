import numpy as np

from keras_bert.layers.rotary import RotaryAttention

B, T, N, D = 2, 7, 3, 12


def test_queries_and_keys_are_turned_by_their_places():
    """RoFormer, section 3.2.2: a pair of dimensions is a complex number, turned by its angle."""
    heads = np.random.default_rng(1).normal(size=[B, N, T, 4]).astype("float32")
    attention = RotaryAttention(N, D, base=100.0)
    pairs = heads[..., :2] + 1j * heads[..., 2:]
    angles = np.arange(T)[:, None] * np.array([1.0, 0.1])
    turned = pairs * np.exp(1j * angles)
    expected = np.concatenate([turned.real, turned.imag], axis=-1)
    np.testing.assert_allclose(attention.placed(heads), expected, atol=1e-5)
    positions = np.array([[0, 4], [6, 1]])
    some = np.take_along_axis(heads, positions[:, None, :, None], axis=2)
    found = attention.placed(some, positions)
    wanted = np.take_along_axis(expected, positions[:, None, :, None], axis=2)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_scores_know_distances_alone():
    x = np.random.default_rng(2).normal(size=[T, D]).astype("float32")
    attention = RotaryAttention(N, D, base=100.0)
    bias = np.zeros([1, 1, T, T], "float32")
    shifted = np.concatenate([x[-2:], x[:-2]])  # two places on, but for the last two
    scores, moved = (np.log(np.asarray(attention.scores(one, one, bias))) for one in (x, shifted))
    difference = moved[..., 2:, 2:] - scores[..., :-2, :-2]
    np.testing.assert_allclose(np.ptp(difference, axis=-1), 0, atol=1e-4)
