"""Callbacks of a run, each by itself; what they do together is in test_run."""

import math
import os
import pathlib
import signal
import time

import keras
import numpy as np
import pytest

from keras_bert.training.callbacks import (
    DataLasts,
    OneTraining,
    RestoreMetrics,
    SaveCheckpoints,
    Seconds,
    StopOnNaN,
    Throughput,
)
from keras_bert.training.checkpointing import TrainingCheckpoint
from keras_bert.training.epochs import Epochs
from keras_bert.training.optimizers import AdamW
from keras_bert.training.signals import RunInterrupted, StopSignal


def make_model():
    keras.utils.clear_session()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", loss="mse", metrics=["mae"])
    return model


def fit(model, *callbacks, rows=24, **options):
    x = np.ones((rows, 3))
    options = {"batch_size": 4, "epochs": 2, "verbose": 0, **options}
    return model.fit(x, x[:, :2], callbacks=callbacks, **options)


def test_a_signal_saves_and_stops_within_an_epoch(tmp_path):
    model = make_model()
    checkpoint = TrainingCheckpoint(tmp_path, model)

    class Kill(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    message = "SIGTERM after step 3.*same command"
    with pytest.raises(RunInterrupted, match=message), StopSignal() as stop:
        fit(model, Kill(), SaveCheckpoints(checkpoint, stop))
    assert [p.name for p in checkpoint.paths()] == ["step-00000003"]


def test_a_signal_in_the_last_step_waits_for_the_end_of_the_epoch(tmp_path):
    model = make_model()
    checkpoint = TrainingCheckpoint(tmp_path, model)
    stop = StopSignal()
    seen = []

    class Kill(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            stop.number = signal.SIGINT if batch == 5 else 0

        def on_epoch_end(self, epoch, logs=None):
            seen.append(sorted(logs))

    held_out = (np.ones((4, 3)), np.ones((4, 2)))
    with pytest.raises(RunInterrupted, match="SIGINT after step 6"):
        fit(model, Kill(), SaveCheckpoints(checkpoint, stop), validation_data=held_out)
    assert seen == [["loss", "mae", "val_loss", "val_mae"]]


def test_without_signals_it_saves_at_the_ends_of_epochs(tmp_path):
    model = make_model()
    checkpoint = TrainingCheckpoint(pathlib.Path(tmp_path, "new", "folder"), model)
    fit(model, SaveCheckpoints(checkpoint), rows=8)
    assert [p.name for p in checkpoint.paths()] == ["step-00000004", "step-00000002"]


class Clock(keras.callbacks.Callback):
    """Lets the clock go on by set times: so much in each step, and a minute in validation."""

    def __init__(self, monkeypatch, *steps):
        super().__init__()
        self.now, self.steps = 0.0, steps
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def on_train_batch_begin(self, batch, logs=None):
        self.now += self.steps[batch]

    def on_test_begin(self, logs=None):
        self.now += 60


def test_seconds_are_those_of_the_steps(monkeypatch):
    clock = Clock(monkeypatch, 5.0, 1.0, 2.0)
    held_out = (np.ones((4, 3)), np.ones((4, 2)))
    history = fit(make_model(), clock, Seconds(), rows=12, validation_data=held_out).history
    assert history["seconds"] == [8.0, 8.0]


def test_rates_leave_out_the_first_step_that_is_seen(monkeypatch):
    clock = Clock(monkeypatch, 5.0, 1.0, 3.0)
    rates = Throughput(tokens_per_step=12, flops_per_step=3e9)
    history = fit(make_model(), clock, rates, rows=12).history
    assert history["tokens_per_second"] == pytest.approx([2 / 4 * 12] * 2)
    assert history["gflops_per_second"] == pytest.approx([2 / 4 * 3] * 2)
    clock = Clock(monkeypatch, 5.0)
    history = fit(make_model(), clock, Throughput(flops_per_step=3e9), rows=4).history
    assert history["gflops_per_second"] == pytest.approx([3 / 5] * 2)
    assert "tokens_per_second" not in history


def test_a_loss_that_is_not_finite_names_the_step():
    model = make_model()
    fit(model, StopOnNaN(), rows=8)
    model.set_weights([weights * math.nan for weights in model.get_weights()])
    with pytest.raises(FloatingPointError, match="it is nan after step 5"):
        fit(model, StopOnNaN())


def batches_of(*good):
    """The rows of batches of 4, good ones and broken ones."""
    return np.concatenate([np.full((4, 3), 1.0 if one else math.nan) for one in good])


def test_skipped_updates_are_shown_and_too_many_in_a_row_are_an_error():
    model = make_model()
    model.compile(AdamW(0.1), loss="mse", run_eagerly=True)
    options = {"batch_size": 4, "shuffle": False, "verbose": 0}
    x, y = batches_of(1, 0, 0, 1), np.ones((16, 2))
    stop = StopOnNaN(num_in_row=3)
    assert "skipped" not in model.fit(x[:4], y[:4], callbacks=[stop], **options).history
    history = model.fit(x, y, epochs=2, callbacks=[stop], **options).history
    assert history["skipped"] == [2, 4]
    message = "the last 3, up to step 12, were not and were skipped. Lower"
    with pytest.raises(FloatingPointError, match=message):
        model.fit(np.full((16, 3), math.nan), y, callbacks=[stop], **options)


def test_what_waits_for_the_device_is_looked_at_now_and_then(monkeypatch):
    model, looks, read = make_model(), [], []
    model.compile(AdamW(0.1), loss="mse")
    counts = StopOnNaN._counts
    monkeypatch.setattr(StopOnNaN, "_counts", lambda self: looks.append(1) or counts(self))

    class Reads(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            read.append(type(logs["loss"]))

    callbacks, x = OneTraining([StopOnNaN(num_in_row=5), Reads()], model), np.ones((48, 3))
    model.fit(x, x[:, :2], batch_size=4, epochs=2, callbacks=callbacks, verbose=0)
    # When the training begins, and after steps 5, 10 and 12 of both epochs.
    assert len(looks) == 1 + 2 * 3
    assert len(read) == 24 and float not in read


def test_a_loss_scale_may_find_its_place():
    model = make_model()
    model.compile(AdamW(0.1), loss="mse", run_eagerly=True)
    model.optimizer.scale_losses()
    model.optimizer.loss_scale.scale.assign(4.0)
    x = batches_of(1, 0, 0, 0)
    with pytest.raises(FloatingPointError, match="the last 2, up to step 3"):
        model.fit(
            x, x[:, :2], batch_size=4, shuffle=False, verbose=0, callbacks=[StopOnNaN(num_in_row=1)]
        )


def test_data_that_ends_too_early_is_named_by_the_step():
    data = DataLasts(Epochs(num_steps=6, steps_per_epoch=3))
    data.set_model(make_model())
    data.model.stop_training = False
    data.set_params({"steps": 3})
    for epoch in range(2):
        data.on_epoch_begin(epoch)
        for batch in range(3 - epoch):
            data.on_train_batch_end(batch)
        if epoch == 0:
            data.on_epoch_end(epoch)
    with pytest.raises(ValueError, match="Epoch 2 must end at step 6; the data ended at step 5"):
        data.on_epoch_end(1)
    data.model.stop_training = True  # by a callback: there is data
    data.on_epoch_end(1)


def test_metrics_go_on_in_the_epoch_that_was_broken_off(tmp_path):
    model = make_model()
    fit(model, rows=8)
    checkpoint = TrainingCheckpoint(tmp_path, model)
    checkpoint.save()
    sums = [variable.numpy() for variable in model.metrics_variables]
    callback = RestoreMetrics(checkpoint, epoch=3)
    for epoch, comes_back in ((2, False), (3, True), (4, False)):
        model.reset_metrics()
        callback.on_epoch_begin(epoch)
        now = [variable.numpy() for variable in model.metrics_variables]
        assert np.array_equal(now, sums) == comes_back


def test_several_fits_are_one_training():
    told = []

    class Telling(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            told.append("begin")

        def on_epoch_end(self, epoch, logs=None):
            told.append(epoch)

        def on_train_end(self, logs=None):
            told.append(sorted(logs))

    model = make_model()
    callbacks, x = OneTraining([Telling()], model), np.ones((8, 3))
    for epoch in range(2):
        options = {"initial_epoch": epoch, "epochs": epoch + 1, "callbacks": callbacks}
        model.fit(x, x[:, :2], batch_size=4, verbose=0, **options)
    assert told == ["begin", 0, 1]
    callbacks.end()
    assert told == ["begin", 0, 1, ["loss", "mae"]]
