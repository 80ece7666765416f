"""Masked rows a second out of text files on one core, beside KerasHub; and the memory it takes.

    python -m benchmarks.input_pipeline --vocabulary=vocab.txt --pattern='corpus/*.txt'
    python -m benchmarks.input_pipeline --vocabulary=vocab.txt --pattern='corpus/*.txt' --memory

Ours is the whole way: files, sentences, word pieces, next-sentence pairs, shuffling, whole-word
masking. KerasHub's `BertMaskedLMPreprocessor` gets its rows ready, one a line of about 126 tokens
made from the same text, and does word pieces, packing and masking. They run in turns; a figure is
the median of its rounds. With `--memory` the text is repeated under other file names to 60 and
600 MB, and each size is read by a process of its own.
"""

from __future__ import annotations

import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import metadata

import psutil
import tensorflow as tf
from absl import app, flags

import keras_bert as kb

PATTERN = flags.DEFINE_string("pattern", None, "Text files, one document each.", required=True)
VOCABULARY = flags.DEFINE_string("vocabulary", None, "An uncased vocab.txt.", required=True)
BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "Rows in a batch.")
NUM_WARM_UP = flags.DEFINE_integer("num_warm_up", 100, "Batches that are not timed in a round.")
NUM_BATCHES = flags.DEFINE_integer("num_batches", 400, "Batches that are timed in a round.")
NUM_ROUNDS = flags.DEFINE_integer("num_rounds", 5, "Rounds.")
UNIT = flags.DEFINE_string("unit", "word", "What our masker hides: token, word or span.")
MEMORY = flags.DEFINE_bool("memory", False, "Measure memory instead of speed.")
MEGABYTES = flags.DEFINE_list("megabytes", ["60", "600"], "Sizes of text for --memory.")
MEMORY_BATCHES = flags.DEFINE_integer("memory_batches", 3_000, "Batches to read for --memory.")
REPORT_MEMORY = flags.DEFINE_bool("report_memory", False, "What --memory runs for each size.")

SEQUENCE_LENGTH = 128
MAX_PREDICTIONS = 20


