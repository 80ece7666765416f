"""One run of training: resumed where it stopped, stopped on NaN, and on record epoch by epoch."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
import os
import pathlib
import sys
import time
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf
from absl import logging

from keras_bert.training.checkpointing import SaveCheckpoints, StopSignal, TrainingCheckpoint

PRECISIONS = ("float32", "mixed_bfloat16")


def prepare(seed: int, precision: str = "float32") -> None:
    """Seed everything and set the precision; to be called before a model is built.

    Args:
        seed: int, for Python, NumPy and TensorFlow.
        precision: `"float32"`, or `"mixed_bfloat16"`, which computes in bfloat16 and keeps weights
            and losses in float32.

    Raises:
        ValueError: an unknown precision.

    Example:

    >>> import keras
    >>> from keras_bert.training.run import prepare
    >>> prepare(seed=1, precision="float32")
    >>> keras.config.dtype_policy().name
    'float32'
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}. Choose one."
        )
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(precision)


def train(
    model: keras.Model,
    dataset_fn: Callable[[int], tf.data.Dataset],
    output_dir: str | os.PathLike,
    num_steps: int,
    steps_per_epoch: int,
    validation_data: tf.data.Dataset | None = None,
    tokens_per_step: float | None = None,
    flops_per_step: float | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | None = None,
) -> dict[str, list[float]]:
    """Train until `num_steps`, going on from the last checkpoint in `output_dir`.

    An epoch is `steps_per_epoch` steps (the last one may be shorter). After each the model is
    validated and saved, a line of figures goes to `metrics.jsonl` and to TensorBoard, by step, and
    the curve in `loss.png` is drawn anew. A run that was killed, run again, repeats what came after
    the last checkpoint; one that got SIGTERM or SIGINT saves first, and goes on from that very
    step. The weights are then bit for bit those of a run that was not stopped, on the same machine,
    if the data depends on the step alone and all randomness in the model comes from seed
    generators of its own, as in Keras' layers.

    Args:
        model: built and compiled; how far it got is what its optimizer has counted.
        dataset_fn: gives the batches from a step on, int; at least as many as are left.
        output_dir: path of the run's folder: `checkpoints/ tensorboard/ metrics.jsonl loss.png`.
        num_steps: int, the updates of the whole run.
        steps_per_epoch: int, the updates between two validations and checkpoints.
        validation_data: batches, finite; None does not validate.
        tokens_per_step: number, adds `tokens_per_second` to the logs.
        flops_per_step: number, adds `gflops_per_second` to the logs.
        callbacks: further ones. What they add to the logs of an epoch is on record, and one that
            sets `stop_training` at its end ends the run.
        verbose: as in `keras.Model.fit`; None shows a bar to a person, and lines to a file.

    Returns:
        For each figure a list with one value an epoch, over the whole run, its earlier parts
        included; `step` is the step at which the epoch ended, `learning_rate` that of the update
        after it.

    Raises:
        RunInterrupted: a signal came; the state is saved.
        FloatingPointError: the loss is not finite; the error names the step.
        ValueError: the checkpoints are all damaged or of another model, the data ended too early,
            or a number is wrong.

    Example:

    >>> import tempfile, keras, tensorflow as tf
    >>> from keras_bert.training.run import train
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.1), loss="mse")
    >>> data = tf.data.Dataset.from_tensors((tf.ones((2, 1)), tf.ones((2, 1)))).repeat()
    >>> folder = tempfile.mkdtemp()
    >>> train(model, lambda step: data, folder, num_steps=5, steps_per_epoch=2, verbose=0)["step"]
    [2, 4, 5]
    """
    for name, value in (("num_steps", num_steps), ("steps_per_epoch", steps_per_epoch)):
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be an int of at least 1, not {value!r}. Correct it.")
    output_dir = pathlib.Path(output_dir)
    validation_data = _of_known_length(validation_data)
    checkpoint = TrainingCheckpoint(output_dir / "checkpoints", model)
    record = MetricsLog(output_dir / "metrics.jsonl")
    first_step = _resume(checkpoint, record)
    if first_step >= num_steps:
        logging.info("The run in %s is done, with %d steps.", output_dir, first_step)
        return record.history()
    if verbose is None:
        verbose = 1 if sys.stdout.isatty() else 2
    with StopSignal() as stop:
        own = [
            Throughput(tokens_per_step, flops_per_step),
            StopOnNaN(),
            *callbacks,
            Record(record, output_dir, Epochs(num_steps, steps_per_epoch)),
            SaveCheckpoints(checkpoint, stop),
        ]
        for epochs in Epochs(num_steps, steps_per_epoch).alike(first_step):
            dataset = dataset_fn(epochs.start)
            extra = [StopAfter(epochs.last_epoch)]
            if epochs.start == first_step and first_step % steps_per_epoch:
                _build_metrics(model, dataset)
                extra.append(RestoreMetrics(checkpoint))
            model.fit(
                dataset,
                initial_epoch=epochs.first_epoch,
                epochs=math.ceil(num_steps / steps_per_epoch),
                steps_per_epoch=epochs.length,
                validation_data=validation_data,
                callbacks=[*extra, *own],
                shuffle=False,
                verbose=verbose,
            )
            if checkpoint.step < Epochs(num_steps, steps_per_epoch).end(epochs.last_epoch):
                break  # a callback ended the run
    return record.history()


