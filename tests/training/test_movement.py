import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.training.movement import Movement, Parts

# A number for each of two parts of two rows of one matrix, and of four of one row of another.
SIZES = ((4, 3), (4, 2))


def optimizer_of(kernels, share=0.5, first=0, last=8):
    optimizer = kb.AdamW(1e-6, weight_decay=0.0, clip_norm=None)
    optimizer.cut(Movement([Parts(kernels, (2, 4), share)], first=first, last=last))
    return optimizer


def kernels_of(generator):
    return [keras.Variable(generator.normal(size=size).astype("float32")) for size in SIZES]


def rows_left(kernels):
    return [np.array(kernel).any(axis=1).tolist() for kernel in kernels]


def test_scores_are_what_weights_are_moved_by_whether_they_are_cut_or_not():
    generator = np.random.default_rng(5)
    kernels = kernels_of(generator)
    optimizer, movement = (one := optimizer_of(kernels)), one.movement
    whole = [np.array(kernel) for kernel in kernels]
    wanted, cut = [np.zeros(2), np.zeros(4)], 0
    for step in range(1, 9):
        before = rows_left(kernels)
        gradients = [generator.normal(size=size).astype("float32") for size in SIZES]
        for i, (part, gradient) in enumerate(zip(whole, gradients, strict=True)):
            wanted[i] -= (part * gradient).reshape(len(wanted[i]), -1).sum(axis=1)
        optimizer.apply(gradients, kernels)
        scores = [np.array(score) for score in movement.scores[0]]
        for found, one in zip(scores, wanted, strict=True):
            np.testing.assert_allclose(found, one, rtol=1e-3, atol=1e-3)
        for i, kernel in enumerate(kernels):
            left = np.array(rows_left(kernels)[i])
            # What was cut has stayed as it was, and what comes back has its weights again.
            whole[i] = np.where((left & before[i])[:, None], np.array(kernel), whole[i])
            np.testing.assert_allclose(np.array(kernel)[left], whole[i][left], atol=1e-4)
        cut = 2 - sum(rows_left(kernels)[0]) // 2 + 4 - sum(rows_left(kernels)[1])
        assert cut == round(3 * (1 - max(0, 1 - step / 8) ** 3))
    assert cut == 3


def test_one_part_of_each_stays_and_what_is_cut_in_the_end_stays_so():
    kernels = kernels_of(np.random.default_rng(6))
    optimizer = optimizer_of(kernels, share=0.9, last=1)
    seen = []
    for i in range(3):
        gradients = [np.full(size, (-1.0) ** i, "float32") for size in SIZES]
        optimizer.apply(gradients, kernels)
        left = rows_left(kernels)
        assert (sum(left[0]), sum(left[1])) == (2, 1)
        seen.append(left)
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("number", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_planted_useless_columns_go(number, two_devices, eagerly):
    """Three of six hidden units have nothing to do with what is learned."""
    strategy = two_devices if number == 2 else tf.distribute.get_strategy()
    generator = np.random.default_rng(7)
    x = generator.normal(size=(64, 6)).astype("float32")
    y = x[:, :3].sum(axis=1, keepdims=True)
    with strategy.scope():
        hidden = keras.layers.Dense(6, use_bias=False, trainable=False)
        output = keras.layers.Dense(1, use_bias=False)
        inputs = keras.Input((6,))
        model = kb.Trainable(inputs, output(hidden(inputs)))
        hidden.kernel.assign(np.eye(6))
        output.kernel.assign([[0.3]] * 3 + [[0.6]] * 3)
        optimizer = kb.AdamW(0.02, weight_decay=0.0)
        optimizer.cut(Movement([Parts([output.kernel], [6], 0.5)], first=2, last=10))
        model.compile(optimizer, keras.losses.MeanSquaredError(reduction="sum"))
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(32)
    with eagerly() if number == 1 else contextlib.nullcontext():
        model.fit(data, epochs=8, shuffle=False, verbose=0)
    assert rows_left([output.kernel]) == [[True] * 3 + [False] * 3]


def test_what_makes_no_sense_is_refused():
    kernels = kernels_of(np.random.default_rng(8))
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\), not 1"):
        Parts(kernels, (2, 4), 1)
    with pytest.raises(ValueError, match="the first is 3 and the last 3"):
        Movement([], first=3, last=3)
    optimizer = optimizer_of(kernels)
    with pytest.raises(ValueError, match="1 have no gradient: do not freeze them"):
        optimizer.apply([np.ones(SIZES[0], "float32"), None], kernels)
    with pytest.raises(ValueError, match="was built without: make a new one"):
        optimizer.cut(Movement([], first=0, last=1))
