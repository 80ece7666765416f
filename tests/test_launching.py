"""Workers are told their places, heard by number, and ended together."""

import json
import os
import signal
import sys

import pytest

from keras_bert import launching

# No worker ends by itself before it is its turn: what opens a pipe waits for its other end.
HEAD = """
import json, os, signal, sys

place = json.loads(os.environ["TF_CONFIG"])
index, pipe = place["task"]["index"], sys.argv[1]
"""
TELL = """
print(json.dumps(place))
print(json.dumps(sorted(os.sched_getaffinity(0))), file=sys.stderr)
"""
# Worker 0 is deaf to SIGTERM when worker 1 fails.
DEAF = """
if index == 1:
    open(pipe).read()
    sys.exit(3)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(pipe, "w").close()
signal.pause()
"""
# Worker 0 has both told to end, and neither does.
STUBBORN = """
def note(number, frame):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    when_told

signal.signal(signal.SIGTERM, note if index == 0 else signal.SIG_IGN)
if index == 0:
    open(pipe).read()
    os.kill(os.getppid(), signal.SIGTERM)
else:
    open(pipe, "w").close()
while True:
    signal.pause()
"""
# Both save; who is told to stop a second time would end at once, by the signal.
OBEDIENT = """
def save(number, frame):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    print("saved", flush=True)
    if index == 1:
        open(pipe, "w").close()
    else:
        open(pipe).read()
    sys.exit(1)

signal.signal(signal.SIGTERM, save)
if index == 1:
    open(pipe).read()
    os.kill(os.getppid(), signal.SIGTERM)
else:
    open(pipe, "w").close()
signal.pause()
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a script as two workers, which have a named pipe."""
    monkeypatch.delenv("TF_CONFIG", raising=False)
    os.mkfifo(tmp_path / "pipe")

    def run(script, **options):
        command = [sys.executable, "-c", HEAD + script, str(tmp_path / "pipe")]
        return launching.launch(command, num_workers=2, **options)

    return run


def lines_of(text):
    """What each worker wrote."""
    return [[line[4:] for line in text.splitlines() if line[:4] == f"[{i}] "] for i in (0, 1)]


def test_each_worker_has_its_place_its_cores_and_its_number(run, capsys):
    assert run(TELL) == 0
    said = capsys.readouterr()
    [[one], [other]] = [map(json.loads, lines) for lines in lines_of(said.out)]
    assert [one["task"], other["task"]] == [{"type": "worker", "index": i} for i in (0, 1)]
    assert one["cluster"] == other["cluster"]
    assert len(set(one["cluster"]["worker"])) == 2
    [[first], [second]] = [map(json.loads, lines) for lines in lines_of(said.err)]
    all_cores = os.sched_getaffinity(0)
    if len(all_cores) == 1:
        assert {*first} == {*second} == all_cores
    else:
        assert {*first} | {*second} == all_cores and not {*first} & {*second}


def test_cores_are_shared_as_equally_as_can_be(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 2, 5, 6, 7})
    assert launching._shares_of_cores(2) == [{1, 2}, {5, 6, 7}]
    assert launching._shares_of_cores(6) == [set()] * 6


def test_the_others_of_a_worker_that_fails_are_ended(run, capsys):
    assert run(DEAF, end_timeout=0.1) == 3


@pytest.mark.parametrize(
    ("when_told", "options"),
    [
        ("pass", {"stop_timeout": 0.1}),
        ("os.kill(os.getppid(), signal.SIGTERM)", {"end_timeout": 0.1}),  # and so a second time
    ],
)
def test_who_does_not_obey_is_ended(run, when_told, options):
    script = STUBBORN.replace("when_told", when_told)
    assert run(script, **options) == 128 + signal.SIGKILL


def test_a_signal_is_passed_on_once_and_the_saved_end(run, capsys):
    before = signal.getsignal(signal.SIGTERM)
    assert run(OBEDIENT) == 1
    assert lines_of(capsys.readouterr().out) == [["saved"], ["saved"]]
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_status_of_one_that_a_signal_ended(run):
    assert run("os.kill(os.getpid(), signal.SIGKILL)") == 128 + signal.SIGKILL


def test_what_cannot_be_started(run, monkeypatch):
    with pytest.raises(FileNotFoundError):
        launching.launch(["no-such-program"], num_workers=2)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        launching.launch(["true"], num_workers=0)
    monkeypatch.setenv("TF_CONFIG", "{}")
    with pytest.raises(ValueError, match="there is one already, '{}'"):
        run(TELL)


def slurm(index, nodes, tasks):
    return {
        "SLURM_PROCID": index,
        "SLURM_STEP_NODELIST": nodes,
        "SLURM_STEP_TASKS_PER_NODE": tasks,
    }


@pytest.mark.parametrize(
    ("nodes", "tasks", "workers"),
    [
        ("n[9-10]", "1(x2)", ["n9:8888", "n10:8888"]),
        (
            "a[008,010-011],b",
            "1(x2),2,1",
            ["a008:8888", "a010:8888", "a011:8888", "a011:8889", "b:8888"],
        ),
        ("r[1-2]n[3,5]x", "1(x4)", ["r1n3x:8888", "r1n5x:8888", "r2n3x:8888", "r2n5x:8888"]),
        ("gpu-7", "2", ["gpu-7:8888", "gpu-7:8889"]),
    ],
)
def test_slurm_names_the_workers(nodes, tasks, workers):
    place = json.loads(launching.tf_config_of_slurm(slurm("1", nodes, tasks)))
    assert place == {"cluster": {"worker": workers}, "task": {"type": "worker", "index": 1}}


def test_one_task_of_slurm_is_no_worker():
    assert launching.tf_config_of_slurm({}) is None
    assert launching.tf_config_of_slurm({"SLURM_PROCID": "0"}) is None
    assert launching.tf_config_of_slurm(slurm("0", "n1", "1")) is None


@pytest.mark.parametrize(
    ("index", "nodes", "tasks"),
    [("0", "n[1-2]", "1"), ("2", "n[1-2]", "1(x2)"), ("0", "n[x]", "1"), ("0", "n1", "two")],
)
def test_what_slurm_does_not_say(index, nodes, tasks):
    with pytest.raises(ValueError, match=f"SLURM_PROCID={index}, .*: set TF_CONFIG yourself"):
        launching.tf_config_of_slurm(slurm(index, nodes, tasks))
