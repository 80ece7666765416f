"""TrainingCheckpoint: exact, whole after a kill at any point, and never silently from the start."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import logging

from keras_bert.training.checkpointing import (
    RunInterrupted,
    SaveCheckpoints,
    StopSignal,
    TrainingCheckpoint,
)
from keras_bert.training.optimizers import AdamW


def make_model(units=5, policy="float32"):
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    inputs = keras.Input((3,))
    hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(units, dtype=policy)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dropout(0.1)(hidden)))
    model.compile(AdamW(0.1), loss="mse", metrics=["mae"])
    return model


def fit(model, steps=1):
    x = np.random.default_rng(5).normal(size=(4 * steps, 3)).astype("float32")
    model.fit(x, x[:, :2], batch_size=4, shuffle=False, verbose=0)


def state(model):
    return [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


def assert_same(one, two):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def warnings(monkeypatch):
    """What is logged as a warning."""
    texts = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: texts.append(text % values))
    return texts


def test_everything_comes_back(tmp_path):
    model = make_model()
    fit(model, steps=3)
    checkpoint = TrainingCheckpoint(tmp_path, model)
    path = checkpoint.save()
    assert path.name == "step-00000003"
    names = {name for name, _ in tf.train.list_variables(str(path / "state"))}
    assert {"model/dense/kernel", "optimizer/iteration", "optimizer/dense_kernel_m"} <= names
    assert "model/seed_generator/seed_generator_state#2" in names
    # The same layers, but other numbers of generators, as in another program.
    other = make_model()
    keras.random.SeedGenerator()
    before = state(other)
    assert TrainingCheckpoint(tmp_path, other).restore() == 3
    assert_same(state(other), state(model))
    assert any((a != b).any() for a, b in zip(before, state(other), strict=True))
    for one in (model, other):
        fit(one, steps=2)
    assert_same(state(other), state(model))


def test_bfloat16_keeps_float32(tmp_path):
    model = make_model(policy="mixed_bfloat16")
    fit(model)
    TrainingCheckpoint(tmp_path, model).save()
    other = make_model(policy="mixed_bfloat16")
    TrainingCheckpoint(tmp_path, other).restore()
    assert_same(state(other), state(model))


def test_metrics_come_back(tmp_path):
    model = make_model()
    fit(model, steps=2)
    sums = [v.numpy() for v in model.metrics_variables]
    TrainingCheckpoint(tmp_path, model).save()
    model.reset_metrics()
    TrainingCheckpoint(tmp_path, model).restore_metrics()
    assert_same([v.numpy() for v in model.metrics_variables], sums)
    assert any((value != 0).any() for value in sums)


def test_the_newest_stay(tmp_path):
    model = make_model()
    checkpoint = TrainingCheckpoint(tmp_path, model, keep=2)
    for _ in range(4):
        fit(model)
        checkpoint.save()
    assert [p.name for p in checkpoint.paths()] == ["step-00000004", "step-00000003"]
    checkpoint.save()
    assert [p.name for p in checkpoint.paths()] == ["step-00000004.2", "step-00000003"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000003", "step-00000004.2"]


def flip(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 4
    path.write_bytes(data)


DAMAGES = {
    "a bit of the data": lambda data, index: flip(data, 100),
    "the last bit of the data": lambda data, index: flip(data, -1),
    "a bit of the index": lambda data, index: flip(index, 40),
    "truncated data": lambda data, index: data.write_bytes(data.read_bytes()[:50]),
    "truncated index": lambda data, index: index.write_bytes(index.read_bytes()[:50]),
    "empty data": lambda data, index: data.write_bytes(b""),
    "empty index": lambda data, index: index.write_bytes(b""),
    "no data": lambda data, index: data.unlink(),
    "no index": lambda data, index: index.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_falls_back_to_the_one_before(tmp_path, warnings, damage):
    model = make_model()
    checkpoint = TrainingCheckpoint(tmp_path, model)
    fit(model)
    checkpoint.save()
    wanted = state(model)
    fit(model)
    newest = checkpoint.save()
    DAMAGES[damage](newest / "state.data-00000-of-00001", newest / "state.index")
    again = TrainingCheckpoint(tmp_path, model)
    assert again.restore() == 1
    assert_same(state(model), wanted)
    assert len(warnings) == 1
    assert "step-00000002 is damaged" in warnings[0]
    fit(model)
    again.save()
    assert [p.name for p in again.paths()] == ["step-00000002.2", "step-00000001"]
    assert TrainingCheckpoint(tmp_path, model).restore() == 2


def test_all_damaged_is_an_error(tmp_path, warnings):
    model = make_model()
    checkpoint = TrainingCheckpoint(tmp_path, model)
    for _ in range(2):
        fit(model)
        (checkpoint.save() / "state.index").write_bytes(b"")
    with pytest.raises(ValueError, match="all 2 are damaged"):
        TrainingCheckpoint(tmp_path, model).restore()
    assert len(warnings) == 2


def test_another_model_is_an_error(tmp_path):
    model = make_model()
    fit(model)
    TrainingCheckpoint(tmp_path, model).save()
    with pytest.raises(ValueError, match=r"model/dense/kernel is \(3, 7\) float32, \(3, 5\)"):
        TrainingCheckpoint(tmp_path, make_model(units=7)).restore()
    other = make_model()
    other.compile("sgd", loss="mse")
    with pytest.raises(ValueError, match="optimizer/dense_1_bias_m is not in the model"):
        TrainingCheckpoint(tmp_path, other).restore()
    keras.utils.clear_session()
    larger = keras.Sequential([keras.Input((3,)), *(keras.layers.Dense(4) for _ in range(4))])
    larger.compile(AdamW(0.1), loss="mse")
    with pytest.raises(ValueError, match="model/dense_2/kernel is not in the checkpoint"):
        TrainingCheckpoint(tmp_path, larger).restore()


def test_a_run_is_not_overwritten_by_a_new_one(tmp_path):
    model = make_model()
    fit(model, steps=2)
    TrainingCheckpoint(tmp_path, model).save()
    with pytest.raises(ValueError, match="must not be behind"):
        TrainingCheckpoint(tmp_path, make_model()).save()


def test_nonsense_is_refused(tmp_path):
    with pytest.raises(ValueError, match="keep"):
        TrainingCheckpoint(tmp_path, make_model(), keep=0)
    with pytest.raises(ValueError, match="built and compiled"):
        TrainingCheckpoint(tmp_path, keras.Sequential([keras.layers.Dense(3)]))


SAVE_AND_BE_KILLED = """
    import os, pathlib, signal, sys

    import keras
    from keras_bert.training.checkpointing import TrainingCheckpoint

    def save_and_be_killed(folder, event_number):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        model.compile("sgd", loss="mse")
        checkpoint = TrainingCheckpoint(folder, model, keep=1)
        for step in (1, 2):
            model.set_weights([weight * 0 + step for weight in model.get_weights()])
            model.optimizer.iterations.assign(step)
            if step == 2:
                sys.addaudithook(killer(folder, event_number))
            checkpoint.save()

    def killer(folder, number):
        left = [number]

        def hook(event, values):
            # Everything Python does in the folder: mkdir, open, scandir, rename, remove, rmtree.
            if any(isinstance(v, (str, os.PathLike)) and str(folder) in str(v) for v in values):
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        return hook

    number, status = 0, 1
    while status:
        process = os.fork()
        if not process:
            save_and_be_killed(pathlib.Path(sys.argv[1], f"{number:03d}"), number)
            os._exit(0)
        status = os.waitpid(process, 0)[1]
        assert status in (0, signal.SIGKILL), status
        number += 1
    print("saved", number)
