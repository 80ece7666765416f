"""A training step of pretraining under JAX, beside transformers on the same accelerator.

    pip install '.[peers]' 'jax[cuda13]'
    KERAS_BACKEND=jax python -m benchmarks.jax_training_step

Our layers run under JAX as they are; what trains them there is this program: one compiled step of
forward, backward, clipping to norm 1 and AdamW, with dropout, 20 predictions a row and next
sentence. transformers takes the same step in PyTorch, eager and compiled, with fused AdamW. Both
hold float32 weights and compute in bfloat16. `utilisation` is the share of the ceiling, a product
of two square matrices in the same run, that `kb.num_training_flops` a second come to.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

import keras

import keras_bert as kb
from benchmarks.encoder import POLICIES
from benchmarks.figures import in_processes, medians_in_turns, print_figure, seconds_of
from benchmarks.peers import compiled_transformers_step, transformers_step
from benchmarks.training_step import NUM_PREDICTIONS, batch_of, read_shape
from keras_bert import flags

OURS = "keras_bert"


@dataclasses.dataclass(frozen=True)
class Arguments:
    shapes: tuple[str, ...] = flags.flag(
        ("base:256x128", "large:128x128", "base:32x512"), "size of the model:rows x tokens"
    )
    peers: tuple[str, ...] = flags.flag((), "peers to run; all if none is named")
    ceiling_dim: int = flags.flag(8192, "width of the matrices whose product is the ceiling")
    num_rounds: int = flags.flag(3, "rounds, besides one to warm up")


def main(arguments: Arguments) -> None:
    if keras.backend.backend() != "jax":
        raise ValueError("This runs under JAX only: set KERAS_BACKEND=jax.")
    # Processes share the device's memory: none may take it all when it starts.
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    for case in arguments.shapes:
        preset, rows, length = read_shape(case)
        makers: dict[str, tuple] = {"ceiling": (square_rate, arguments.ceiling_dim)}
        makers |= {
            name: (make, preset, rows, length, "bfloat16")
            for name, make in STEPS.items()
            if name == OURS or not arguments.peers or name in arguments.peers
        }
        with in_processes(makers) as candidates:
            medians = medians_in_turns(candidates, arguments.num_rounds)
        ceiling = medians.pop("ceiling")
        config = kb.BertConfig.preset(preset)
        operations = rows * kb.num_training_flops(config, length, NUM_PREDICTIONS)
        for name, seconds in medians.items():
            rate = operations / seconds / 1e12
            print_figure(
                f"jax_training_step/{preset}/{rows}x{length}/{name}",
                round(rows * length / seconds),
                "tokens/s",
                milliseconds=round(1000 * seconds, 2),
                teraflops=round(rate, 1),
                ceiling=round(ceiling, 1),
                utilisation=round(rate / ceiling, 3),
                ratio=round(medians[OURS] / seconds, 3),
                device=device_name(),
            )


def square_rate(dim: int) -> Callable[[], float]:
    """TFLOP/s of a product of two square matrices in bfloat16."""
    import jax

    left, right = (jax.random.normal(jax.random.key(i), [dim, dim], "bfloat16") for i in (0, 1))
    product = jax.jit(lambda: left @ right)
    return lambda: 2 * dim**3 / seconds_of(lambda: product().block_until_ready()) / 1e12


def keras_bert_step(preset: str, rows: int, length: int, dtype: str) -> Callable[[], float]:
    import jax

    keras.utils.set_random_seed(0)
    config, policy = kb.BertConfig.preset(preset), POLICIES[dtype]
    model = kb.BertPretrainer(kb.BertEncoder(config, dtype=policy), dtype=policy)
    optimizer = keras.optimizers.AdamW(1e-4, weight_decay=0.01, global_clipnorm=1.0)
    optimizer.build(model.trainable_variables)
    inputs, labels, _ = jax.device_put(batch_of(rows, length))

    def loss_of(trainable, rest):
        logits, rest = model.stateless_call(trainable, rest, inputs, training=True)
        losses = (
            jax.numpy.mean(keras.losses.sparse_categorical_crossentropy(labels[name], x, True))
            for name, x in logits.items()
        )
        return sum(losses), rest

    def step(trainable, rest, slots):
        gradient = jax.value_and_grad(loss_of, has_aux=True)
        (loss, rest), gradients = gradient(trainable, rest)
        trainable, slots = optimizer.stateless_apply(slots, gradients, trainable)
        return loss, (trainable, rest, slots)

    compiled = jax.jit(step, donate_argnums=(0, 1, 2))
    state = [
        [jax.numpy.array(variable.value) for variable in variables]
        for variables in (
            model.trainable_variables,
            model.non_trainable_variables,
            optimizer.variables,
        )
    ]

    def call() -> float:
        loss, state[:] = compiled(*state)
        return float(loss)

    return lambda: seconds_of(call)


def device_name() -> str:
    import jax

    return jax.devices()[0].device_kind


STEPS = {
    OURS: keras_bert_step,
    "transformers": transformers_step,
    "transformers_compiled": compiled_transformers_step,
}

if __name__ == "__main__":
    flags.run(main, Arguments)
