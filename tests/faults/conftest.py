"""Runs in processes of their own, which are killed, stopped, and started again."""

import contextlib
import dataclasses
import functools
import json
import multiprocessing
import os
import pathlib
import random
import runpy
import sys
import time

import numpy as np
import pytest
import safetensors.numpy

import keras_bert as kb
from keras_bert import launching

WORDS = ("the", "quick", "brown", "fox", "jump", "over", "lazy", "dog", "fine", "film")
# Longer than anything here takes, and shorter than anybody waits.
TIMEOUT_S = 240


# What takes longest to import; no process that forks has run any of it.
IMPORTED = (
    *("keras_bert.checkpoints.directory", "keras_bert.training.run", "tensorflow_text"),
    *("keras_bert.data.pretraining.token_corpus", "pytest"),
)


@dataclasses.dataclass
class Process:
    """A process of a Python program, and where it writes what it says."""

    process: multiprocessing.Process
    output: pathlib.Path

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def send(self, number: int) -> None:
        """Sends a signal."""
        os.kill(self.process.pid, number)

    def wait(self) -> int:
        """The exit status, once there is one."""
        self.process.join(TIMEOUT_S)
        assert self.process.exitcode is not None, f"it did not end: {self.said}"
        return self.process.exitcode


def as_python(command, output, environment, _):
    """Does what `python *command` does, in a process that has imported most of it already."""
    descriptor = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
    os.environ.update(environment)
    by_name = command[0] == "-m"
    sys.argv = list(command[by_name:])
    run_it = functools.partial(runpy.run_module, alter_sys=True) if by_name else runpy.run_path
    run_it(sys.argv[0], run_name="__main__")


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


@pytest.fixture(scope="session")
def start_workers(forked):
    """A context: so many workers of a Python program, which say what they say into a folder.

    They are ended in the end, whatever they do.
    """

    @contextlib.contextmanager
    def start(number: int, folder: pathlib.Path, *command: str):
        workers: list[Process] = []
        try:
            for place in launching.tf_configs(number):
                output = folder / f"output-{len(workers)}-{time.monotonic_ns()}"
                output.touch()
                environment = {"TF_CONFIG": place} if number > 1 else {}
                process, _ = forked(as_python, command, output, environment)
                workers.append(Process(process, output))
            yield workers
        finally:
            for worker in workers:
                worker.process.kill()
                worker.process.join()

    return start


@pytest.fixture(scope="session")
def run_workers(start_workers):
    """A function that runs so many workers to their end, which is a good one."""

    def run(number: int, folder: pathlib.Path, *command: str) -> None:
        with start_workers(number, folder, *command) as workers:
            for worker in workers:
                assert worker.wait() == 0, worker.said

    return run


class Pretraining:
    """A small pretraining by the binary.

    Args:
        corpus: path of a folder with texts and a vocabulary.
        start, run: the functions of the fixtures `start_workers` and `run_workers`.
    """

    def __init__(self, corpus: pathlib.Path, start, run):
        self.corpus = corpus
        self._start, self._run = start, run

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
        return self._start(number, folder, *self.command(folder, *flags))

    def run(self, number: int, folder: pathlib.Path, *flags: str) -> pathlib.Path:
        """Trains, or goes on, with so many workers to the end; the folder of the run."""
        self._run(number, folder, *self.command(folder, *flags))
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
def pretraining(corpus, start_workers, run_workers):
    return Pretraining(corpus, start_workers, run_workers)


@pytest.fixture(scope="session")
def record_of():
    """A function of a run's folder: the figures of all epochs, or steps, but for those of time."""

    def read(folder, of="metrics"):
        lines = [json.loads(line) for line in (folder / f"{of}.jsonl").open()]
        return [{name: v for name, v in line.items() if "second" not in name} for line in lines]

    return read


@pytest.fixture(scope="session")
def assert_weights():
    """A function of two runs' folders, whose weights must be equal, or differ by `atol` at most.

    But for those that are named.
    """

    def compare(folder, other, atol=0.0, but=()):
        weights, expected = (
            safetensors.numpy.load_file(one / "model.safetensors") for one in (folder, other)
        )
        assert weights.keys() == expected.keys()
        for name in expected.keys() - set(but):
            np.testing.assert_allclose(
                weights[name], expected[name], rtol=0, atol=atol, err_msg=name
            )

    return compare


@pytest.fixture(scope="session")
def assert_same(assert_weights, record_of):
    """A function of two runs' folders: weights and figures must be equal, bit for bit."""

    def compare(folder, other):
        assert_weights(folder, other)
        for of in ("metrics", "steps"):
            assert record_of(folder, of) == record_of(other, of)

    return compare
