"""Runs in processes of their own, which are killed, stopped, and started again."""

import contextlib
import dataclasses
import multiprocessing
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

import keras_bert as kb
from keras_bert import launching

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORDS = ("the", "quick", "brown", "fox", "jump", "over", "lazy", "dog", "fine", "film")
# Longer than anything here takes, and shorter than anybody waits.
TIMEOUT_S = 240


@dataclasses.dataclass
class Process:
    """A process of a training, and where it writes what it says."""

    process: subprocess.Popen
    output: pathlib.Path

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def wait(self) -> int:
        return self.process.wait(TIMEOUT_S)


@contextlib.contextmanager
def started(number: int, folder: pathlib.Path, *command: str):
    """So many workers of a Python program, which say what they say into files in a folder.

    They are ended in the end, whatever they do.
    """
    workers: list[Process] = []
    try:
        for place in launching.tf_configs(number):
            output = folder / f"output-{len(workers)}-{time.monotonic_ns()}"
            with output.open("w") as file:
                process = subprocess.Popen(
                    [sys.executable, *command],
                    env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "TF_CONFIG": place},
                    cwd=ROOT,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                )
            workers.append(Process(process, output))
        yield workers
    finally:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                worker.process.send_signal(signal.SIGKILL)
            worker.process.wait()


def run(number: int, folder: pathlib.Path, *command: str) -> None:
    """Runs so many workers to their end, which is a good one."""
    with started(number, folder, *command) as workers:
        for worker in workers:
            assert worker.wait() == 0, worker.said


class Pretraining:
    """A small pretraining by the binary.

    Args:
        corpus: path of a folder with texts and a vocabulary.
    """

    def __init__(self, corpus: pathlib.Path):
        self.corpus = corpus

    def command(self, folder: pathlib.Path, *flags: str) -> list[str]:
        return [
            *("-m", "train.pretrain"),
            *(f"--input_pattern={self.corpus}/[a-d].txt", f"--eval_pattern={self.corpus}/a.txt"),
            *("--documents=blank_lines", f"--vocabulary={self.corpus}/vocab.txt"),
            *("--preset=tiny", "--sequence_length=32", "--max_predictions=5", "--batch_size=8"),
            *("--learning_rate=1e-3", "--num_steps=24", "--steps_per_epoch=6"),
            *(f"--output_dir={folder}/run", *flags),
        ]

    def started(self, number: int, folder: pathlib.Path, *flags: str):
        """So many workers that train in `folder/run`."""
        return started(number, folder, *self.command(folder, *flags))

    def run(self, number: int, folder: pathlib.Path, *flags: str) -> pathlib.Path:
        """Trains, or goes on, with so many workers to the end; the folder of the run."""
        run(number, folder, *self.command(folder, *flags))
        return folder / "run"

    @staticmethod
    def until(condition):
        """Waits for a condition, which must come."""
        end = time.monotonic() + TIMEOUT_S
        while not condition():
            assert time.monotonic() < end, "it did not come"
            time.sleep(0.05)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Four files of ten documents, and a vocabulary."""
    folder, draw = tmp_path_factory.mktemp("corpus"), random.Random(1).choices
    for name in "abcd":
        lines = (" ".join(draw(WORDS, k=7)) + ".\n" + "\n" * (i % 9 == 8) for i in range(90))
        (folder / f"{name}.txt").write_text("".join(lines))
    pieces = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, ".")
    kb.write_vocabulary(folder / "vocab.txt", pieces)
    return folder


@pytest.fixture(scope="session")
def run_workers():
    """The function `run` above."""
    return run


@pytest.fixture(scope="session")
def start_workers():
    """The function `started` above."""
    return started


@pytest.fixture(scope="session")
def pretraining(corpus):
    return Pretraining(corpus)


# What takes longest to import; no process that forks has run any of it.
IMPORTED = (
    *("keras_bert.checkpoints.directory", "keras_bert.training.run", "tensorflow_text"),
    *("keras_bert.data.pretraining.token_corpus", "pytest"),
)


@pytest.fixture(scope="session")
def forked():
    """A function that starts one in a process of its own that has all imported already.

    It is handed what is given, and a pipe to say something by; what comes back is the process, and
    the other end of the pipe.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    started = []

    def start(target, *given):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=target, args=(*given, theirs), daemon=True)
        process.start()
        theirs.close()
        started.append(process)
        return process, ours

    yield start
    for process in started:
        process.kill()
