"""TrainingCheckpoint: exact, whole after a kill at any point, and never silently from the start."""

import contextlib
import errno
import os
import pathlib
import resource
import shutil
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import logging

from keras_bert import files
from keras_bert.training.checkpointing import TrainingCheckpoint
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
    TrainingCheckpoint(tmp_path, make_model()).save()
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


def test_a_note_comes_back_with_the_state(tmp_path):
    model = make_model()
    checkpoint = TrainingCheckpoint(tmp_path, model)
    assert checkpoint.note == {}
    checkpoint.save({"line": {"loss": 0.5, "größe": float("inf")}})
    fit(model)
    checkpoint.save()
    other = TrainingCheckpoint(tmp_path, model)
    assert other.restore() == 1 and other.note == {}
    DAMAGES["no index"](None, checkpoint.paths()[0] / "state.index")
    assert other.restore() == 0
    assert other.note == {"line": {"loss": 0.5, "größe": float("inf")}}


def test_a_checkpoint_without_a_note_is_read(tmp_path):
    model = make_model()
    checkpoint = TrainingCheckpoint(tmp_path, model)
    path = checkpoint.save({"a": 1})
    reader = tf.train.load_checkpoint(str(path / "state"))
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("run/")]
    tensors = [reader.get_tensor(name) for name in names]
    tf.raw_ops.SaveV2(
        prefix=str(path / "state"),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=tensors,
    )
    (path / "format").unlink()  # which came later than notes
    assert checkpoint.restore() == 0
    assert checkpoint.note == {}


@pytest.mark.parametrize("of", ["model", "optimizer"])
def test_what_is_not_finite_is_not_saved(tmp_path, of):
    model = make_model()
    checkpoint = TrainingCheckpoint(tmp_path, model)
    checkpoint.save()
    fit(model)
    variable = model.trainable_variables[1] if of == "model" else model.optimizer.variables[-2]
    variable.assign(variable * np.nan)
    with pytest.raises(FloatingPointError, match=f"{variable.path} is not after step 1"):
        checkpoint.save()
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000000"]


def test_what_killed_saves_left_is_removed(tmp_path):
    checkpoint = TrainingCheckpoint(tmp_path, make_model())
    for name in (".writing-4711", ".writing-step-00000005", ".writing-step-00000000"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "state.data-00000-of-00001").write_bytes(b"half of it")
    checkpoint.save()
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000000"]


def test_what_another_process_is_writing_is_left_alone(tmp_path):
    checkpoint = TrainingCheckpoint(tmp_path, make_model())
    with files.whole_folder(tmp_path / "step-00000003") as staging:
        (staging / "part").write_bytes(b"half of it")
        with pytest.raises(ValueError, match="Another process is writing"):
            checkpoint.save()
        assert (staging / "part").exists()


