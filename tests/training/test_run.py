"""train(): a run that was stopped, killed or finished, run again; and what it leaves on record."""

import glob
import json
import math
import os
import re
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training import checkpointing, record, run
from keras_bert.training.callbacks import StopOnNaN, Throughput
from keras_bert.training.epochs import Epochs
from keras_bert.training.optimizers import AdamW
from keras_bert.training.schedules import Schedule
from keras_bert.training.signals import RunInterrupted
from keras_bert.training.trainable import Trainable

NUM_STEPS = 11
EPOCHS = Epochs(num_steps=NUM_STEPS, steps_per_epoch=4, log_every=2)


def make_model():
    keras.utils.clear_session()
    run.prepare(seed=3)
    ids = keras.Input((13,), dtype="int32", name="ids")
    hidden = keras.layers.Embedding(31, 24)(ids)
    hidden = keras.layers.Dropout(0.3)(keras.layers.Dense(40, activation="tanh")(hidden))
    token, row = keras.layers.Dense(31)(hidden), keras.layers.Dense(1)(hidden[:, 0])
    model = Trainable({"ids": ids}, {"token": token, "row": row}, name="model")
    model.compile(
        AdamW(Schedule(0.03, num_steps=NUM_STEPS, warmup_steps=3)),
        {
            "token": keras.losses.SparseCategoricalCrossentropy(True, reduction="sum"),
            "row": keras.losses.MeanSquaredError(reduction="sum"),
        },
        weighted_metrics={"token": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]},
        num_micro_batches=2,
    )
    return model


def batches(first_step):
    """Batches that are a function of the step."""

    def batch(step):
        ids = tf.random.stateless_uniform((8, 13), [7, step], 0, 31, tf.int32)
        weights = tf.cast(tf.random.stateless_uniform((8, 13), [8, step]) < 0.3, tf.float32)
        y = {"token": ids, "row": tf.cast(ids[:, :1], tf.float32) / 31}
        return {"ids": ids}, y, {"token": weights, "row": tf.ones((8,))}

    return tf.data.Dataset.counter(first_step).map(batch).take(NUM_STEPS - first_step)


def run_model(folder):
    model = make_model()
    history = run.train(
        *(model, batches, folder, EPOCHS),
        validation_data=batches(9),
        callbacks=[Throughput(tokens_per_step=104, flops_per_step=1e6)],
        verbose=0,
    )
    return model, history


def state(model):
    return [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


def without_times(history):
    times = ("seconds", "tokens_per_second", "gflops_per_second")
    return {name: values for name, values in history.items() if name not in times}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    model, history = run_model(folder)
    return folder, state(model), history


def points(folder):
    return without_times(record.MetricsLog(folder / "steps.jsonl").history())


def assert_same_run(uninterrupted, model, history, folder):
    for one, two in zip(uninterrupted[1], state(model), strict=True):
        np.testing.assert_array_equal(one, two)
    assert without_times(history) == without_times(uninterrupted[2])
    assert points(folder) == points(uninterrupted[0])
    for kind in ("train", "validation"):
        one, two = (scalars(path / "tensorboard" / kind) for path in (uninterrupted[0], folder))
        assert without_times(one) == without_times(two)


def test_what_is_on_record(uninterrupted):
    folder, _, history = uninterrupted
    assert history["epoch"] == [1, 2, 3]
    assert history["step"] == [4, 8, 11]
    assert {
        "loss",
        "token_loss",
        "row_loss",
        "token_accuracy",
        "val_loss",
        "val_token_accuracy",
    } < {*history}
    assert all(len(values) == 3 for values in history.values())
    assert history["val_loss"][0] > history["val_loss"][-1]
    assert history["learning_rate"][0] == pytest.approx(0.03 * 7 / 8, rel=1e-5)
    assert min(record.MetricsLog(folder / "steps.jsonl").history()["tokens_per_second"]) > 0
    for tokens, gflops in zip(
        history["tokens_per_second"], history["gflops_per_second"], strict=True
    ):
        assert tokens / 104 == pytest.approx(gflops / 1e-3)
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in folder.iterdir()) == [
        *("checkpoints", "loss.png", "metrics.jsonl", "steps.jsonl", "tensorboard"),
    ]


def scalars(folder):
    """(step, value) of every tag that TensorBoard would show."""
    found = {}
    for path in sorted(glob.glob(f"{folder}/*")):
        for event in tf.data.TFRecordDataset(path):
            event = tf.compat.v1.Event.FromString(event.numpy())
            for value in event.summary.value:
                found.setdefault(value.tag, []).append(
                    (event.step, float(tf.make_ndarray(value.tensor)))
                )
    return found


