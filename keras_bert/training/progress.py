"""Progress: what a run shows to who waits for it, a bar in a terminal and lines in a file."""

from __future__ import annotations

import contextlib
import math
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from keras_bert.training.epochs import Epochs
from keras_bert.training.points import Points

# How `fit` calls what is shown: nothing, a bar, lines.
SILENT, BAR, LINES = 0, 1, 2
# Seconds between two lines at least, where nobody asked for more of them, and two looks of the bar.
LINE_S, BAR_S = 5.0, 0.1
_BAR_WIDTH = 20
# Figures that a line of a run in training leaves to the record.
_LEFT_OUT = ("_loss", "perplexity")
_OF_TIME = {"tokens_per_second": "tokens/s", "rows_per_second": "rows/s"}


def verbosity(verbose: int | None, is_chief: bool) -> int:
    """What to show where nothing is said: a bar to a person, lines to a file; one worker does.

    Example:

    >>> from keras_bert.training.progress import verbosity
    >>> verbosity(2, is_chief=True), verbosity(1, is_chief=False)
    (2, 0)
    """
    if not is_chief:
        return SILENT
    if verbose is None:
        return BAR if sys.stdout.isatty() else LINES
    return verbose


class Progress(keras.callbacks.Callback):
    """Shows how far a run is, what it has reached, and how long it takes.

    In a terminal that is one bar for the run, in a file a line for each point of its record, but
    none sooner than 5 seconds after the last one, unless `log_every` was given. Both have a line
    for each epoch, and say when a graph is built, which takes long, and how long it took. What is
    shown is that of the last point: nothing is read for it.

    Args:
        epochs: the run's `Epochs`.
        points: its `Points`, which are told before this.
    """

    def __init__(self, epochs: Epochs, points: Points):
        super().__init__()
        self.epochs = epochs
        self.points = points
        self._graphs: dict[str, Graph] = {}
        self._step = self._start = 0
        # The step after the first one of this process, and when it began.
        self._since: tuple[int, float] | None = None
        self._last_shown = -math.inf

    @property
    def verbose(self) -> int:
        """As in `fit`: 0 shows nothing, 1 a bar, 2 lines."""
        return int((self.params or {}).get("verbose", SILENT))

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch
        self._start = self._step = self.epochs.end(epoch) - self.params["steps"]

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._begin("the training step")

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._end("the training step")
        before, self._step = self._step, self._start + batch + 1
        now = time.perf_counter()
        if self._since is None:
            self._since = self._step, now
        if self.verbose == BAR and now >= self._last_shown + BAR_S:
            self._last_shown = now
            _show(self._bar())
        if self.verbose == LINES and self._is_time(before, now):
            self._last_shown = now
            say(self._line())

    def on_test_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._begin("the evaluation")

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._end("the evaluation")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self.verbose != SILENT:
            say(f"Epoch {epoch + 1:,}/{self.epochs.number:,}: {epoch_figures(logs or {})}")

    def close(self) -> None:
        """Takes the bar away, if there is one: the run is over, or broken off."""
        if self.verbose == BAR:
            _clear()

    def _is_time(self, before: int, now: float) -> bool:
        pause = 0.0 if self.epochs.log_every else LINE_S
        return self.epochs.has_point(before, self._step) and now >= self._last_shown + pause

    def _begin(self, what: str) -> None:
        if what not in self._graphs:
            self._graphs[what] = Graph(what, is_told=self._traces())
            self._graphs[what].begin()

    def _end(self, what: str) -> None:
        self._graphs[what].end()

    def _traces(self) -> bool:
        return self.verbose != SILENT and not self.model.run_eagerly

    def _line(self) -> str:
        epoch = f"epoch {self._epoch + 1:,}/{self.epochs.number:,}"
        step = f"step {self._step:,}/{self.epochs.num_steps:,}"
        return ", ".join([f"{epoch}, {step}: {figures_of(self.points.newest)}", *self._left()])

    def _bar(self) -> str:
        done = self._step / self.epochs.num_steps
        full = int(done * _BAR_WIDTH)
        bar = "=" * full + ">" * (full < _BAR_WIDTH) + "." * (_BAR_WIDTH - full - 1)
        step = f"step {self._step:,}/{self.epochs.num_steps:,} [{bar}]"
        shown = [figures_of(self.points.newest)] * bool(self.points.newest)
        return f"{step} {', '.join([*self._left(), *shown])}"

    def _left(self) -> list[str]:
        """The time that the rest takes at the pace so far, evaluations and saves included."""
        step, begin = self._since or (self._step, 0.0)
        if self._step == step:
            return []
        pace = (time.perf_counter() - begin) / (self._step - step)
        return [f"{duration(pace * (self.epochs.num_steps - self._step))} left"]


