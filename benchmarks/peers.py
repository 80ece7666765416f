"""Encoder and training step beside what one would use instead, in turns, one process each.

    pip install '.[peers]'
    python -m benchmarks.peers

transformers (eager, and compiled by PyTorch), KerasHub and ONNX Runtime get the same random rows
without padding, all cores, and do the same work: the hidden states and the pooled output of an
encoder, or a training step with 20 predictions a row, next sentence (KerasHub's task has none),
clipping to norm 1 and AdamW. `ratio` is our time divided by the peer's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Callable

from benchmarks.encoder import encoder_inputs, encoder_seconds
from benchmarks.figures import in_processes, medians_in_turns, print_figure, seconds_of
from benchmarks.training_step import SHAPES, batch_of, read_shape, step_seconds
from keras_bert import BertConfig, flags

INFERENCE_SHAPES = ("1x32", "1x128", "8x128", "32x128", "4x512")
OURS = "keras_bert"


@dataclasses.dataclass(frozen=True)
class Arguments:
    preset: str = flags.flag("base", "size of the encoder")
    inference_shapes: tuple[str, ...] = flags.flag(INFERENCE_SHAPES, "rows x tokens")
    training_shapes: tuple[str, ...] = flags.flag(SHAPES, "size of the model:rows x tokens")
    dtypes: tuple[str, ...] = flags.flag(("float32", "bfloat16"), "of the computation")
    peers: tuple[str, ...] = flags.flag((), "peers to run; all if none is named")
    num_rounds: int = flags.flag(5, "rounds, besides one to warm up")


def main(arguments: Arguments) -> None:
    for dtype in arguments.dtypes:
        for shape in arguments.inference_shapes:
            rows, length = map(int, shape.split("x"))
            case = (arguments.preset, rows, length, dtype)
            compare(f"inference/{arguments.preset}/{shape}/{dtype}", ENCODERS, case, arguments)
        for shape in arguments.training_shapes:
            case = (*read_shape(shape), dtype)
            compare(f"training_step/{shape.replace(':', '/')}/{dtype}", STEPS, case, arguments)


def compare(name: str, makers: dict[str, Callable], case: tuple, arguments: Arguments) -> None:
    """Prints the time of ours and of every peer that has the dtype."""
    chosen = {
        peer: (make, *case)
        for peer, make in makers.items()
        if peer == OURS or not arguments.peers or peer in arguments.peers
        if not (peer == "onnxruntime" and case[-1] != "float32")
    }
    with in_processes(chosen) as candidates:
        medians = medians_in_turns(candidates, arguments.num_rounds)
    for peer, seconds in medians.items():
        ratio = round(medians[OURS] / seconds, 3)
        print_figure(f"peers/{name}/{peer}", round(1000 * seconds, 1), "ms", ratio=ratio)


def torch_config(preset: str):
    import torch
    import transformers

    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count())
    config = BertConfig.preset(preset)
    return transformers.BertConfig(
        vocab_size=config.vocabulary_size,
        hidden_size=config.hidden_dim,
        num_hidden_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        intermediate_size=config.intermediate_dim,
    )


def torch_inputs(x: dict) -> dict:
    """Our inputs of an encoder by the names that transformers has for them."""
    import torch

    names = {
        "input_ids": "token_ids",
        "token_type_ids": "segment_ids",
        "attention_mask": "padding_mask",
    }
    return {theirs: torch.tensor(x[ours]).long() for theirs, ours in names.items()}


def transformers_encoder(preset: str, rows: int, length: int, dtype: str, compiled: bool = False):
    import torch
    import transformers

    model = transformers.BertModel(torch_config(preset)).eval().to(getattr(torch, dtype))
    run = torch.compile(model) if compiled else model
    inputs = torch_inputs(encoder_inputs(rows, length))

    def call():
        with torch.inference_mode():
            return run(**inputs).last_hidden_state

    return lambda: seconds_of(call)


def compiled_transformers_encoder(preset: str, rows: int, length: int, dtype: str):
    return transformers_encoder(preset, rows, length, dtype, compiled=True)


def keras_hub_encoder(preset: str, rows: int, length: int, dtype: str):
    import tensorflow as tf

    model = keras_hub_backbone(preset, dtype)
    inputs = {name: tf.constant(x) for name, x in encoder_inputs(rows, length).items()}
    run = tf.function(lambda: model(inputs, training=False), autograph=False)
    return lambda: seconds_of(lambda: run()["sequence_output"].numpy())


def keras_hub_backbone(preset: str, dtype: str):
    import keras_hub

    config = BertConfig.preset(preset)
    return keras_hub.models.BertBackbone(
        vocabulary_size=config.vocabulary_size,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        hidden_dim=config.hidden_dim,
        intermediate_dim=config.intermediate_dim,
        max_sequence_length=config.max_sequence_length,
        dtype="mixed_bfloat16" if dtype == "bfloat16" else dtype,
    )


def onnxruntime_encoder(preset: str, rows: int, length: int, dtype: str):
    import onnxruntime
    import torch
    import transformers

    model = transformers.BertModel(torch_config(preset)).eval()
    inputs = torch_inputs(encoder_inputs(rows, length))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count()
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
        path = os.path.join(folder, "bert.onnx")
        with contextlib.redirect_stdout(nowhere):  # the exporter prints its progress
            torch.onnx.export(model, (), path, kwargs=inputs, dynamo=True)
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    feed = {name: value.numpy() for name, value in inputs.items()}
    return lambda: seconds_of(lambda: session.run(None, feed))


def transformers_step(preset: str, rows: int, length: int, dtype: str, compiled: bool = False):
    """On a GPU if there is one; mixed precision keeps float32 weights, as ours does."""
    import torch
    import transformers

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_float32_matmul_precision("high")
    model = transformers.BertForPreTraining(torch_config(preset)).train().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01, fused=True)
    run = torch.compile(model) if compiled else model
    x, y, _ = batch_of(rows, length)
    labels = torch.full([rows, length], -100)  # where nothing is to be predicted
    positions = torch.tensor(x["mask_positions"]).long()
    labels.scatter_(1, positions, torch.tensor(y["masked_lm"]).long())
    next_sentence = torch.tensor(y["next_sentence"]).long()
    inputs = {**torch_inputs(x), "labels": labels, "next_sentence_label": next_sentence}
    inputs = {name: value.to(device) for name, value in inputs.items()}

    def step() -> float:
        optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16"):
            loss = run(**inputs).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return lambda: seconds_of(step)


def compiled_transformers_step(preset: str, rows: int, length: int, dtype: str):
    return transformers_step(preset, rows, length, dtype, compiled=True)


def keras_hub_step(preset: str, rows: int, length: int, dtype: str, jit_compile: bool = False):
    import keras
    import keras_hub
    import tensorflow as tf

    model = keras_hub.models.BertMaskedLM(keras_hub_backbone(preset, dtype), preprocessor=None)
    optimizer = keras.optimizers.AdamW(1e-4, weight_decay=0.01, global_clipnorm=1.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    accuracy = keras.metrics.SparseCategoricalAccuracy()
    model.compile(optimizer, loss, weighted_metrics=[accuracy], jit_compile=jit_compile)
    x, y, weights = batch_of(rows, length)
    batch = (x, y["masked_lm"], weights["masked_lm"])
    batch = tf.nest.map_structure(tf.constant, batch)
    return lambda: seconds_of(lambda: model.train_on_batch(*batch))


def compiled_keras_hub_step(preset: str, rows: int, length: int, dtype: str):
    return keras_hub_step(preset, rows, length, dtype, jit_compile=True)


ENCODERS = {
    OURS: encoder_seconds,
    "transformers": transformers_encoder,
    "transformers_compiled": compiled_transformers_encoder,
    "keras_hub": keras_hub_encoder,
    "onnxruntime": onnxruntime_encoder,
}
STEPS = {
    OURS: step_seconds,
    "transformers": transformers_step,
    "keras_hub": keras_hub_step,
    "keras_hub_compiled": compiled_keras_hub_step,
}

if __name__ == "__main__":
    flags.run(main, Arguments)
