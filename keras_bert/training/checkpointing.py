"""Checkpoints of a training run: written whole, checked when read, resumed exactly."""

from __future__ import annotations

import json
import os
import pathlib
import re
from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from keras_bert import files
from keras_bert.training.replicas import by_chief

# What reading a damaged checkpoint raises: TensorFlow's reader has no error of its own for it.
DAMAGE = (tf.errors.OpError, OSError, IndexError, RuntimeError, ValueError)
NOTE = "run/note"
# Each checkpoint says in a file of its own what it is, and which version of it. One without the
# file is from before there was one, and of version 1. Since version 2 the file has the SHA-256 of
# TensorFlow's index, in which not every byte is under a checksum of its own, and optimizers count
# the updates that they skip.
VERSION = 2
_SINCE_2 = "optimizer/skipped"
_FORMAT_FILE, _FORMAT, _INDEX = "format", "keras_bert run", "state.index"
_NAME = re.compile(r"step-\d+(\.\d+)?")


class TrainingCheckpoint:
    """All state of a model in training, in files that survive a kill and show damage.

    A checkpoint holds the weights, the states of random generators, the optimizer's slots and
    step counter, and the sums of metrics, each by the path of its variable, and a note, in
    TensorFlow's checkpoint format, which has a checksum for every tensor. It is written under a
    temporary name, flushed to the disk and renamed, so that it is there whole or not at all, and
    its note with it. The newest one is found by its name, and not by TensorFlow's state file,
    whose loss would start a run over. One that a later version of this package has written in
    another form is refused, and left as it is.

    Of several workers the first one writes, and all read, so that they need a file system that
    they share; what is said here is called by all of them, in the scope of their strategy. What
    was saved on some devices goes on on others.

    Attributes:
        note: dict, what was noted in the checkpoint that `restore` found; empty before, and where
            there was none.

    Args:
        directory: path of a folder for checkpoints alone; it is made if it is not there.
        model: a built, compiled `keras.Model`; its optimizer is built if it is not.
        keep: int of at least 1, the number of newest checkpoints that stay.

    Raises:
        ValueError: the model is not built or not compiled, or `keep` is wrong.

    Example:

    >>> import tempfile, keras
    >>> from keras_bert.training.checkpointing import TrainingCheckpoint
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
    >>> model.compile("adam", loss="mse")
    >>> checkpoint = TrainingCheckpoint(tempfile.mkdtemp(), model)
    >>> checkpoint.restore() is None
    True
    >>> checkpoint.save().name
    'step-00000000'
    >>> checkpoint.restore()
    0
    """

    def __init__(self, directory: str | os.PathLike, model: keras.Model, keep: int = 2):
        if keep < 1:
            raise ValueError(f"keep must be at least 1, not {keep}. Keep at least the newest one.")
        if not model.built or not model.compiled:
            raise ValueError(
                "A checkpoint needs a model that is built and compiled; built is "
                f"{model.built}, compiled is {model.compiled}. Do both before."
            )
        with model.distribute_strategy.scope():  # where the slots are, too
            model.optimizer.build(model.trainable_variables)
        self.directory = pathlib.Path(directory)
        self.model = model
        self.keep = keep
        self.note: dict[str, Any] = {}
        self._damaged: set[pathlib.Path] = set()

    @property
    def step(self) -> int:
        """The number of updates that the model's optimizer has done."""
        return int(self.model.optimizer.iterations.numpy())

    def save(self, note: dict[str, Any] | None = None) -> pathlib.Path:
        """Write a checkpoint named after the optimizer's step, and delete old ones.

        What processes that were killed while they saved left behind is deleted first.

        Args:
            note: dict that JSON can hold, kept with the state.

        Returns:
            Its path, a folder.

        Raises:
            FloatingPointError: a weight, or a state of the optimizer, is not finite.
            ValueError: there is a checkpoint of a later step, which was not found damaged.
            OSError: the disk is full, or the folder cannot be written to.
        """
        self._check_finite()
        # All workers read: the sum of a metric is of all of them.
        variables = {**self._state(), **self._metrics()}.items()
        tensors = {key: tf.convert_to_tensor(variable.value) for key, variable in variables}
        target = by_chief(lambda: self._save(tensors, json.dumps(note or {})))
        return target or self.directory / _name(self.step)

    def _save(self, tensors: dict[str, tf.Tensor], note: str) -> pathlib.Path:
        self._check_not_behind(self.step)
        self._clear()
        target = self._free_path(self.step)
        with files.whole_folder(target) as staging, files.system_errors(target):
            _write(staging / "state", tensors, note)
            digest = files.sha256(staging / _INDEX)
            text = f"{_FORMAT} {VERSION}\n{digest}\n"
            (staging / _FORMAT_FILE).write_text(text, encoding="utf-8")
        self._delete_old(target)
        return target

    def restore(self) -> int | None:
        """Bring the model to the newest checkpoint that is whole.

        Returns:
            Its step, or None if the folder has no checkpoint.

        Raises:
            ValueError: every checkpoint is damaged, or the newest whole one is of another model or
                of a later version.
            PermissionError: the newest one may not be read.
        """
        path = self._newest_whole()
        if path is None:
            return None
        reader = tf.train.load_checkpoint(str(path / "state"))
        state = self._state()
        if _version(path) == 1 and not reader.has_tensor(_SINCE_2):
            state.pop(_SINCE_2, None)  # no update was skipped
        _check_same(reader, state, path)
        for key, variable in state.items():
            variable.assign(reader.get_tensor(key))
        self.note = json.loads(reader.get_tensor(NOTE)) if reader.has_tensor(NOTE) else {}
        return self.step

    def restore_metrics(self) -> None:
        """Bring the metrics to their sums in the newest checkpoint, to go on within an epoch."""
        path = self._newest_whole()
        if path is None:
            raise ValueError(
                f"There must be a checkpoint, but there is none in {self.directory}: save one."
            )
        reader = tf.train.load_checkpoint(str(path / "state"))
        metrics = self._metrics()
        try:
            _check_same(reader, metrics, path)
        except ValueError as error:
            logging.warning("Metrics begin in the middle of this epoch. %s", error)
            return
        for key, variable in metrics.items():
            variable.assign(reader.get_tensor(key))

    def paths(self) -> list[pathlib.Path]:
        """The checkpoints that are there, damaged ones too, newest first."""
        found = (path for path in self.directory.glob("step-*") if _NAME.fullmatch(path.name))
        return sorted(found, key=_order, reverse=True)

    def _newest_whole(self) -> pathlib.Path | None:
        paths = self.paths()
        for path in paths:
            try:
                version = _verify(path)
            except PermissionError:  # It may well be whole, and what is damaged is deleted.
                raise
            except DAMAGE as error:
                self._damaged.add(path)
                logging.warning(
                    "The checkpoint %s is damaged; falling back to the one before it. %s: %s",
                    path,
                    type(error).__name__,
                    error,
                )
            else:
                _check_version(version, path)
                return path
        if not paths:
            return None
        raise ValueError(
            f"One checkpoint in {self.directory} must be whole; all {len(paths)} are damaged. Copy "
            "a whole one there, or start anew in another folder."
        )

    def _state(self) -> dict[str, keras.Variable]:
        model, optimizer = self.model, self.model.optimizer
        return {
            **_keyed("model", model.variables, model.name),
            **_keyed("optimizer", optimizer.variables, optimizer.name),
        }

    def _metrics(self) -> dict[str, keras.Variable]:
        return _keyed("metrics", self.model.metrics_variables, self.model.name)

    def _check_not_behind(self, step: int) -> None:
        for path in self.paths():
            if _order(path)[0] > step and path not in self._damaged:
                raise ValueError(
                    f"A checkpoint must not be behind those that are there; the model is at step "
                    f"{step}, and there is {path}. Call restore() first, or use another folder."
                )

    def _check_finite(self) -> None:
        """Raise before a state is saved from which no run could go on."""
        for variable in (*self.model.trainable_variables, *self.model.optimizer.variables):
            value = tf.convert_to_tensor(variable.value)
            if value.dtype.is_floating and not tf.reduce_all(tf.math.is_finite(value)):
                raise FloatingPointError(
                    f"All weights must be finite; {variable.path} is not after step {self.step}. "
                    "Lower the learning rate, warm up for longer, or look for broken examples; "
                    "the last checkpoint is from before."
                )

    def _clear(self) -> None:
        """Remove what was being written by processes that are no more."""
        for left in self.directory.glob(f"{files.WRITING}*"):
            with files.lock(left / files.LOCK, f"writing {left}"):
                files.remove(left)

    def _free_path(self, step: int) -> pathlib.Path:
        """A name that is not taken: a second checkpoint of a step never overwrites the first."""
        name, number = _name(step), 1
        while (self.directory / name).exists():
            number += 1
            name = f"{_name(step)}.{number}"
        return self.directory / name

    def _delete_old(self, newest: pathlib.Path) -> None:
        same_step = {path for path in self.paths() if _order(path)[0] == _order(newest)[0]}
        useless = (self._damaged | same_step) - {newest}
        kept = [path for path in self.paths() if path not in useless][: self.keep]
        for path in self.paths():
            if path not in kept:
                files.remove(path)
        self._damaged.clear()


