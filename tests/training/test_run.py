"""train(): a run that was stopped, killed or finished, run again; and what it leaves on record."""

import glob
import json
import math
import os
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training import run
from keras_bert.training.checkpointing import RunInterrupted
from keras_bert.training.optimizers import AdamW
from keras_bert.training.schedules import Schedule
from keras_bert.training.trainable import Trainable

NUM_STEPS, STEPS_PER_EPOCH = 11, 4


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
    numbers = (NUM_STEPS, STEPS_PER_EPOCH, batches(9), 104, 1e6)
    history = run.train(model, batches, folder, *numbers, verbose=0)
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


def assert_same_run(uninterrupted, model, history):
    for one, two in zip(uninterrupted[1], state(model), strict=True):
        np.testing.assert_array_equal(one, two)
    assert without_times(history) == without_times(uninterrupted[2])


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
    for tokens, gflops in zip(
        history["tokens_per_second"], history["gflops_per_second"], strict=True
    ):
        assert tokens / 104 == pytest.approx(gflops / 1e-3)
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in folder.iterdir()) == [
        *("checkpoints", "loss.png", "metrics.jsonl", "tensorboard"),
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
    assert [step for step, _ in sorted(train["loss"])] == [4, 8, 11]
    assert [step for step, _ in sorted(validation["token_accuracy"])] == [4, 8, 11]
    assert [v for _, v in sorted(train["loss"])] == pytest.approx(history["loss"], rel=1e-6)
    assert [v for _, v in sorted(validation["loss"])] == pytest.approx(history["val_loss"])


def test_a_finished_run_is_done(uninterrupted):
    folder, _, history = uninterrupted

    def no_data(first_step):
        raise AssertionError("a finished run must not read data")

    model = make_model()
    assert run.train(model, no_data, folder, NUM_STEPS, STEPS_PER_EPOCH, verbose=0) == history
    assert_same_run(uninterrupted, model, history)


def test_a_signal_in_mid_epoch(tmp_path, uninterrupted, monkeypatch):
    look = run.StopOnNaN.on_train_batch_end

    def kill(self, batch, logs=None):
        look(self, batch, logs)
        if int(self.model.optimizer.iterations) == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(run.StopOnNaN, "on_train_batch_end", kill)
        with pytest.raises(RunInterrupted, match="after step 6"):
            run_model(tmp_path)
    model, history = run_model(tmp_path)
    assert_same_run(uninterrupted, model, history)


class Exit(run.StopOnNaN):
    """Ends the process in mid-epoch, in the place of the callback that looks at every step."""

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == 6:
            os._exit(9)


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
    assert_same_run(uninterrupted, model, history)


def small():
    keras.utils.clear_session()
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile(AdamW(Schedule(0.1, num_steps=9)), loss="mse")
    return model


def ones(value=1.0):
    return tf.data.Dataset.from_tensors((tf.fill((3, 2), value), tf.ones((3, 1))))


def test_nan_stops_the_run_and_names_the_step(tmp_path):
    data = ones().repeat(4).concatenate(ones(math.nan)).concatenate(ones().repeat(9))
    with pytest.raises(FloatingPointError, match="nan after step 5"):
        run.train(small(), data.skip, tmp_path, 9, 3, verbose=0)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["step-00000003"]


def test_too_little_data_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="must end at step 6; the data ended at step 5"):
        run.train(small(), ones().repeat(5).skip, tmp_path, 9, 3, verbose=0)


def test_a_longer_run_goes_on(tmp_path):
    data = ones().repeat()
    run.train(small(), lambda step: data, tmp_path, 4, 3, verbose=0)
    history = run.train(small(), lambda step: data, tmp_path, 7, 3, ones(), verbose=0)
    assert history["step"] == [3, 4, 6, 7]
    assert np.isnan(history["val_loss"]).tolist() == [True, True, False, False]


def test_a_run_without_its_checkpoints_is_not_started_over(tmp_path):
    data = ones().repeat()
    run.train(small(), lambda step: data, tmp_path, 6, 3, verbose=0)
    os.rename(tmp_path / "checkpoints", tmp_path / "moved")
    with pytest.raises(ValueError, match="must have a checkpoint"):
        run.train(small(), lambda step: data, tmp_path, 6, 3, verbose=0)


def test_the_progress_bar_shows_the_rates(tmp_path, capsys):
    data = ones().repeat()
    run.train(small(), lambda step: data, tmp_path, 5, 3, None, 3, 1e9, verbose=2)
    output = capsys.readouterr().out
    assert "Epoch 2/2" in output
    assert "tokens_per_second" in output
    assert "gflops_per_second" in output


@pytest.mark.parametrize("wrong", [{"num_steps": 0}, {"steps_per_epoch": 2.5}])
def test_nonsense_is_refused(tmp_path, wrong):
    numbers = {"num_steps": 3, "steps_per_epoch": 3, **wrong}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        run.train(small(), lambda step: ones(), tmp_path, **numbers)


def test_prepare():
    def drawn():
        layer = keras.layers.Dense(3)
        layer.build((None, 2))
        return np.random.rand(3), layer.kernel.numpy(), layer.compute_dtype

    try:
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
