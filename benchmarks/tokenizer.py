"""How many lines a second the tokenizer cuts on one core, beside Hugging Face's `tokenizers`.

    python -m benchmarks.tokenizer --vocabulary=vocab.txt --pattern='corpus/*.txt'

All tokenizers take the same lines in batches, in turns; a figure is the median of its rounds.
"""

from __future__ import annotations

import json
import os
import pathlib
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from importlib import metadata

# What the libraries look at when they are imported to size their pools of threads.
os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import tensorflow as tf
import tensorflow_text as tf_text
import tokenizers
from absl import app, flags

import keras_bert as kb

PATTERN = flags.DEFINE_string("pattern", None, "Text files to read lines from.", required=True)
VOCABULARY = flags.DEFINE_string("vocabulary", None, "An uncased vocab.txt.", required=True)
BATCH_SIZE = flags.DEFINE_integer("batch_size", 256, "Lines in a batch.")
NUM_LINES = flags.DEFINE_integer("num_lines", 25_600, "How many lines to cut in a round.")
NUM_ROUNDS = flags.DEFINE_integer("num_rounds", 7, "Rounds, besides one to warm up.")

Batches = Sequence[Sequence[bytes]]


def read_batches() -> Batches:
    lines = [
        line
        for path in sorted(tf.io.gfile.glob(PATTERN.value))
        for line in pathlib.Path(path).read_bytes().splitlines()
        if line.strip()
    ][: NUM_LINES.value]
    if len(lines) < BATCH_SIZE.value:
        raise ValueError(
            f"--pattern must match at least {BATCH_SIZE.value} lines of text; "
            f"{PATTERN.value} has {len(lines)}. Match more files."
        )
    size = BATCH_SIZE.value
    return [lines[start : start + size] for start in range(0, len(lines) - size + 1, size)]


def over_dataset(tokenize: Callable, batches: Batches) -> Callable[[], None]:
    """Reads a tf.data pipeline, as training does, to its end."""

    def parts(texts: tf.Tensor) -> list[tf.Tensor]:
        # Without the wrapping in which whole ragged tensors leave a pipeline.
        return tf.nest.flatten(tokenize(texts), expand_composites=True)

    dataset = tf.data.Dataset.from_tensor_slices(batches).map(parts)

    def run() -> None:
        for _ in dataset:
            pass

    return run


def candidates(batches: Batches) -> dict[str, Callable[[], None]]:
    vocabulary = kb.read_vocabulary(VOCABULARY.value)
    ours = kb.Tokenizer(vocabulary)
    theirs = tokenizers.BertWordPieceTokenizer(VOCABULARY.value)
    fast = tf_text.FastBertTokenizer(list(vocabulary), lower_case_nfd_strip_accents=True)
    texts = [[line.decode("utf-8", "ignore") for line in batch] for batch in batches]

    def encode() -> None:
        for batch in texts:
            theirs.encode_batch(batch, add_special_tokens=False)

    return {
        "tokenizers": encode,
        "keras_bert": over_dataset(ours.tokenize, batches),
        "keras_bert_with_offsets": over_dataset(ours.tokenize_with_offsets, batches),
        # Another tokenization: see the tests for what BERT does otherwise.
        "tensorflow_text_fast_bert": over_dataset(fast.tokenize, batches),
    }


def measure(runs: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Median seconds of each run; they take turns, so that a noisy moment hits all."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(NUM_ROUNDS.value + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if round_:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def machine() -> str:
    try:
        info = pathlib.Path("/proc/cpuinfo").read_text()
        return next(row.split(":")[1].strip() for row in info.split("\n") if "model name" in row)
    except (OSError, StopIteration):
        return platform.processor()


def main(_: Sequence[str]) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    batches = read_batches()
    num_lines = sum(map(len, batches))
    seconds = measure(candidates(batches))
    packages = ("tensorflow", "tensorflow-text", "tokenizers")
    for name, value in seconds.items():
        figure = {
            "name": f"tokenizer/{name}",
            "value": round(num_lines / value),
            "unit": "lines/s on one core",
            "ratio": round(seconds["tokenizers"] / value, 2),
            "batch_size": BATCH_SIZE.value,
            "versions": {package: metadata.version(package) for package in packages},
            "machine": machine(),
        }
        print(json.dumps(figure))


if __name__ == "__main__":
    app.run(main)
