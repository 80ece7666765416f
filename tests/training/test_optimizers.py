"""AdamW against NumPy, PyTorch and dense gradients, and that a saved one is what it was."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training.guarded import dense
from keras_bert.training.optimizers import AdamW
from keras_bert.training.schedules import Schedule

SHAPES = {"dense/kernel": (3, 5), "dense/bias": (5,), "final_norm/scale": (7,)}


class Parts(keras.Model):
    """Variables of the given paths and nothing else."""

    def __init__(self, shapes):
        super().__init__(name="parts")
        for i, (path, shape) in enumerate(shapes.items()):
            layer = keras.layers.Layer(name=path.split("/")[0] + ("_b" if "bias" in path else ""))
            layer.add_weight(shape=shape, name=path.split("/")[1], initializer="random_normal")
            setattr(self, f"part_{i}", layer)
        self.built = True


def numpy_adamw(weights, all_gradients, rates, decayed, clip_norm=1.0, bias_correction=False):
    """google-research's AdamWeightDecayOptimizer restated, with its numbers."""
    weights = [w.astype(np.float64) for w in weights]
    m = [np.zeros_like(w) for w in weights]
    v = [np.zeros_like(w) for w in weights]
    for t, (gradients, rate) in enumerate(zip(all_gradients, rates, strict=True), start=1):
        norm = np.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in gradients))
        scale = 1.0 if clip_norm is None else clip_norm / max(norm, clip_norm)
        for i, g in enumerate(gradients):
            m[i] = 0.9 * m[i] + 0.1 * g * scale
            v[i] = 0.999 * v[i] + 0.001 * (g * scale) ** 2
            m_hat = m[i] / (1 - 0.9**t) if bias_correction else m[i]
            v_hat = v[i] / (1 - 0.999**t) if bias_correction else v[i]
            update = m_hat / (np.sqrt(v_hat) + 1e-6) + 0.01 * decayed[i] * weights[i]
            weights[i] = weights[i] - rate * update
    return weights


def run(optimizer, shapes, all_gradients):
    keras.utils.set_random_seed(3)
    variables = Parts(shapes).trainable_variables
    start = [variable.numpy() for variable in variables]
    step = tf.function(lambda gradients: optimizer.apply(gradients, variables))
    optimizer.build(variables)
    for gradients in all_gradients:
        step([tf.constant(g) for g in gradients])
    return start, [variable.numpy() for variable in variables]


def gradients_of(shapes, steps=5, size=1.0):
    random = np.random.default_rng(11)
    return [
        [random.normal(size=s).astype("float32") * size for s in shapes.values()]
        for _ in range(steps)
    ]


@pytest.mark.parametrize("bias_correction", [False, True])
@pytest.mark.parametrize("clip_norm", [None, 1.0, 100.0])
def test_equals_numpy(clip_norm, bias_correction):
    gradients = gradients_of(SHAPES)
    schedule = Schedule(0.03, num_steps=9, warmup_steps=2)
    optimizer = AdamW(schedule, clip_norm=clip_norm, bias_correction=bias_correction)
    start, ours = run(optimizer, SHAPES, gradients)
    rates = [float(schedule(step)) for step in range(5)]
    expected = numpy_adamw(start, gradients, rates, [1, 0, 0], clip_norm, bias_correction)
    for got, wanted, before in zip(ours, expected, start, strict=True):
        assert np.abs(wanted - before).max() > 1e-3
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-6)
    assert int(optimizer.iterations) == 5


