import dataclasses
import pathlib
import subprocess
import sys
from typing import Literal

import pytest
from absl import flags as absl_flags

from keras_bert import flags

ROOT = pathlib.Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Arguments:
    path: str = flags.required("a path")
    size: int = flags.flag(3, "a number")
    rate: float = flags.flag(0.1, "a share")
    fast: bool = flags.flag(True, "whether")
    kind: Literal["one", "two"] = flags.flag("one", "which")
    limit: int | None = flags.flag(None, "if wanted")
    mode: Literal["x", "y"] | None = flags.flag(None, "if wanted")
    texts: tuple[str, ...] = flags.flag((), "may be repeated")


def parse(*argv):
    values = absl_flags.FlagValues()
    flags.define(Arguments, values)
    values(["program", *argv])
    return flags.read(Arguments, values)


def test_defaults():
    assert parse("--path=a b=c") == Arguments("a b=c")


def test_every_type():
    arguments = parse(
        *("--path=x", "--size=5", "--rate=1e-4", "--nofast", "--kind=two", "--limit=-3"),
        *("--mode=y", "--texts=a, b", "--texts=c"),
    )
    assert arguments == Arguments("x", 5, 1e-4, False, "two", -3, "y", ("a, b", "c"))


@pytest.mark.parametrize(
    "argv", [(), ("--path=x", "--kind=three"), ("--path=x", "--size=1.5"), ("--path=x", "--mode=z")]
)
def test_what_does_not_fit_is_refused(argv):
    with pytest.raises(absl_flags.Error):
        parse(*argv)


STRINGS = ["", "a b", " a", '"quoted"', "it's", "a=b", "--x=1", "# no comment", "a,b", "ü\\n", "//"]


@pytest.mark.parametrize("text", STRINGS)
def test_strings_make_the_round_trip(tmp_path, text):
    arguments = Arguments(text, texts=(text, "b", text))
    flags.write_flagfile(arguments, tmp_path / "run.flags")
    assert flags.read_flagfile(Arguments, tmp_path / "run.flags") == arguments
    assert parse(f"--flagfile={tmp_path / 'run.flags'}") == arguments


@pytest.mark.parametrize(
    "change",
    [
        {"rate": 0.1 + 0.2, "fast": False, "size": 0},
        {"rate": 1e-300, "limit": -1, "mode": "x"},
        {"texts": ("one",)},
    ],
)
def test_values_make_the_round_trip(tmp_path, change):
    arguments = dataclasses.replace(Arguments("here"), **change)
    flags.write_flagfile(arguments, tmp_path / "run.flags")
    assert flags.read_flagfile(Arguments, tmp_path / "run.flags") == arguments
    flags.check_same_run(arguments, tmp_path / "run.flags")


@pytest.mark.parametrize("value", ["x ", "x\n", "x\ny", "x\u2028y"])
def test_what_a_flagfile_cannot_hold_is_an_error(tmp_path, value):
    with pytest.raises(ValueError, match="--path"):
        flags.write_flagfile(Arguments(value), tmp_path / "run.flags")
    assert not list(tmp_path.iterdir())


def test_another_run_is_told_by_its_flags(tmp_path):
    path = tmp_path / "run.flags"
    flags.check_same_run(Arguments("x"), path)
    flags.write_flagfile(Arguments("x"), path)
    with pytest.raises(ValueError, match="--size was 3 and is 4; --kind was 'one' and is 'two'"):
        flags.check_same_run(Arguments("x", size=4, kind="two"), path)


@pytest.mark.parametrize("content", ["--unknown=1\n", "--path=x\n--size=many\n", ""])
def test_a_file_of_another_binary_is_an_error(tmp_path, content):
    path = tmp_path / "run.flags"
    path.write_text(content)
    with pytest.raises(ValueError, match="must hold the flags of a run of this binary"):
        flags.check_same_run(Arguments("x"), path)


# A bare package in place of keras_bert: what it imports is nothing that a binary's flags need.
BINARY = """
import dataclasses, sys, types

sys.modules["keras_bert"] = types.ModuleType("keras_bert")
sys.modules["keras_bert"].__path__ = ["keras_bert"]
from keras_bert import flags

@dataclasses.dataclass(frozen=True)
class Arguments:
    size: int = flags.required("a number")

def main(arguments):
    if arguments.size < 0:
        raise ValueError("size must be at least 0, not -1.")
    print("size", arguments.size)

flags.run(main, Arguments)
"""


@pytest.mark.parametrize(
    ("argv", "code", "output"),
    [
        (["--size=3"], 0, "size 3"),
        (["--size=-1"], 1, "Error: size must be at least 0, not -1."),
        (["--size=3", "more"], 1, "not 'more'"),
        (["--help"], 0, "--size=N                      a number"),
    ],
)
def test_a_binary(argv, code, output):
    done = subprocess.run(
        [sys.executable, "-c", BINARY, *argv], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == code
    assert output in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("argv", "code", "output"),
    [
        (["--size=3", "--", "more", "--size=4", "--"], 0, "size 3 ('more', '--size=4', '--')"),
        (["--size=3"], 1, "Error: What to start must stand behind --"),
        (["--size=3", "more", "--", "more"], 1, "not 'more'"),
    ],
)
def test_a_binary_that_starts_another(argv, code, output):
    binary = BINARY.replace("def main(arguments)", "def main(arguments, command)")
    binary = binary.replace("arguments.size)", "arguments.size, command)")
    binary = binary.replace("flags.run(", "flags.run_with_command(")
    done = subprocess.run(
        [sys.executable, "-c", binary, *argv], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == code
    assert output in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
