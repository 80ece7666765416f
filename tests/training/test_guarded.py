"""GuardedOptimizer: what is not finite changes nothing, on either optimizer that stands on it."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training.guarded import global_norm, patterns_of
from keras_bert.training.lamb import Lamb
from keras_bert.training.muon import Muon
from keras_bert.training.optimizers import AdamW


def make_variables():
    return [keras.Variable([[1.0] * 3] * 2, name="a"), keras.Variable([1.0, 2.0, 3.0], name="b")]


def gradients(last=0.5):
    return [tf.constant([[0.1, -0.2, 0.3], [0.0, 1.0, 2.0]]), tf.constant([1.0, 0.0, last])]


def stepping(optimizer, variables):
    """A function of gradients that updates the variables, as a graph."""
    optimizer.build(variables)
    return tf.function(lambda *given: optimizer.apply(list(given), variables))


def values(variables):
    return [variable.numpy() for variable in variables]


def assert_same(ones, others):
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("clip_norm", [1.0, None])
@pytest.mark.parametrize("kind", [AdamW, Lamb, Muon])
def test_what_is_not_finite_changes_nothing(kind, clip_norm):
    variables, optimizer = make_variables(), kind(0.1, clip_norm=clip_norm)
    step = stepping(optimizer, variables)
    step(*gradients())
    *state, skipped = values(optimizer.variables)[1:]
    before, slots = values(variables), state[1:]  # behind the rate
    assert skipped == 0 and all(np.any(slot) for slot in slots)
    for bad in (math.nan, math.inf, 1e30):  # the norm of the last one is too large for float32
        step(*gradients(bad))
    assert_same(before, values(variables))
    assert_same(slots, values(optimizer.variables)[2:-1])
    assert (int(optimizer.iterations), int(optimizer.skipped)) == (4, 3)
    step(*gradients())
    assert not np.array_equal(before[0], variables[0])
    assert int(optimizer.skipped) == 3


@pytest.mark.parametrize("optimizer", [AdamW(0.1, bias_correction=True), Lamb(0.1)])
def test_corrections_of_bias_count_the_updates_that_were_made(optimizer):
    variables, others = make_variables(), make_variables()
    for bad in (True, False, True, False):
        optimizer.apply(gradients(math.nan if bad else 0.5), variables)
    again = type(optimizer).from_config(optimizer.get_config())
    for _ in range(2):
        again.apply(gradients(), others)
    assert_same(values(variables), values(others))


def test_a_file_from_before_updates_were_counted_is_read():
    variables, optimizer, again = make_variables(), AdamW(0.1), AdamW(0.1)
    optimizer.apply(gradients(), variables)
    state = {}
    optimizer.save_own_variables(state)
    again.build(make_variables())
    again.skipped.assign(5)
    again.load_own_variables({name: state[name] for name in list(state)[:-1]})
    assert_same(values(optimizer.variables), values(again.variables))


def test_losses_are_scaled_from_the_first_update_on():
    optimizer = AdamW(0.1)
    assert float(optimizer.scale_loss(tf.constant(2.0))) == 2.0
    optimizer.build(make_variables())
    assert [v.path for v in optimizer.variables if "scale" in v.path] == []
    with pytest.raises(ValueError, match="built for a model that does not compute in float16"):
        optimizer.scale_losses()


def test_global_norm():
    tensors = [tf.constant([3.0, 0.0]), tf.constant([[4.0], [12.0]])]
    assert float(global_norm(tensors)) == pytest.approx(13.0)


def test_patterns():
    assert patterns_of(["a", "b$"], "these") == ("a", "b$")
    with pytest.raises(ValueError, match="these must be a sequence"):
        patterns_of("a", "these")
    with pytest.raises(ValueError, match=r"these takes regular expressions; '\(' is none"):
        patterns_of(["("], "these")
