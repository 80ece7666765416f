import keras
import numpy as np

from keras_bert.layers.rows import FlattenRows, GatherRows, MeanOfRows

RNG = np.random.default_rng(0)


def test_rows_there_and_back():
    rows = RNG.integers(0, 97, [2, 3, 7]).astype("int32")
    flat = np.asarray(FlattenRows(dtype="int32")(rows))
    np.testing.assert_array_equal(flat[4], rows[1, 1])
    back = np.asarray(GatherRows()(flat[:, :5].astype("float32"), rows))
    np.testing.assert_array_equal(back, rows[:, :, :5])


def test_mean_leaves_out_empty_rows():
    x = RNG.normal(size=[2, 3, 5]).astype("float32")
    mask = np.ones([2, 3, 7], "int32")
    mask[1, 1:] = 0
    mask[0, 2, 3:] = 0  # shorter, but not empty
    mean = np.asarray(MeanOfRows()(x, mask))
    np.testing.assert_allclose(mean, [x[0].mean(axis=0), x[1, 0]], rtol=1e-6)
    # Nor is an example without any, whose weight is 0, a nan in the sum of a batch.
    np.testing.assert_array_equal(MeanOfRows()(x, 0 * mask), np.zeros([2, 5]))


def test_of_one_number_the_mean_is_one_too():
    x, mask = keras.Input((None, 1)), keras.Input((None, None), dtype="int32")
    assert MeanOfRows()(x, mask).shape == (None, 1)
