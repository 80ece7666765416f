"""Where the time of an encoder's inference goes, kernel by kernel.

    python -m benchmarks.operations --shapes=1x32 --shapes=1x128

The function that `benchmarks.encoder` times runs under TensorFlow's profiler. `run` is a run
without it. `share` is of the milliseconds of all kernels, which are more than those of a run where
some run beside each other, as the products for query, key and value do. Products have the rate that
they come to while they run.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
import tempfile
from collections import Counter
from collections.abc import Callable

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

import keras_bert as kb
from benchmarks.encoder import encoder_call
from benchmarks.figures import in_processes, print_figure, seconds_of
from keras_bert import flags

PRODUCTS = ("MatMul", "_FusedMatMul", "_MklMatMul", "_MklNativeMatMul", "_MklNativeFusedMatMul")
# A kernel's event is "name:Kind", and those around it have spaces, arrows or a class's marks.
KERNEL = r"[^ :#]*:_?[A-Z]\w+"


@dataclasses.dataclass(frozen=True)
class Arguments:
    preset: str = flags.flag("base", "size of the model")
    shapes: tuple[str, ...] = flags.flag(("1x32", "1x128"), "rows x tokens")
    dtype: str = flags.flag("float32", "of the computation: float32 or bfloat16")
    num_runs: int = flags.flag(30, "recorded runs")
    num_operations: int = flags.flag(8, "kinds of operations that are told, the slowest first")


def main(arguments: Arguments) -> None:
    for shape in arguments.shapes:
        with in_processes({"run": (recorded, arguments, *map(int, shape.split("x")))}) as made:
            run, operations = made["run"]()
        tell(arguments, shape, run, operations)


def tell(
    arguments: Arguments, shape: str, run: float, operations: dict[str, tuple[float, int]]
) -> None:
    """Prints the milliseconds of a run, of its slowest kinds of operations, and of the others."""
    rows, length = map(int, shape.split("x"))
    name = f"operations/{arguments.preset}/{shape}/{arguments.dtype}"
    print_figure(f"{name}/run", round(run, 2), "ms")
    total = sum(milliseconds for milliseconds, _ in operations.values())
    slowest = sorted(operations, key=lambda kind: -operations[kind][0])
    flops = rows * kb.num_inference_flops(kb.BertConfig.preset(arguments.preset), length)
    for kind in slowest[: arguments.num_operations]:
        milliseconds, calls = operations[kind]
        rate = {"gflops_a_second": round(flops / milliseconds / 1e6, 1)} if kind in PRODUCTS else {}
        print_figure(
            f"{name}/{kind}",
            round(milliseconds, 3),
            "ms",
            share=round(milliseconds / total, 3),
            calls=calls,
            **rate,
        )
    others = sum(operations[kind][0] for kind in slowest[arguments.num_operations :])
    print_figure(f"{name}/others", round(others, 3), "ms", share=round(others / total, 3))


def recorded(arguments: Arguments, rows: int, length: int) -> Callable[[], tuple[float, dict]]:
    """A function that gives the milliseconds of a run, and of its operations with their calls."""

    def run() -> tuple[float, dict[str, tuple[float, int]]]:
        call = encoder_call(arguments.preset, rows, length, arguments.dtype)
        unrecorded = 1000 * seconds_of(call, at_least=3)
        with tempfile.TemporaryDirectory() as folder:
            tf.profiler.experimental.start(folder)
            for _ in range(arguments.num_runs):
                call()
            tf.profiler.experimental.stop()
            [file] = pathlib.Path(folder).rglob("*.xplane.pb")
            return unrecorded, kernels_in(file, arguments.num_runs)

    return run


def kernels_in(path: pathlib.Path, num_runs: int) -> dict[str, tuple[float, int]]:
    """Milliseconds and calls of each kind of kernel in a run, of the profiler's file."""
    space = xplane_pb2.XSpace()
    space.ParseFromString(path.read_bytes())
    picoseconds: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name = plane.event_metadata[event.metadata_id].name
            if re.fullmatch(KERNEL, name):
                kind = name.split(":")[1]
                picoseconds[kind] += event.duration_ps
                calls[kind] += 1
    return {kind: (picoseconds[kind] / num_runs / 1e9, calls[kind] // num_runs) for kind in calls}


if __name__ == "__main__":
    flags.run(main, Arguments)