def _keyed(
    group: str, variables: Iterable[keras.Variable], owner: str
) -> dict[str, keras.Variable]:
    """Variables by `group/path`, without what Keras numbers anew in every process.

    These are the name of the model or optimizer in front, and the names of seed generators, which
    are then told apart by their order.
    """
    keyed: dict[str, keras.Variable] = {}
    for variable in variables:
        path = re.sub(r"\bseed_generator_\d+", "seed_generator", variable.path)
        key = first = f"{group}/{path.removeprefix(f'{owner}/')}"
        number = 1
        while key in keyed:
            number += 1
            key = f"{first}#{number}"
        keyed[key] = variable
    return keyed


def _name(step: int) -> str:
    return f"step-{step:08d}"


def _write(prefix: pathlib.Path, tensors: dict[str, tf.Tensor], note: str) -> None:
    """Write tensors and a note in TensorFlow's checkpoint format."""
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=[*tensors, NOTE],
        shape_and_slices=[""] * (len(tensors) + 1),
        tensors=[*tensors.values(), tf.constant(note)],
    )


def _verify(path: pathlib.Path) -> int:
    """The version of a checkpoint, all of which can be read.

    Read one tensor at a time: TensorFlow compares checksums as it reads. What a later version keeps
    in place of tensors is not known.
    """
    for part in path.iterdir():  # The reader would call a file damaged that may not be read.
        part.open("rb").close()
    version = _version(path)
    if version <= VERSION:
        reader = tf.train.load_checkpoint(str(path / "state"))
        for key in reader.get_variable_to_shape_map():
            reader.get_tensor(key)
    return version


