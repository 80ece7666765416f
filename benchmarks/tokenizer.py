"""How many lines a second the tokenizer cuts on one core, beside Hugging Face's `tokenizers`.

    python -m benchmarks.tokenizer --vocabulary=vocab.txt --pattern='corpus/*.txt'

Word pieces come first, then byte-level ones. All tokenizers take the same lines in batches, in
turns; a figure is the median of its rounds.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence

from benchmarks.figures import medians_in_turns, print_figure, use_one_core

use_one_core()

import tensorflow as tf
import tensorflow_text as tf_text
import tokenizers

import keras_bert as kb
from keras_bert import flags
from keras_bert.checkpoints.byte_pair_files import merges_of, write_tables

Batches = Sequence[Sequence[bytes]]


@dataclasses.dataclass(frozen=True)
class Arguments:
    pattern: str = flags.required("text files to read lines from")
    vocabulary: str = flags.required("an uncased vocabulary file")
    batch_size: int = flags.flag(256, "lines in a batch")
    num_lines: int = flags.flag(25_600, "lines to cut in a round")
    num_rounds: int = flags.flag(7, "rounds, besides one to warm up")
    byte_pairs: str | None = flags.flag(
        None, "folder with vocab.json and merges.txt of byte-level pieces; else they are learned"
    )
    byte_pairs_size: int = flags.flag(30_000, "how many byte-level pieces to learn")


def main(arguments: Arguments) -> None:
    batches = read_batches(arguments)
    tokenizer = byte_pairs(arguments)
    for prefix, functions in (
        ("", candidates(batches, arguments.vocabulary)),
        ("byte_pairs_", byte_pair_candidates(batches, tokenizer)),
    ):
        seconds = medians_in_turns(functions, arguments.num_rounds)
        num_lines = sum(map(len, batches))
        for name, value in seconds.items():
            print_figure(
                f"tokenizer/{prefix}{name}",
                round(num_lines / value),
                "lines/s on one core",
                ratio=round(seconds["tokenizers"] / value, 2),
                batch_size=arguments.batch_size,
            )


def read_batches(arguments: Arguments) -> Batches:
    lines = [
        line
        for path in kb.TextCorpus(arguments.pattern).files
        for line in pathlib.Path(path).read_bytes().splitlines()
        if line.strip()
    ][: arguments.num_lines]
    size = arguments.batch_size
    if len(lines) < size:
        raise ValueError(
            f"There must be at least {size} lines of text, but {arguments.pattern} has "
            f"{len(lines)}: match more files."
        )
    return [lines[start : start + size] for start in range(0, len(lines) - size + 1, size)]


def candidates(batches: Batches, vocabulary_path: str) -> dict[str, Callable[[], float]]:
    """Functions that cut all batches and say how many seconds they took."""
    vocabulary = kb.read_vocabulary(vocabulary_path)
    ours = kb.Tokenizer(vocabulary)
    theirs = tokenizers.BertWordPieceTokenizer(vocabulary_path)
    fast = tf_text.FastBertTokenizer(list(vocabulary), lower_case_nfd_strip_accents=True)
    return {
        "tokenizers": encoding(theirs, batches),
        "keras_bert": over_dataset(ours.tokenize, batches),
        "keras_bert_with_offsets": over_dataset(ours.tokenize_with_offsets, batches),
        # Another tokenization: see the tests for what BERT does otherwise.
        "tensorflow_text_fast_bert": over_dataset(fast.tokenize, batches),
    }


def byte_pairs(arguments: Arguments) -> kb.BytePairTokenizer:
    """A byte-level tokenizer: that of a folder, or one that is learned from the same text."""
    if arguments.byte_pairs is None:
        lines = kb.TextCorpus(arguments.pattern).lines()
        return kb.learn_byte_pairs(lines, arguments.byte_pairs_size)
    folder = pathlib.Path(arguments.byte_pairs)
    ids = json.loads((folder / "vocab.json").read_bytes())
    merges, _ = merges_of((folder / "merges.txt").read_bytes(), "merges.txt")
    return kb.BytePairTokenizer(sorted(ids, key=ids.__getitem__), merges)


def byte_pair_candidates(
    batches: Batches, tokenizer: kb.BytePairTokenizer
) -> dict[str, Callable[[], float]]:
    """The same with byte-level pieces."""
    with tempfile.TemporaryDirectory() as folder:
        write_tables(pathlib.Path(folder), tokenizer)
        theirs = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")
    return {
        "tokenizers": encoding(theirs, batches),
        "keras_bert": over_dataset(tokenizer.tokenize, batches),
        "keras_bert_with_offsets": over_dataset(tokenizer.tokenize_with_offsets, batches),
    }


def encoding(theirs: tokenizers.Tokenizer, batches: Batches) -> Callable[[], float]:
    """Encodes texts, which are there as Python's."""
    texts = [[line.decode("utf-8", "ignore") for line in batch] for batch in batches]

    def encode() -> float:
        start = time.perf_counter()
        for batch in texts:
            theirs.encode_batch(batch, add_special_tokens=False)
        return time.perf_counter() - start

    return encode


def over_dataset(tokenize: Callable, batches: Batches) -> Callable[[], float]:
    """Reads a tf.data pipeline, as training does, to its end."""

    def parts(texts: tf.Tensor) -> list[tf.Tensor]:
        # Without the wrapping in which whole ragged tensors leave a pipeline.
        return tf.nest.flatten(tokenize(texts), expand_composites=True)

    dataset = tf.data.Dataset.from_tensor_slices(batches).map(parts)

    def run() -> float:
        start = time.perf_counter()
        for _ in dataset:
            pass
        return time.perf_counter() - start

    return run


if __name__ == "__main__":
    flags.run(main, Arguments)
