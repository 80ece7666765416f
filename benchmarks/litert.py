"""The int8 and float32 of LiteRT beside ONNX Runtime's, in turns, one process each.

    pip install '.[peers,lite]'
    python -m benchmarks.litert

An encoder with random weights and the mean of its states, exported by `kb.export`; of ONNX Runtime
transformers' encoder of the same size, int8 by `quantize_dynamic`. Rows have no padding. `ratio` is
LiteRT's time divided by ONNX Runtime's in the same precision. On a machine with other work
--clock=cpu counts what the processor did, of one thread. `cosine` is that of int8's vectors to
those of the float32 model.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np

from benchmarks.figures import in_processes, medians_in_turns, print_figure
from keras_bert import flags

Precision = Literal["int8", "float32"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


@dataclasses.dataclass(frozen=True)
class Arguments:
    preset: str = flags.flag("base", "size of the encoder")
    shapes: tuple[str, ...] = flags.flag(("1x32", "1x128", "8x128"), "rows x tokens")
    num_threads: int = flags.flag(os.cpu_count() or 1, "that compute")
    num_rounds: int = flags.flag(5, "rounds, besides one to warm up")
    clock: Literal["wall", "cpu"] = flags.flag("wall", "what is measured")


def main(arguments: Arguments) -> None:
    with tempfile.TemporaryDirectory() as folder:
        writers = {
            name: (write, arguments.preset, folder)
            for name, write in (("litert", write_lite), ("onnxruntime", write_onnx))
        }
        with in_processes(writers) as written:
            cosine = {name: write() for name, write in written.items()}["litert"]
        for shape in arguments.shapes:
            compare(shape, folder, cosine, arguments)


def compare(shape: str, folder: str, cosine: float, arguments: Arguments) -> None:
    """Prints the time of both, in both precisions."""
    case = (*map(int, shape.split("x")), arguments.num_threads, arguments.clock)
    makers = {
        f"{precision}/{name}": (make, os.path.join(folder, f"{name}_{precision}"), *case)
        for precision in PRECISIONS
        for name, make in (("litert", lite_seconds), ("onnxruntime", onnx_seconds))
    }
    with in_processes(makers) as candidates:
        medians = medians_in_turns(candidates, arguments.num_rounds)
    for which, seconds in medians.items():
        precision, name = which.split("/")
        details: dict[str, Any] = {"threads": arguments.num_threads, "clock": arguments.clock}
        if name == "litert":
            details["ratio"] = round(seconds / medians[f"{precision}/onnxruntime"], 3)
        if which == "int8/litert":
            details["cosine"] = round(cosine, 5)
        figure = f"litert/{arguments.preset}/{shape}/{which}"
        print_figure(figure, round(1000 * seconds, 1), "ms", **details)


def write_lite(preset: str, folder: str) -> Callable[[], float]:
    """Exports in both precisions; what it makes gives the least cosine between the two."""
    import keras

    import keras_bert as kb
    from keras_bert.exporting import warmup
    from keras_bert.lite import Lite

    warmup.BATCH_SIZES = (1,)
    keras.utils.set_random_seed(0)
    config = kb.BertConfig.preset(preset)
    words = (f"word{i}" for i in range(config.vocabulary_size - len(PIECES)))
    packer = kb.Packer(kb.Tokenizer((*PIECES, *words)), 128)
    task = kb.SentenceEmbedder(kb.BertEncoder(config), packer)
    for precision in PRECISIONS:
        path = os.path.join(folder, f"litert_{precision}")
        kb.export(task, path, precision, format="litert")
    texts = [" ".join(f"word{97 * i * j}" for j in range(1, 9 * i)) for i in range(1, 9)]
    vectors = [Lite(os.path.join(folder, f"litert_{p}")).embed(texts) for p in PRECISIONS]
    cosine = float((vectors[0] * vectors[1]).sum(axis=1).min())
    return lambda: cosine


def write_onnx(preset: str, folder: str) -> Callable[[], float]:
    """Exports transformers' encoder, and quantizes that."""
    import transformers

    from benchmarks.peers import torch_config

    model = transformers.BertModel(torch_config(preset)).eval()
    write_onnx_of(model, folder, "onnxruntime")
    return lambda: 0.0


def write_onnx_of(model, folder: str, name: str) -> None:
    """Writes a model of transformers as `<name>_float32` and `<name>_int8`, of any shape."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    from benchmarks.encoder import encoder_inputs
    from benchmarks.peers import torch_inputs

    paths = {p: pathlib.Path(folder, f"{name}_{p}") for p in PRECISIONS}
    inputs = torch_inputs(encoder_inputs(2, 16))
    axes = {name: {0: "rows", 1: "tokens"} for name in inputs}
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        torch.onnx.export(
            *(model, (), str(paths["float32"])), kwargs=inputs, dynamic_shapes=axes, dynamo=True
        )
    quantize_dynamic(paths["float32"], paths["int8"], weight_type=QuantType.QInt8)


def lite_seconds(path: str, rows: int, length: int, num_threads: int, clock: str) -> Callable:
    from keras_bert.lite import Lite
    from keras_bert.lite.rows import Row

    model = Lite(path, num_threads).model
    row = Row(np.random.default_rng(0).integers(1000, 30_000, length).tolist(), [0] * length)
    return lambda: seconds_by(clock, lambda: [model(row) for _ in range(rows)])


def onnx_seconds(path: str, rows: int, length: int, num_threads: int, clock: str) -> Callable:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    ids = np.random.default_rng(0).integers(1000, 30_000, [rows, length])
    values = {"input_ids": ids, "token_type_ids": 0 * ids, "attention_mask": 0 * ids + 1}
    return lambda: seconds_by(clock, lambda: session.run(None, values))


def seconds_by(clock: str, call: Callable[[], object], at_least: float = 0.5) -> float:
    """The median time of a call by a clock, over as many calls as fill `at_least` seconds."""
    times: list[float] = []
    now = CLOCKS[clock]
    while sum(times) < at_least:
        start = now()
        call()
        times.append(now() - start)
    return statistics.median(times)


if __name__ == "__main__":
    flags.run(main, Arguments)
