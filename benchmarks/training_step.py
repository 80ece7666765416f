"""A training step of pretraining, beside the ceiling of the same run.

    python -m benchmarks.training_step

Forward, backward, clipping and AdamW with 20 predictions a row and next sentence. Operations are
those of `kb.num_training_flops`: 3 times those of the forward products.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import keras_bert as kb
from benchmarks.ceiling import block_rate
from benchmarks.encoder import POLICIES, encoder_inputs
from benchmarks.figures import in_processes, medians_in_turns, print_figure, seconds_of
from keras_bert import flags

NUM_PREDICTIONS = 20
SHAPES = ("small:16x128", "base:8x128")


@dataclasses.dataclass(frozen=True)
class Arguments:
    shapes: tuple[str, ...] = flags.flag(SHAPES, "size of the model:rows x tokens")
    dtypes: tuple[str, ...] = flags.flag(("float32", "bfloat16"), "of the computation")
    num_rounds: int = flags.flag(5, "rounds, besides one to warm up")


def main(arguments: Arguments) -> None:
    for case in arguments.shapes:
        preset, rows, length = read_shape(case)
        for dtype in arguments.dtypes:
            makers = {
                "ceiling": (block_rate, rows * length, dtype, preset),
                "step": (step_seconds, preset, rows, length, dtype),
            }
            with in_processes(makers) as candidates:
                medians = medians_in_turns(candidates, arguments.num_rounds)
            config = kb.BertConfig.preset(preset)
            operations = rows * kb.num_training_flops(config, length, NUM_PREDICTIONS)
            rate = operations / medians["step"] / 1e9
            print_figure(
                f"training_step/{preset}/{rows}x{length}/{dtype}",
                round(1000 * medians["step"], 1),
                "ms",
                tokens_a_second=round(rows * length / medians["step"]),
                gflops=round(rate, 1),
                ceiling=round(medians["ceiling"], 1),
                ratio=round(rate / medians["ceiling"], 3),
            )


def read_shape(case: str) -> tuple[str, int, int]:
    """`base:8x128` to ("base", 8, 128)."""
    preset, shape = case.split(":")
    rows, length = map(int, shape.split("x"))
    return preset, rows, length


def batch_of(rows: int, length: int) -> tuple[dict, dict, dict]:
    """(x, y, sample_weight) of random rows without padding."""
    generator = np.random.default_rng(1)
    x, shape = encoder_inputs(rows, length), [rows, NUM_PREDICTIONS]
    x["mask_positions"] = np.sort(generator.integers(1, length - 1, shape)).astype("int32")
    y = {
        "masked_lm": generator.integers(1000, 30_000, shape).astype("int32"),
        "next_sentence": generator.integers(0, 2, rows).astype("int32"),
    }
    weights = {"masked_lm": np.ones(shape, "float32"), "next_sentence": np.ones(rows, "float32")}
    return x, y, weights


def step_seconds(preset: str, rows: int, length: int, dtype: str) -> Callable[[], float]:
    keras.utils.set_random_seed(0)
    config, policy = kb.BertConfig.preset(preset), POLICIES[dtype]
    model = kb.BertPretrainer(kb.BertEncoder(config, dtype=policy), dtype=policy)
    model.compile(kb.AdamW(1e-4), **model.objective())
    batch = tf.nest.map_structure(tf.constant, batch_of(rows, length))
    return lambda: seconds_of(lambda: model.train_on_batch(*batch))


if __name__ == "__main__":
    flags.run(main, Arguments)
