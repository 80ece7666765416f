"""One run of training: resumed where it stopped, stopped on NaN, and on record epoch by epoch."""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
import sys
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from keras_bert.training.checkpointing import SaveCheckpoints, StopSignal, TrainingCheckpoint
from keras_bert.training.record import MetricsLog, Scalars, draw_losses

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
    generators of its own, as in Keras' layers. One that a callback ended stays as it is.

    Args:
        model: built and compiled; how far it got is what its optimizer has counted.
        dataset_fn: gives the batches from a step on, int; at least as many as are left. It is
            called once, with the step to go on from.
        output_dir: path of the run's folder: `checkpoints/ tensorboard/ metrics.jsonl loss.png`.
        num_steps: int, the updates of the whole run.
        steps_per_epoch: int, the updates between two validations and checkpoints.
        validation_data: batches, finite; None does not validate.
        tokens_per_step: number, adds `tokens_per_second` to the logs.
        flops_per_step: number, adds `gflops_per_second` to the logs.
        callbacks: further ones. What they add to the logs of an epoch is on record, and one that
            sets `stop_training` ends the run, for good. What they know is not in the checkpoints:
            Keras' `EarlyStopping` counts anew in a run that was killed.
        verbose: as in `keras.Model.fit`; None shows a bar to a person, and lines to a file.

    Returns:
        For each figure a list with one value an epoch, over the whole run, its earlier parts
        included; `step` is the step at which the epoch ended, `learning_rate` that of the update
        after it.

    Raises:
        RunInterrupted: a signal came; the state is saved.
        FloatingPointError: the loss or a weight is not finite; the error names the step.
        ValueError: the checkpoints are gone, all damaged or of another model, the data ends too
            early, or a number is wrong.
        OSError: the disk is full, or `output_dir` cannot be written to.

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
    output_dir, plan = pathlib.Path(output_dir), Epochs(num_steps, steps_per_epoch)
    checkpoint, stop = TrainingCheckpoint(output_dir / "checkpoints", model), StopSignal()
    record = Record(checkpoint, stop, output_dir)
    first_step = record.resume()
    if first_step >= num_steps or record.stopped:
        _tell_it_is_done(output_dir, first_step, num_steps)
        return record.log.history()
    checkpoint.directory.mkdir(parents=True, exist_ok=True)  # What forbids it shows now.
    validation_data = _of_known_length(validation_data)
    rates = Throughput(tokens_per_step, flops_per_step)
    own = [rates, StopOnNaN(), DataLasts(plan), *callbacks, record]
    if record.within_epoch and first_step % steps_per_epoch:
        own.insert(0, RestoreMetrics(checkpoint, plan.epoch(first_step)))
    with stop:
        _fit(model, dataset_fn, plan, first_step, validation_data, own, verbose)
        record.obey(checkpoint.paths()[0])  # A signal may have come after the last save.
    return record.log.history()


@dataclasses.dataclass(frozen=True)
class Alike:
    """Epochs of one length in a row: one call of `fit`."""

    start: int  # the step before the first of them
    first_epoch: int
    last_epoch: int
    length: int  # steps in each

    @property
    def num_steps(self) -> int:
        """The steps of all of them."""
        return (self.last_epoch - self.first_epoch + 1) * self.length


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

    def epoch(self, step: int) -> int:
        """The epoch, counted from 0, to which the update after `step` belongs."""
        return step // self.steps_per_epoch

    def alike(self, start: int) -> list[Alike]:
        """The rest of a run: of an epoch that was broken off, whole epochs, a shorter last one."""
        runs: list[Alike] = []
        while start < self.num_steps:
            epoch = self.epoch(start)
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


