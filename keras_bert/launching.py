"""The workers of one job on this machine: told their places, heard by number, ended together.

TensorFlow reads which workers there are, TF_CONFIG, when a strategy is made; nothing here imports
it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from absl import logging

# What asks a job to stop. A shell has those that it keeps from a job in the background ignored.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Seconds between two looks at the workers, and for the last lines of those that have ended.
LOOK_S, LAST_LINES_S = 0.05, 5.0


def launch(
    command: Sequence[str],
    num_workers: int,
    *,
    share_cores: bool = True,
    stop_timeout: float = 600.0,
    end_timeout: float = 30.0,
) -> int:
    """Runs a command as the workers of one job, and waits for all of them.

    Each worker has its place in the job in TF_CONFIG, with a free port of this machine. Its lines
    come out behind its number, `[0] `. SIGTERM, SIGINT and SIGHUP go to all as SIGTERM, upon which
    a run of training saves and ends. When a worker fails, the others get SIGTERM. TensorFlow may
    keep that from a worker, above all from one that waits for others, so SIGKILL follows.

    It sets handlers of signals, which Python lets the main thread do alone.

    Args:
        command: the program and its arguments.
        num_workers: int, how often it is started.
        share_cores: bool, whether each worker has cores of its own; where there are fewer cores
            than workers, or the system cannot do it, all have all.
        stop_timeout: float, seconds from a signal to SIGKILL, in which a run must have saved.
        end_timeout: float, seconds to SIGKILL from a second signal, or from a worker's failure.

    Returns:
        int, 0 if all workers ended so, else the exit status of the first that did not: 128 + n if
        signal n ended it.

    Raises:
        ValueError: `num_workers` is less than 1, or this process has a place in a job itself.
        OSError: the command cannot be started.

    Example:

    >>> import sys
    >>> from keras_bert.launching import launch
    >>> launch([sys.executable, "-c", "print('a fine film')"], num_workers=1)
    [0] a fine film
    0
    """
    _check(num_workers)
    cores = _shares_of_cores(num_workers) if share_cores else [set()] * num_workers
    processes: list[subprocess.Popen[str]] = []
    with _noted_signals() as came, contextlib.ExitStack() as in_the_end:
        try:
            for index, place in enumerate(tf_configs(num_workers)):
                with _on(cores[index]):
                    process = _start(command, place)
                in_the_end.callback(process.wait)
                processes.append(process)
                for stream, sink in ((process.stdout, sys.stdout), (process.stderr, sys.stderr)):
                    reader = threading.Thread(target=_copy, args=(stream, sink, index), daemon=True)
                    reader.start()
                    in_the_end.callback(reader.join, LAST_LINES_S)
            return _wait(processes, came, stop_timeout=stop_timeout, end_timeout=end_timeout)
        finally:
            _send(signal.SIGKILL, processes)


def tf_configs(num_workers: int) -> list[str]:
    """TF_CONFIG for each of so many workers on this machine, on ports that are free now.

    Example:

    >>> import json
    >>> from keras_bert.launching import tf_configs
    >>> one, other = map(json.loads, tf_configs(2))
    >>> one["cluster"] == other["cluster"], one["task"], other["task"]
    (True, {'type': 'worker', 'index': 0}, {'type': 'worker', 'index': 1})
    """
    addresses = free_addresses(num_workers)
    return [_tf_config(addresses, index) for index in range(num_workers)]


def free_addresses(number: int) -> list[str]:
    """`localhost:port` for so many ports that are free now.

    Example:

    >>> from keras_bert.launching import free_addresses
    >>> len(set(free_addresses(3)))
    3
    """
    with contextlib.ExitStack() as stack:  # all are held until all are known, so that they differ
        servers = [
            stack.enter_context(socket.create_server(("localhost", 0))) for _ in range(number)
        ]
        return [f"localhost:{server.getsockname()[1]}" for server in servers]


def tf_config_of_slurm(environment: Mapping[str, str], first_port: int = 8888) -> str | None:
    """TF_CONFIG for a task that srun has started, one of several.

    `tf.distribute.cluster_resolver.SlurmClusterResolver` is for nodes with GPUs alone, and takes
    the nodes in the order of the alphabet (n10 before n9), where Slurm counts its tasks in its own.

    Args:
        environment: `os.environ`, in which Slurm has set SLURM_PROCID, SLURM_STEP_NODELIST and
            SLURM_STEP_TASKS_PER_NODE. Tasks are counted node by node, as Slurm does by default.
        first_port: int, the port of a node's first task; the next ones have the next ports.

    Returns:
        str, or None where Slurm has started no task or a single one.

    Raises:
        ValueError: the variables are not of Slurm's form.

    Example:

    >>> from keras_bert.launching import tf_config_of_slurm
    >>> slurm = {"SLURM_PROCID": "1", "SLURM_STEP_NODELIST": "n[9-10]"}
    >>> tf_config_of_slurm({**slurm, "SLURM_STEP_TASKS_PER_NODE": "1(x2)"})
    '{"cluster": {"worker": ["n9:8888", "n10:8888"]}, "task": {"type": "worker", "index": 1}}'
    """
    names = ("SLURM_PROCID", "SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE")
    given = {name: environment[name] for name in names if name in environment}
    if len(given) < len(names):
        return None
    index, nodes, tasks = given.values()
    try:
        pairs = zip(_nodes(nodes), _numbers_of_tasks(tasks), strict=True)
        workers = [f"{node}:{first_port + i}" for node, number in pairs for i in range(number)]
        _ = workers[int(index)]
    except (ValueError, IndexError) as error:
        said = ", ".join(f"{name}={value}" for name, value in given.items())
        raise ValueError(
            f"Slurm's variables must name a node for each task, but are {said} ({error}): set "
            "TF_CONFIG yourself, as docs/distributed.md has it."
        ) from error
    return _tf_config(workers, int(index)) if len(workers) > 1 else None


def _nodes(names: str) -> list[str]:
    """`n[08-10],m` as n08, n09, n10, m."""
    parts = re.findall(r"(?:[^,\[]|\[[^\]]*\])+", names)
    return [node for part in parts for node in _expanded(part)]


def _expanded(name: str) -> list[str]:
    head, bracket, rest = name.partition("[")
    if not bracket:
        return [head]
    ranges, _, tail = rest.partition("]")
    numbers: list[str] = []
    for first, _, last in (one.partition("-") for one in ranges.split(",")):
        numbers += [str(n).zfill(len(first)) for n in range(int(first), int(last or first) + 1)]
    return [head + number + end for number in numbers for end in _expanded(tail)]


def _numbers_of_tasks(numbers: str) -> list[int]:
    """`2(x3),1` as 2, 2, 2, 1."""
    parts = [part.rstrip(")").partition("(x") for part in numbers.split(",")]
    return [int(number) for number, _, times in parts for _ in range(int(times or 1))]


def _tf_config(workers: Sequence[str], index: int) -> str:
    task = {"type": "worker", "index": index}
    return json.dumps({"cluster": {"worker": [*workers]}, "task": task})


def _check(num_workers: int) -> None:
    if num_workers < 1:
        raise ValueError(f"num_workers must be at least 1, not {num_workers}.")
    if "TF_CONFIG" in os.environ:
        raise ValueError(
            "The workers get a TF_CONFIG each, but there is one already, "
            f"{os.environ['TF_CONFIG']!r}: unset it, or run the command itself as that worker."
        )


def _shares_of_cores(num_workers: int) -> list[set[int]]:
    """The cores of each worker; without any, all of them."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    bounds = [len(cores) * index // num_workers for index in range(num_workers + 1)]
    shares = [set(cores[start:end]) for start, end in itertools.pairwise(bounds)]
    return shares if all(shares) else [set()] * num_workers