def test_tensorboard_goes_by_steps(uninterrupted):
    folder, _, history = uninterrupted
    train = scalars(folder / "tensorboard" / "train")
    validation = scalars(folder / "tensorboard" / "validation")
    assert [step for step, _ in train["loss"]] == [2, 4, 6, 8, 10, 11]
    assert [step for step, _ in sorted(validation["token_accuracy"])] == [4, 8, 11]
    assert [v for _, v in train["loss"]] == pytest.approx(points(folder)["loss"], rel=1e-6)
    assert [v for _, v in sorted(validation["loss"])] == pytest.approx(history["val_loss"])


def test_points_are_the_means_of_the_steps_since_the_last_one(uninterrupted):
    folder, _, history = uninterrupted
    found = points(folder)
    assert found["step"] == [2, 4, 6, 8, 10, 11] and found["epoch"] == [1, 1, 2, 2, 3, 3]
    weights = [float(tf.reduce_sum(y["token"])) for _, _, y in batches(0)]
    for step, last, epoch in zip(history["step"], [0, 4, 8], history["token_loss"], strict=True):
        there = [i for i, one in enumerate(found["step"]) if last < one <= step]
        of = [sum(weights[found["step"][i - 1] if i else 0 : found["step"][i]]) for i in there]
        losses = [found["token_loss"][i] for i in there]
        assert np.average(losses, weights=of) == pytest.approx(epoch, rel=1e-5)
        assert losses[0] != pytest.approx(epoch, rel=1e-3)
    assert found["learning_rate"][1::2] == pytest.approx(history["learning_rate"][:2] + [0.0])


def test_a_finished_run_is_done(uninterrupted):
    folder, _, history = uninterrupted
    model = make_model()
    assert run.train(model, no_data, folder, EPOCHS, verbose=0) == history
    assert_same_run(uninterrupted, model, history, folder)


def test_a_signal_in_mid_epoch(tmp_path, uninterrupted, monkeypatch):
    look = StopOnNaN.on_train_batch_end

    def kill(self, batch, logs=None):
        look(self, batch, logs)
        if int(self.model.optimizer.iterations) == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(StopOnNaN, "on_train_batch_end", kill)
        with pytest.raises(RunInterrupted, match="after step 6"):
            run_model(tmp_path)
    model, history = run_model(tmp_path)
    assert_same_run(uninterrupted, model, history, tmp_path)


class Exit(StopOnNaN):
    """Ends the process in mid-epoch, in the place of the callback that looks at every step."""

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == 6:
            os._exit(9)


@pytest.mark.slow
def test_a_hard_kill(tmp_path, uninterrupted):
    folder = tmp_path / "run"
    process = subprocess.run(
        [sys.executable, __file__, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert process.returncode == 9, process.stderr
    assert [p.name for p in (folder / "checkpoints").iterdir()] == ["step-00000004"]
    # A line of an epoch whose checkpoint was not written, and one torn by the kill.
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"epoch": 2, "step": 8, "loss": 99.0}) + '\n{"epoch": 3, "st')
    model, history = run_model(folder)
    assert_same_run(uninterrupted, model, history, folder)


def epochs(num_steps, steps_per_epoch):
    return Epochs(num_steps=num_steps, steps_per_epoch=steps_per_epoch)


def small(rate=0.1):
    keras.utils.clear_session()
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="ones")(inputs))
    optimizer = AdamW(Schedule(rate, num_steps=9)) if rate else keras.optimizers.SGD(0.0)
    model.compile(optimizer, loss="mse")
    return model


def ones(value=1.0):
    return tf.data.Dataset.from_tensors((tf.fill((3, 2), value), tf.ones((3, 1))))


def test_nan_stops_the_run_and_names_the_step(tmp_path):
    data = ones().repeat(4).concatenate(ones(math.nan)).concatenate(ones().repeat(9))
    with pytest.raises(FloatingPointError, match="nan after step 5"):
        run.train(small(0.0), data.skip, tmp_path, epochs(9, 3), verbose=0)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["step-00000003"]


def test_an_update_that_was_skipped_is_on_record(tmp_path):
    data = ones().repeat(4).concatenate(ones(math.nan)).concatenate(ones().repeat(9))
    history = run.train(small(), data.skip, tmp_path, epochs(9, 3), verbose=0)
    np.testing.assert_array_equal(history["skipped"], [math.nan, 1, 1])