class MetricsLog:
    """A JSON-lines file with the figures of every epoch.

    Args:
        path: path of the file, which need not be there yet.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.training.run import MetricsLog
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
        """The lines that were written whole; a kill may have torn the last one."""
        if not self.path.exists():
            return []
        whole, lines = self.path.read_text(encoding="utf-8").split("\n")[:-1], []
        for number, line in enumerate(whole, start=1):
            try:
                lines.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise ValueError(
                    f"{self.path}:{number} must be a JSON object: {error}. Delete the line."
                ) from error
        return lines

    def append(self, line: dict) -> None:
        """Add one line, on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def truncate(self, step: int) -> None:
        """Drop what came after `step`, and a torn line."""
        if not self.path.exists():
            return
        kept = [line for line in self.lines() if line["step"] <= step]
        temporary = self.path.with_name(self.path.name + ".writing")
        temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        os.replace(temporary, self.path)

    def history(self) -> dict[str, list]:
        """For each figure its value in every line, NaN where a line does not have it."""
        lines = self.lines()
        names = dict.fromkeys(name for line in lines for name in line)
        return {name: [line.get(name, math.nan) for line in lines] for name in names}


@dataclasses.dataclass(frozen=True)
class Alike:
    """Epochs of one length in a row: one call of `fit`."""

    start: int  # the step before the first of them
    first_epoch: int
    last_epoch: int
    length: int  # steps in each


@dataclasses.dataclass(frozen=True)
class Epochs:
    """How a run's steps are cut into epochs.

    Example:

    >>> from keras_bert.training.run import Epochs
    >>> epochs = Epochs(num_steps=23, steps_per_epoch=5)
    >>> [(e.start, e.first_epoch, e.last_epoch, e.length) for e in epochs.alike(start=8)]
    [(8, 1, 1, 2), (10, 2, 3, 5), (20, 4, 4, 3)]
    """

    num_steps: int
    steps_per_epoch: int

    def end(self, epoch: int) -> int:
        """The step at which an epoch, counted from 0, ends."""
        return min((epoch + 1) * self.steps_per_epoch, self.num_steps)

    def alike(self, start: int) -> list[Alike]:
        """The rest of a run: of an epoch that was broken off, whole epochs, a shorter last one."""
        runs: list[Alike] = []
        while start < self.num_steps:
            epoch = start // self.steps_per_epoch
            length = self.end(epoch) - start
            if runs and runs[-1].length == length:
                runs[-1] = dataclasses.replace(runs[-1], last_epoch=epoch)
            else:
                runs.append(Alike(start, epoch, epoch, length))
            start += length
        return runs


class Throughput(keras.callbacks.Callback):
    """Adds `tokens_per_second`, `gflops_per_second` and, to epochs, `seconds` to the logs.

    The rates leave out the first step that is seen, which in a run traces the graph, and
    validation. Keras hands one dict to all callbacks in turn, so the progress bar shows them.

    Args:
        tokens_per_step, flops_per_step: numbers; None leaves the figure out.
    """

    def __init__(self, tokens_per_step: float | None = None, flops_per_step: float | None = None):
        super().__init__()
        self.tokens_per_step = tokens_per_step
        self.flops_per_step = flops_per_step

    def on_epoch_begin(self, epoch, logs=None) -> None:
        self._begin = self._last = time.perf_counter()
        self._first: tuple[int, float] | None = None
        self._steps = 0

    def on_train_batch_end(self, batch, logs=None) -> None:
        self._last, self._steps = time.perf_counter(), batch + 1
        self._add_rates(logs)
        if self._first is None:
            self._first = self._steps, self._last

    def on_epoch_end(self, epoch, logs=None) -> None:
        if logs is not None:
            self._add_rates(logs)
            logs["seconds"] = self._last - self._begin

    def _add_rates(self, logs: dict | None) -> None:
        steps, begin = self._first or (0, self._begin)
        if self._steps == steps:  # an epoch of one step
            steps, begin = 0, self._begin
        rate = (self._steps - steps) / max(self._last - begin, 1e-9)
        if logs is not None and self.tokens_per_step is not None:
            logs["tokens_per_second"] = rate * self.tokens_per_step
        if logs is not None and self.flops_per_step is not None:
            logs["gflops_per_second"] = rate * self.flops_per_step / 1e9