@contextlib.contextmanager
def _on(cores: set[int]) -> Iterator[None]:
    """This thread, and what it starts, on some cores; a process takes them over from its parent."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def _noted_signals() -> Iterator[list[int]]:
    """The numbers of the signals that come, in their order."""
    came: list[int] = []
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda n, _: came.append(n)) for number in heard}
    try:
        yield came
    finally:
        for number, handler in before.items():
            # A handler that was not set from Python shows as None and cannot be set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _start(command: Sequence[str], place: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        # What Python keeps back in a pipe would come out when all is over.
        env={**os.environ, "TF_CONFIG": place, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        # A terminal sends its signals to a whole group: the workers would have each of them twice.
        start_new_session=True,
    )


def _copy(stream: Any, sink: Any, index: int) -> None:
    """Writes the lines of a worker behind its number."""
    with stream, contextlib.suppress(BrokenPipeError):
        for line in stream:
            sink.write(f"[{index}] {line.removesuffix(chr(10))}\n")
            sink.flush()


def _wait(
    processes: Sequence[subprocess.Popen[str]],
    came: list[int],
    *,
    stop_timeout: float,
    end_timeout: float,
) -> int:
    """Waits until all have ended; the status of the first that failed, or 0."""
    status, num_passed_on, deadline = 0, 0, math.inf
    while any(process.poll() is None for process in processes):
        now = time.monotonic()
        if len(came) > num_passed_on:
            num_passed_on = len(came)
            deadline = min(deadline, now + (stop_timeout if num_passed_on == 1 else end_timeout))
            _send(signal.SIGTERM, processes)
        if not status and (status := _worst_status(processes)):
            deadline = min(deadline, now + end_timeout)
            if not came:  # else they are ending: a second signal would keep them from saving
                logging.error("A worker has ended with status %d: ending the others.", status)
                _send(signal.SIGTERM, processes)
        if now > deadline:
            _send(signal.SIGKILL, processes)
        time.sleep(LOOK_S)
    return status or _worst_status(processes)


def _worst_status(processes: Sequence[subprocess.Popen[str]]) -> int:
    """Of those that have ended; 0 if there are none."""
    codes = [process.poll() or 0 for process in processes]
    return max(128 - code if code < 0 else code for code in codes)


def _send(number: int, processes: Sequence[subprocess.Popen[str]]) -> None:
    """Sends a signal to all that have not ended."""
    for process in processes:
        process.send_signal(number)