def test_too_little_data_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="each of the 9 steps to come; it has 5"):
        run.train(small(), ones().repeat(5).skip, tmp_path, epochs(9, 3), verbose=0)
    unknown = ones().repeat(5).filter(lambda x, y: True)
    for num_steps in (9, 8):  # in one call of fit, and in two
        with pytest.raises(ValueError, match="must end at step 6; the data ended at step 5"):
            run.train(
                small(), unknown.skip, tmp_path / f"{num_steps}", epochs(num_steps, 3), verbose=0
            )


@pytest.mark.parametrize("size", [0, None])
def test_what_cannot_be_validated_is_refused_before_the_first_step(tmp_path, size):
    with pytest.raises(ValueError, match="finite and have a batch.*(none|never ends)"):
        run.train(
            small(), no_data, tmp_path, epochs(9, 3), validation_data=ones().repeat(size), verbose=0
        )


def no_data(first_step):
    raise AssertionError("no data must be read")


def test_a_longer_run_goes_on(tmp_path):
    data = ones().repeat()
    run.train(small(), lambda step: data, tmp_path, epochs(4, 3), verbose=0)
    history = run.train(
        small(), lambda step: data, tmp_path, epochs(7, 3), validation_data=ones(), verbose=0
    )
    assert history["step"] == [3, 4, 6, 7]
    assert np.isnan(history["val_loss"]).tolist() == [True, True, False, False]


def test_a_longer_run_counts_each_step_once(tmp_path):
    # With a rate of zero the loss of a step is that of its batch, and validation is far off.
    def of(step):
        return tf.data.Dataset.counter(step).map(
            lambda i: (tf.zeros((3, 2)), tf.sqrt(tf.cast(i, tf.float32)) * tf.ones((3, 1)))
        )

    for num_steps in (4, 7):
        history = run.train(
            small(0.0), of, tmp_path, epochs(num_steps, 3), validation_data=ones(9.0), verbose=0
        )
    assert history["step"] == [3, 4, 6, 7]
    assert history["loss"] == pytest.approx([(0 + 1 + 2) / 3, 3, (4 + 5) / 2, 6])


@pytest.mark.parametrize("num_steps", [3, 6])
def test_a_run_without_its_checkpoints_is_not_started_over(tmp_path, num_steps):
    data = ones().repeat()
    run.train(small(), lambda step: data, tmp_path, epochs(num_steps, 3), verbose=0)
    os.rename(tmp_path / "checkpoints", tmp_path / "moved")
    line = (tmp_path / "metrics.jsonl").read_bytes()
    with pytest.raises(ValueError, match=f"ended at step {num_steps}.*has no checkpoint"):
        run.train(small(), no_data, tmp_path, epochs(6, 3), verbose=0)
    assert (tmp_path / "metrics.jsonl").read_bytes() == line


def test_a_run_of_a_later_version_is_refused_and_stays_what_it_is(tmp_path):
    data = ones().repeat()
    run.train(small(), lambda step: data, tmp_path, epochs(3, 3), verbose=0)
    version = tmp_path / "checkpoints" / "step-00000003" / "format"
    version.write_text("keras_bert run 3\n")
    lines = (tmp_path / "metrics.jsonl").read_bytes()
    with pytest.raises(ValueError, match="of version 3, of a later keras_bert"):
        run.train(small(), no_data, tmp_path, epochs(6, 3), verbose=0)
    assert (tmp_path / "metrics.jsonl").read_bytes() == lines
    version.unlink()  # as it was before there were versions
    history = run.train(small(), lambda step: data, tmp_path, epochs(6, 3), verbose=0)
    assert history["step"] == [3, 6]


class Script(keras.callbacks.Callback):
    """Ends a run after a step, and notes what it is told."""

    def __init__(self, last_step=None, within=False):
        super().__init__()
        self.last_step, self.within, self.told = last_step, within, []

    def on_train_begin(self, logs=None):
        self.told.append("begin")

    def on_train_end(self, logs=None):
        self.told.append("end")

    def on_train_batch_end(self, batch, logs=None):
        if self.within:
            self._look()

    def on_epoch_end(self, epoch, logs=None):
        self.told.append(epoch)
        self._look()

    def _look(self):
        if int(self.model.optimizer.iterations) == self.last_step:
            self.model.stop_training = True


STOPS = {
    "between equal epochs": ((9, 3), None, 3, [3]),
    "before a shorter epoch": ((5, 2), None, 4, [2, 4]),
    "in a shorter epoch, the last": ((5, 2), None, 5, [2, 4, 5]),
    "in the epoch that was broken off": ((9, 3), 2, 3, [3]),
    "after the epoch that was broken off": ((9, 3), 2, 6, [3, 6]),
    "within an epoch": ((9, 3), None, 5, [3, 5]),
}


