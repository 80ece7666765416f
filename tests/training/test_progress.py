"""What is shown of a run, in a terminal and in a file."""

import io
import sys

import keras
import numpy as np
import pytest

from keras_bert.training import progress
from keras_bert.training.callbacks import OneTraining
from keras_bert.training.epochs import Epochs
from keras_bert.training.points import Points
from keras_bert.training.progress import BAR, LINES, Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(monkeypatch, verbose, *, is_terminal, log_every=None, eagerly=False, pace=1.0):
    """What is shown of 8 steps in 2 epochs, each of which takes so many seconds."""
    now = iter(np.arange(0.0, 1e4, pace / 2))
    monkeypatch.setattr(progress.time, "perf_counter", lambda: float(next(now)))
    out = Terminal() if is_terminal else io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse", run_eagerly=eagerly)
    epochs = Epochs(num_steps=8, steps_per_epoch=4, log_every=log_every)
    points = Points(epochs, lambda _: None)
    shows = Progress(epochs, points)
    callbacks = OneTraining([points, shows], model)
    callbacks.set_params({"verbose": verbose, "steps": 4})
    x = np.ones((8, 1))
    data = {"x": x, "y": x, "validation_data": (x, x), "batch_size": 2, "epochs": 2}
    model.fit(**data, callbacks=callbacks, verbose=0)
    shows.close()
    return out.getvalue()


def test_a_file_has_lines(monkeypatch):
    lines = shown(monkeypatch, LINES, is_terminal=False, log_every=4).splitlines()
    assert lines[0] == "Building the graph of the training step ..."
    assert lines[1] == lines[4] == "... took 0.5 s."
    assert lines[2].startswith("epoch 1/2, step 4/8: loss ") and lines[2].endswith(" s left")
    assert lines[3] == "Building the graph of the evaluation ..."
    assert "\r" not in "".join(lines) and sum("Building" in line for line in lines) == 2
    assert lines[-1].startswith("Epoch 2/2: loss ") and "; held out: loss " in lines[-1]


def test_lines_that_nobody_asked_for_are_seconds_apart(monkeypatch):
    few = shown(monkeypatch, LINES, is_terminal=False, pace=0.01)
    assert few.count("step ") - few.count("training step") == 1
    many = shown(monkeypatch, LINES, is_terminal=False, pace=0.01, log_every=1)
    assert many.count("step ") - many.count("training step") == 8


def test_a_terminal_has_one_bar(monkeypatch):
    said = shown(monkeypatch, BAR, is_terminal=True)
    bars = [part for part in said.split("\r") if part.startswith("step ")]
    assert len(bars) == 8 and all("\n" not in bar for bar in bars)
    assert bars[3].startswith("step 4/8 [==========>.........] ")
    assert " s left, loss " in bars[3] and ", rate 0.01" in bars[3]
    assert said.endswith("\r\x1b[K")  # nothing is left of it
    lines = [line.split("\r")[-1].removeprefix("\x1b[K") for line in said.splitlines()]
    assert [line[:9] for line in lines if line.startswith("Epoch")] == ["Epoch 1/2", "Epoch 2/2"]


def test_a_bar_fits_into_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    said = shown(monkeypatch, BAR, is_terminal=True)
    bars = [part for part in said.split("\r") if part.startswith("step ")]
    assert {len(bar.removesuffix("\x1b[K")) for bar in bars[1:]} == {29}


def test_without_a_graph_none_is_announced(monkeypatch):
    assert "Building" not in shown(monkeypatch, LINES, is_terminal=False, eagerly=True)


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_nothing_is_shown_where_nothing_is_wanted(monkeypatch, verbose):
    assert progress.verbosity(verbose, is_chief=False) == 0
    assert progress.verbosity(verbose, is_chief=True) == verbose
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert progress.verbosity(None, is_chief=True) == BAR
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert progress.verbosity(None, is_chief=True) == LINES
    if verbose == 0:
        assert shown(monkeypatch, verbose, is_terminal=False) == ""


def test_a_graph_is_told_once(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    graph = progress.Graph("the step", is_told=True)
    for _ in range(2):
        with graph.built():
            out.write("called\n")
    first, second, third, fourth = out.getvalue().splitlines()
    assert (first, second, fourth) == ("Building the graph of the step ...", "called", "called")
    assert third.startswith("... took ")