def use_one_core() -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def one_thread(dataset: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.threading.max_intra_op_parallelism = 1
    return dataset.with_options(options)


def our_dataset(corpus: kb.TextCorpus | kb.TokenCorpus, tokenizer: kb.Tokenizer) -> tf.data.Dataset:
    rows = kb.PretrainingRows(kb.Packer(tokenizer, SEQUENCE_LENGTH))
    masker = kb.Masker(tokenizer, UNIT.value, max_predictions=MAX_PREDICTIONS)
    return kb.pretraining_dataset(corpus, rows, masker, BATCH_SIZE.value)


def keras_hub_dataset(path: pathlib.Path, vocabulary: Sequence[str]) -> tf.data.Dataset:
    import keras_hub

    preprocessor = keras_hub.models.BertMaskedLMPreprocessor(
        keras_hub.tokenizers.BertTokenizer(vocabulary=list(vocabulary), lowercase=True),
        sequence_length=SEQUENCE_LENGTH,
        mask_selection_length=MAX_PREDICTIONS,
    )
    lines = tf.data.TextLineDataset(str(path)).repeat()
    return lines.batch(BATCH_SIZE.value, drop_remainder=True).map(preprocessor).prefetch(2)


def write_rows(corpus: kb.TextCorpus, tokenizer: kb.Tokenizer, path: pathlib.Path) -> None:
    """The corpus with as many words a line as fit into a row."""
    with open(path, "w", encoding="utf-8") as file:
        for sentences in corpus.lines():
            words = b" ".join(sentences.numpy()).split()
            row, room = [], SEQUENCE_LENGTH - 2
            lengths = tokenizer.tokenize(words).row_lengths().numpy()
            for word, length in zip(words, lengths, strict=True):
                if length > room:
                    file.write(b" ".join(row).decode("utf-8") + "\n")
                    row, room = [], SEQUENCE_LENGTH - 2
                row.append(word)
                room -= length


def rows_a_second(dataset: tf.data.Dataset) -> float:
    """Of one round, read by an iterator of its own, so that none works ahead in another's round."""
    batches = iter(one_thread(dataset))
    for _ in range(NUM_WARM_UP.value):
        next(batches)
    start = time.perf_counter()
    for _ in range(NUM_BATCHES.value):
        next(batches)
    return NUM_BATCHES.value * BATCH_SIZE.value / (time.perf_counter() - start)


def print_figure(name: str, value: float, unit: str, **details: object) -> None:
    figure = {"benchmark": "input_pipeline", "name": name, "value": round(value, 2), "unit": unit}
    versions = {name: metadata.version(name) for name in ("tensorflow", "keras-hub")}
    print(json.dumps({**figure, **details, **versions, "machine": platform.processor()}))


def measure_speed() -> None:
    use_one_core()
    tokenizer = kb.Tokenizer(kb.read_vocabulary(VOCABULARY.value))
    corpus = kb.TextCorpus(PATTERN.value)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "rows.txt"
        write_rows(corpus, tokenizer, path)
        kb.write_token_corpus(corpus, tokenizer, pathlib.Path(folder) / "tokens")
        tokens = kb.TokenCorpus(pathlib.Path(folder) / "tokens")
        candidates = {
            "ours, from text files": our_dataset(corpus, tokenizer),
            "ours, from a token corpus": our_dataset(tokens, tokenizer),
            "keras_hub, from rows": keras_hub_dataset(path, tokenizer.vocabulary),
        }
        figures: dict[str, list[float]] = {name: [] for name in candidates}
        for _ in range(NUM_ROUNDS.value):
            for name, dataset in candidates.items():
                figures[name].append(rows_a_second(dataset))
    medians = {name: statistics.median(values) for name, values in figures.items()}
    for name, median in medians.items():
        print_figure(name, median, "rows/s", rounds=[round(value) for value in figures[name]])
    ratio = medians["ours, from text files"] / medians["keras_hub, from rows"]
    print_figure("ours, from text files / keras_hub, from rows", ratio, "times")


def resident_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


def report_memory() -> None:
    tokenizer = kb.Tokenizer(kb.read_vocabulary(VOCABULARY.value))
    corpus = kb.TextCorpus(PATTERN.value)
    before, most = resident_mb(), 0.0
    for step, _ in enumerate(our_dataset(corpus, tokenizer).take(MEMORY_BATCHES.value)):
        if step % 50 == 0:
            most = max(most, resident_mb())
    last = resident_mb()
    print(json.dumps({"bytes": corpus.num_bytes, "before": before, "most": most, "last": last}))


def measure_memory() -> None:
    sources = [pathlib.Path(path) for path in kb.TextCorpus(PATTERN.value).files]
    for megabytes in map(int, MEGABYTES.value):
        with tempfile.TemporaryDirectory() as folder:
            size = copy = 0
            while size < megabytes * 1e6:
                for source in sources:
                    text = source.read_bytes()
                    (pathlib.Path(folder) / f"{copy:04}-{source.name}").write_bytes(text)
                    size += len(text)
                copy += 1
            command = [sys.executable, "-m", "benchmarks.input_pipeline", "--report_memory"]
            command += [f"--pattern={folder}/*", f"--vocabulary={VOCABULARY.value}"]
            command += [f"--memory_batches={MEMORY_BATCHES.value}"]
            process = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        report = json.loads(process.stdout.strip().splitlines()[-1])
        details = {"before_mb": round(report["before"]), "last_mb": round(report["last"])}
        details["num_batches"] = MEMORY_BATCHES.value
        print_figure(
            f"resident at most, {report['bytes'] / 1e6:.0f} MB", report["most"], "MB", **details
        )


def main(_: Sequence[str]) -> None:
    if REPORT_MEMORY.value:
        report_memory()
    elif MEMORY.value:
        measure_memory()
    else:
        measure_speed()


if __name__ == "__main__":
    app.run(main)