def _version(path: pathlib.Path) -> int:
    if not (path / _FORMAT_FILE).exists():
        return 1
    text = (path / _FORMAT_FILE).read_text(encoding="utf-8")
    match = re.match(rf"{_FORMAT} ([0-9]+)\n", text)
    if match is None:
        raise ValueError(f"{_FORMAT_FILE} must be {_FORMAT!r} and a number, but is {text!r:.50}")
    version = int(match[1])
    if version == VERSION and text[match.end() :] != f"{files.sha256(path / _INDEX)}\n":
        raise ValueError(f"{_INDEX} must have the SHA-256 that {_FORMAT_FILE} says, but has not")
    return version


def _check_version(version: int, path: pathlib.Path) -> None:
    if version > VERSION:
        raise ValueError(
            f"A checkpoint must be of version {VERSION} of the format {_FORMAT!r} to be read here, "
            f"but {path} is of version {version}, of a later keras_bert. Go on with that one, or "
            "start anew in another folder."
        )


def _check_same(reader, variables: dict[str, keras.Variable], path: pathlib.Path) -> None:
    """Raise unless the checkpoint has these variables, these shapes and types, and no others."""
    shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    groups = tuple({f"{key.split('/')[0]}/" for key in variables})
    there = {key for key in shapes if key.startswith(groups)}
    wrong = [f"{key} is not in the checkpoint" for key in variables if key not in there]
    wrong += [f"{key} is not in the model" for key in sorted(there - set(variables))]
    for key in (key for key in variables if key in there):
        ours = (tuple(variables[key].shape), tf.as_dtype(variables[key].dtype))
        theirs = (tuple(shapes[key]), dtypes[key])
        if ours != theirs:
            wrong.append(f"{key} is {ours[0]} {ours[1].name}, {theirs[0]} {theirs[1].name} there")
    if wrong:
        raise ValueError(
            f"The checkpoint {path} must hold the variables of the model; {'; '.join(wrong[:5])}"
            f"{f'; and {len(wrong) - 5} more' if len(wrong) > 5 else ''}. Use the model that it "
            "was written by, or another folder."
        )


def _order(path: pathlib.Path) -> tuple[int, int]:
    """The step of a checkpoint, and which one of that step it is."""
    step, _, number = path.name.removeprefix("step-").partition(".")
    return int(step), int(number or 1)