"""


def test_a_kill_at_any_point_leaves_a_whole_checkpoint(tmp_path, warnings):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SAVE_AND_BE_KILLED))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    folder = tmp_path / "kills"
    command = [sys.executable, str(script), str(folder)]
    output = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=100, check=True
    )
    assert "saved" in output.stdout
    keras.utils.clear_session()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("sgd", loss="mse")
    steps = []
    for path in sorted(folder.iterdir()):
        checkpoint = TrainingCheckpoint(path, model, keep=1)
        steps.append(checkpoint.restore())
        for weight in model.get_weights():
            assert (weight == steps[-1]).all()
        checkpoint.save()
        assert len(checkpoint.paths()) == 1
    assert steps == sorted(steps)
    assert len(steps) > 10
    assert set(steps) == {1, 2}
    assert warnings == []


def test_a_signal_saves_and_stops_within_an_epoch(tmp_path):
    model = make_model()
    checkpoint = TrainingCheckpoint(tmp_path, model)
    handlers = [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)]

    class Kill(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    x = np.ones((24, 3))
    message = "SIGTERM after step 3.*same command"
    with pytest.raises(RunInterrupted, match=message) as error, StopSignal() as stop:
        callbacks = [Kill(), SaveCheckpoints(checkpoint, stop)]
        model.fit(x, x[:, :2], batch_size=4, epochs=2, verbose=0, callbacks=callbacks)
    assert isinstance(error.value, SystemExit)
    assert [p.name for p in checkpoint.paths()] == ["step-00000003"]
    assert [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)] == handlers


def test_a_signal_in_the_last_step_waits_for_the_end_of_the_epoch(tmp_path):
    model = make_model()
    checkpoint = TrainingCheckpoint(tmp_path, model)
    stop = StopSignal()
    seen = []

    class Kill(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            stop.name = "SIGINT" if batch == 5 else None

        def on_epoch_end(self, epoch, logs=None):
            seen.append(sorted(logs))

    x = np.ones((24, 3))
    with pytest.raises(RunInterrupted, match="SIGINT after step 6"):
        model.fit(
            *(x, x[:, :2]),
            batch_size=4,
            epochs=2,
            verbose=0,
            validation_data=(x, x[:, :2]),
            callbacks=[Kill(), SaveCheckpoints(checkpoint, stop)],
        )
    assert seen == [["loss", "mae", "val_loss", "val_mae"]]


def test_a_second_signal_is_obeyed_at_once():
    # What a shell starts in the background is deaf to SIGINT; this test is not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with StopSignal() as stop:
            signal.raise_signal(signal.SIGINT)
            assert stop.name == "SIGINT"
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_without_signals_it_saves_at_the_ends_of_epochs(tmp_path):
    model = make_model()
    checkpoint = TrainingCheckpoint(pathlib.Path(tmp_path, "new", "folder"), model)
    x = np.ones((8, 3))
    callbacks = [SaveCheckpoints(checkpoint)]
    model.fit(x, x[:, :2], batch_size=4, epochs=2, verbose=0, callbacks=callbacks)
    assert [p.name for p in checkpoint.paths()] == ["step-00000004", "step-00000002"]
