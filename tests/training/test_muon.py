"""Muon against NumPy, who is updated how, and that a saved one is what it was."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training.muon import Muon, orthogonalized
from keras_bert.training.optimizers import AdamW
from keras_bert.training.schedules import Schedule

SHAPES = {
    "layer_0/wide": (3, 5),
    "layer_0/high": (5, 3),
    "layer_10/wide": (3, 5),
    "layer_0/square": (4, 4),
    "layer_0/bias": (5,),
    "table": (7, 2),
}
MATRICES = [name for name, shape in SHAPES.items() if "layer" in name and len(shape) == 2]


def numpy_muon(weights, all_gradients, rates, *, momentum=0.95, decay=0.01):
    """The update of matrices by the exact polynomial, in double precision."""
    weights = {name: weights[name].astype("float64") for name in MATRICES}
    m = {name: np.zeros_like(w) for name, w in weights.items()}
    for gradients, rate in zip(all_gradients, rates, strict=True):
        norm = np.sqrt(sum((g.astype("float64") ** 2).sum() for g in gradients.values()))
        for name, w in weights.items():
            g = gradients[name] / max(norm, 1)
            m[name] = momentum * m[name] + g
            left, values, right = np.linalg.svd(g + momentum * m[name], full_matrices=False)
            values /= np.sqrt((values**2).sum())
            for _ in range(5):
                values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
            update = 0.2 * math.sqrt(max(w.shape)) * (left * values) @ right
            weights[name] = w - rate * (update + decay * w)
    return weights


def drawn(seed, size=1.0):
    random = np.random.default_rng(seed)
    return {n: random.normal(scale=size, size=s).astype("float32") for n, s in SHAPES.items()}


def variables_of(start):
    variables = []
    for path, value in start.items():
        *scope, name = path.split("/")
        with keras.name_scope("/".join(scope) or "model"):
            variables.append(keras.Variable(value, name=name))
    return variables


def trained(optimizer, start, all_gradients):
    variables = variables_of(start)
    optimizer.build(variables)
    step = tf.function(lambda *gradients: optimizer.apply(list(gradients), variables))
    for gradients in all_gradients:
        step(*map(tf.constant, gradients.values()))
    return dict(zip(start, (variable.numpy() for variable in variables), strict=True))


@pytest.mark.parametrize("size", [0.01, 1.0])
def test_matrices_equal_numpy_and_all_else_adamw(size):
    start, gradients = drawn(1, 0.3), [drawn(seed, size) for seed in range(5)]
    schedule = Schedule(0.02, num_steps=9, warmup_steps=2)
    ours = trained(Muon(schedule, adam_factor=0.5), start, gradients)
    expected = numpy_muon(start, gradients, [float(schedule(step)) for step in range(5)])
    adamw = AdamW(schedule, bias_correction=True, rate_factors={"": 0.5})
    expected = {**trained(adamw, start, gradients), **expected}
    for name, wanted in expected.items():
        assert np.abs(wanted - start[name]).max() > 1e-3
        np.testing.assert_allclose(ours[name], wanted, rtol=0, atol=2e-6)


def test_singular_values_come_near_one_and_their_vectors_stay():
    given = np.random.default_rng(0).normal(size=(2, 8, 20)).astype("float32")
    given[1] *= 1e-6
    result = orthogonalized(tf.constant(given)).numpy()
    for matrix, before in zip(result, given, strict=True):
        values = np.linalg.svd(matrix, compute_uv=False)
        assert values.min() > 0.6 and values.max() < 1.3
        product = matrix @ before.T / np.linalg.norm(before)
        np.testing.assert_allclose(product, product.T, atol=1e-5)
    assert not orthogonalized(tf.zeros([1, 2, 3])).numpy().any()


def test_what_is_a_matrix_is_said_by_paths():
    variables = dict(zip(SHAPES, variables_of(drawn(0)), strict=True))
    matrices = {name for name, one in variables.items() if Muon().orthogonalizes(one)}
    assert matrices == set(MATRICES)
    other = Muon(orthogonalized=("table",), adam_factor=0.1, rate_factors={"bias": 0.5})
    assert other.orthogonalizes(variables["table"])
    assert other.rate_factor(variables["table"]) == 1.0
    assert other.rate_factor(variables["layer_0/bias"]) == pytest.approx(0.05)
    optimizer = Muon()
    optimizer.build(list(variables.values()))  # one slot for a matrix, two for all else
    assert len(optimizer.variables) == len(MATRICES) + 2 * 2 + 3


def test_everything_survives_a_keras_file(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5, name="layer_0")])
    options = {"orthogonalized": ("kernel",), "exclude_from_weight_decay": ("y",)}
    optimizer = Muon(
        Schedule(0.1, num_steps=10, warmup_steps=1), adam_factor=0.7, momentum=0.9, **options
    )
    model.compile(optimizer, loss="mse")
    model.fit(np.ones((4, 3)), np.ones((4, 5)), verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").optimizer
    assert isinstance(again, Muon) and again.get_config() == optimizer.get_config()
    assert (again.momentum, again.orthogonalized) == (0.9, ("kernel",))
    for ours, theirs in zip(optimizer.variables, again.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize(
    "wrong", [{"momentum": 1.0}, {"adam_factor": -0.1}, {"orthogonalized": "x"}, {"beta_1": 1.0}]
)
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Muon(0.1, **wrong)