class StopOnNaN(keras.callbacks.Callback):
    """Raises FloatingPointError, which names the step, as soon as the loss is not finite."""

    def on_train_batch_end(self, batch, logs=None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The loss must be finite; it is {loss} after step "
                f"{int(self.model.optimizer.iterations.numpy())}. Lower the learning rate, warm up "
                "for longer, or look for broken examples; the last checkpoint is from before."
            )


class StopAfter(keras.callbacks.Callback):
    """Ends a fit after an epoch that is not its last, counted from 0."""

    def __init__(self, epoch: int):
        super().__init__()
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs=None) -> None:
        self.model.stop_training = epoch >= self.epoch


class RestoreMetrics(keras.callbacks.Callback):
    """Lets the first epoch of a fit go on with the sums of metrics in the checkpoint."""

    def __init__(self, checkpoint: TrainingCheckpoint):
        super().__init__()
        self.checkpoint = checkpoint

    def on_epoch_begin(self, epoch, logs=None) -> None:
        self.checkpoint.restore_metrics()


class Record(keras.callbacks.Callback):
    """Writes the figures of an epoch to `metrics.jsonl`, TensorBoard and `loss.png`.

    Args:
        log: the `MetricsLog`.
        output_dir: path of the folder for `tensorboard/` and `loss.png`.
        epochs: the run's `Epochs`, to see that the data lasted.
    """

    def __init__(self, log: MetricsLog, output_dir: pathlib.Path, epochs: Epochs):
        super().__init__()
        self.log = log
        self.output_dir = output_dir
        self.epochs = epochs

    def on_epoch_end(self, epoch, logs=None) -> None:
        step = int(self.model.optimizer.iterations.numpy())
        if step != self.epochs.end(epoch):
            raise ValueError(
                f"Epoch {epoch + 1} must end at step {self.epochs.end(epoch)}; the data ended at "
                f"step {step}. Let the dataset repeat, or lower num_steps."
            )
        figures = {**(logs or {}), "learning_rate": float(self.model.optimizer.learning_rate)}
        self.log.append({"epoch": epoch + 1, "step": step, **figures})
        write_scalars(self.output_dir / "tensorboard", step, figures)
        draw_losses(self.log.history(), self.output_dir / "loss.png")


def write_scalars(folder: pathlib.Path, step: int, figures: dict[str, float]) -> None:
    """Write figures for TensorBoard, those that begin with `val_` as the run `validation`."""
    if importlib.util.find_spec("tensorboard") is None:
        logging.log_first_n(logging.WARNING, "tensorboard is not installed: no scalars.", 1)
        return
    groups: dict[str, dict[str, float]] = {"train": {}, "validation": {}}
    for name, value in figures.items():
        group = "validation" if name.startswith("val_") else "train"
        groups[group][name.removeprefix("val_")] = value
    for group, values in groups.items():
        if not values:
            continue
        writer = tf.summary.create_file_writer(str(folder / group))
        with writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        writer.close()


def draw_losses(history: dict[str, list[float]], path: pathlib.Path) -> None:
    """Draw the training and the validation loss over steps as a picture."""
    try:
        from matplotlib.figure import Figure  # without pyplot: no window system, no global state
    except ImportError:
        logging.log_first_n(logging.WARNING, "matplotlib is not installed: no loss.png.", 1)
        return
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, label in (("loss", "training"), ("val_loss", "validation")):
        if name in history:
            axes.plot(history["step"], history[name], marker=".", label=label)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.grid(alpha=0.3)
    axes.legend()
    temporary = path.with_name(f".writing-{path.name}")
    figure.savefig(temporary, format="png", dpi=120)
    os.replace(temporary, path)


def _resume(checkpoint: TrainingCheckpoint, record: MetricsLog) -> int:
    """Restore the last checkpoint, and bring the record to its step; returns the step."""
    step = checkpoint.restore()
    if step is None and len(record.lines()) > 1:
        raise ValueError(
            f"A run that is on record must have a checkpoint; {record.path} has "
            f"{len(record.lines())} epochs, and {checkpoint.directory} has none. Put the "
            "checkpoints back, or start anew in another folder."
        )
    if step is not None:
        logging.info("Going on after step %d from %s.", step, checkpoint.directory)
    step = checkpoint.step if step is None else step
    record.truncate(step)
    return step


def _of_known_length(dataset: tf.data.Dataset | None) -> tf.data.Dataset | None:
    """The dataset with its length, at whose end Keras else warns that it ran out of data."""
    if dataset is None or dataset.cardinality() != tf.data.UNKNOWN_CARDINALITY:
        return dataset
    length = dataset.reduce(tf.constant(0, tf.int64), lambda count, *_: count + 1)
    return dataset.apply(tf.data.experimental.assert_cardinality(length))


def _build_metrics(model: keras.Model, dataset: tf.data.Dataset) -> None:
    """Create the variables of compiled metrics, which Keras does in the first step."""
    tf.function(model.test_step).get_concrete_function(dataset.element_spec)
