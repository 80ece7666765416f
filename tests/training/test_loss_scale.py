"""LossScale, by itself and in an optimizer: it changes no update, and finds its place."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training import loss_scale
from keras_bert.training.lamb import Lamb
from keras_bert.training.loss_scale import LossScale
from keras_bert.training.muon import Muon
from keras_bert.training.optimizers import AdamW


def updated(scale, finite, monkeypatch, growth_steps=3):
    monkeypatch.setattr(loss_scale, "GROWTH_STEPS", growth_steps)
    found = []
    for one in finite:
        scale.update(tf.constant(one))
        found.append((float(scale.scale), int(scale.finite_steps)))
    return found


def test_it_grows_after_finite_updates_in_a_row_and_falls_at_once(monkeypatch):
    scale = LossScale(keras.optimizers.SGD().add_variable)
    first = loss_scale.FIRST
    assert first == 2**15 and loss_scale.GROWTH_STEPS == 2000
    assert updated(scale, [True, True, False, True, True, True, True], monkeypatch) == [
        *[(first, 1), (first, 2), (first / 2, 0)],
        *[(first / 2, 1), (first / 2, 2), (first, 0), (first, 1)],
    ]


def test_it_stays_within_its_bounds(monkeypatch):
    scale = LossScale(keras.optimizers.SGD().add_variable)
    assert scale.may_fall()
    assert updated(scale, [False] * 17, monkeypatch)[-3:] == [(1.0, 0)] * 3
    assert not scale.may_fall()
    assert updated(scale, [True] * 26, monkeypatch, 1)[-3:] == [(2.0**24, 0)] * 3


@pytest.mark.parametrize("clip_norm", [None, 0.1, 100.0])
@pytest.mark.parametrize("kind", [AdamW, Lamb, Muon])
def test_updates_are_those_without_it(kind, clip_norm):
    results = []
    for scaled in (False, True):
        variable, optimizer = keras.Variable([1.0, -2.0, 3.0]), kind(0.1, clip_norm=clip_norm)
        if scaled:
            optimizer.scale_losses()
            optimizer.scale_losses()  # is there already
        for _ in range(2):
            with tf.GradientTape() as tape:
                loss = optimizer.scale_loss(tf.reduce_sum(variable.value**2))
            optimizer.apply(tape.gradient(loss, [variable.value]), [variable])
        results.append(variable.numpy())
    np.testing.assert_array_equal(*results)


def test_an_overflow_halves_it_and_leaves_the_weights():
    variable, optimizer = keras.Variable([1.0, 2.0]), AdamW(0.1)
    optimizer.scale_losses()
    for gradient in (math.inf, 1.0):
        before = variable.numpy()
        optimizer.apply([tf.constant([gradient, 0.0])], [variable])
        assert np.array_equal(before, variable) == (gradient == math.inf)
    names = [v.path.removeprefix("adamw/") for v in optimizer.variables]
    assert names[2:4] == ["loss_scale", "finite_steps"]
    assert [float(v) for v in optimizer.variables[2:4]] == [2**14, 1]
