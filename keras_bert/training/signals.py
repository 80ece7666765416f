"""Signals that ask a run to stop: noted, and obeyed when its state is saved."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from absl import logging


class RunInterrupted(SystemExit):
    """A run was asked to stop; its state is saved, and its message says how to go on.

    A program that does not catch it ends with this message and exit status 1.
    """


class StopSignal:
    """A context in which SIGTERM and SIGINT are noted, to be obeyed at the end of a step.

    A second signal is obeyed at once, as it would be without this.

    Example:

    >>> import os, signal
    >>> from keras_bert.training.signals import StopSignal, name_of
    >>> with StopSignal() as stop:
    ...     os.kill(os.getpid(), signal.SIGTERM)
    ...     print(name_of(stop.number))
    SIGTERM

    Attributes:
        number: int, the signal that came; 0 before.
    """

    def __init__(self):
        self.number = 0
        # Handlers, as `signal.signal` gives and takes them.
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                self._previous[number] = signal.signal(number, self._note)
            except ValueError:  # Python takes signals in the main thread only.
                logging.warning("Not in the main thread: a signal will not save the run.")
                break
        return self

    def __exit__(self, *exception) -> None:
        self._release()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self._release()
        logging.info("%s came; saving at the end of this step.", name_of(number))

    def _release(self) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            # A handler that was not set from Python shows as None and cannot be set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextlib.contextmanager
def handlers_kept() -> Iterator[None]:
    """A context after which SIGTERM and SIGINT do what they did before, whoever took them within.

    TensorFlow takes SIGTERM when it connects workers, and does nothing when it comes.

    Example:

    >>> from keras_bert.training.signals import handlers_kept
    >>> with handlers_kept():
    ...     pass  # what makes a strategy of several workers
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    if threading.current_thread() is threading.main_thread():  # No other one may set handlers.
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def name_of(number: int) -> str:
    """The name of a signal, such as SIGTERM."""
    return signal.Signals(number).name
