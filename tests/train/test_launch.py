"""The launcher's flags stand before --, a binary's behind; it does not wait for TensorFlow."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = """
import dataclasses
from keras_bert import flags

@dataclasses.dataclass(frozen=True)
class Arguments:
    num_workers: int = flags.required("a number")

flags.run(lambda arguments: print(arguments), Arguments)
"""
# As `python -m train.launch` is, but for the last look at what was imported.
LAUNCH = """
import atexit, runpy, sys

atexit.register(lambda: print("tensorflow" in sys.modules))
runpy.run_module("train.launch", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["--num_workers=1", "--", "toy", "--num_workers=5"], 0, "[0] Arguments(num_workers=5)"),
        (["--num_workers=1", "--", "toy", "more"], 1, "[0] Error: arguments are flags"),
        (["--num_workers=1"], 1, "What to start must stand behind --"),
        (["--num_workers=1", "toy"], 1, "not 'toy'"),
        (["--num_workers=1", "--", "python", "-m", "toy"], 1, "no module 'python'"),
        (["--num_workers=0", "--", "toy"], 1, "Error: num_workers must be at least 1, not 0."),
    ],
)
def test_a_launch(tmp_path, argv, code, said):
    (tmp_path / "toy.py").write_text(BINARY)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    environment.pop("TF_CONFIG", None)
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, *argv],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "False"
    assert "Traceback" not in done.stderr
