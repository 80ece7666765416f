"""What looks on while a model is trained: it saves, measures, stops, and goes on where it was."""

from __future__ import annotations

import math
import pathlib
import time
from collections.abc import Sequence

import keras

from keras_bert.training.checkpointing import TrainingCheckpoint
from keras_bert.training.epochs import Epochs
from keras_bert.training.replicas import gathered
from keras_bert.training.signals import RunInterrupted, StopSignal, name_of


class SaveCheckpoints(keras.callbacks.Callback):
    """Saves at the end of every epoch, every so many steps, and when a signal asks to stop.

    After a signal it saves at the end of the step, and then raises `RunInterrupted`. At the end of
    an epoch's last step it waits for validation, so that the epoch is on record. What one of
    several workers is asked, or decides, all of them do after the same step.

    Args:
        checkpoint: the `TrainingCheckpoint` of the model that is fitted.
        stop: a `StopSignal` that is entered, or None to wait for no signal.
        every: int, the steps between two checkpoints within an epoch; None saves at its end alone.
    """

    def __init__(
        self,
        checkpoint: TrainingCheckpoint,
        stop: StopSignal | None = None,
        *,
        every: int | None = None,
    ):
        super().__init__()
        self.checkpoint = checkpoint
        self.stop = stop
        self.every = every

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        signal = self._agree()
        last = self.params.get("steps") is not None and batch + 1 >= self.params["steps"]
        if last or self.model.stop_training:
            return
        if signal:
            self._obey(signal, self.save_step())
        elif self.every is not None and self.checkpoint.step % self.every == 0:
            self.save_step()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._agree()
        self.obey(self.save_epoch(epoch, logs or {}))

    def save_step(self) -> pathlib.Path:
        """Save within an epoch; returns the path of the checkpoint."""
        return self.checkpoint.save()

    def save_epoch(self, epoch: int, logs: dict) -> pathlib.Path:
        """Save at the end of an epoch; returns the path of the checkpoint."""
        return self.checkpoint.save()

    def obey(self, path: pathlib.Path) -> None:
        """Raise RunInterrupted if a signal came; the state must be in the checkpoint `path`."""
        self._obey(self._agree(), path)

    def _obey(self, signal: int, path: pathlib.Path) -> None:
        if signal:
            raise RunInterrupted(
                f"Stopped by {name_of(signal)} after step {self.checkpoint.step}; all state is in "
                f"{path}. Run the same command again to go on from there."
            )

    def _agree(self) -> int:
        """The number of the signal that came to a worker, 0 if none did; all stop where one does.

        Called by all workers at the same points.
        """
        own = self.stop.number if self.stop is not None else 0
        signals, stopped = gathered(own, int(self.model.stop_training))
        self.model.stop_training = any(stopped)
        return max(signals)


class Seconds(keras.callbacks.Callback):
    """Adds `seconds` to the logs of an epoch: from its beginning to the end of its last step."""

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._begin = self._last = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._last = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if logs is not None:
            logs["seconds"] = self._last - self._begin


class Throughput(keras.callbacks.Callback):
    """Adds `tokens_per_second`, `gflops_per_second` and `rows_per_second` to the logs.

    The rates leave out the first step that is seen, which in a run traces the graph, and
    validation. Keras hands one dict to all callbacks in turn, so its progress bar shows them.

    Args:
        tokens_per_step: number; None leaves the figure out.
        flops_per_step: number, likewise.
        rows_per_step: number, likewise.

    Example:

    >>> import keras, numpy as np
    >>> from keras_bert.training.callbacks import Throughput
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", loss="mse")
    >>> rates = Throughput(tokens_per_step=32)
    >>> run = model.fit(np.ones((8, 1)), np.ones(8), batch_size=2, verbose=0, callbacks=[rates])
    >>> list(run.history)
    ['loss', 'tokens_per_second']
    """

    def __init__(
        self,
        *,
        tokens_per_step: float | None = None,
        flops_per_step: float | None = None,
        rows_per_step: float | None = None,
    ):
        super().__init__()
        self.tokens_per_step = tokens_per_step
        self.flops_per_step = flops_per_step
        self.rows_per_step = rows_per_step

    def at(self, steps_per_second: float) -> dict[str, float]:
        """The figures at so many steps a second, by name."""
        a_step = {
            "tokens_per_second": self.tokens_per_step,
            "gflops_per_second": self.flops_per_step and self.flops_per_step / 1e9,
            "rows_per_second": self.rows_per_step,
        }
        return {name: steps_per_second * n for name, n in a_step.items() if n is not None}

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._begin = self._last = time.perf_counter()
        self._first: tuple[int, float] | None = None
        self._steps = 0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._last, self._steps = time.perf_counter(), batch + 1
        self._add_rates(logs)
        if self._first is None:
            self._first = self._steps, self._last

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._add_rates(logs)

    def _add_rates(self, logs: dict | None) -> None:
        steps, begin = self._first or (0, self._begin)
        if self._steps == steps:  # an epoch of one step
            steps, begin = 0, self._begin
        rate = (self._steps - steps) / max(self._last - begin, 1e-9)
        if logs is not None:
            logs.update(self.at(rate))