@pytest.mark.parametrize(("numbers", "broken_off", "last_step", "steps"), STOPS.values(), ids=STOPS)
def test_a_callback_ends_a_run_for_good(
    tmp_path, monkeypatch, numbers, broken_off, last_step, steps
):
    model, data = small(), ones().repeat()
    if broken_off is not None:
        with pytest.raises(RunInterrupted):
            train_and_kill(monkeypatch, broken_off, model, data, tmp_path, numbers)
    script = Script(last_step, within=last_step not in (3, 4, 6))
    arguments = {"callbacks": [script], "verbose": 0}
    history = run.train(model, lambda step: data, tmp_path, epochs(*numbers), **arguments)
    assert history["step"] == steps
    assert script.told == ["begin", *range(len(steps)), "end"]
    assert "stopped" not in history
    # Run again it stays ended, whatever the callback would say now.
    again, other = run.train(small(), no_data, tmp_path, epochs(*numbers), verbose=0), small()
    assert again == history
    run.train(other, no_data, tmp_path, epochs(numbers[0] + 9, numbers[1]), verbose=0)
    assert int(other.optimizer.iterations) == last_step


def train_and_kill(monkeypatch, step, model, data, folder, numbers):
    with monkeypatch.context() as patch:
        patch.setattr(StopOnNaN, "on_train_batch_end", killed_after(step))
        run.train(model, lambda _: data, folder, epochs(*numbers), verbose=0)


