"""Masked rows a second out of text files on one core, beside KerasHub.

    python -m benchmarks.input_pipeline --vocabulary=vocab.txt --pattern='corpus/*.txt'

Ours is the whole way: files, sentences, word pieces, next-sentence pairs, shuffling, whole-word
masking. KerasHub's `BertMaskedLMPreprocessor` gets its rows ready, one a line of about 126 tokens
made from the same text, and does word pieces, packing and masking.
"""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Literal

from benchmarks.figures import medians_in_turns, print_figure, use_one_core

use_one_core()

import keras_hub
import tensorflow as tf

import keras_bert as kb
from keras_bert import flags

SEQUENCE_LENGTH = 128
MAX_PREDICTIONS = 20


@dataclasses.dataclass(frozen=True)
class Arguments:
    pattern: str = flags.required("text files, one document each")
    vocabulary: str = flags.required("an uncased vocabulary file")
    unit: Literal["word", "token", "span"] = flags.flag("word", "what our masker hides")
    batch_size: int = flags.flag(64, "rows in a batch")
    num_warm_up: int = flags.flag(100, "batches of a round that are not timed")
    num_batches: int = flags.flag(400, "batches of a round that are timed")
    num_rounds: int = flags.flag(5, "rounds, besides one to warm up")


def main(arguments: Arguments) -> None:
    tokenizer = kb.Tokenizer(kb.read_vocabulary(arguments.vocabulary))
    corpus = kb.TextCorpus(arguments.pattern)
    with tempfile.TemporaryDirectory() as folder:
        path, tokens = pathlib.Path(folder, "rows.txt"), pathlib.Path(folder, "tokens")
        write_rows(corpus, tokenizer, path)
        kb.write_token_corpus(corpus, tokenizer, tokens)
        datasets = {
            "keras_hub_from_rows": keras_hub_dataset(path, tokenizer.vocabulary, arguments),
            "keras_bert_from_text": our_dataset(corpus, tokenizer, arguments),
            "keras_bert_from_tokens": our_dataset(kb.TokenCorpus(tokens), tokenizer, arguments),
        }
        candidates = {name: rounds_of(dataset, arguments) for name, dataset in datasets.items()}
        rates = medians_in_turns(candidates, arguments.num_rounds)
    for name, rate in rates.items():
        ratio = round(rate / rates["keras_hub_from_rows"], 2)
        print_figure(
            f"input_pipeline/{name}",
            round(rate),
            "rows/s on one core",
            ratio=ratio,
            batch_size=arguments.batch_size,
        )


def our_dataset(
    corpus: kb.TextCorpus | kb.TokenCorpus, tokenizer: kb.Tokenizer, arguments: Arguments
) -> tf.data.Dataset:
    rows = kb.PretrainingRows(kb.Packer(tokenizer, SEQUENCE_LENGTH))
    masker = kb.Masker(tokenizer, arguments.unit, max_predictions=MAX_PREDICTIONS)
    return kb.pretraining_dataset(corpus, rows, masker, arguments.batch_size)


def keras_hub_dataset(
    path: pathlib.Path, vocabulary: Sequence[str], arguments: Arguments
) -> tf.data.Dataset:
    preprocessor = keras_hub.models.BertMaskedLMPreprocessor(
        keras_hub.tokenizers.BertTokenizer(vocabulary=list(vocabulary), lowercase=True),
        sequence_length=SEQUENCE_LENGTH,
        mask_selection_length=MAX_PREDICTIONS,
    )
    lines = tf.data.TextLineDataset(str(path)).repeat()
    return lines.batch(arguments.batch_size, drop_remainder=True).map(preprocessor).prefetch(2)


def write_rows(corpus: kb.TextCorpus, tokenizer: kb.Tokenizer, path: pathlib.Path) -> None:
    """The corpus with as many words a line as fit into a row."""
    with path.open("w", encoding="utf-8") as file:
        for sentences in corpus.lines():
            words = b" ".join(sentences.numpy()).split()
            row: list[bytes] = []
            room = SEQUENCE_LENGTH - 2
            lengths = tokenizer.tokenize(words).row_lengths().numpy()
            for word, length in zip(words, lengths, strict=True):
                if length > room:
                    file.write(b" ".join(row).decode("utf-8") + "\n")
                    row, room = [], SEQUENCE_LENGTH - 2
                row.append(word)
                room -= length


def rounds_of(dataset: tf.data.Dataset, arguments: Arguments) -> Callable[[], float]:
    """Rows a second of a round, by an iterator of its own: none works ahead in another's round."""
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.threading.max_intra_op_parallelism = 1
    dataset = dataset.with_options(options)

    def rows_a_second() -> float:
        batches = iter(dataset)
        for _ in range(arguments.num_warm_up):
            next(batches)
        start = time.perf_counter()
        for _ in range(arguments.num_batches):
            next(batches)
        return arguments.num_batches * arguments.batch_size / (time.perf_counter() - start)

    return rows_a_second


if __name__ == "__main__":
    flags.run(main, Arguments)
