"""Signals are noted once, and a second one ends the process as ever."""

import faulthandler
import signal
import threading

import pytest
from absl import logging

from keras_bert.training.signals import RunInterrupted, StopSignal, handlers_kept, name_of


@pytest.fixture
def with_ctrl_c():
    """What a shell starts in the background is deaf to SIGINT; a test is not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_is_noted_and_handlers_come_back(with_ctrl_c, name):
    handlers = [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)]
    with StopSignal() as stop:
        assert stop.number == 0
        signal.raise_signal(getattr(signal, name))
        assert name_of(stop.number) == name
    assert [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)] == handlers


def test_a_second_signal_is_obeyed_at_once(with_ctrl_c):
    with StopSignal() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.number == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_outside_of_the_main_thread_there_is_a_warning(monkeypatch):
    texts = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: texts.append(text % values))
    handlers = [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)]

    def wait():
        with StopSignal():
            pass

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    assert len(texts) == 1 and "a signal will not save the run" in texts[0]
    assert [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)] == handlers


def test_a_handler_that_other_code_takes_comes_back(tmp_path):
    came = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    with (tmp_path / "taken").open("w") as file, handlers_kept():
        faulthandler.register(signal.SIGTERM, file)  # not through Python, as TensorFlow's own
        signal.raise_signal(signal.SIGTERM)
        assert not came
    signal.raise_signal(signal.SIGTERM)
    assert came == [signal.SIGTERM]
    signal.signal(signal.SIGTERM, before)


def test_an_interrupted_run_ends_the_program_with_its_message():
    assert issubclass(RunInterrupted, SystemExit)
    assert RunInterrupted("saved").code == "saved"
