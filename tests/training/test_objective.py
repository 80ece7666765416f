"""Objective and LossMeans: sums of parts are those of the whole, in every form of data."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training.objective import ONLY, LossMeans, Objective, exact_sums, sum_of

SQUARES = keras.losses.MeanSquaredError(reduction="sum")
CLASSES = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")


def data(rows=12):
    random = np.random.default_rng(rows)
    y = {"tokens": random.integers(0, 5, (rows, 3)), "row": random.normal(size=(rows, 1))}
    outputs = {"tokens": random.normal(size=(rows, 3, 5)), "row": random.normal(size=(rows, 1))}
    weights = {"tokens": random.random((rows, 3)), "row": random.integers(0, 3, rows)}
    return y, outputs, weights


def test_sums_and_weights_add_up_over_parts():
    objective = Objective.of({"tokens": CLASSES, "row": SQUARES}, {"row": 0.3})
    assert objective.scales == (1.0, 0.3)
    whole, means = data(), LossMeans(objective)
    sums, totals = [], []
    for rows in (slice(0, 5), slice(5, 12)):
        y, outputs, weights = tf.nest.map_structure(lambda a, rows=rows: a[rows], whole)
        weights = objective.weights(y, weights)
        sums.append(objective.sums(y, outputs, weights))
        totals.append({name: tf.reduce_sum(weight) for name, weight in weights.items()})
        means.update_state(sums[-1], weights, [])
    y, outputs, weights = whole
    squares = ((y["row"] - outputs["row"])[:, 0] ** 2 * weights["row"]).sum()
    sums, totals = (
        {name: sum(part[name] for part in parts) for name in parts[0]} for parts in (sums, totals)
    )
    assert float(sums["row"]) == pytest.approx(squares, rel=1e-5)
    assert float(totals["tokens"]) == pytest.approx(weights["tokens"].sum(), rel=1e-5)
    logs = means.result()
    assert float(logs["row_loss"]) == pytest.approx(squares / weights["row"].sum(), rel=1e-5)
    total = float(objective.total(sums, totals))
    assert float(logs["loss"]) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("shape", [None, (4,), (4, 1), (4, 3)])
def test_a_weight_weighs_the_mean_of_what_it_covers(shape):
    objective = Objective.of(CLASSES)
    random = np.random.default_rng(1)
    y, outputs = random.integers(0, 5, (4, 3)), random.normal(size=(4, 3, 5))
    given = None if shape is None else random.random(shape)
    weights = objective.weights(y, given)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, outputs).numpy()
    wanted = np.ones((4,)) if given is None else given.reshape(shape if shape == (4, 3) else (4,))
    expected = (wanted * (losses if shape == (4, 3) else losses.mean(-1))).sum()
    assert float(objective.sums(y, outputs, weights)[ONLY]) == pytest.approx(expected, rel=1e-5)


def test_without_weight_there_is_no_loss():
    objective = Objective.of(SQUARES, 2.0)
    assert float(objective.total({ONLY: tf.zeros(())}, {ONLY: tf.zeros(())})) == 0.0
    assert objective.scales == (2.0,)


def test_losses_that_layers_added_are_a_mean_over_steps():
    means = LossMeans(Objective.of(SQUARES))
    for added in ([tf.constant(1.0)], [tf.constant(2.0), tf.constant([3.0, 4.0])]):
        means.update_state({ONLY: tf.constant(6.0)}, {ONLY: tf.constant([3.0])}, added)
    assert {k: float(v) for k, v in means.result().items()} == {"loss": 2.0 + (1 + 9) / 2}
    assert float(sum_of([])) == 0.0


def test_means_of_a_long_epoch_are_those_of_float64():
    """In a graph and under XLA, neither of which may simplify the sums away."""
    random = np.random.default_rng(1)
    values = random.lognormal(2.0, 1.0, (100_000, 1)).astype("float32")
    values[::1000] *= 1e6
    wanted = values.astype("float64").sum()
    naive = np.float32(0)
    for value in values[:, 0]:
        naive += value
    assert abs(naive / wanted - 1) > 1e-6

    def summed(values):
        return tf.foldl(exact_sums, values, tf.zeros((2, 1)))

    def total(sums):
        return sums.numpy().astype("float64").sum()

    by_xla = tf.function(summed, jit_compile=True)
    assert total(by_xla(values)) == pytest.approx(wanted, rel=1e-8)
    np.testing.assert_array_equal(tf.function(summed)(values[:3000]), by_xla(values[:3000]))


def test_nothing_seen_is_no_loss_of_zero():
    for objective in (Objective.of(SQUARES), Objective.of({"tokens": CLASSES, "row": SQUARES})):
        assert all(np.isnan(mean) for mean in LossMeans(objective).result().values())


def test_a_batch_may_be_left_out():
    means, weights = LossMeans(Objective.of(SQUARES)), {ONLY: tf.constant([3.0])}
    means.update_state({ONLY: tf.constant(np.nan)}, weights, [], tf.constant(False))
    assert np.isnan(means.result()["loss"])
    means.update_state({ONLY: tf.constant(6.0)}, weights, [], tf.constant(True))
    means.update_state({ONLY: tf.constant(np.inf)}, weights, [tf.constant(np.nan)], False)
    assert float(means.result()["loss"]) == 2.0


def test_what_does_not_fit_is_refused():
    both = Objective.of({"tokens": CLASSES, "row": SQUARES})
    y, outputs, weights = data()
    with pytest.raises(ValueError, match="labels must be a dict with 'tokens'"):
        both.weights({"row": y["row"]}, None)
    with pytest.raises(ValueError, match="outputs must be a dict with 'row'; they are .'tokens'"):
        both.sums(y, {"tokens": outputs["tokens"]}, both.weights(y, weights))
    with pytest.raises(ValueError, match="labels must be one tensor"):
        Objective.of(SQUARES).weights(y, None)
    with pytest.raises(ValueError, match="shape of the losses .* they have"):
        both.sums(y, outputs, {**both.weights(y, weights), "row": tf.ones((12, 2))})
    with pytest.raises(ValueError, match='reduction="sum"; loss is .*sum_over_batch_size'):
        Objective.of(keras.losses.MeanSquaredError())
    with pytest.raises(ValueError, match="it names rows"):
        Objective.of({"row": SQUARES}, {"rows": 1.0})
