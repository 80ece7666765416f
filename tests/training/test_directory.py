"""One run a directory, and none that is in the way of a corrected command."""

import dataclasses
import pathlib

import pytest

from keras_bert import files, flags
from keras_bert.training.directory import begin, run_directory


@dataclasses.dataclass(frozen=True)
class Arguments:
    output_dir: str = flags.required("directory")
    learning_rate: float = flags.flag(0.1, "rate")


def attempt(directory: pathlib.Path, kind: str = "fine-tuning", **more) -> None:
    arguments = Arguments(str(directory), **more)
    with run_directory(kind, arguments) as path:
        begin(kind, arguments, path)


def test_a_command_that_is_refused_leaves_nothing(tmp_path):
    arguments = Arguments(str(tmp_path / "run"))
    with pytest.raises(ValueError, match="no column"), run_directory("fine-tuning", arguments):
        raise ValueError("no column")
    assert not (tmp_path / "run").exists()


def test_flags_may_change_until_there_is_a_checkpoint(tmp_path):
    attempt(tmp_path / "run")
    attempt(tmp_path / "run", learning_rate=0.2)
    # Each seed of several has a folder of its own.
    (tmp_path / "run" / "seed-0" / "checkpoints" / "step-00000007").mkdir(parents=True)
    attempt(tmp_path / "run", learning_rate=0.2)
    with pytest.raises(ValueError, match="--learning_rate was 0.2 and is 0.1"):
        attempt(tmp_path / "run")


def test_a_second_process_is_refused_before_it_writes(tmp_path):
    with files.lock(tmp_path / "run" / ".lock", "training there"):
        with pytest.raises(ValueError, match="Another process is training in .*run"):
            attempt(tmp_path / "run")
        assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


def test_a_directory_holds_one_kind_of_thing(tmp_path):
    attempt(tmp_path / "run", "pretraining")
    with pytest.raises(ValueError, match="holds a run of pretraining"):
        attempt(tmp_path / "run")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="holds a model that no run of fine-tuning has made"):
        attempt(tmp_path / "model")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="must be a directory, but .*file is a file"):
        attempt(tmp_path / "file")
