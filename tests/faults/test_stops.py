"""Asked to stop, or killed, at any moment, a run goes on to the bit as if it had not been."""

import functools
import hashlib
import os
import pathlib
import re
import signal
import sys

import keras
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.layers.dropout import Dropout
from keras_bert.training.record import MetricsLog

pytestmark = pytest.mark.faults
# Longer than anything here takes, under whatever load.
TIMEOUT_S = 240
EPOCHS = kb.training.Epochs(num_steps=10, steps_per_epoch=5, save_every=3)
SIGTERM, SIGKILL = signal.SIGTERM, signal.SIGKILL


def signalled(number):
    os.kill(os.getpid(), number)


class Signals(keras.layers.Layer):
    """What it gets, and a signal to the process when it is computed for a certain time.

    The signal comes while the graph of the step runs, out of one of TensorFlow's threads.
    """

    def __init__(self, send, training, time):
        super().__init__(name="signals")
        self.send, self.training, self.left = send, training, time

    def call(self, x, training=False):
        if bool(training) != self.training:
            return x
        if self.left == 0:  # while the graph is traced, which happens twice
            self.left = -1
            self.send()
        with tf.control_dependencies([tf.numpy_function(self.count, [], [])]):
            return tf.identity(x)

    def count(self):
        self.left -= 1
        if self.left == 0:
            self.send()


class Saves:
    """Notes what checkpoints come to their place, and sends a signal before one of them does."""

    def __init__(self, send, name):
        self.send, self.name, self.names = send, name, []

    def __call__(self, event, arguments):
        if event == "os.rename" and "step-" in (name := pathlib.Path(arguments[1]).name):
            self.names.append(name)
            if name == self.name:
                self.send()


def batches(send, first_step):
    send()
    x = tf.random.stateless_normal((40, 7), [1, 2])
    return tf.data.Dataset.from_tensor_slices((x, x[:, :3])).batch(4).repeat().skip(first_step)


def trains(folder, moment, time, number, pipe):
    """Trains to the end, or gets a signal; says which checkpoints it wrote, and what it gives.

    Args:
        moment: "data", "step", "evaluation", "save", or None.
        time: in which step or batch, counted from 1, or at which checkpoint; in step 0 the graph is
            traced.
        number: the signal's.
    """
    os.dup2(os.open(folder / "said", os.O_CREAT | os.O_WRONLY), sys.stderr.fileno())
    send = functools.partial(signalled, number)
    saves = Saves(send, time if moment == "save" else None)
    sys.addaudithook(saves)
    kb.training.prepare(seed=3)
    is_step = moment == "step"
    signals = Signals(send, is_step, time if is_step or moment == "evaluation" else -1)
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((7,)), dense(20), Dropout(0.5), signals, dense(3)])
    model.compile(kb.AdamW(0.01), loss="mse", metrics=["mae"])
    data = functools.partial(batches, send if moment == "data" else lambda: None)
    try:
        history = kb.training.train(
            *(model, data, folder, EPOCHS),
            validation_data=batches(lambda: None, 0).take(3),
            verbose=0,
        )
        weights = b"".join(weight.tobytes() for weight in model.get_weights())
        points = MetricsLog(folder / "steps.jsonl").history()
        assert len(points["step"]) == 10
        pipe.send([hashlib.sha256(weights).hexdigest(), {**history, "seconds": None}, points])
    finally:
        pipe.send(saves.names)


@pytest.fixture(scope="module")
def train(forked):
    """Trains in a process of its own; its exit status, what it gave, and the checkpoints."""

    def train(folder, moment=None, time=None, number=SIGTERM):
        process, pipe = forked(trains, folder, moment, time, number)
        process.join(TIMEOUT_S)
        said = []
        while pipe.poll():
            try:
                said.append(pipe.recv())
            except EOFError:
                break
        return process.exitcode, said[:-1], (said or [[]])[-1]

    return train


@pytest.fixture(scope="module")
def straight(train, tmp_path_factory):
    status, [result], names = train(tmp_path_factory.mktemp("straight"))
    assert status == 0
    assert [int(name[5:]) for name in names] == [3, 5, 6, 9, 10]
    return result


# Where the signal comes, and the last checkpoint then.
STOPS = {
    "while the data are read": ("data", None, 1),
    "while the graph is traced": ("step", 0, 1),
    "in a step": ("step", 2, 2),
    "in a step that is saved anyway": ("step", 3, 3),
    "in the last step of an epoch": ("step", 5, 5),
    "in an evaluation": ("evaluation", 2, 5),
    "in a save within an epoch": ("save", "step-00000003", 4),
    "in a save at its end": ("save", "step-00000005", 5),
    "in the last save": ("save", "step-00000010", 10),
}


@pytest.mark.parametrize("moment", STOPS)
def test_a_run_that_is_asked_to_stop_saves_once_and_goes_on(train, straight, tmp_path, moment):
    kind, time, step = STOPS[moment]
    status, result, names = train(tmp_path, kind, time)
    assert status == 1 and not result
    assert [name for name in names if int(name[5:]) == step] == [f"step-{step:08d}"]
    said = (tmp_path / "said").read_text(errors="replace")
    assert re.search(
        rf"Stopped by SIGTERM after step {step}; all state is in \S+/step-{step:08d}. Run the same "
        "command again to go on from there.",
        said,
    )
    status, [result], _ = train(tmp_path)
    assert status == 0 and result == straight


KILLS = {
    "before its first step": ("step", 1, None),
    "in a step": ("step", 8, 6),
    "in an evaluation": ("evaluation", 2, 3),
    "in a save": ("save", "step-00000009", 6),
}


@pytest.mark.parametrize("moment", KILLS)
def test_a_run_that_is_killed_goes_on(train, straight, tmp_path, moment):
    kind, time, step = KILLS[moment]
    assert train(tmp_path, kind, time, SIGKILL)[0] == -SIGKILL
    steps = sorted(path.name for path in tmp_path.glob("checkpoints/step-*"))
    assert steps[-1:] == ([] if step is None else [f"step-{step:08d}"])
    status, [result], _ = train(tmp_path)
    assert status == 0 and result == straight
    assert not list(tmp_path.glob("checkpoints/.writing-*"))