class DataLasts(keras.callbacks.Callback):
    """Raises ValueError at the end of an epoch that the data was too short for.

    Args:
        epochs: the run's `Epochs`.
    """

    def __init__(self, epochs: Epochs):
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch, logs=None) -> None:
        self._left = self.params["steps"]

    def on_train_batch_end(self, batch, logs=None) -> None:
        # The optimizer's count does not tell: it is raised in the step that finds no batch, too.
        self._left = self.params["steps"] - batch - 1

    def on_epoch_end(self, epoch, logs=None) -> None:
        if self._left > 0 and not self.model.stop_training:
            end = self.epochs.end(epoch)
            raise ValueError(
                f"Epoch {epoch + 1} must end at step {end}; the data ended at step "
                f"{end - self._left}. Let the dataset repeat, or lower num_steps."
            )


class RestoreMetrics(keras.callbacks.Callback):
    """Lets an epoch that was broken off go on with the sums of metrics in the checkpoint.

    Args:
        checkpoint: the `TrainingCheckpoint` that was saved within the epoch.
        epoch: int, the epoch, counted from 0.
    """

    def __init__(self, checkpoint: TrainingCheckpoint, epoch: int):
        super().__init__()
        self.checkpoint = checkpoint
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None) -> None:
        if epoch == self.epoch:
            self.checkpoint.restore_metrics()


class Record(SaveCheckpoints):
    """Puts every epoch on record: in its checkpoint, `metrics.jsonl`, TensorBoard and `loss.png`.

    The line of an epoch, and whether a callback ended the run with it, are a note in the
    checkpoint, and so there as soon as the epoch counts. A kill before the line is in
    `metrics.jsonl` loses nothing, and a line there whose checkpoint is not is a sign that
    checkpoints were lost.

    Args:
        checkpoint: the `TrainingCheckpoint` of the model that is fitted.
        stop: a `StopSignal` that is entered.
        output_dir: path of the run's folder.
    """

    def __init__(self, checkpoint: TrainingCheckpoint, stop: StopSignal, output_dir: pathlib.Path):
        super().__init__(checkpoint, stop)
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
        step, lines = self.checkpoint.restore(), self.log.lines()
        if step is None and lines:
            raise ValueError(
                f"A run that is on record must have a checkpoint; {self.log.path} has an epoch "
                f"that ended at step {lines[-1]['step']}, and {self.checkpoint.directory} has no "
                "checkpoint. Put the checkpoints back, or start anew in another folder."
            )
        if step is not None:
            logging.info("Going on after step %d from %s.", step, self.checkpoint.directory)
        self.log.truncate(self.checkpoint.step)
        line = self.checkpoint.note.get("line")
        self.within_epoch = step is not None and line is None
        if line is not None and all(one["step"] != line["step"] for one in lines):
            self._write(line)
        return self.checkpoint.step

    def save_epoch(self, epoch: int, logs: dict) -> pathlib.Path:
        rate = float(self.model.optimizer.learning_rate)
        figures = {**_numbers(logs), "learning_rate": rate}
        line = {"epoch": epoch + 1, "step": self.checkpoint.step, **figures}
        path = self.checkpoint.save({"line": line, "stopped": bool(self.model.stop_training)})
        self._write(line)
        return path

    def _write(self, line: dict) -> None:
        self.log.append(line)
        figures = {name: line[name] for name in line if name not in ("epoch", "step")}
        self.scalars.write(line["step"], figures)
        draw_losses(self.log.history(), self.picture)


