"""The record of a run: figures of every epoch and of steps, TensorBoard's files, the curve."""

from __future__ import annotations

import hashlib
import json
import math
import os
import pathlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from keras_bert import files
from keras_bert.training.callbacks import SaveCheckpoints, Throughput
from keras_bert.training.checkpointing import TrainingCheckpoint
from keras_bert.training.epochs import Epochs
from keras_bert.training.points import Points
from keras_bert.training.replicas import by_chief, gathered
from keras_bert.training.signals import StopSignal

# What to do where the record cannot be believed.
_ADVICE = "Put the file back, or delete it to go on without the figures of earlier epochs."
# Seconds between two drawings of the curve within an epoch, at least.
_DRAW_S = 60
# What a line says beside figures.
_PLACE = {"epoch", "step"}
# Points of a curve that are marked one by one.
MOST_MARKED = 30


class MetricsLog:
    """A JSON-lines file with the figures of every epoch, or of every so many steps.

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

    def truncate(self, step: int) -> None:
        """Drop what came after `step`, which a run that was killed will write again."""
        for path in self.folder.glob("*/events.*"):
            events = list(_events(path))
            kept = [event for event in events if event.step <= step]
            if len(kept) < len(events):
                with files.whole_file(path) as new, tf.io.TFRecordWriter(str(new)) as writer:
                    for event in kept:
                        writer.write(event.SerializeToString())

    def _writer(self, group: str) -> tf.summary.SummaryWriter:
        if group not in self._writers:
            self._writers[group] = tf.summary.create_file_writer(str(self.folder / group))
        return self._writers[group]


def _events(path: pathlib.Path) -> Iterator[Any]:
    """What is whole in a file of TensorBoard's; a kill may have torn its end."""
    try:
        for event in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            yield tf.compat.v1.Event.FromString(event)
    except tf.errors.DataLossError:
        return


def draw_losses(
    history: Mapping[str, list], path: str | os.PathLike, points: Mapping[str, list] | None = None
) -> None:
    """Draw the training and the held-out loss over steps as a picture.

    Args:
        history: for each figure its value in every epoch, as `MetricsLog.history` gives it.
        path: path of the PNG file.
        points: likewise every so many steps; where there are none, the losses of epochs are drawn.
    """
    from matplotlib.figure import Figure  # without pyplot: no window system, no global state
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for steps, losses, label, marker in _curves(history, points or {}):
        [line] = axes.plot(steps, losses, marker=marker, label=label)
        if len(steps) == 1:  # which is compared with all of the other curve
            axes.axhline(losses[0], color=line.get_color(), linestyle=":")
            place, beside = (steps[0], losses[0]), (-4, 6)
            axes.annotate(f"{losses[0]:.3g}", place, beside, textcoords="offset points", ha="right")
    held_out = " and on held-out data" if "val_loss" in history else ""
    axes.set(title=f"Loss in training{held_out}", xlabel="step", ylabel="loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3)
    axes.legend()
    with files.whole_file(path) as staging:
        figure.savefig(staging, format="png", dpi=120)


def _curves(
    history: Mapping[str, list], points: Mapping[str, list]
) -> Iterator[tuple[list[int], list[float], str, str]]:
    """Steps, losses, what they are of, and how each is marked."""
    of_epochs, of_points = (
        list(zip(some["step"], some["loss"], strict=True)) if "loss" in some else []
        for some in (history, points)
    )
    # A run that is older than its points has epochs before them.
    first = of_points[0][0] if of_points else math.inf
    curve = [*((step, loss) for step, loss in of_epochs if step < first), *of_points]
    # Many points are a line.
    marker = "." if len(curve) <= MOST_MARKED else ""
    yield [step for step, _ in curve], [loss for _, loss in curve], "training", marker
    if "val_loss" in history:
        yield history["step"], history["val_loss"], "held out", "o"


class Record(SaveCheckpoints):
    """Puts a run on record: in its checkpoints, `metrics.jsonl`, TensorBoard and `loss.png`.

    The line of an epoch, and whether a callback ended the run with it, are a note in the
    checkpoint, and so there as soon as the epoch counts. A kill before the line is in
    `metrics.jsonl` loses nothing, and a line there whose checkpoint is not is a sign that
    checkpoints were lost. The checksum of all lines is in the note too: the best epoch is chosen by
    them.

    The points within epochs are in `steps.jsonl`. What was written there, and for TensorBoard,
    after the step that a run goes on from is dropped, as the run comes by it again.

    Args:
        checkpoint: the `TrainingCheckpoint` of the model that is fitted.
        stop: a `StopSignal` that is entered.
        output_dir: path of the run's folder.
        epochs: the run's `Epochs`.
        rates: what measures the points.

    Attributes:
        points: the `Points` that are put on record; a callback to be told before this one.
    """

    def __init__(
        self,
        checkpoint: TrainingCheckpoint,
        stop: StopSignal,
        output_dir: pathlib.Path,
        epochs: Epochs,
        rates: Sequence[Throughput] = (),
    ):
        super().__init__(checkpoint, stop, every=epochs.save_every)
        self.points = Points(epochs, self._write_point, rates)
        self.log = MetricsLog(output_dir / "metrics.jsonl")
        self.steps = MetricsLog(output_dir / "steps.jsonl")
        self.scalars = Scalars(output_dir / "tensorboard")
        self.picture = output_dir / "loss.png"
        # Whether the checkpoint that `resume` found is of an epoch that was broken off. Only then
        # are the sums of metrics in it those of its training.
        self.within_epoch = False
        self._drawn = time.perf_counter()

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
        if self.within_epoch:
            self.points.resume(self.checkpoint.note.get("points"))
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
        """Let the log end with the line of the checkpoint's epoch, and all else with its step."""
        self.log.truncate(self.checkpoint.step)
        self.steps.truncate(self.checkpoint.step)
        self.scalars.truncate(self.checkpoint.step)
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
        return self.checkpoint.save({"record": self.log.digest(), "points": self.points.state()})

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
        # What the point at the end of the epoch has is in TensorBoard by then.
        there = {name for point in self.steps.lines() for name in point}
        self.scalars.write(line["step"], {n: line[n] for n in line if n not in there | _PLACE})
        self._draw()

    def _write_point(self, point: dict) -> None:
        self.steps.append(point)
        self.scalars.write(point["step"], {n: point[n] for n in point if n not in _PLACE})
        if time.perf_counter() >= self._drawn + _DRAW_S:
            self._draw()

    def _draw(self) -> None:
        draw_losses(self.log.history(), self.picture, self.steps.history())
        self._drawn = time.perf_counter()


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
