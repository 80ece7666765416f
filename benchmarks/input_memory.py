"""Resident memory of the input of pretraining, for little text and for much.

    python -m benchmarks.input_memory --vocabulary=vocab.txt --pattern='corpus/*.txt'

The text is repeated under other file names up to each size, and read by a process of its own.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import pathlib
import tempfile

import psutil

import keras_bert as kb
from benchmarks.figures import print_figure
from keras_bert import flags

MEGABYTES = (60, 600)


@dataclasses.dataclass(frozen=True)
class Arguments:
    pattern: str = flags.required("text files, one document each")
    vocabulary: str = flags.required("an uncased vocabulary file")
    num_batches: int = flags.flag(3000, "batches of 64 rows to read")


def main(arguments: Arguments) -> None:
    sources = [pathlib.Path(path) for path in kb.TextCorpus(arguments.pattern).files]
    for megabytes in MEGABYTES:
        with tempfile.TemporaryDirectory() as folder:
            num_bytes = repeat(sources, pathlib.Path(folder), megabytes * 10**6)
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                most = pool.apply(most_resident, (f"{folder}/*", arguments))
        print_figure(
            f"input_memory/{round(num_bytes / 1e6)}_megabytes/resident_at_most",
            round(most / 1e6),
            "MB",
            num_batches=arguments.num_batches,
        )


def repeat(sources: list[pathlib.Path], folder: pathlib.Path, num_bytes: int) -> int:
    """Writes copies of files until there are as many bytes; returns how many there are."""
    size = copy = 0
    while size < num_bytes:
        for source in sources:
            text = source.read_bytes()
            (folder / f"{copy:04}-{source.name}").write_bytes(text)
            size += len(text)
        copy += 1
    return size


def most_resident(pattern: str, arguments: Arguments) -> int:
    """Bytes that reading the corpus takes at most, in all."""
    tokenizer = kb.Tokenizer(kb.read_vocabulary(arguments.vocabulary))
    rows = kb.PretrainingRows(kb.Packer(tokenizer, 128))
    dataset = kb.pretraining_dataset(kb.TextCorpus(pattern), rows, kb.Masker(tokenizer), 64)
    process, most = psutil.Process(), 0
    for step, _ in enumerate(dataset.take(arguments.num_batches)):
        if step % 50 == 0:
            most = max(most, process.memory_info().rss)
    return most


if __name__ == "__main__":
    flags.run(main, Arguments)
