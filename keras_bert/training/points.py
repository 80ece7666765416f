"""Points: what a model reached in the last so many steps, beside what it reached in an epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert.training.callbacks import Throughput
from keras_bert.training.epochs import Epochs
from keras_bert.training.replicas import by_chief


class Points(keras.callbacks.Callback):
    """Every so many steps, and at the end of an epoch, the means over the steps since then.

    The sums of the metrics are read then alone, and what they were the last time is taken off: in
    between nothing waits for the device. Of several workers all read, as a sum is that of all, and
    the first one writes. Metrics whose state is no sum have no means here.

    Args:
        epochs: the run's `Epochs`, which say after which steps.
        write: function of a point, a dict of `epoch`, `step`, the means by the names that they have
            in the logs, the `learning_rate` of the update to come, and what `rates` measure. Of
            several workers, the first one calls it.
        rates: `Throughput` callbacks; what they say of a point leaves out the first step, which
            traces the graph, validation, and saving.
    """

    def __init__(
        self,
        epochs: Epochs,
        write: Callable[[dict[str, Any]], None],
        rates: Sequence[Throughput] = (),
    ):
        super().__init__()
        self.epochs = epochs
        self.write = write
        self.rates = rates
        # The last point; empty before there is one.
        self.newest: dict[str, Any] = {}
        self._step = self._start = 0
        # Sums at the last point; None are zero, as at the beginning of an epoch.
        self._sums: list[np.ndarray] | None = None
        self._resumes = False
        self._resumed: Mapping[str, Any] | None = None
        self._clock: tuple[int, float] | None = None
        self._is_first = True

    def state(self) -> dict[str, Any]:
        """What a run must know to go on within an epoch, as JSON can hold it."""
        return {"sums": None if self._sums is None else [one.tolist() for one in self._sums]}

    def resume(self, state: Mapping[str, Any] | None) -> None:
        """Go on within an epoch, at whose beginning metrics get their sums back.

        Args:
            state: what `state` gave; None, as of an older run, begins where it goes on.
        """
        self._resumes, self._resumed = True, state

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch
        self._start = self._step = self.epochs.end(epoch) - self.params["steps"]
        self._sums, self._clock = self._sums_to_begin_with(), None
        self._resumes = False

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if self._clock is None:
            self._clock = self._step, time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        before, self._step = self._step, self._start + batch + 1
        if self._is_first:
            self._is_first, self._clock = False, None
        if self.epochs.has_point(before, self._step):
            self._add()

    def _add(self) -> None:
        sums = self._read()
        self.newest = {
            "epoch": self._epoch + 1,
            "step": self._step,
            **self._means(sums),
            "learning_rate": float(self.model.optimizer.learning_rate),
            **self._rates(),
        }
        self._sums, self._clock = sums, None
        by_chief(lambda: self.write(self.newest))

    def _sums_to_begin_with(self) -> list[np.ndarray] | None:
        if not self._resumes:
            return None
        now = self._read()
        if self._resumed is None:
            return now
        if self._resumed["sums"] is None:
            return None
        found = [np.asarray(one, np.float64) for one in self._resumed["sums"]]
        same = [one.shape for one in found] == [one.shape for one in now]
        return found if same else now

    def _metrics(self) -> Iterator[keras.metrics.Metric]:
        """Those that have a state, all of which is a sum."""
        for metric in self.model.metrics:
            if metric.variables and {v.aggregation for v in metric.variables} == {"sum"}:
                yield metric

    def _read(self) -> list[np.ndarray]:
        """The sums of all metrics, which of several workers all read."""
        variables = [v for metric in self._metrics() for v in metric.variables]
        return [tf.convert_to_tensor(v.value).numpy().astype(np.float64) for v in variables]

    def _means(self, sums: Sequence[np.ndarray]) -> dict[str, float]:
        last = self._sums or [np.zeros_like(one) for one in sums]
        since = iter([one - other for one, other in zip(sums, last, strict=True)])
        found: dict[str, Any] = {}
        for metric in self._metrics():
            state = [tf.cast(next(since), v.dtype) for v in metric.variables]
            result = metric.stateless_result(state)
            found.update(result if isinstance(result, dict) else {metric.name: result})
        return {name: float(value) for name, value in found.items() if not np.ndim(value)}

    def _rates(self) -> dict[str, float]:
        if self._clock is None:
            return {}
        step, begin = self._clock
        rate = (self._step - step) / max(time.perf_counter() - begin, 1e-9)
        return {name: value for one in self.rates for name, value in one.at(rate).items()}
