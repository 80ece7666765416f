"""Inference of an encoder, beside the ceiling of the same run.

    python -m benchmarks.encoder

Operations are those of `kb.num_inference_flops`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import keras_bert as kb
from benchmarks.ceiling import block_rate
from benchmarks.figures import in_processes, medians_in_turns, print_figure, seconds_of
from keras_bert import flags

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


@dataclasses.dataclass(frozen=True)
class Arguments:
    preset: str = flags.flag("base", "size of the model")
    shapes: tuple[str, ...] = flags.flag(("8x128", "32x128"), "rows x tokens")
    dtypes: tuple[str, ...] = flags.flag(("float32", "bfloat16"), "of the computation")
    num_rounds: int = flags.flag(5, "rounds, besides one to warm up")


def main(arguments: Arguments) -> None:
    config = kb.BertConfig.preset(arguments.preset)
    for shape in arguments.shapes:
        rows, length = map(int, shape.split("x"))
        for dtype in arguments.dtypes:
            makers = {
                "ceiling": (block_rate, rows * length, dtype, arguments.preset),
                "encoder": (encoder_seconds, arguments.preset, rows, length, dtype),
            }
            with in_processes(makers) as candidates:
                medians = medians_in_turns(candidates, arguments.num_rounds)
            rate = rows * kb.num_inference_flops(config, length) / medians["encoder"] / 1e9
            print_figure(
                f"encoder/{arguments.preset}/{shape}/{dtype}",
                round(rate, 1),
                "GFLOP/s",
                milliseconds=round(1000 * medians["encoder"], 1),
                ceiling=round(medians["ceiling"], 1),
                ratio=round(rate / medians["ceiling"], 3),
            )


def encoder_inputs(rows: int, length: int) -> dict[str, np.ndarray]:
    """Random rows without padding."""
    ids = np.random.default_rng(0).integers(1000, 30_000, [rows, length]).astype("int32")
    return {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": 0 * ids + 1}


def encoder_call(preset: str, rows: int, length: int, dtype: str) -> Callable[[], np.ndarray]:
    """A function that runs a fresh encoder."""
    keras.utils.set_random_seed(0)
    encoder = kb.BertEncoder(kb.BertConfig.preset(preset), dtype=POLICIES[dtype])
    inputs = {name: tf.constant(value) for name, value in encoder_inputs(rows, length).items()}
    run = tf.function(lambda: encoder(inputs, training=False), autograph=False)
    return lambda: run()["sequence_output"].numpy()


def encoder_seconds(preset: str, rows: int, length: int, dtype: str) -> Callable[[], float]:
    call = encoder_call(preset, rows, length, dtype)
    return lambda: seconds_of(call)


if __name__ == "__main__":
    flags.run(main, Arguments)