class Graph:
    """Says that a graph is built, the first time that it is needed, and how long it took.

    How long it will take is not known before.

    Args:
        what: str, what it is of, such as "the training step".
        is_told: bool, whether to say so.

    Example:

    >>> from keras_bert.training.progress import Graph
    >>> graph = Graph("the evaluation", is_told=False)
    >>> with graph.built():
    ...     pass  # its first call
    """

    def __init__(self, what: str, *, is_told: bool):
        self.what, self.is_told = what, is_told
        self._began: float | None = None
        self._is_built = False

    @contextlib.contextmanager
    def built(self) -> Iterator[None]:
        """A context of a call, of which the first one builds it."""
        self.begin()
        yield
        self.end()

    def begin(self) -> None:
        """Before a call."""
        if self._began is None:
            self._began = time.perf_counter()
            if self.is_told:
                say(f"Building the graph of {self.what} ...")

    def end(self) -> None:
        """After a call."""
        if self._began is not None and not self._is_built:
            self._is_built = True
            if self.is_told:
                say(f"... took {duration(time.perf_counter() - self._began)}.")


def figures_of(point: Mapping[str, Any]) -> str:
    """A point of the record as a person reads it: its loss, metrics, rate and pace.

    Example:

    >>> from keras_bert.training.progress import figures_of
    >>> figures_of({"step": 5, "loss": 0.51, "learning_rate": 2e-5, "rows_per_second": 1203.4})
    'loss 0.5100, rate 2e-05, 1,203 rows/s'
    """
    apart = ("epoch", "step", "learning_rate")
    shown = [
        f"{name} {number(value)}"
        for name, value in _loss_first(point)
        if name not in apart and not name.endswith((*_LEFT_OUT, "_per_second"))
    ]
    shown += [f"rate {point['learning_rate']:.3g}"] * ("learning_rate" in point)
    rates = (name for name in _OF_TIME if name in point)
    return ", ".join([*shown, *(f"{point[name]:,.0f} {_OF_TIME[name]}" for name in rates)])


def epoch_figures(logs: Mapping[str, Any]) -> str:
    """The logs of an epoch as a person reads them: what was learned, and what was held out.

    Example:

    >>> from keras_bert.training.progress import epoch_figures
    >>> epoch_figures({"accuracy": 0.9, "loss": 0.25, "seconds": 71.0, "val_loss": 0.5})
    'loss 0.2500, accuracy 0.9000; held out: loss 0.5000; 71 s'
    """
    kept = [(name, value) for name, value in _loss_first(logs) if not name.endswith("_per_second")]
    learned = [
        f"{name} {number(value)}"
        for name, value in kept
        if not name.startswith("val_") and name not in ("seconds", "learning_rate")
    ]
    held_out = [
        f"{name.removeprefix('val_')} {number(value)}"
        for name, value in kept
        if name.startswith("val_")
    ]
    parts = [", ".join(learned)]
    if held_out:
        parts.append(f"held out: {', '.join(held_out)}")
    if "seconds" in logs:
        parts.append(duration(logs["seconds"]))
    return "; ".join(parts)


def number(value: float) -> str:
    """A figure with as many digits as one looks at.

    Example:

    >>> from keras_bert.training.progress import number
    >>> number(0.51234), number(87.5), number(12345.6), number(3.0)
    ('0.5123', '87.50', '12,346', '3')
    """
    if float(value).is_integer():
        return f"{value:,.0f}"
    digits = 4 if abs(value) < 10 else 2 if abs(value) < 1000 else 0
    return f"{value:,.{digits}f}"


def duration(seconds: float) -> str:
    """A time as one says it.

    Example:

    >>> from keras_bert.training.progress import duration
    >>> duration(0.4), duration(75), duration(4000), duration(200_000)
    ('0.4 s', '75 s', '1 h 6 min', '2 d 7 h')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if hours < 1:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"


def say(text: str) -> None:
    """A line of a run, in the place of its bar if there is one; it is out when this returns."""
    if sys.stdout.isatty():
        _clear()
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _show(bar: str) -> None:
    """The bar in the place of the one before."""
    sys.stdout.write(f"\r{bar[: shutil.get_terminal_size().columns - 1]}\x1b[K")
    sys.stdout.flush()


def _clear() -> None:
    sys.stdout.write("\r\x1b[K")
    sys.stdout.flush()


def _loss_first(figures: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(figures.items(), key=lambda one: one[0].removeprefix("val_") != "loss")
