import numpy as np
import pytest

from keras_bert.layers.pooling import MODES, Pooling

B, T, D = 3, 7, 5
LENGTHS = (4, 7, 1)
X = np.random.default_rng(0).normal(size=[B, T, D]).astype("float32") - 3.0  # below the zeros
MASK = (np.arange(T) < np.array(LENGTHS)[:, None]).astype("int32")


def expected(mode, row):
    tokens = row.astype("float64")
    return {
        "cls": lambda: tokens[0],
        "mean": lambda: tokens.mean(axis=0),
        "max": lambda: tokens.max(axis=0),
        "mean_max": lambda: np.concatenate([tokens.mean(axis=0), tokens.max(axis=0)]),
        "none": lambda: np.pad(tokens, [(0, T - len(tokens)), (0, 0)]),
    }[mode]()


@pytest.mark.parametrize("mode", MODES)
def test_padding_counts_for_nothing(mode):
    x = np.where(MASK[:, :, None] > 0, X, np.nan)
    pooled = Pooling(mode)(x, MASK)
    rows = [expected(mode, row[:length]) for row, length in zip(X, LENGTHS, strict=True)]
    np.testing.assert_allclose(pooled, rows, rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_a_row_without_a_token_gives_finite_numbers(mode):
    assert np.isfinite(np.asarray(Pooling(mode)(X, 0 * MASK))).all()


def test_a_float32_layer_pools_in_float32():
    x = np.full([1, 999, D], 1.001, "float16")
    pooled = Pooling("mean", dtype="float32")(x, np.ones([1, 999], "int32"))
    assert pooled.dtype == "float32"
    np.testing.assert_allclose(pooled[0], x[0, 0].astype("float32"), rtol=1e-6)


def test_unknown_modes_are_errors():
    with pytest.raises(ValueError, match=r"one of \('cls', .*, not 'median': choose"):
        Pooling("median")
