"""What all benchmarks share: a figure as a JSON line, rounds in turns, and a single core."""

from __future__ import annotations

import json
import os
import pathlib
import platform
import statistics
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

PACKAGES = ("tensorflow", "tensorflow-text", "keras", "keras-hub", "tokenizers")


def print_figure(name: str, value: float, unit: str, **details: Any) -> None:
    """Prints a figure with the machine and the versions that it was measured with."""
    figure = {"name": name, "value": value, "unit": unit, **details}
    print(json.dumps({**figure, "versions": _versions(), "machine": _machine()}), flush=True)


def medians_in_turns(
    candidates: Mapping[str, Callable[[], float]], num_rounds: int
) -> dict[str, float]:
    """The median of each candidate's figures; they take turns, so that a noisy moment hits all.

    A round more comes first, to warm up, and does not count.
    """
    rounds = [{name: run() for name, run in candidates.items()} for _ in range(num_rounds + 1)]
    return {name: statistics.median(one[name] for one in rounds[1:]) for name in candidates}


def use_one_core() -> None:
    """Confines this process to one core; to be called before a library sizes its pools."""
    os.environ["RAYON_NUM_THREADS"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
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
