"""The binaries, as a person runs them and as they refuse."""

import contextlib
import importlib
import io
import pathlib
import random
import subprocess
import sys

import keras
import pytest
from absl import flags as absl_flags

import keras_bert as kb
from keras_bert import flags, usage

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORDS = ("the", "a", "old", "young", "red", "cat", "dog", "fox", "sees", "likes", "finds", "and")


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """A folder with small documents in corpus/train and corpus/eval, and their vocabulary."""
    folder, generator = tmp_path_factory.mktemp("documents"), random.Random(1)

    def document():
        sentences = (" ".join(generator.choices(WORDS, k=9)) + ".\n" for _ in range(7))
        return "".join(sentence.capitalize() for sentence in sentences)

    for split, number in (("train", 40), ("eval", 10)):
        (folder / "corpus" / split).mkdir(parents=True)
        text = "\n".join(document() for _ in range(number))
        (folder / "corpus" / split / "text.txt").write_text(text)
    lines = kb.TextCorpus(f"{folder}/corpus/train/*.txt", "blank_lines").lines()
    kb.write_vocabulary(folder / "vocab.txt", kb.learn_vocabulary(lines, vocabulary_size=90))
    return folder


@pytest.fixture(scope="session")
def run():
    """A function of a binary's name and its flags that gives what it prints, or what it refuses."""

    def run_binary(binary: str, *given: str, code: int = 0) -> str:
        command = [sys.executable, "-m", f"train.{binary}", *given]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    return run_binary


@pytest.fixture(scope="session")
def parsed():
    """A function of a binary's name and its flags that gives its arguments."""

    def arguments_of(binary: str, *given: str):
        arguments_type = importlib.import_module(f"train.{binary}").Arguments
        values = absl_flags.FlagValues()
        flags.define(arguments_type, values)
        usage.parse([binary, *given], ROOT / "train" / "recipes", values)
        return flags.read(arguments_type, values)

    return arguments_of


@pytest.fixture(scope="session")
def call(parsed):
    """What `run` does within this process, which takes seconds less; errors are raised."""

    def call_binary(binary: str, *given: str) -> str:
        module = importlib.import_module(f"train.{binary}")
        policy = keras.config.dtype_policy()
        try:
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                module.main(parsed(binary, *given))
        finally:
            keras.config.set_dtype_policy(policy)  # a run's --precision is that of its process
        return printed.getvalue()

    return call_binary


@pytest.fixture(scope="session")
def refused(call):
    """The same for flags that are wrong: the message, with which `flags.run` ends the process."""

    def message_of(binary: str, *given: str) -> str:
        with pytest.raises(ValueError) as caught:
            call(binary, *given)
        return str(caught.value)

    return message_of
