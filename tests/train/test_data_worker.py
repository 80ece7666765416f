"""Data workers as a person starts and ends them."""

import pathlib
import signal
import subprocess
import sys

import pytest

from keras_bert.launching import free_addresses

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_data_worker_says_where_it_is_and_ends_when_asked(number):
    [address] = free_addresses(1)
    process = subprocess.Popen(
        [sys.executable, "-m", "train.data_worker", f"--address={address}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == f"Making batches at {address}, until SIGTERM or Ctrl-C.\n"
    assert f"--data_service={address}" in process.stdout.readline()
    process.send_signal(number)
    assert process.wait(60) == 0
    assert process.stdout.read() == f"Ended by {signal.Signals(number).name}.\n"