@pytest.mark.reference("torch")
def test_equals_torch():
    import torch

    shapes = {"dense/kernel": (3, 5)}
    gradients = gradients_of(shapes, size=1e-4)
    optimizer = AdamW(0.01, weight_decay=0.1, epsilon=1e-4, bias_correction=True, clip_norm=None)
    start, ours = run(optimizer, shapes, gradients)
    parameter = torch.nn.Parameter(torch.tensor(start[0]))
    theirs = torch.optim.AdamW([parameter], lr=0.01, weight_decay=0.1, eps=1e-4)
    for (gradient,) in gradients:
        parameter.grad = torch.tensor(gradient)
        theirs.step()
    np.testing.assert_allclose(ours[0], parameter.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_repeated_rows_of_an_embedding_equal_the_dense_gradient():
    slices = tf.IndexedSlices(
        tf.constant([[1.0, 2.0], [3.0, 5.0], [7.0, 11.0]]), tf.constant([4, 2, 4]), (6, 2)
    )
    table = np.zeros((6, 2), "float32")
    np.add.at(table, [4, 2, 4], slices.values.numpy())
    np.testing.assert_array_equal(dense(slices), table)
    weights = []
    for gradient in (slices, tf.constant(table)):
        keras.utils.set_random_seed(5)
        layer = keras.layers.Embedding(6, 2)
        layer.build()
        optimizer = AdamW(0.1)
        for _ in range(3):
            optimizer.apply([gradient], layer.trainable_variables)
        weights.append(layer.embeddings.numpy())
    np.testing.assert_array_equal(weights[0], weights[1])


def test_a_variable_without_a_gradient_stays():
    first, second = keras.Variable([1.0]), keras.Variable([2.0])
    optimizer = AdamW(0.1, weight_decay=0.5)
    optimizer.apply([None, tf.constant([1.0])], [first, second])
    assert first.numpy() == [1.0]
    assert second.numpy() < [2.0]


def test_slots_are_float32_under_mixed_bfloat16():
    layer = keras.layers.Dense(5, dtype="mixed_bfloat16")
    layer.build((None, 3))
    optimizer = AdamW(0.1)
    optimizer.build(layer.trainable_variables)
    slots = [v for v in optimizer.variables if v.path.endswith(("_m", "_v"))]
    assert [slot.dtype for slot in slots] == ["float32"] * 4
    assert len({v.path for v in optimizer.variables}) == len(optimizer.variables)
    gradients = [tf.ones((3, 5), tf.bfloat16), tf.ones((5,), tf.bfloat16)]
    before = layer.kernel.numpy()
    optimizer.apply(gradients, layer.trainable_variables)
    assert (layer.kernel.numpy() < before).all()


def test_constraints_hold():
    layer = keras.layers.Dense(5, kernel_constraint="non_neg")
    layer.build((None, 3))
    AdamW(10.0).apply([tf.ones((3, 5)), tf.ones((5,))], layer.trainable_variables)
    assert (layer.kernel.numpy() == 0).all()
    assert (layer.bias.numpy() < 0).all()


def test_everything_survives_a_keras_file(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5, name="special")])
    schedule = Schedule(0.1, num_steps=10, warmup_steps=1)
    optimizer = AdamW(
        schedule, weight_decay=0.2, exclude_from_weight_decay=("special/k",), clip_norm=None
    )
    model.compile(optimizer, loss="mse")
    model.fit(np.ones((4, 3)), np.ones((4, 5)), epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").optimizer
    assert isinstance(again, AdamW)
    assert again.get_config() == optimizer.get_config()
    assert [again.decays(v) for v in model.trainable_variables] == [False, True]
    for ours, theirs in zip(optimizer.variables, again.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize(
    "wrong",
    [
        {"weight_decay": -0.1},
        {"beta_1": 1.0},
        {"beta_2": -0.5},
        {"epsilon": 0.0},
        {"clip_norm": 0.0},
        {"exclude_from_weight_decay": "bias"},
        {"exclude_from_weight_decay": ("(",)},
    ],
)
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AdamW(0.1, **wrong)


def test_misuse_is_refused():
    variable, other = keras.Variable([1.0], name="a"), keras.Variable([1.0], name="b")
    optimizer = AdamW(0.1)
    with pytest.raises(ValueError, match="not built"):
        optimizer.apply([tf.constant([1.0])])
    optimizer.apply([tf.constant([1.0])], [variable])
    with pytest.raises(ValueError, match="b is not one of them"):
        optimizer.apply([tf.constant([1.0])], [other])
    with pytest.raises(ValueError, match="must have a gradient"):
        optimizer.apply([None], [variable])
    with pytest.raises(ValueError, match="when it is made"):
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    with pytest.raises(ValueError, match="float32"):
        AdamW(0.1).build([keras.Variable([1.0], dtype="bfloat16")])


def test_rates_may_differ_by_path():
    gradients = gradients_of(SHAPES)
    optimizer = AdamW(0.01, rate_factors={"^dense/": 0.25, "bias": 0.0})
    start, ours = run(optimizer, SHAPES, gradients)
    rates = np.array([0.01] * len(gradients))
    quarter = numpy_adamw(start, gradients, 0.25 * rates, decayed=(1, 0, 0))
    whole = numpy_adamw(start, gradients, rates, decayed=(1, 0, 0))
    np.testing.assert_allclose(ours[0], quarter[0], atol=1e-6)
    np.testing.assert_allclose(ours[2], whole[2], atol=1e-6)
    again = AdamW.from_config(optimizer.get_config())
    assert again.rate_factors == {"^dense/": 0.25, "bias": 0.0}


def test_a_config_from_before_it_had_no_name_is_read():
    optimizer = AdamW(0.01, clip_norm=None)
    again = AdamW.from_config({**optimizer.get_config(), "name": "adamw"})
    assert again.get_config() == optimizer.get_config()
    assert again.name == "adamw"


def test_rate_factors_are_checked():
    with pytest.raises(ValueError, match="rate_factors must be at least 0"):
        AdamW(0.01, rate_factors={"dense": -1.0})
