import numpy as np
import pytest

from keras_bert.layers.dropout import Dropout


def test_share_and_scale():
    dropout = Dropout(0.3)
    y = np.asarray(dropout(np.ones([1000, 37], "float32"), training=True))
    kept = y != 0
    np.testing.assert_allclose(y[kept], 1 / 0.7, rtol=1e-6)
    # Five standard deviations of a binomial share.
    assert abs(kept.mean() - 0.7) < 5 * np.sqrt(0.3 * 0.7 / kept.size)


def test_masks_change_and_come_back_with_the_state():
    dropout, x = Dropout(0.5), np.ones([7, 15], "float32")
    first, second = (np.asarray(dropout(x, training=True)) for _ in range(2))
    assert not np.array_equal(first, second)
    [state] = dropout.variables
    saved = np.asarray(state)
    third = np.asarray(dropout(x, training=True))
    state.assign(saved)
    np.testing.assert_array_equal(dropout(x, training=True), third)


@pytest.mark.parametrize(("rate", "training"), [(0.0, True), (0.5, False)])
def test_nothing_is_dropped(rate, training):
    x = np.arange(35.0, dtype="float32").reshape(7, 5)
    np.testing.assert_array_equal(Dropout(rate)(x, training=training), x)


def test_state_is_named_after_the_layer():
    dropout = Dropout(0.5, name="mine")
    dropout.build((None, 5))
    assert [variable.path for variable in dropout.variables] == ["mine/seed/seed_generator_state"]
