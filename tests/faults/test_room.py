"""Where there is no room, a run ends with what to do, keeps what it had, and goes on when there is.

Files are then limited in size, which needs no disk of its own; where one may be mounted, it is
full.
"""

import functools
import json
import pathlib
import resource
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert import files
from keras_bert.training import record
from keras_bert.training.checkpointing import TrainingCheckpoint

pytestmark = pytest.mark.faults
EPOCHS = kb.training.Epochs(num_steps=9, steps_per_epoch=6, save_every=2)
# What is written where room may end, in which call, to which file, and after which step the newest
# checkpoint then is.
WRITES = {
    "a checkpoint within an epoch": (TrainingCheckpoint, "save", 2, "step-00000004", 2),
    "a checkpoint at its end": (TrainingCheckpoint, "save", 3, "step-00000006", 4),
    "a point of the record": (record.MetricsLog, "append", 3, "steps.jsonl", 2),
    "a line of the record": (record.MetricsLog, "append", 7, "metrics.jsonl", 6),
    "a point for TensorBoard": (record.Scalars, "write", 3, "tensorboard", 2),
    "TensorBoard's files": (record.Scalars, "write", 7, "tensorboard", 6),
    "the curve": (record, "draw_losses", 1, "loss.png", 6),
}


def trained(folder):
    """Trains to the end, or goes on; weights, and the record without what is of time."""
    keras.utils.clear_session()  # which numbers layers anew, as a process does
    keras.utils.set_random_seed(3)
    dense, dropout = keras.layers.Dense, keras.layers.Dropout
    model = keras.Sequential([keras.Input((7,)), dense(500), dropout(0.5, seed=1), dense(3)])
    model.compile(kb.AdamW(0.01), loss="mse")
    x = np.random.default_rng(5).normal(size=(40, 7)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((x, x[:, :3])).batch(4).repeat()
    kb.training.train(model, data.skip, folder, EPOCHS, verbose=0)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    return model.get_weights(), [{**line, "seconds": 0} for line in lines]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("straight"))


@pytest.fixture
def room():
    """A function that limits the size of files."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    set_limit = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE)
    yield lambda size: set_limit((size, before[1]))
    set_limit(before)


def without_room_at(monkeypatch, room, owner, name, number):
    """From the beginning of so manieth call of a function on there is no room."""
    write, calls = getattr(owner, name), []

    def limited(*arguments, **options):
        calls.append(name)
        if len(calls) == number:
            room(16)
        return write(*arguments, **options)

    monkeypatch.setattr(owner, name, limited)


@pytest.mark.parametrize("what", WRITES)
def test_a_run_without_room_says_so_and_goes_on_later(tmp_path, room, monkeypatch, straight, what):
    owner, name, number, path, step = WRITES[what]
    with monkeypatch.context() as patch, pytest.raises(OSError) as error:
        without_room_at(patch, room, owner, name, number)
        trained(tmp_path)
    room(resource.RLIM_INFINITY)
    said = files.reason(error.value)
    assert path in said and said.endswith("raise the limit on the size of files (ulimit -f).")
    assert not list(tmp_path.rglob(f"{files.WRITING}*"))
    assert max(tmp_path.glob("checkpoints/*")).name == f"step-{step:08d}"
    weights, lines = trained(tmp_path)
    for value, expected in zip(weights, straight[0], strict=True):
        np.testing.assert_array_equal(value, expected)
    assert lines == straight[1]


def test_a_model_without_room_stays_the_old_one(tmp_path, room, tokenizer, config):
    folder, old = tmp_path / "model", kb.BertEncoder(config)
    kb.save(old, folder, tokenizer)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    new = kb.BertEncoder(config)
    room(4096)
    with pytest.raises(OSError) as error:
        kb.save(new, folder, tokenizer)
    room(resource.RLIM_INFINITY)
    assert str(folder) in files.reason(error.value) and "(ulimit -f)" in files.reason(error.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    kb.save(new, folder, tokenizer)
    loaded = kb.load(folder).encoder.get_weights()
    for value, expected in zip(loaded, new.get_weights(), strict=True):
        np.testing.assert_array_equal(value, expected)


def fills(folder, ballast, weights):
    """Trains on a disk that gets full, says why it ended, and goes on when there is room again."""
    folder, ballast = pathlib.Path(folder), pathlib.Path(ballast)
    ballast.write_bytes(bytes(150_000))
    try:
        trained(folder)
    except OSError as error:
        print(files.reason(error))
        print(*sorted(path.name for path in folder.glob("checkpoints/*")))
    ballast.unlink()
    np.savez(weights, *trained(folder)[0])


def with_a_small_disk(*command):
    """A command in a process that has a small disk of its own at /mnt, which it alone sees."""
    script = 'mount -t tmpfs -o size=320k tmpfs /mnt && exec "$@"'
    return subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", *command],
        capture_output=True,
        text=True,
        cwd=pathlib.Path(__file__).parents[2],
    )


def test_a_full_disk_is_told_and_later_there_is_room(tmp_path, straight):
    if not shutil.which("unshare") or with_a_small_disk("true").returncode:
        pytest.skip("without mounting: no disk may be mounted here, so none is full")
    command = "from tests.faults.test_room import fills; fills('/mnt/run', '/mnt/ballast', '{}')"
    done = with_a_small_disk(sys.executable, "-c", command.format(tmp_path / "weights.npz"))
    assert done.stdout.splitlines() == [
        "/mnt/run/checkpoints/step-00000006: no space left on device: make space on the disk.",
        "step-00000002 step-00000004",
    ], done.stderr
    with np.load(tmp_path / "weights.npz") as weights:
        for value, expected in zip(weights.values(), straight[0], strict=True):
            np.testing.assert_array_equal(value, expected)
