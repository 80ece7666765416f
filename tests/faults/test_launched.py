"""Workers as the launcher starts them, and as Slurm does."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.faults
ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ("--dropout=0", "--num_shards=2")
# From a worker's death to the launcher's end.
END_S = 60


@contextlib.contextmanager
def python(output, *command, **environment):
    """A Python program, which says what it says into a file; ended in the end."""
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, *command],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **environment},
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def launched(pretraining, folder, *, number=2):
    command = ("-m", "train.launch", f"--num_workers={number}", "--", "train.pretrain")
    _, _, *flags = pretraining.command(folder, *FLAGS)
    return python(folder / f"output-{time.monotonic_ns()}", *command, *flags)


def said(folder):
    """What the launcher, or what stands for it, said in its runs."""
    return [path.read_text() for path in sorted(folder.glob("output-*"))]


@pytest.fixture(scope="module")
def reference(pretraining, tmp_path_factory):
    """What one worker learns, never stopped."""
    return pretraining.run(1, tmp_path_factory.mktemp("reference"), *FLAGS)


def test_launched_workers_are_stopped_and_go_on(pretraining, tmp_path, reference, assert_weights):
    with launched(pretraining, tmp_path) as launcher:
        pretraining.until((tmp_path / "run/checkpoints/step-00000006").exists)
        launcher.terminate()
        assert launcher.wait() == 1
    [first] = said(tmp_path)
    steps = re.findall(r"^\[([01])\] .*Stopped by SIGTERM after step (\d+)", first, re.MULTILINE)
    assert {worker for worker, _ in steps} == {"0", "1"} and len({step for _, step in steps}) == 1
    with launched(pretraining, tmp_path) as launcher:
        assert launcher.wait() == 0
    assert_weights(tmp_path / "run", reference, atol=1e-5)


def test_where_a_launched_worker_is_killed_all_end_and_one_goes_on(
    pretraining, tmp_path, reference, assert_weights
):
    with launched(pretraining, tmp_path) as launcher:
        pretraining.until((tmp_path / "run/checkpoints/step-00000006").exists)
        found = subprocess.run(["pgrep", "-P", str(launcher.pid)], capture_output=True, text=True)
        os.kill(int(found.stdout.split()[-1]), signal.SIGKILL)
        began = time.monotonic()
        assert launcher.wait() == 128 + signal.SIGKILL
        assert time.monotonic() - began < END_S
    with launched(pretraining, tmp_path, number=1) as launcher:
        assert launcher.wait() == 0
    assert_weights(tmp_path / "run", reference, atol=1e-5)


def test_two_tasks_that_srun_has_started_find_each_other(
    pretraining, tmp_path, reference, assert_weights
):
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(
                python(
                    tmp_path / f"output-{index}",
                    *pretraining.command(tmp_path, *FLAGS, "--strategy=multi_worker"),
                    **place(index),
                )
            )
            for index in range(2)
        ]
        assert [worker.wait() for worker in workers] == [0, 0], said(tmp_path)
    assert_weights(tmp_path / "run", reference, atol=1e-5)


def place(index):
    """What Slurm says to one of two tasks on one node."""
    return {
        "SLURM_PROCID": str(index),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_TASKS_PER_NODE": "2",
    }
