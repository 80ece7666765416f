"""Resident memory of a training step at most, with and without recomputation of activations.

    python -m benchmarks.training_memory

Each batch size is a process of its own, which takes two steps. Before them it holds the weights,
their gradients' place and the two slots of AdamW.
"""

from __future__ import annotations

import dataclasses
import resource
import sys
from collections.abc import Callable

import keras

import keras_bert as kb
from benchmarks.figures import in_processes, print_figure, seconds_of
from benchmarks.training_step import batch_of
from keras_bert import flags

# Rows in a batch, and whether activations are recomputed.
CASES = ((0, False), (4, False), (8, False), (8, True), (16, True), (32, True))


@dataclasses.dataclass(frozen=True)
class Arguments:
    preset: str = flags.flag("base", "size of the model")
    sequence_length: int = flags.flag(512, "length of a row")
    max_rows: int = flags.flag(32, "leave larger batches out")


def main(arguments: Arguments) -> None:
    for rows, recompute in CASES:
        if rows > arguments.max_rows:
            continue
        case = (arguments.preset, rows, arguments.sequence_length, recompute)
        with in_processes({"step": (most_resident, *case)}) as candidates:
            megabytes = candidates["step"]()
        kind = "recomputed" if recompute else "kept"
        print_figure(
            f"training_memory/{arguments.preset}/{rows}x{arguments.sequence_length}/{kind}",
            round(megabytes),
            "MB resident at most",
        )


def most_resident(preset: str, rows: int, length: int, recompute: bool) -> Callable[[], float]:
    """Megabytes that the process has taken at most; without rows, before the first step."""

    def run() -> float:
        keras.utils.set_random_seed(0)
        model = kb.BertPretrainer(kb.BertEncoder(kb.BertConfig.preset(preset)))
        model.encoder.recompute = recompute
        model.compile(kb.AdamW(1e-4), **model.objective())
        model.optimizer.build(model.trainable_variables)
        if rows:
            batch = batch_of(rows, length)
            seconds_of(lambda: model.train_on_batch(*batch))
            seconds_of(lambda: model.train_on_batch(*batch))
        # Kilobytes on Linux, bytes on macOS.
        unit = 1e6 if sys.platform == "darwin" else 1e3
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit

    return run


if __name__ == "__main__":
    flags.run(main, Arguments)
