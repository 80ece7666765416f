"""Trainable: exact losses, gradients and logs, in parts and whole, in every way to make a model."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.metrics import Perplexity
from keras_bert.training.feeding import fed, own_cut
from keras_bert.training.optimizers import AdamW
from keras_bert.training.trainable import ExactModel, Trainable

B, T, C = 12, 3, 5


class Functional(Trainable):
    """Two outputs: a class for each of T tokens, a number for the row."""

    def __init__(self, dropout=0.0):
        ids = keras.Input((T,), dtype="int32", name="ids")
        table = keras.layers.Embedding(7, 4, name="table")
        hidden = keras.layers.Dropout(dropout, seed=1)(table(ids))
        tokens = keras.layers.Dense(C, name="tokens")(hidden)
        row = keras.layers.Dense(1, name="row")(keras.ops.mean(hidden, axis=1))
        super().__init__(inputs={"ids": ids}, outputs={"tokens": tokens, "row": row})
        self.table = table


class Called(ExactModel):
    """The same as a subclass with a call, which takes no `training`."""

    def __init__(self):
        super().__init__()
        self.table = keras.layers.Embedding(7, 4, name="table")
        self.token_head = keras.layers.Dense(C, name="tokens")
        self.row_head = keras.layers.Dense(1, name="row")

    def call(self, inputs):
        hidden = self.table(inputs["ids"])
        row = self.row_head(keras.ops.mean(hidden, axis=1))
        return {"tokens": self.token_head(hidden), "row": row}


def losses():
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    return {"tokens": cross_entropy, "row": keras.losses.MeanSquaredError(reduction="sum")}


def compiled(kind=Functional, num_micro_batches=1, optimizer=None, **arguments):
    keras.utils.set_random_seed(7)
    model = kind()
    model.compile(
        optimizer or keras.optimizers.SGD(1.0),
        losses(),
        loss_weights={"row": 0.3},
        weighted_metrics={"tokens": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]},
        metrics={"row": [keras.metrics.MeanAbsoluteError(name="error")]},
        num_micro_batches=num_micro_batches,
        **arguments,
    )
    return model


def data(rows=B, weighted=True):
    random = np.random.default_rng(rows)
    x = {"ids": random.integers(0, 7, (rows, T)).astype("int32")}
    y = {"tokens": random.integers(0, C, (rows, T)), "row": random.normal(size=(rows, 1))}
    y["row"] = y["row"].astype("float32")
    # Most of the weight is in a few rows, and some rows have none.
    weights = {"tokens": (random.random((rows, T)) ** 4).astype("float32")}
    weights["tokens"][: rows // 3] = 0
    weights["row"] = random.integers(0, 3, rows).astype("float32")
    return (x, y, weights) if weighted else (x, y)


def expected_losses(model, x, y, weights=None):
    """Weighted means in double precision."""
    outputs = {k: v.astype("float64") for k, v in model.predict(x, verbose=0).items()}
    logits = outputs["tokens"] - outputs["tokens"].max(-1, keepdims=True)
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    tokens = -np.take_along_axis(log_probabilities, y["tokens"][..., None], -1)[..., 0]
    row = ((outputs["row"] - y["row"]) ** 2)[:, 0]
    weights = weights or {"tokens": None, "row": None}
    result = {
        "tokens_loss": np.average(tokens, weights=weights["tokens"]),
        "row_loss": np.average(row, weights=weights["row"]),
    }
    return {"loss": result["tokens_loss"] + 0.3 * result["row_loss"], **result}


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("kind", [Functional, Called])
def test_evaluation_is_exact_with_a_partial_last_batch(kind, weighted):
    model, batch = compiled(kind), data(13, weighted)
    dataset = tf.data.Dataset.from_tensor_slices(batch).batch(5)
    logs = model.evaluate(dataset, return_dict=True, verbose=0)
    expected = expected_losses(model, *batch)
    assert set(logs) == {*expected, "tokens_accuracy", "row_error"}
    assert {k: logs[k] for k in expected} == pytest.approx(expected, rel=1e-5)
    predicted = model.predict(batch[0], verbose=0)
    right = predicted["tokens"].argmax(-1) == batch[1]["tokens"]
    weights = batch[2]["tokens"] if weighted else None
    assert logs["tokens_accuracy"] == pytest.approx(np.average(right, weights=weights), rel=1e-5)
    error = np.abs(predicted["row"] - batch[1]["row"]).mean()
    assert logs["row_error"] == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("kind", [Functional, Called])
def test_training_logs_are_exact(kind):
    batches = [data(B), data(B + 1)]
    model = compiled(kind, optimizer=keras.optimizers.SGD(0.0))
    dataset = tf.data.Dataset.from_generator(
        lambda: batches,
        output_signature=tf.nest.map_structure(
            lambda a: tf.TensorSpec((None, *a.shape[1:]), a.dtype), batches[0]
        ),
    )
    logs = model.fit(dataset, verbose=0).history
    joined = tf.nest.map_structure(lambda *parts: np.concatenate(parts), *batches)
    expected = expected_losses(model, *joined)
    assert {k: logs[k][0] for k in expected} == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "eagerly", "weighted"),
    [(Functional, False, True), (Functional, True, True), (Called, False, False)],
)
def test_micro_batches_equal_the_whole_batch(kind, eagerly, weighted):
    results = []
    for number in (1, 3):
        model = compiled(kind, number, run_eagerly=eagerly)
        dataset = tf.data.Dataset.from_tensors(data(weighted=weighted))
        logs = model.fit(dataset, verbose=0).history
        results.append((logs, {v.path: v.numpy() for v in model.trainable_variables}))
    for logs, weights in results[1:]:
        assert {k: v[0] for k, v in logs.items()} == pytest.approx(
            {k: v[0] for k, v in results[0][0].items()}, rel=1e-5
        )
        for (_, got), (_, wanted) in zip(weights.items(), results[0][1].items(), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def test_the_gradient_is_that_of_the_weighted_means():
    model, (x, y, weights) = compiled(), data()
    before = [v.numpy() for v in model.trainable_variables]
    with tf.GradientTape() as tape:
        outputs = model(x)
        tokens = tf.nn.sparse_softmax_cross_entropy_with_logits(y["tokens"], outputs["tokens"])
        row = tf.square(outputs["row"] - y["row"])[:, 0]
        loss = tf.reduce_sum(weights["tokens"] * tokens) / tf.reduce_sum(weights["tokens"])
        loss += 0.3 * tf.reduce_sum(weights["row"] * row) / tf.reduce_sum(weights["row"])
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    model.train_on_batch(x, y, sample_weight=weights)
    for variable, start, gradient in zip(model.trainable_variables, before, gradients, strict=True):
        step = tf.convert_to_tensor(gradient).numpy()
        np.testing.assert_allclose(variable.numpy(), start - step, rtol=1e-4, atol=1e-6)
    assert float(model.compute_loss(x, y, outputs, weights)) == pytest.approx(float(loss), rel=1e-5)


def test_micro_batches_of_unknown_size_draw_other_dropout_masks():
    keras.utils.set_random_seed(7)
    model = Functional(dropout=0.5)
    model.compile(AdamW(0.01), losses(), num_micro_batches=4)
    (generator,) = [v for v in model.variables if "seed_generator" in v.path]
    before = generator.numpy()
    dataset = tf.data.Dataset.from_tensor_slices(data()).batch(4).repeat(2)
    assert dataset.element_spec[0]["ids"].shape[0] is None
    logs = model.fit(dataset, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    assert int(model.optimizer.iterations) == 6
    # One mask for each of 6 steps of 4 micro-batches.
    np.testing.assert_array_equal(generator.numpy() - before, [0, 24])


@pytest.mark.parametrize("drop_remainder", [True, False])
def test_an_indivisible_batch_is_refused(drop_remainder):
    model = compiled(num_micro_batches=4)
    dataset = tf.data.Dataset.from_tensor_slices(data()).batch(6, drop_remainder=drop_remainder)
    error = ValueError if drop_remainder else tf.errors.InvalidArgumentError
    with pytest.raises(error, match="multiple of num_micro_batches=4"):
        model.fit(dataset, verbose=0)


def test_variables_without_a_gradient_stay_in_micro_batches():
    model = compiled(num_micro_batches=2, optimizer=AdamW(0.1, weight_decay=0.5))
    model.compile(model.optimizer, {"row": losses()["row"]}, num_micro_batches=2)
    x, y, _ = data()
    before = {v.path: v.numpy() for v in model.trainable_variables}
    model.train_on_batch(x, {"row": y["row"]})
    same = {v.path for v in model.trainable_variables if (v.numpy() == before[v.path]).all()}
    assert same == {"tokens/kernel", "tokens/bias"}


class Idle(Functional):
    """Only the tokens have a loss."""

    @property
    def idle_layers(self):
        return (self.get_layer("row"),)


def test_idle_layers_are_not_trained_whatever_else_they_belong_to():
    model = Idle()
    other = Trainable(model.input, {"row": model.get_layer("row").output})
    trained = [[v.path for v in m.trainable_variables] for m in (model, other)]
    assert trained[0] == ["table/embeddings", "tokens/kernel", "tokens/bias"]
    assert trained[1] == ["table/embeddings", "row/kernel", "row/bias"]
    assert model.get_layer("row").trainable
    assert [v.path for v in model.non_trainable_weights] == ["row/kernel", "row/bias"]
    assert len(model.trainable_variables) + len(model.non_trainable_variables) == len(
        model.variables
    )
    # Not by Keras' own decay of weights either, which takes what has no gradient.
    x, y, _ = data()
    for optimizer in (AdamW(0.1, weight_decay=0.5), keras.optimizers.AdamW(0.1, weight_decay=0.5)):
        model.compile(optimizer, {"tokens": losses()["tokens"]}, run_eagerly=True)
        before = model.get_layer("row").get_weights()
        model.train_on_batch(x, {"tokens": y["tokens"]})
        for old, new in zip(before, model.get_layer("row").get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
    model.get_layer("table").trainable = False
    assert [v.path for v in model.trainable_variables] == ["tokens/kernel", "tokens/bias"]
    model.trainable = False
    assert not model.trainable_variables and len(model.non_trainable_weights) == 5


def test_within_another_model_it_trains_with_dropout():
    class Around(keras.Model):
        def __init__(self):
            super().__init__()
            self.inside = Functional(dropout=0.5)

        def call(self, inputs):
            return self.inside(inputs, training=None)

    model, (x, _, _) = Around(), data()
    once, again = (model(x, training=True)["tokens"] for _ in range(2))
    assert not np.array_equal(once, again)
    np.testing.assert_array_equal(model(x)["tokens"], model(x)["tokens"])


def single(inputs=2, **arguments):
    x = keras.Input((inputs,))
    model = Trainable(x, keras.layers.Dense(1, kernel_initializer="ones", **arguments)(x))
    model.compile(keras.optimizers.SGD(0.1), keras.losses.MeanSquaredError(reduction="sum"))
    return model


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_a_single_output(shape):
    weights = np.array([1.0, 0.0, 3.0]).reshape(shape)
    x, y = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]), np.array([[0.0], [5.0], [3.0]])
    logs = single().evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)
    assert logs == {"loss": pytest.approx((1 * 1 + 3 * 4) / 4)}
    assert single().evaluate(x, y, verbose=0) == pytest.approx((1 + 25 + 4) / 3)


def test_weights_that_sum_to_zero_give_no_loss_and_no_gradient():
    model = single()
    before = model.get_weights()
    logs = model.fit(np.ones((3, 2)), np.ones((3, 1)), sample_weight=np.zeros(3), verbose=0).history
    assert logs["loss"] == [0.0]
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_regularizers_count_once():
    whole, parts = (single(kernel_regularizer=keras.regularizers.L2(0.5)) for _ in range(2))
    parts.compile(keras.optimizers.SGD(0.1), sum_of_squares(), num_micro_batches=3)
    x, y = np.zeros((3, 2)), np.zeros((3, 1))
    for model in (whole, parts):
        logs = model.fit(x, y, batch_size=3, verbose=0).history
        assert logs["loss"] == [pytest.approx(1.0)]
        np.testing.assert_allclose(model.get_weights()[0], [[0.9], [0.9]], rtol=1e-6)


def test_mixed_bfloat16_computes_the_loss_in_float32():
    seen = []

    class Seeing(keras.losses.MeanSquaredError):
        def call(self, y_true, y_pred):
            seen.append((y_true.dtype, y_pred.dtype))
            return super().call(y_true, y_pred)

    x = keras.Input((2,))
    layer = keras.layers.Dense(1, dtype="mixed_bfloat16")
    model = Trainable(x, layer(x))
    model.compile(AdamW(0.1), Seeing(reduction="sum"), num_micro_batches=2)
    before = layer.kernel.numpy()
    assert model(np.ones((1, 2))).dtype == "bfloat16"
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    assert set(seen) == {(tf.float32, tf.float32)}
    assert (layer.kernel.numpy() != before).all()


@pytest.mark.parametrize(("number", "value"), [(1, np.nan), (2, 2e19)])
def test_a_batch_that_is_not_finite_is_left_out(number, value):
    """Also one whose loss overflows, while its gradients do not."""
    (x, y, weights), broken = data(), data()
    broken[1]["row"][-1:] = value
    broken[2]["row"][-1:] = 1.0
    good, model, other = (x, y, weights), compiled(num_micro_batches=number), compiled()
    histories = []
    for one, batches in ((model, [good, broken, good]), (other, [good, good])):
        one.compile(
            AdamW(0.1, bias_correction=True),
            losses(),
            metrics={"row": [keras.metrics.MeanSquaredError(name="error")]},
            weighted_metrics={"tokens": [Perplexity()]},
            num_micro_batches=number,
        )
        joined = tf.nest.map_structure(lambda *parts: np.concatenate(parts), *batches)
        dataset = tf.data.Dataset.from_tensor_slices(joined).batch(B, drop_remainder=True)
        histories.append(one.fit(dataset, verbose=0).history)
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert int(model.optimizer.skipped) == 1 and int(model.optimizer.iterations) == 3
    assert np.isfinite(list(histories[0].values())).all()
    assert "tokens_perplexity" in histories[0]
    if number == 1:  # else a part of the broken batch is in the figures
        assert histories[0] == histories[1]
    model.set_weights([weight * np.nan for weight in model.get_weights()])
    evaluated = model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)
    assert np.isnan([*evaluated.values()]).all()


def test_a_batch_that_is_not_finite_is_left_out_on_two_devices(two_devices):
    (x, y, weights), broken = data(), data()
    broken[1]["row"][-1:], broken[2]["row"][-1:] = np.nan, 1.0  # on the second one
    joined = tf.nest.map_structure(lambda *parts: np.concatenate(parts), (x, y, weights), broken)
    with two_devices.scope():
        model = compiled(optimizer=AdamW(0.1))
        dataset = tf.data.Dataset.from_tensor_slices(joined).batch(B, drop_remainder=True)
        history = model.fit(fed(dataset, own_cut()), verbose=0).history
    assert int(model.optimizer.skipped.numpy()) == 1
    assert "row_error" in history and np.isfinite([*history.values()]).all()


@pytest.fixture
def in_float16():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def test_float16_learns_and_an_overflow_halves_the_scale(in_float16):
    model, (x, y, weights) = compiled(optimizer=AdamW(0.05)), data()
    assert model.get_layer("row").compute_dtype == "float16"
    dataset = tf.data.Dataset.from_tensors((x, y, weights)).repeat(5)
    first, *_, last = (model.fit(dataset, verbose=0).history["loss"][0] for _ in range(3))
    assert last < 0.9 * first
    scale = model.optimizer.loss_scale
    assert (float(scale.scale), int(scale.finite_steps)) == (2**15, 15)
    before = model.get_weights()
    y["row"] += 1000.0
    model.train_on_batch(x, y, sample_weight=weights)
    assert (float(scale.scale), int(scale.finite_steps)) == (2**14, 0)
    assert int(model.optimizer.skipped) == 1
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_float16_needs_an_optimizer_that_scales(in_float16):
    model = compiled(optimizer=AdamW(0.1))
    with pytest.raises(ValueError, match="must be scaled.*AdamW and Lamb"):
        model.compile("sgd", losses())
    keras.config.set_dtype_policy("float32")
    x = keras.Input((2,))
    inner = keras.Model(x, keras.layers.Dense(1, dtype="mixed_float16")(x))
    with pytest.raises(ValueError, match="must be scaled"):
        Trainable(x, inner(x)).compile("sgd", sum_of_squares())


def test_steps_per_execution_gives_the_same():
    results = []
    for steps in (1, 3):
        model = compiled(steps_per_execution=steps, optimizer=AdamW(0.05))
        dataset = tf.data.Dataset.from_tensors(data()).repeat(6)
        logs = model.fit(dataset, verbose=0).history
        results.append((logs["loss"], model.get_weights()))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-6)
    for one, three in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(one, three, rtol=1e-5, atol=1e-7)


@keras.saving.register_keras_serializable(package="test_trainable")
class Saved(Called):
    """A subclass that says how it is made again."""

    def get_config(self):
        return {}


def test_a_keras_file_keeps_what_was_compiled(tmp_path):
    model, (x, y, weights) = compiled(Saved, 2, AdamW(0.1)), data()
    model.fit(x, y, sample_weight=weights, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.num_micro_batches == 2
    assert again.loss_means.scales == (1.0, 0.3)
    for one in (model, again):
        one.fit(x, y, sample_weight=weights, verbose=0)
    assert int(again.optimizer.iterations) == 2
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def sum_of_squares():
    return keras.losses.MeanSquaredError(reduction="sum")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": None}, 'reduction="sum"'),
        ({"loss": "mse"}, 'reduction="sum"'),
        ({"loss": keras.losses.MeanSquaredError()}, "sum_over_batch_size"),
        ({"loss": {"row": keras.losses.MeanSquaredError()}}, "'row'"),
        ({"loss": sum_of_squares(), "num_micro_batches": 0}, "num_micro_batches"),
        ({"loss": {"row": sum_of_squares()}, "loss_weights": {"rows": 1.0}}, "rows"),
        (
            {
                "loss": sum_of_squares(),
                "optimizer": keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()),
            },
            "mixed_bfloat16",
        ),
    ],
)
def test_compile_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        Functional().compile(**{"optimizer": "sgd", **arguments})


def test_losses_and_outputs_must_match():
    x, y, _ = data()
    model = Functional()
    model.compile("sgd", sum_of_squares())
    with pytest.raises(ValueError, match="one tensor"):
        model.train_on_batch(x, y)
    model.compile("sgd", {"rows": sum_of_squares()})
    with pytest.raises(ValueError, match="'rows'"):
        model.train_on_batch(x, y)
    model = single()
    with pytest.raises(ValueError, match="Sample weights must have the shape"):
        model.train_on_batch(np.ones((4, 2)), np.ones((4, 1)), sample_weight=np.ones((4, 3)))


def test_a_step_is_traced_once():
    traces = []

    class Counted(Functional):
        def train_step(self, data):
            traces.append(data)
            return super().train_step(data)

    model = compiled(Counted, optimizer=AdamW(0.1))
    x, y, weights = data()
    model.fit(x, y, sample_weight=weights, batch_size=4, verbose=0)
    assert len(traces) == 1


def test_a_trainable_is_what_keras_makes_of_inputs_and_outputs():
    """What is relied on: Keras has one class for all such models, whatever their inputs are."""
    x, y = keras.Input((2,), name="x"), keras.Input((3, 5), dtype="int32", name="y")
    outputs = {"a": keras.layers.Dense(1)(x), "b": y}
    functional = type(keras.Model({"x": x, "y": y}, outputs))
    assert issubclass(functional, keras.Model) and functional is not keras.Model
    assert Trainable.__bases__ == (ExactModel, functional)
    assert ExactModel.__bases__ == (keras.Model,)
    assert {type(single()), type(Functional())} == {Trainable, Functional}


def test_making_models_changes_no_class():
    class Deeper(Functional):
        pass

    before = [kind.__bases__ for kind in (ExactModel, Trainable, Functional, Deeper, Called)]
    model, other = Deeper(), Called()
    other({"ids": np.zeros((2, T), "int32")})
    after = [kind.__bases__ for kind in (ExactModel, Trainable, Functional, Deeper, Called)]
    assert after == before
    assert model.built and isinstance(model.get_layer("table"), keras.layers.Embedding)
    assert {layer.name for layer in model.layers} >= {"table", "tokens", "row"}
    assert len(model.trainable_variables) == len(other.trainable_variables) == 5


def test_a_functional_model_survives_a_keras_file(tmp_path):
    x = keras.Input((2,), name="x")
    model = Trainable(x, keras.layers.Dense(1)(x), name="line")
    model.compile(AdamW(0.1), sum_of_squares(), num_micro_batches=2)
    model.fit(np.eye(2), np.ones((2, 1)), verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", {"Trainable": Trainable})
    assert type(again) is Trainable and again.num_micro_batches == 2
    np.testing.assert_array_equal(again.predict(np.eye(2)), model.predict(np.eye(2)))


def test_the_names_of_models_count_as_if_the_class_had_made_none():
    """In a process of its own, where nothing else has been named."""
    program = """
import tensorflow as tf, keras
from keras_bert.training.trainable import Trainable
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
x = keras.Input((2,))
print(x.name, keras.Model(x, x).name, len(tf.config.list_logical_devices("CPU")))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["keras_tensor", "functional", "2"], done.stderr
