"""The launcher's flags stand before --, a binary's behind; other launchers tell places as well."""

import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap

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
        (["--num_workers=1"], 1, "What to start must stand behind --"),
        (["--num_workers=1", "toy"], 1, "not 'toy'"),
        (["--num_workers=1", "--", "python", "-m", "toy"], 1, "there is no 'python'"),
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


# In place of programs that are not here; each worker says what it was told.
PROGRAMS = {
    "keras-bert": 'echo "$TF_CONFIG"',
    "ssh": 'shift 2; exec bash -c "$1"',
    "srun": 'while [[ "$1" == -* ]]; do shift; done; exec "$@"',
    "scontrol": 'printf "%s\\n" n9 n10',
}


@pytest.fixture
def shell(tmp_path):
    """The lines that a shell script prints."""
    for name, script in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)

    def shell(script, **environment):
        path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
        command = ["bash", "-euo", "pipefail", "-c", script]
        environment = {**os.environ, "PATH": path, **environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return shell


def documented(name):
    """A block of code of the documentation."""
    text = (ROOT / "docs" / "distributed.md").read_text()
    [block] = re.findall(f"<!-- {name} -->\n```[a-z]+\n(.*?)```", text, flags=re.DOTALL)
    return block


def place(index, *workers):
    return {"cluster": {"worker": list(workers)}, "task": {"type": "worker", "index": index}}


def test_the_loop_of_ssh_tells_each_its_place(shell):
    told = sorted(shell(documented("ssh")))
    workers = ("node-a:2222", "node-b:2222")
    assert [line[:4] for line in told] == ["[0] ", "[1] "]
    assert [json.loads(line[4:]) for line in told] == [place(index, *workers) for index in (0, 1)]


def test_a_task_of_slurm_is_told_its_place(shell):
    script = documented("slurm with TF_CONFIG")
    slurm = {"SLURM_STEP_NODELIST": "n[9-10]", "SLURM_CPUS_PER_TASK": "8", "SLURM_PROCID": "1"}
    assert json.loads(*shell(script, **slurm)) == place(1, "n9:2222", "n10:2222")


def test_a_pod_is_told_its_place(shell):
    [script] = re.findall(r" - \|\n(.*?)\n {10}resources:", documented("kubernetes"), re.DOTALL)
    [line] = shell(textwrap.dedent(script), NUM_WORKERS="3", JOB_COMPLETION_INDEX="2")
    assert json.loads(line) == place(2, *(f"bert-{index}.bert:2222" for index in range(3)))


def test_what_slurm_runs_is_a_shell_script(shell):
    assert shell(documented("slurm"), SLURM_CPUS_PER_TASK="8", TF_CONFIG="told") == ["told"]