@pytest.fixture
def small_disk():
    """Files of more than 4096 bytes cannot be written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_one_sentence_and_nothing_is_left(tmp_path, small_disk):
    checkpoint = TrainingCheckpoint(tmp_path, make_model(units=700))
    with pytest.raises(OSError, match="File too large") as error:
        checkpoint.save()
    sentence = files.reason(error.value)
    assert sentence == f"{tmp_path}/step-00000000: file too large: raise the limit on the size " + (
        "of files (ulimit -f)."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    checkpoint = TrainingCheckpoint(tmp_path, make_model())
    checkpoint.save()

    def full(prefix, **tensors):
        pathlib.Path(prefix + ".data-00000-of-00001.tempstate1").write_bytes(b"half of it")
        raise tf.errors.ResourceExhaustedError(None, None, f"{prefix}; No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left") as error:
        patch.setattr(tf.raw_ops, "SaveV2", full)
        checkpoint.save()
    assert files.reason(error.value).endswith("no space left on device: make space on the disk.")
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000000"]
    checkpoint.save()


def test_what_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch, warnings):
    checkpoint = TrainingCheckpoint(tmp_path, make_model())
    checkpoint.save()

    def forbidden(path, *arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch, pytest.raises(PermissionError, match="step-00000000"):
        patch.setattr(pathlib.Path, "open", forbidden)
        checkpoint.restore()
    assert warnings == []


def test_other_errors_of_tensorflow_stay_what_they_are():
    with pytest.raises(tf.errors.InvalidArgumentError), files.system_errors("here"):
        raise tf.errors.InvalidArgumentError(None, None, "a shape is wrong")


@contextlib.contextmanager
def kept_at_every_event(folder, states):
    """Copies a folder before everything that Python does in it: what a kill there would leave.

    That is mkdir, open, scandir, rename, remove, rmtree, as the interpreter's audit events tell.
    """
    looking = True

    def hook(event, values):
        nonlocal looking
        if looking and any(
            isinstance(v, str | os.PathLike) and str(folder) in str(v) for v in values
        ):
            looking = False
            shutil.copytree(folder, states / f"{len(os.listdir(states)):03d}")
            looking = True

    sys.addaudithook(hook)
    try:
        yield
    finally:
        looking = False


def test_a_checkpoint_says_its_version(tmp_path):
    path = TrainingCheckpoint(tmp_path, make_model()).save()
    [said, digest] = (path / "format").read_text().splitlines()
    assert said == "keras_bert run 2" and digest == files.sha256(path / "state.index")


def test_every_byte_of_the_index_is_under_a_checksum(tmp_path, warnings):
    model = make_model()
    checkpoint = TrainingCheckpoint(tmp_path, model)
    checkpoint.save()
    fit(model)
    index = checkpoint.save() / "state.index"
    whole = index.read_bytes()
    for place in range(0, len(whole), 101):
        index.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert checkpoint.restore() == 0
    index.write_bytes(whole)
    assert checkpoint.restore() == 1


def test_one_of_a_later_version_is_refused_and_stays(tmp_path, warnings):
    model = make_model()
    checkpoint = TrainingCheckpoint(tmp_path, model)
    checkpoint.save()
    fit(model)
    path = checkpoint.save()
    (path / "format").write_text("keras_bert run 3\n")
    (path / "state.index").rename(path / "other.index")
    message = "of version 2 .*step-00000001 is of version 3, of a later keras_bert. Go on with"
    with pytest.raises(ValueError, match=message):
        TrainingCheckpoint(tmp_path, make_model()).restore()
    assert (path / "other.index").exists()
    assert warnings == []


def test_one_from_before_there_were_versions_is_read(tmp_path):
    model = make_model()
    path = TrainingCheckpoint(tmp_path, model).save({"a": 1})
    (path / "format").unlink()
    checkpoint = TrainingCheckpoint(tmp_path, model)
    assert checkpoint.restore() == 0 and checkpoint.note == {"a": 1}


@pytest.mark.parametrize("text", [b"", b"keras_bert run\n", b"\xff", b"keras_bert rum 1\n"])
def test_a_damaged_version_falls_back_to_the_checkpoint_before(tmp_path, warnings, text):
    model = make_model()
    checkpoint = TrainingCheckpoint(tmp_path, model)
    checkpoint.save()
    fit(model)
    (checkpoint.save() / "format").write_bytes(text)
    assert checkpoint.restore() == 0
    assert len(warnings) == 1 and "step-00000001 is damaged" in warnings[0]


def test_a_kill_at_any_point_leaves_a_whole_checkpoint(tmp_path, warnings):
    keras.utils.clear_session()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("sgd", loss="mse")

    def save(folder, step):
        model.set_weights([weight * 0 + step for weight in model.get_weights()])
        model.optimizer.iterations.assign(step)
        TrainingCheckpoint(folder, model, keep=1).save()

    (states := tmp_path / "states").mkdir()
    save(folder := tmp_path / "run", 1)
    with kept_at_every_event(folder, states):
        save(folder, 2)
    steps, left = [], 0
    for path in sorted(states.iterdir()):
        left += any(path.glob(".writing-*"))
        checkpoint = TrainingCheckpoint(path, model, keep=1)
        steps.append(checkpoint.restore())
        for weight in model.get_weights():
            assert (weight == steps[-1]).all()
        checkpoint.save()
        assert [*path.iterdir()] == checkpoint.paths()
        assert len(checkpoint.paths()) == 1
    assert steps == sorted(steps)
    assert len(steps) > 10
    assert left > 5
    assert set(steps) == {1, 2}
    assert warnings == []
