"""What the machine can do: the matrix products of BERT-base, and copying memory.

    python -m benchmarks.ceiling

A product of [M, K] with [K, N] is 2 M K N operations. The ceiling of a model is the rate of its
block's products of M tokens, one after the other: 4 of D x D, one of D x F and one of F x D.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tensorflow as tf

import keras_bert as kb
from benchmarks.figures import medians_in_turns, print_figure, seconds_of
from keras_bert import flags

DTYPES = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class Arguments:
    preset: str = flags.flag("base", "size of the model whose shapes are multiplied")
    num_tokens: int = flags.flag(1024, "rows M of the left matrix")
    num_rounds: int = flags.flag(7, "rounds, besides one to warm up")


def main(arguments: Arguments) -> None:
    config = kb.BertConfig.preset(arguments.preset)
    kernels = {f"{k}x{n}": [(k, n)] for k, n in sorted(set(block_kernels(config)))}
    kernels["block"] = block_kernels(config)
    candidates = {
        f"{dtype}/{name}": rate_of_products(arguments.num_tokens, of, dtype)
        for dtype in DTYPES
        for name, of in kernels.items()
    }
    candidates["memory_copy"] = rate_of_copying()
    for name, rate in medians_in_turns(candidates, arguments.num_rounds).items():
        unit = "GB/s, read and written" if name == "memory_copy" else "GFLOP/s"
        print_figure(f"ceiling/{name}", round(rate, 1), unit, num_tokens=arguments.num_tokens)


def block_kernels(config: kb.BertConfig) -> list[tuple[int, int]]:
    """The shapes [K, N] of the matrices of a block."""
    hidden, intermediate = config.hidden_dim, config.intermediate_dim
    return [(hidden, hidden)] * 4 + [(hidden, intermediate), (intermediate, hidden)]


def rate_of_products(
    num_tokens: int, kernels: list[tuple[int, int]], dtype: str
) -> Callable[[], float]:
    """GFLOP/s of [M, K] x [K, N] for every kernel, one after the other."""
    pairs = [
        tuple(tf.cast(tf.random.normal(shape), dtype) for shape in ((num_tokens, k), (k, n)))
        for k, n in kernels
    ]

    @tf.function
    def products():
        # In order, as in a model: a product has the whole machine.
        results: list[tf.Tensor] = []
        for left, right in pairs:
            with tf.control_dependencies(results[-1:]):
                results.append(tf.matmul(left, right))
        return results

    operations = sum(2 * num_tokens * k * n for k, n in kernels)
    return lambda: operations / seconds_of(lambda: products()[-1].numpy()[0, 0]) / 1e9


def rate_of_copying(megabytes: int = 256) -> Callable[[], float]:
    """GB/s, read and written, of a pass over more than fits into caches."""
    values = tf.zeros([megabytes * 2**18])
    copy = tf.function(lambda x: x + 1.0)
    return lambda: 2 * megabytes * 2**20 / seconds_of(lambda: copy(values)) / 1e9


def block_rate(num_tokens: int, dtype: str, preset: str = "base") -> Callable[[], float]:
    """The ceiling of a model: GFLOP/s of its block's products."""
    kernels = block_kernels(kb.BertConfig.preset(preset))
    return rate_of_products(num_tokens, kernels, dtype)


if __name__ == "__main__":
    flags.run(main, Arguments)
