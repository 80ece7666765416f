"""What a program shows beside its own lines."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOISY = """
import os, sys
os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called\\n")
os.write(2, b"I0000 00:00:1795777264.372272    8478 port.cc:153] oneDNN is on\\n")
os.write(2, b"what is wrong here\\n")
if "broken" in sys.argv:
    raise ImportError("no such library")
"""
PROGRAM = """
from absl import app, logging
from keras_bert import quiet

def main(argv):
    quiet.begin()
    import tensorflow

    logging.info("going on after step %d", 3)
    logging.warning("nothing is left")

app.run(main)
"""


@pytest.fixture
def program(tmp_path):
    """Runs the program above with a package that says as much as TensorFlow's; what it says."""
    package = tmp_path / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text(NOISY)

    def run(*arguments, **environment):
        environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}", **environment}
        command = [sys.executable, "-c", PROGRAM, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True).stderr

    return run


def test_a_program_shows_its_own_lines_and_what_is_no_noise(program, monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    expected = ["what is wrong here", "going on after step 3", "Warning: nothing is left"]
    assert program().splitlines() == expected


def test_all_is_shown_where_that_is_wanted(program):
    assert "oneDNN is on" in program(TF_CPP_MIN_LOG_LEVEL="0")


def test_an_import_that_fails_says_so(program, monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    said = program("broken")
    assert said.startswith("what is wrong here\nTraceback") and "no such library" in said