class StopOnNaN(keras.callbacks.Callback):
    """Raises FloatingPointError, which names the step, when numbers are not finite.

    With an optimizer that skips updates which are not finite and counts them in its `skipped`, as
    `AdamW` and `Lamb` do, that is after `num_in_row` such updates without another one between, or
    more, since that is looked at every so many steps: a look waits for the device. The logs of an
    epoch have as `skipped` how many there were in the run, if there were any. As long as the loss
    has a scale that can be halved, skipped updates look for the right one, and the run goes on.
    With another optimizer it is as soon as the loss is not finite.

    Args:
        num_in_row: int of at least 1.
    """

    ADVICE = (
        "Lower the learning rate, warm up for longer, or look for broken examples; the last "
        "checkpoint is from before."
    )

    def __init__(self, num_in_row: int = 10):
        super().__init__()
        self.num_in_row = num_in_row

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._seen = self._counts()
        self._in_row = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._looked = 0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self._skipped is None:
            loss = (logs or {}).get("loss", 0.0)
            if not math.isfinite(loss):
                step = self._counts()[0]
                raise FloatingPointError(
                    f"The loss must be finite; it is {float(loss)} after step {step}. {self.ADVICE}"
                )
        # A look waits for the device.
        elif batch + 1 - self._looked >= self.num_in_row:
            self._looked = batch + 1
            self._look()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._look()
        if self._seen[1] and logs is not None:
            logs["skipped"] = self._seen[1]

    def _look(self) -> None:
        """Raise where too many updates in a row were skipped."""
        step, skipped = self._counts()
        new = skipped - self._seen[1]
        self._in_row = self._in_row + new if new == step - self._seen[0] else 0
        self._seen = step, skipped
        if self._in_row >= self.num_in_row and not self._scale_may_fall():
            raise FloatingPointError(
                f"Updates must be finite; the last {self._in_row}, up to step {step}, were not and "
                f"were skipped. {self.ADVICE}"
            )

    @property
    def _skipped(self) -> keras.Variable | None:
        return getattr(self.model.optimizer, "skipped", None)

    def _counts(self) -> tuple[int, int]:
        """The steps, and how many of them made no update."""
        skipped = 0 if self._skipped is None else int(self._skipped.numpy())
        return int(self.model.optimizer.iterations.numpy()), skipped

    def _scale_may_fall(self) -> bool:
        loss_scale = getattr(self.model.optimizer, "loss_scale", None)
        return loss_scale is not None and loss_scale.may_fall()


class DataLasts(keras.callbacks.Callback):
    """Raises ValueError at the end of an epoch that the data was too short for.

    Args:
        epochs: the run's `Epochs`.
    """

    def __init__(self, epochs: Epochs):
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._left = self.params["steps"]

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        # The optimizer's count does not tell: it is raised in the step that finds no batch, too.
        self._left = self.params["steps"] - batch - 1

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
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

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if epoch == self.epoch:
            self.checkpoint.restore_metrics()


class OneTraining(keras.callbacks.CallbackList):
    """Callbacks to which the calls of `fit` that a run takes are one training.

    One that starts from nothing when a training begins, or sets the best weights when it ends,
    does so once. The logs of a step are tensors, which wait for the device when they are read.

    Args:
        callbacks: sequence of callbacks, told in this order; none is added that shows progress.
        model: the model that is trained.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback], model: keras.Model):
        super().__init__(list(callbacks), add_history=True, model=model)
        self._begun = False
        self._logs: dict | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        if not self._begun:
            super().on_train_begin(logs)
        self._begun = True

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        # As they are: Keras would read them all, and wait for the device in every step.
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs)

    def on_train_end(self, logs: dict | None = None) -> None:
        self._logs = logs

    def end(self) -> None:
        """Tell the callbacks that the training ended."""
        super().on_train_end(self._logs)
