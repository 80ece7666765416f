"""Where the time of an encoder's inference goes, operation by operation.

    python -m benchmarks.operations --shapes=1x32 --shapes=1x128

The encoder's graph is frozen as a SavedModel's is by a server, and run with TensorFlow's record of
each kernel. `share` is of a run that is not recorded (its milliseconds are `run`); `between` is
what no kernel takes: calls, threads that wait, and what the record itself misses. Products have
the rate that they come to, in GFLOP/s. `--frozen_weights` lets oneDNN pack constant matrices once
(`TF_ONEDNN_ASSUME_FROZEN_WEIGHTS`), which is right where weights never change.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
from collections import Counter
from collections.abc import Callable

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

import keras_bert as kb
from benchmarks.encoder import POLICIES, encoder_inputs
from benchmarks.figures import in_processes, print_figure, seconds_of
from keras_bert import flags

PRODUCTS = ("MatMul", "_FusedMatMul", "_MklMatMul", "_MklNativeFusedMatMul", "_MklNativeMatMul")


@dataclasses.dataclass(frozen=True)
class Arguments:
    preset: str = flags.flag("base", "size of the model")
    shapes: tuple[str, ...] = flags.flag(("1x32", "1x128"), "rows x tokens")
    dtype: str = flags.flag("float32", "of the computation: float32 or bfloat16")
    frozen_weights: bool = flags.flag(False, "whether oneDNN may pack matrices once")
    num_runs: int = flags.flag(30, "recorded runs, of which a median is taken")
    num_operations: int = flags.flag(8, "kinds of operations that are told, the slowest first")


def main(arguments: Arguments) -> None:
    os.environ["TF_ONEDNN_ASSUME_FROZEN_WEIGHTS"] = str(int(arguments.frozen_weights))
    for shape in arguments.shapes:
        with in_processes({"run": (recorded, arguments, *map(int, shape.split("x")))}) as made:
            run, operations = made["run"]()
        tell(arguments, shape, run, operations)


def tell(
    arguments: Arguments, shape: str, run: float, operations: dict[str, tuple[float, int]]
) -> None:
    """Prints the milliseconds of a run, of its slowest kinds of operations, and of what is left."""
    rows, length = map(int, shape.split("x"))
    name = f"operations/{arguments.preset}/{shape}/{arguments.dtype}"
    print_figure(f"{name}/run", round(run, 2), "ms", frozen_weights=arguments.frozen_weights)
    slowest = sorted(operations, key=lambda kind: -operations[kind][0])
    flops = rows * kb.num_inference_flops(kb.BertConfig.preset(arguments.preset), length)
    for kind in slowest[: arguments.num_operations]:
        milliseconds, calls = operations[kind]
        rate = {"gflops_a_second": round(flops / milliseconds / 1e6, 1)} if kind in PRODUCTS else {}
        print_figure(
            f"{name}/{kind}",
            round(milliseconds, 3),
            "ms",
            share=round(milliseconds / run, 3),
            calls=calls,
            **rate,
        )
    others = [operations[kind] for kind in slowest[arguments.num_operations :]]
    total = sum(milliseconds for milliseconds, _ in operations.values())
    for kind, milliseconds in (("others", sum(one for one, _ in others)), ("between", run - total)):
        share = round(milliseconds / run, 3)
        print_figure(f"{name}/{kind}", round(milliseconds, 3), "ms", share=share)


def recorded(arguments: Arguments, rows: int, length: int) -> Callable[[], tuple[float, dict]]:
    """A function that gives the milliseconds of a run, and of its operations with their calls."""

    def run() -> tuple[float, dict[str, tuple[float, int]]]:
        graph, feeds, result = frozen_encoder(arguments, rows, length)
        one_thread = tf.compat.v1.ConfigProto(inter_op_parallelism_threads=1)
        with tf.compat.v1.Session(graph=graph, config=one_thread) as session:
            call = session.make_callable(result, list(feeds))
            unrecorded = 1000 * seconds_of(lambda: call(*feeds.values()), at_least=3)
            runs = [kernels_of(session, result, feeds) for _ in range(arguments.num_runs)]
        kinds = {kind for one in runs for kind in one}
        medians = {
            kind: (
                statistics.median(one.get(kind, (0.0, 0))[0] for one in runs),
                max(one.get(kind, (0.0, 0))[1] for one in runs),
            )
            for kind in kinds
        }
        return unrecorded, medians

    return run


def frozen_encoder(arguments: Arguments, rows: int, length: int):
    """A graph without variables, what its placeholders are fed, and its result."""
    keras.utils.set_random_seed(0)
    encoder = kb.BertEncoder(
        kb.BertConfig.preset(arguments.preset), dtype=POLICIES[arguments.dtype]
    )
    given = encoder_inputs(rows, length)
    encoder({name: tf.constant(value) for name, value in given.items()})
    specs = {name: tf.TensorSpec(value.shape, value.dtype, name) for name, value in given.items()}
    traced = tf.function(
        lambda **inputs: encoder(inputs, training=False)["sequence_output"], autograph=False
    ).get_concrete_function(**specs)
    frozen = convert_variables_to_constants_v2(traced)
    feeds = {tensor.name: given[tensor.op.name] for tensor in frozen.inputs}
    return frozen.graph, feeds, frozen.outputs[0].name


def kernels_of(session, result, feeds) -> dict[str, tuple[float, int]]:
    """Milliseconds and calls of each kind of operation in a recorded run."""
    record = tf.compat.v1.RunMetadata()
    options = tf.compat.v1.RunOptions(trace_level=tf.compat.v1.RunOptions.FULL_TRACE)
    session.run(result, feeds, options=options, run_metadata=record)
    seconds, calls = Counter(), Counter()
    for device in record.step_stats.dev_stats:
        for node in device.node_stats:
            kind = kind_of(node.timeline_label, node.node_name)
            seconds[kind] += (node.op_end_rel_micros - node.op_start_rel_micros) / 1000
            calls[kind] += 1
    return {kind: (seconds[kind], calls[kind]) for kind in seconds}


def kind_of(label: str, name: str) -> str:
    """A label of the record is "name = Kind(inputs)", perhaps with a size of memory before it."""
    return label.split(" = ")[-1].split("(")[0] if " = " in label else name


if __name__ == "__main__":
    flags.run(main, Arguments)
