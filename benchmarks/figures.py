"""What all benchmarks share: a figure as a JSON line, rounds in turns, processes, a single core."""

from __future__ import annotations

import contextlib
import datetime
import json
import multiprocessing
import os
import pathlib
import platform
import statistics
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from typing import Any, TypeVar

Figure = TypeVar("Figure")

PACKAGES = (
    *("tensorflow", "tensorflow-text", "keras", "keras-hub", "tokenizers"),
    *("torch", "transformers", "onnxruntime", "jax"),
)


def print_figure(name: str, value: float, unit: str, **details: Any) -> None:
    """Prints a figure with the machine and the versions that it was measured with."""
    today = datetime.date.today().isoformat()
    figure = {"name": name, "value": value, "unit": unit, **details, "date": today}
    print(json.dumps({**figure, "versions": _versions(), "machine": _machine()}), flush=True)


def medians_in_turns(
    candidates: Mapping[str, Callable[[], float]], num_rounds: int
) -> dict[str, float]:
    """The median of each candidate's figures, by `rounds_in_turns`."""
    rounds = rounds_in_turns(candidates, num_rounds)
    return {name: statistics.median(one[name] for one in rounds) for name in candidates}


def rounds_in_turns(
    candidates: Mapping[str, Callable[[], Figure]], num_rounds: int
) -> list[dict[str, Figure]]:
    """What the candidates give; they take turns, so that a noisy moment hits all.

    A round more comes first, to warm up, and is not among them.
    """
    rounds = [{name: run() for name, run in candidates.items()} for _ in range(num_rounds + 1)]
    return rounds[1:]


def seconds_of(call: Callable[[], object], at_least: float = 0.5) -> float:
    """The median time of a call, over as many calls as fill `at_least` seconds."""
    times: list[float] = []
    while sum(times) < at_least:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


@contextlib.contextmanager
def in_processes(makers: Mapping[str, tuple]) -> Iterator[dict[str, Callable[[], Any]]]:
    """Candidates that live each in a process of its own, where no library meets another's threads.

    Args:
        makers: for each name a function of a module and its arguments. It is called in the new
            process and makes the candidate: a function without arguments that gives a number, or
            another value that can be sent.

    Yields:
        The candidates, by name: each call runs in its process while the others rest.
    """
    context, processes, candidates = multiprocessing.get_context("spawn"), [], {}
    for name, maker in makers.items():
        pipe, end = context.Pipe()
        process = context.Process(target=_answer, args=(end, *maker), name=name, daemon=True)
        process.start()
        end.close()
        processes.append(process)
        candidates[name] = _asking(name, pipe)
    try:
        yield candidates
    finally:
        for process in processes:
            process.kill()  # TensorFlow's workers are deaf to less
            process.join()


def _answer(pipe, make: Callable, *arguments) -> None:
    """Makes a candidate when it is first asked for, and gives a figure whenever it is asked."""
    run = None
    while True:
        pipe.recv()
        try:
            run = run or make(*arguments)
            pipe.send((run(), None))
        except Exception:
            pipe.send((None, traceback.format_exc()))


def _asking(name: str, pipe) -> Callable[[], Any]:
    def ask() -> Any:
        pipe.send(None)
        value, error = pipe.recv()
        if error is not None:
            raise RuntimeError(f"{name} failed:\n{error}")
        return value

    return ask


def use_one_core(core: int | None = None) -> None:
    """Confines this process to one core; to be called before a library sizes its pools.

    Args:
        core: which one; the last one if None.
    """
    os.environ["RAYON_NUM_THREADS"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0)) if core is None else core})
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _machine() -> str:
    try:
        info = pathlib.Path("/proc/cpuinfo").read_text()
        model = next(row.split(":")[1].strip() for row in info.split("\n") if "model name" in row)
    except (OSError, StopIteration):
        model = platform.processor()
    return f"{model}, {os.cpu_count()} cores"