class OneTraining(keras.callbacks.CallbackList):
    """Callbacks to which the calls of `fit` that a run takes are one training.

    One that starts from nothing when a training begins, or sets the best weights when it ends,
    does so once.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback], model: keras.Model, verbose):
        super().__init__(list(callbacks), add_history=True, add_progbar=verbose != 0, model=model)
        self._begun, self._logs = False, None

    def on_train_begin(self, logs=None) -> None:
        if not self._begun:
            super().on_train_begin(logs)
        self._begun = True

    def on_train_end(self, logs=None) -> None:
        self._logs = logs

    def end(self) -> None:
        """Tell the callbacks that the training ended."""
        super().on_train_end(self._logs)


def _fit(model, dataset_fn, plan: Epochs, first_step: int, validation_data, own, verbose) -> None:
    """Train from a step to the end, in one call of `fit` for all epochs of one length in a row."""
    if verbose is None:
        verbose = 1 if sys.stdout.isatty() else 2
    callbacks = OneTraining(own, model, verbose)
    dataset = dataset_fn(first_step)
    _check_lasts(dataset, plan.num_steps - first_step)
    if first_step % plan.steps_per_epoch:
        _build_metrics(model, dataset)
    num_epochs = plan.epoch(plan.num_steps - 1) + 1
    for epochs, part in _parts(dataset, plan.alike(first_step)):
        callbacks.set_params({"verbose": verbose, "epochs": num_epochs, "steps": epochs.length})
        model.fit(
            part,
            initial_epoch=epochs.first_epoch,
            epochs=epochs.last_epoch + 1,
            steps_per_epoch=epochs.length,
            validation_data=validation_data,
            callbacks=callbacks,
            shuffle=False,
            verbose=verbose,
        )
        if model.stop_training:
            break
    callbacks.end()


def _parts(dataset: tf.data.Dataset, all_epochs: list[Alike]):
    """For epochs of each length, these and their batches.

    The batches of all come from one iterator: begun again, a dataset may shuffle otherwise. No
    part is longer than its epochs, so that none takes, ahead of time, what is the next one's.
    """
    if len(all_epochs) == 1:
        yield all_epochs[0], dataset
        return
    iterator = iter(dataset)
    for epochs in all_epochs:
        numbers = tf.data.Dataset.range(epochs.num_steps)
        batches = numbers.map(lambda _: iterator.get_next_as_optional())
        yield (
            epochs,
            batches.take_while(lambda one: one.has_value()).map(lambda one: one.get_value()),
        )


def _tell_it_is_done(output_dir: pathlib.Path, step: int, num_steps: int) -> None:
    if step >= num_steps:
        logging.info("The run in %s is done, with %d steps.", output_dir, step)
        return
    logging.warning(
        "The run in %s was ended by a callback after step %d of %d, and stays so. To train on, "
        "start from its weights in another folder.",
        output_dir,
        step,
        num_steps,
    )


def _check_lasts(dataset: tf.data.Dataset, num_steps: int) -> None:
    """Raise before the first step if the dataset knows that it has too few batches."""
    known = int(dataset.cardinality())
    if 0 <= known < num_steps:
        raise ValueError(
            f"The data must have a batch for each of the {num_steps} steps to come; it has "
            f"{known}. Let the dataset repeat, or lower num_steps."
        )


def _numbers(logs: dict) -> dict[str, float]:
    """The figures of an epoch as JSON can hold them, also where a callback added its own."""
    for name, value in logs.items():
        if isinstance(value, str) or np.ndim(value) or not hasattr(value, "__float__"):
            raise ValueError(
                f"What is added to the logs of an epoch must be a number; {name} is {value!r}. "
                "Correct the callback that adds it."
            )
    return {name: float(value) for name, value in logs.items()}


def _of_known_length(dataset: tf.data.Dataset | None) -> tf.data.Dataset | None:
    """The dataset with its length, at whose end Keras else warns that it ran out of data."""
    if dataset is None:
        return None
    length = int(dataset.cardinality())
    if length == tf.data.UNKNOWN_CARDINALITY:
        length = int(dataset.reduce(tf.constant(0, tf.int64), lambda count, *_: count + 1))
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(length))
    if length < 1:
        raise ValueError(
            "validation_data must be finite and have a batch, but it "
            f"{'has none' if length == 0 else 'never ends'}. Give one pass over the held-out "
            "examples, or None."
        )
    return dataset


def _build_metrics(model: keras.Model, dataset: tf.data.Dataset) -> None:
    """Create the variables of compiled metrics, which Keras does in the first step."""
    tf.function(model.test_step).get_concrete_function(dataset.element_spec)
