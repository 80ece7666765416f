"""Learns a vocabulary of word pieces, or of byte pairs, from text files.

keras-bert learn-vocabulary --input_pattern='texts/*.txt' --output=vocab.txt
"""

from __future__ import annotations

import dataclasses
import pathlib
import time
from typing import Literal

import keras_bert as kb
from keras_bert import files, flags


@dataclasses.dataclass(frozen=True)
class Arguments:
    input_pattern: str = flags.required("text files: globs with commas between them")
    output: str = flags.required(
        "path of the vocabulary file to write; of byte pairs, of a folder that is not there yet, "
        "for vocab.json, merges.txt and tokenizer.json"
    )
    kind: Literal["word_pieces", "byte_pairs"] = flags.flag(
        "word_pieces", "BERT's pieces of words, or RoBERTa's of bytes (needs tokenizers)"
    )
    documents: Literal["files", "blank_lines"] = flags.flag(
        "files", "what is one document: a file, or what stands between blank lines"
    )
    vocabulary_size: int = flags.flag(30_000, "number of pieces, special tokens included")
    lowercase: bool = flags.flag(True, "lower-case the text and strip accents, for word pieces")
    min_frequency: int = flags.flag(2, "a character, word or pair that is rarer teaches nothing")


def main(arguments: Arguments) -> None:
    start = time.monotonic()
    corpus = kb.TextCorpus(arguments.input_pattern, arguments.documents)
    print(f"Learning a vocabulary from {corpus.summary()}.")
    learn = write_byte_pairs if arguments.kind == "byte_pairs" else write_word_pieces
    size = learn(corpus, arguments)
    print(f"{arguments.output}: {size:,} pieces in {time.monotonic() - start:.0f} s.")
    print(
        f"Next: keras-bert pretrain --vocabulary={arguments.output} "
        f"--input_pattern='{arguments.input_pattern}' --output_dir=checkpoints/mine"
    )


def write_word_pieces(corpus: kb.TextCorpus, arguments: Arguments) -> int:
    """Learns and writes a vocab.txt, and says how many pieces it has."""
    vocabulary = kb.learn_vocabulary(
        corpus.lines(),
        vocabulary_size=arguments.vocabulary_size,
        lowercase=arguments.lowercase,
        min_frequency=arguments.min_frequency,
    )
    kb.write_vocabulary(arguments.output, vocabulary)
    return len(vocabulary)


def write_byte_pairs(corpus: kb.TextCorpus, arguments: Arguments) -> int:
    """Learns and writes the files of a byte-level tokenizer, and says how many pieces it has."""
    from keras_bert.checkpoints.byte_pair_files import write_tables

    output = pathlib.Path(arguments.output)
    if output.exists():
        raise ValueError(
            f"--output must be a folder that is not there yet, but {output} is: name another one."
        )
    tokenizer = kb.learn_byte_pairs(
        corpus.lines(), arguments.vocabulary_size, min_frequency=arguments.min_frequency
    )
    with files.whole_folder(output) as staging:
        write_tables(staging, tokenizer)
    return tokenizer.vocabulary_size


if __name__ == "__main__":
    flags.run(main, Arguments)
