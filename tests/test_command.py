"""One word for every binary."""

import pathlib
import subprocess
import sys

import pytest

from keras_bert import command

ROOT = pathlib.Path(__file__).resolve().parents[1]


def run(*argv):
    return subprocess.run(
        [sys.executable, "-m", "keras_bert", *argv], cwd=ROOT, capture_output=True, text=True
    )


def test_every_binary_has_its_word():
    binaries = {
        path.stem.replace("_", "-")
        for path in (ROOT / "train").glob("*.py")
        if "flags.run" in path.read_text()
    }
    assert binaries == set(command.MODULES) - {"serve", "query"}


def test_without_a_word_all_are_listed(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["keras-bert"])
    command.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:-2]] == list(command.MODULES)
    assert all(len(line.split()) > 3 for line in lines[2:-2])


def test_a_word_is_a_binary_with_its_name_in_the_help():
    done = run("predict", "--help")
    assert done.returncode == 0 and "Usage: keras-bert predict --checkpoint=TEXT" in done.stdout
    refused = run("predict", "--model_name_or_path=x")
    assert refused.returncode == 1
    assert (
        refused.stderr == "Error: There is no flag --model_name_or_path: here it is --checkpoint.\n"
    )


@pytest.mark.parametrize("word", ["fine-tune", "train"])
def test_an_unknown_word_is_refused(monkeypatch, word):
    monkeypatch.setattr(sys, "argv", ["keras-bert", word])
    with pytest.raises(SystemExit, match=f"keras-bert has no '{word}', but learn-vocabulary"):
        command.main()


@pytest.mark.parametrize(
    ("missing", "error", "message"),
    [
        ("keras_bert.train", SystemExit, "keras_bert/train must be a link to ../train"),
        ("tensorflow", ModuleNotFoundError, "tensorflow"),
    ],
)
def test_a_checkout_that_has_lost_its_link_says_so(monkeypatch, missing, error, message):
    def import_module(name):
        raise ModuleNotFoundError(missing, name=missing)

    monkeypatch.setattr(command.importlib, "import_module", import_module)
    with pytest.raises(error, match=message):
        command.module_of("pretrain")


def test_without_an_extra_all_are_listed_and_what_needs_it_says_so(monkeypatch):
    server = command.MODULES["serve"]
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, server, raising=False)
    assert "\n  serve  " in command.overview() and server not in sys.modules
    with pytest.raises(SystemExit, match="Error: The server needs uvicorn: pip install"):
        command.module_of("serve")
