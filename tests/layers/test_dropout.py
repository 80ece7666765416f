import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.layers.dropout import Drawn, Dropout


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


def test_elements_are_dropped_independently():
    """Also the two that share a random word, and the same places in other rows."""
    dropped = np.asarray(Dropout(0.3)(np.ones([2, 3, 301, 75], "float32"), training=True)) == 0
    for axis in range(4):
        first = np.take(dropped, range(dropped.shape[axis] - 1), axis)
        second = np.take(dropped, range(1, dropped.shape[axis]), axis)
        both = np.mean(first & second)
        assert abs(both - 0.09) < 5 * np.sqrt(0.09 * 0.91 / first.size)
    both = np.mean(dropped[..., :37] & dropped[..., 38:])  # of one word each
    assert abs(both - 0.09) < 5 * np.sqrt(0.09 * 0.91 / dropped[..., :37].size)


def test_shapes_may_be_known_late():
    dropout = Dropout(0.5)
    dropout.build((None, None))
    late = tf.function(
        lambda x: dropout(x, training=True), input_signature=[tf.TensorSpec([None, None])]
    )
    for length in (7, 30):
        assert set(np.unique(late(tf.ones([15, length])))) == {0.0, 2.0}


def test_a_drawn_seed_gives_its_mask_again_and_no_state_moves():
    dropout, x = Dropout(0.5), np.ones([7, 15], "float32")
    dropout.build(x.shape)
    seed = dropout.draw()
    state = np.array(dropout.variables[0])
    first, second = (np.asarray(dropout(x, training=True, seed=seed)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(dropout.variables[0], state)
    assert not np.array_equal(dropout(x, training=True), first)


@pytest.mark.parametrize("in_graph", [False, True])
def test_keras_random_asks_a_drawn_seed_for_nothing_but_the_seed(in_graph):
    """It is made without `SeedGenerator.__init__`: what that makes must not be missed."""
    seed = keras.random.SeedGenerator(7).next()

    def numbers():
        drawn = Drawn(seed)
        values = keras.random.randint([3, 5], -(2**31), 2**31 - 1, seed=drawn)
        assert vars(drawn) == {"seed": seed}
        return values

    found = (tf.function(numbers) if in_graph else numbers)()
    expected = keras.random.randint([3, 5], -(2**31), 2**31 - 1, seed=keras.random.SeedGenerator(7))
    np.testing.assert_array_equal(found, expected)


def test_the_gradient_is_the_mask():
    dropout, x = Dropout(0.3), tf.random.normal([7, 15])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = dropout(x, training=True)
    np.testing.assert_allclose(tape.gradient(y, x) * x, y, rtol=1e-6)


@pytest.mark.parametrize(("rate", "training"), [(0.0, True), (0.5, False)])
def test_nothing_is_dropped(rate, training):
    x = np.arange(35.0, dtype="float32").reshape(7, 5)
    np.testing.assert_array_equal(Dropout(rate)(x, training=training), x)


def test_state_is_named_after_the_layer():
    dropout = Dropout(0.5, name="mine")
    dropout.build((None, 5))
    assert [variable.path for variable in dropout.variables] == ["mine/seed/seed_generator_state"]


def test_replicas_drop_other_elements_and_keep_the_same_state(two_devices):
    with two_devices.scope():
        dropout = Dropout(0.5)
        dropout.build([5, 15])
        draw = tf.function(lambda: dropout(tf.ones([5, 15]), training=True), autograph=False)
        masks = two_devices.experimental_local_results(two_devices.run(draw))
        [state] = dropout.variables
        states = two_devices.experimental_local_results(state.value)
    assert not np.array_equal(*masks)
    np.testing.assert_array_equal(*states)
