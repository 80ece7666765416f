"""Learns a WordPiece vocabulary from text files.

keras-bert learn-vocabulary --input_pattern='texts/*.txt' --output=vocab.txt
"""

from __future__ import annotations

import dataclasses
import time
from typing import Literal

import keras_bert as kb
from keras_bert import flags


@dataclasses.dataclass(frozen=True)
class Arguments:
    input_pattern: str = flags.required("text files: globs with commas between them")
    output: str = flags.required("path of the vocabulary file to write")
    documents: Literal["files", "blank_lines"] = flags.flag(
        "files", "what is one document: a file, or what stands between blank lines"
    )
    vocabulary_size: int = flags.flag(30_000, "number of pieces, special tokens included")
    lowercase: bool = flags.flag(True, "lower-case the text and strip accents")
    min_frequency: int = flags.flag(2, "a character or word that is rarer teaches nothing")


def main(arguments: Arguments) -> None:
    start = time.monotonic()
    corpus = kb.TextCorpus(arguments.input_pattern, arguments.documents)
    print(f"Learning a vocabulary from {corpus.summary()}.")
    vocabulary = kb.learn_vocabulary(
        corpus.lines(),
        vocabulary_size=arguments.vocabulary_size,
        lowercase=arguments.lowercase,
        min_frequency=arguments.min_frequency,
    )
    kb.write_vocabulary(arguments.output, vocabulary)
    print(
        f"{arguments.output}: {len(vocabulary):,} pieces in {time.monotonic() - start:.0f} s. "
        f"Next: keras-bert pretrain --vocabulary={arguments.output} "
        f"--input_pattern='{arguments.input_pattern}' --output_dir=checkpoints/mine"
    )


if __name__ == "__main__":
    flags.run(main, Arguments)
