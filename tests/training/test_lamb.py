"""Lamb against NumPy, and that a saved one is what it was."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training.lamb import Lamb
from keras_bert.training.schedules import Schedule

SHAPES = {"kernel": (3, 5), "table": (7, 2), "bias": (5,), "norm_scale": (4,)}


def numpy_lamb(weights, all_gradients, rates, *, excluded=(), factors=None, clip_norm=1.0):
    """Algorithm 2 of You et al. 2019 with the clipping before it, in double precision."""
    weights = {name: w.astype("float64") for name, w in weights.items()}
    m, v = ({name: np.zeros_like(w) for name, w in weights.items()} for _ in range(2))
    for t, (gradients, rate) in enumerate(zip(all_gradients, rates, strict=True), start=1):
        norm = np.sqrt(sum((g.astype("float64") ** 2).sum() for g in gradients.values()))
        for name, w in weights.items():
            g = gradients[name] / max(norm / clip_norm, 1)
            m[name] = 0.9 * m[name] + 0.1 * g
            v[name] = 0.999 * v[name] + 0.001 * g**2
            step = m[name] / (1 - 0.9**t) / (np.sqrt(v[name] / (1 - 0.999**t)) + 1e-6)
            ratio = 1.0
            if name not in excluded:
                step = step + 0.01 * w
                norms = np.linalg.norm(w), np.linalg.norm(step)
                ratio = norms[0] / norms[1] if min(norms) > 0 else 1.0
            weights[name] = w - rate * (factors or {}).get(name, 1.0) * ratio * step
    return weights


def drawn(seed, size=1.0):
    random = np.random.default_rng(seed)
    return {n: random.normal(scale=size, size=s).astype("float32") for n, s in SHAPES.items()}


def trained(optimizer, start, all_gradients):
    variables = [keras.Variable(value, name=name) for name, value in start.items()]
    optimizer.build(variables)
    step = tf.function(lambda *gradients: optimizer.apply(list(gradients), variables))
    for gradients in all_gradients:
        step(*map(tf.constant, gradients.values()))
    return {variable.name: variable.numpy() for variable in variables}


@pytest.mark.parametrize("size", [0.01, 1.0])
def test_equals_numpy(size):
    start, gradients = drawn(1, 0.3), [drawn(seed, size) for seed in range(5)]
    schedule = Schedule(0.02, num_steps=9, warmup_steps=2)
    ours = trained(Lamb(schedule), start, gradients)
    rates = [float(schedule(step)) for step in range(5)]
    expected = numpy_lamb(start, gradients, rates, excluded=("bias", "norm_scale"))
    for name, wanted in expected.items():
        assert np.abs(wanted - start[name]).max() > 1e-3
        np.testing.assert_allclose(ours[name], wanted, rtol=0, atol=1e-6)


def test_what_is_adapted_and_at_what_rate():
    start, gradients = drawn(1, 0.3), [drawn(seed) for seed in range(2)]
    optimizer = Lamb(
        0.02,
        exclude_from_layer_adaptation=("table",),
        exclude_from_weight_decay=("table",),
        rate_factors={"kernel": 0.5},
        clip_norm=2.0,
    )
    ours = trained(optimizer, start, gradients)
    options = {"excluded": ("table",), "factors": {"kernel": 0.5}, "clip_norm": 2.0}
    expected = numpy_lamb(start, gradients, [0.02] * 2, **options)
    for name, wanted in expected.items():
        np.testing.assert_allclose(ours[name], wanted, rtol=0, atol=1e-6)
    variables = [keras.Variable(0.0, name=name) for name in SHAPES]
    assert [optimizer.adapts(variable) for variable in variables] == [True, False, True, True]
    assert [Lamb().adapts(variable) for variable in variables] == [True, True, False, False]


def test_where_a_norm_is_zero_the_ratio_is_one():
    start = {"zeros": np.zeros((2, 3), "float32"), "ones": np.ones((3,), "float32")}
    gradients = {"zeros": np.ones((2, 3), "float32"), "ones": np.zeros((3,), "float32")}
    ours = trained(Lamb(0.1, weight_decay=0.0, clip_norm=None), start, [gradients])
    np.testing.assert_allclose(ours["zeros"], np.full((2, 3), -0.1), rtol=1e-5)
    np.testing.assert_array_equal(ours["ones"], start["ones"])


def test_everything_survives_a_keras_file(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
    schedule = Schedule(0.1, num_steps=10, warmup_steps=1)
    exclusions = {"exclude_from_layer_adaptation": ("x",), "exclude_from_weight_decay": ("y",)}
    optimizer = Lamb(schedule, clip_norm=None, rate_factors={"bias": 0.5}, **exclusions)
    model.compile(optimizer, loss="mse")
    model.fit(np.ones((4, 3)), np.ones((4, 5)), verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").optimizer
    assert isinstance(again, Lamb) and again.name == "lamb"
    assert again.get_config() == optimizer.get_config()
    assert again.get_config()["exclude_from_layer_adaptation"] == ["x"]
    for ours, theirs in zip(optimizer.variables, again.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize(
    "wrong", [{"beta_1": 1.0}, {"exclude_from_layer_adaptation": "bias"}, {"clip_norm": 0.0}]
)
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Lamb(0.1, **wrong)
    with pytest.raises(ValueError, match=r"argument of Lamb"):
        Lamb(0.1, epsilon=0.0)
