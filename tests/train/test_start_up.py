"""Reading flags, and refusing them, does not wait for TensorFlow."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What each binary of a task refuses before it opens anything, and what it says.
REFUSED = {
    "finetune": (("--task=fill_mask", "--output_dir=x"), "Give --train_files"),
    "predict": (("--checkpoint=x",), "Give --text"),
    "search": (("--checkpoint=x", "--documents=-"), "cannot both be piped in"),
    "evaluate": (("--checkpoint=x",), "eval_files"),
    "export": (("--output_dir=x",), "checkpoint"),
}
SCRIPT = """
import importlib, sys
from absl import flags as absl_flags
from keras_bert import flags

for name, (given, said) in {refused}.items():
    binary = importlib.import_module("train." + name)
    values = absl_flags.FlagValues()
    flags.define(binary.Arguments, values)
    assert "--checkpoint" in values.get_help()
    try:
        values([name, *given])
        binary.main(flags.read(binary.Arguments, values))
    except (ValueError, absl_flags.Error) as error:
        assert said in str(error), error
    else:
        raise AssertionError(name)
    assert "tensorflow" not in sys.modules, name
"""


def test_flags_are_read_and_refused_without_tensorflow():
    command = [sys.executable, "-c", SCRIPT.replace("{refused}", repr(REFUSED))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
