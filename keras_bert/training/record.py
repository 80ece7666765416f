"""The record of a run: a line of figures for every epoch, TensorBoard's files, the curve."""

from __future__ import annotations

import hashlib
import json
import math
import os
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from absl import logging

from keras_bert import files
from keras_bert.training.callbacks import SaveCheckpoints
from keras_bert.training.checkpointing import TrainingCheckpoint
from keras_bert.training.replicas import by_chief, gathered
from keras_bert.training.signals import StopSignal

# What to do where the record cannot be believed.
_ADVICE = "Put the file back, or delete it to go on without the figures of earlier epochs."


class MetricsLog:
    """A JSON-lines file with the figures of every epoch.

    Args:
        path: path of the file, which need not be there yet.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.training.record import MetricsLog
    >>> log = MetricsLog(os.path.join(tempfile.mkdtemp(), "metrics.jsonl"))
    >>> for step, loss in ((5, 0.9), (10, 0.7), (15, 0.6)):
    ...     log.append({"step": step, "loss": loss})
    >>> log.truncate(step=10)
    >>> log.history()
    {'step': [5, 10], 'loss': [0.9, 0.7]}
    """

    def __init__(self, path: str | os.PathLike):
        self.path = pathlib.Path(path)

    def lines(self) -> list[dict]:
        """The lines that were written whole; a kill may have torn the last one.

        Raises:
            ValueError: a line is no JSON object with a step; the error names it.
        """
        if not self.path.exists():
            return []
        whole = self.path.read_bytes().split(b"\n")[:-1]
        return [self._parsed(line, number) for number, line in enumerate(whole, start=1)]

    def append(self, line: dict) -> None:
        """Add one line, on the disk when this returns.

        Raises:
            OSError: the disk is full, or the file cannot be written to.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with files.system_errors(self.path):
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_text(line))
            files.flush(self.path, self.path.parent)

    def truncate(self, step: int) -> None:
        """Drop what came after `step`, and a torn line."""
        kept = "".join(_text(line) for line in self.lines() if line["step"] <= step).encode()
        if not self.path.exists() or self.path.read_bytes() == kept:
            return
        with files.whole_file(self.path) as staging:
            staging.write_bytes(kept)

    def digest(self, *more: dict) -> str:
        """The SHA-256 of all lines, and of more that are to come."""
        lines = [*self.lines(), *more]
        return hashlib.sha256("".join(map(_text, lines)).encode("utf-8")).hexdigest()

    def history(self) -> dict[str, list]:
        """For each figure its value in every line, NaN where a line does not have it."""
        lines = self.lines()
        names = dict.fromkeys(name for line in lines for name in line)
        return {name: [line.get(name, math.nan) for line in lines] for name in names}

    def _parsed(self, line: bytes, number: int) -> dict:
        try:
            parsed = json.loads(line)
            int(parsed["step"])
            return parsed
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"{self.path}:{number} must be a JSON object with a step: {error!r}. {_ADVICE}"
            ) from error


class Scalars:
    """TensorBoard's files of a run: one for the training and one for the validation.

    Args:
        folder: path of the folder for both; they are made when there is something to write.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = pathlib.Path(folder)
        self._writers: dict[str, tf.summary.SummaryWriter] = {}

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Write figures, those that begin with `val_` as the run `validation`.

        Args:
            step: int, the step they are of.
            figures: floats by name.

        Raises:
            OSError: the disk is full, or the folder cannot be written to.
        """
        with files.system_errors(self.folder):
            for name, value in figures.items():
                group = "validation" if name.startswith("val_") else "train"
                with self._writer(group).as_default(step=step):
                    tf.summary.scalar(name.removeprefix("val_"), value)
            for writer in self._writers.values():
                writer.flush()

    def _writer(self, group: str) -> tf.summary.SummaryWriter:
        if group not in self._writers:
            self._writers[group] = tf.summary.create_file_writer(str(self.folder / group))
        return self._writers[group]


def draw_losses(history: Mapping[str, list], path: str | os.PathLike) -> None:
    """Draw the training and the validation loss over steps as a picture.

    Args:
        history: for each figure its value in every epoch, as `MetricsLog.history` gives it.
        path: path of the PNG file.
    """
    from matplotlib.figure import Figure  # without pyplot: no window system, no global state

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, label in (("loss", "training"), ("val_loss", "validation")):
        if name in history:
            axes.plot(history["step"], history[name], marker=".", label=label)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.grid(alpha=0.3)
    axes.legend()
    with files.whole_file(path) as staging:
        figure.savefig(staging, format="png", dpi=120)


class Record(SaveCheckpoints):
    """Puts every epoch on record: in its checkpoint, `metrics.jsonl`, TensorBoard and `loss.png`.

    The line of an epoch, and whether a callback ended the run with it, are a note in the
    checkpoint, and so there as soon as the epoch counts. A kill before the line is in
    `metrics.jsonl` loses nothing, and a line there whose checkpoint is not is a sign that
    checkpoints were lost. The checksum of all lines is in the note too: the best epoch is chosen by
    them.

    Args:
        checkpoint: the `TrainingCheckpoint` of the model that is fitted.
        stop: a `StopSignal` that is entered.
        output_dir: path of the run's folder.
        every: int, the steps between two checkpoints within an epoch; None saves at its end alone.
    """

    def __init__(
        self,
        checkpoint: TrainingCheckpoint,
        stop: StopSignal,
        output_dir: pathlib.Path,
        *,
        every: int | None = None,
    ):
        super().__init__(checkpoint, stop, every=every)
        self.log = MetricsLog(output_dir / "metrics.jsonl")
        self.scalars = Scalars(output_dir / "tensorboard")
        self.picture = output_dir / "loss.png"
        # Whether the checkpoint that `resume` found is of an epoch that was broken off. Only then
        # are the sums of metrics in it those of its training.
        self.within_epoch = False

    @property
    def stopped(self) -> bool:
        """Whether a callback had ended the run that `resume` found."""
        return self.checkpoint.note.get("stopped", False)

    def resume(self) -> int:
        """Restore the last checkpoint, and bring the log to its step; returns the step."""
        there = self.log.path.exists()
        step, lines = self.checkpoint.restore(), self.log.lines()
        if step is None and lines:
            raise ValueError(
                f"A run that is on record must have a checkpoint; {self.log.path} has an epoch "
                f"that ended at step {lines[-1]['step']}, and {self.checkpoint.directory} has no "
                "checkpoint. Put the checkpoints back, or start anew in another folder."
            )
        self._check_alike()
        if step is not None:
            logging.info("Going on after step %d from %s.", step, self.checkpoint.directory)
        line = self.checkpoint.note.get("line")
        self.within_epoch = step is not None and line is None
        by_chief(lambda: self._bring_back(line))
        by_chief(lambda: self._check_unchanged(there))
        return self.checkpoint.step

    def _check_alike(self) -> None:
        """Raise where another worker has found another checkpoint."""
        [steps] = gathered(self.checkpoint.step)
        if len(set(steps)) > 1:
            raise ValueError(
                f"All workers must go on from the same step, but in {self.checkpoint.directory} "
                f"they find {', '.join(map(str, steps))}: give all of them a folder on a file "
                "system that they share."
            )

    def _bring_back(self, line: dict | None) -> None:
        """Let the log end with the line of the checkpoint's epoch."""
        self.log.truncate(self.checkpoint.step)
        if line is not None and all(one["step"] != line["step"] for one in self.log.lines()):
            self._write(line)

    def _check_unchanged(self, there: bool) -> None:
        """Raise where the lines are not those that were there when the checkpoint was saved."""
        if self.checkpoint.note.get("record") in (None, self.log.digest()):
            return
        if there:
            raise ValueError(
                f"{self.log.path} must have what the run wrote up to step {self.checkpoint.step}, "
                f"but is damaged or changed. {_ADVICE}"
            )
        logging.warning("%s is gone: the figures of earlier epochs are lost.", self.log.path)

    def save_step(self) -> pathlib.Path:
        return self.checkpoint.save({"record": self.log.digest()})

    def save_epoch(self, epoch: int, logs: dict) -> pathlib.Path:
        rate = float(self.model.optimizer.learning_rate)
        figures = {**_numbers(logs), "learning_rate": rate}
        line = {"epoch": epoch + 1, "step": self.checkpoint.step, **figures}
        stopped, digest = bool(self.model.stop_training), self.log.digest(line)
        path = self.checkpoint.save({"line": line, "stopped": stopped, "record": digest})
        by_chief(lambda: self._write(line))
        return path

    def _write(self, line: dict) -> None:
        self.log.append(line)
        figures = {name: line[name] for name in line if name not in ("epoch", "step")}
        self.scalars.write(line["step"], figures)
        draw_losses(self.log.history(), self.picture)


def _numbers(logs: dict) -> dict[str, float]:
    """The figures of an epoch as JSON can hold them, also where a callback added its own."""
    for name, value in logs.items():
        if isinstance(value, str) or np.ndim(value) or not hasattr(value, "__float__"):
            raise ValueError(
                f"What is added to the logs of an epoch must be a number; {name} is {value!r}. "
                "Correct the callback that adds it."
            )
    return {name: float(value) for name, value in logs.items()}


def _text(line: dict) -> str:
    return json.dumps(line) + "\n"
