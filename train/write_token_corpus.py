"""Tokenizes text files once and for all, for corpora that are read many times."""

from __future__ import annotations

import dataclasses
from typing import Literal

import keras_bert as kb
from keras_bert import flags


@dataclasses.dataclass(frozen=True)
class Arguments:
    input_pattern: str = flags.required("text files: globs with commas between them")
    output_dir: str = flags.required("directory to write, which must be new")
    vocabulary: str = flags.required(
        "vocabulary, as learn-vocabulary writes it: the file of word pieces, or the folder of byte "
        "pairs"
    )
    documents: Literal["files", "blank_lines"] = flags.flag(
        "files", "what is one document: a file, or what stands between blank lines"
    )
    lowercase: bool | None = flags.flag(
        None, "lower-case the text and strip accents; else yes, for word pieces"
    )
    num_shards: int = flags.flag(16, "most shards to write; a run has at most as many workers")


def main(arguments: Arguments) -> None:
    tokenizer = kb.read_tokenizer(arguments.vocabulary, arguments.lowercase)
    corpus = kb.TextCorpus(arguments.input_pattern, arguments.documents)
    print(f"Tokenizing {corpus.summary()}.")
    kb.write_token_corpus(corpus, tokenizer, arguments.output_dir, arguments.num_shards)
    print(
        f"{arguments.output_dir}: {kb.TokenCorpus(arguments.output_dir).summary()}. "
        f"Next: keras-bert pretrain --input_pattern={arguments.output_dir} "
        f"--vocabulary={arguments.vocabulary} --output_dir=checkpoints/mine"
    )


if __name__ == "__main__":
    flags.run(main, Arguments)