def killed_after(step):
    def kill(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return kill


def test_a_run_that_takes_several_fits_is_one_training_to_callbacks(tmp_path):
    script, data = Script(), ones().repeat()
    run.train(small(), lambda step: data, tmp_path, epochs(5, 2), callbacks=[script], verbose=0)
    assert script.told == ["begin", 0, 1, 2, "end"]


def shuffled():
    """Batches in an order that is another one each time that the dataset is begun."""
    keras.utils.set_random_seed(1)
    data = tf.data.Dataset.range(9).shuffle(9, seed=2).batch(3)
    data = data.map(lambda i: (tf.cast(tf.stack([i, i * i], 1), tf.float32), tf.ones((3, 1))))
    return lambda step: data.repeat().skip(step)


@pytest.mark.parametrize("broken_off", [2, 4])
def test_a_run_that_goes_on_has_the_order_of_one_that_was_not_stopped(
    tmp_path, monkeypatch, broken_off
):
    numbers = (8, 3)  # the last epoch is shorter
    whole = run.train(small(), shuffled(), tmp_path / "whole", epochs(*numbers), verbose=0)
    with pytest.raises(RunInterrupted), monkeypatch.context() as patch:
        patch.setattr(StopOnNaN, "on_train_batch_end", killed_after(broken_off))
        run.train(small(), shuffled(), tmp_path / "other", epochs(*numbers), verbose=0)
    history = run.train(small(), shuffled(), tmp_path / "other", epochs(*numbers), verbose=0)
    assert without_times(history) == without_times(whole)


def test_a_run_asks_for_its_data_once(tmp_path):
    asked, data = [], ones().repeat(9)
    run.train(small(), lambda step: asked.append(step) or data, tmp_path, epochs(5, 2), verbose=0)
    assert asked == [0]


class Killed(BaseException):
    """A kill where a test wants it."""


# Where a run is killed in its last epoch, and whether that epoch counts.
KILLS = {
    "before its checkpoint is on the disk": (checkpointing.files, "flush", False),
    "before its checkpoint has its name": (os, "rename", False),
    "before old checkpoints are gone": (checkpointing.files, "remove", True),
    "before its last point": (record.MetricsLog, "append", False),
    "before its line": (record.MetricsLog, "append", True),
    "before TensorBoard's figures": (record.Scalars, "write", True),
    "before the picture": (record, "draw_losses", True),
}


@pytest.fixture(scope="module")
def not_killed(tmp_path_factory):
    return train_until_nine(small(), tmp_path_factory.mktemp("not_killed"))


def train_until_nine(model, folder):
    data = ones().repeat()
    arguments = {"callbacks": [Script(9)], "verbose": 0}
    return run.train(
        model, lambda step: data, folder, epochs(11, 3), validation_data=ones(2.0), **arguments
    )


@pytest.mark.parametrize(("owner", "name", "counts"), KILLS.values(), ids=KILLS)
def test_a_kill_while_an_epoch_is_put_on_record(
    tmp_path, monkeypatch, not_killed, owner, name, counts
):
    model, real = small(), getattr(owner, name)

    def kill(*arguments, **options):
        is_saved = (tmp_path / "checkpoints" / "step-00000009").exists()
        if int(model.optimizer.iterations) == 9 and is_saved == counts:
            raise Killed
        return real(*arguments, **options)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(owner, name, kill)
        train_until_nine(model, tmp_path)
    if counts:  # also that a callback ended the run with it
        history = run.train(small(), no_data, tmp_path, epochs(11, 3), verbose=0)
    else:
        history = train_until_nine(small(), tmp_path)
    assert without_times(history) == without_times(not_killed)
    assert points(tmp_path)["step"] == [*range(1, 10)]
    assert [path.name for path in tmp_path.rglob(".writing-*")] == []


def test_a_signal_after_the_last_save_is_obeyed_without_another(tmp_path, monkeypatch):
    draw, data = record.draw_losses, ones().repeat()

    def draw_and_kill(history, path, points):
        draw(history, path, points)
        if history["step"][-1] == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(record, "draw_losses", draw_and_kill)
    with pytest.raises(RunInterrupted, match="SIGTERM after step 6.*step-00000006. Run"):
        run.train(small(), lambda step: data, tmp_path, epochs(6, 3), verbose=0)
    assert sorted(path.name[-1] for path in (tmp_path / "checkpoints").iterdir()) == ["3", "6"]
    assert run.train(small(), no_data, tmp_path, epochs(6, 3), verbose=0)["step"] == [3, 6]


def test_a_model_that_was_trained_before_has_no_metrics_to_go_on_with(tmp_path):
    model, data = small(), ones().repeat()
    model.fit(data, steps_per_epoch=2, verbose=0)
    assert run.train(model, lambda step: data, tmp_path, epochs(6, 3), verbose=0)["step"] == [3, 6]


@pytest.mark.parametrize("value", [np.float32(0.5), np.int64(3), tf.constant(0.25)])
def test_what_callbacks_add_is_on_record(tmp_path, value):
    add, data = Adds(value), ones().repeat()
    history = run.train(
        small(), lambda step: data, tmp_path, epochs(3, 3), callbacks=[add], verbose=0
    )
    assert history["added"] == [float(value)]


@pytest.mark.parametrize("value", ["good", None, np.ones(2)])
def test_what_is_no_number_is_not(tmp_path, value):
    add, data = Adds(value), ones().repeat()
    with pytest.raises(ValueError, match="must be a number; added is"):
        run.train(small(), lambda step: data, tmp_path, epochs(3, 3), callbacks=[add], verbose=0)


class Adds(keras.callbacks.Callback):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def on_epoch_end(self, epoch, logs=None):
        logs["added"] = self.value


def test_a_place_that_is_none_is_an_error_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        run.train(small(), no_data, tmp_path / "file", epochs(6, 3), verbose=0)


def test_lines_say_what_is_reached(tmp_path, capsys):
    data, rates = ones().repeat(), Throughput(tokens_per_step=3, flops_per_step=1e9)
    options = {"callbacks": [rates], "validation_data": ones(), "verbose": 2}
    run.train(small(), lambda step: data, tmp_path, every_step(5, 3), **options)
    said = capsys.readouterr().out
    for what in (
        *("Building the graph of the training step ...\n... took ", "of the evaluation ...\n... "),
        *(r"epoch 1/2, step 2/5: loss \d.\d+, rate 0.0778, [\d,]+ tokens/s, [\d.]+ s left\n",),
        *(r"Epoch 2/2: loss \d.\d+; held out: loss \d.\d+; [\d.]+ s\n",),
    ):
        assert re.search(what, said), said
    assert said.count("Building") == 2 and "gflops" not in said


def every_step(num_steps, steps_per_epoch):
    return Epochs(num_steps=num_steps, steps_per_epoch=steps_per_epoch, log_every=1)


def test_prepare():
    def drawn():
        layer = keras.layers.Dense(3)
        layer.build((None, 2))
        return np.random.rand(3), layer.kernel.numpy(), layer.compute_dtype

    try:
        run.prepare(5, "mixed_float16")
        assert drawn()[2] == "float16"
        run.prepare(5, "mixed_bfloat16")
        first = drawn()
    finally:
        run.prepare(5)
    second = drawn()
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert (first[2], second[2]) == ("bfloat16", "float32")
    with pytest.raises(ValueError, match="precision"):
        run.prepare(5, "float16")


if __name__ == "__main__":
    run.StopOnNaN = Exit
    run_model(sys.argv[1])
