"""How long it takes to learn a vocabulary, and in how much memory.

    python -m benchmarks.vocabulary --pattern='corpus/*.txt'

Files are read again, with new words in them each time, until there is as much text as wanted.
"""

from __future__ import annotations

import dataclasses
import pathlib
import random
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator

import tensorflow as tf

import keras_bert as kb
from benchmarks.figures import print_figure
from keras_bert import flags


@dataclasses.dataclass(frozen=True)
class Arguments:
    pattern: str = flags.required("text files to learn from")
    megabytes: int = flags.flag(60, "how much text to learn from")
    vocabulary_size: int = flags.flag(30_000, "number of pieces to learn")
    new_words: float = flags.flag(0.02, "share of words that are misspelled when text is repeated")


def main(arguments: Arguments) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "corpus.txt")
        with path.open("w", encoding="utf-8") as file:
            file.writelines(texts(arguments))
        num_bytes = path.stat().st_size
        before = peak_megabytes()
        start = time.perf_counter()
        lines = tf.data.TextLineDataset(str(path)).batch(1024)
        vocabulary = kb.learn_vocabulary(lines, arguments.vocabulary_size)
        seconds = time.perf_counter() - start
    details = {"megabytes": round(num_bytes / 1e6, 1), "vocabulary_size": len(vocabulary)}
    print_figure("vocabulary/time", round(seconds, 1), "s", **details)
    print_figure("vocabulary/before", round(before), "MB resident at most", **details)
    print_figure("vocabulary/after", round(peak_megabytes()), "MB resident at most", **details)


def texts(arguments: Arguments) -> Iterator[str]:
    """Text of the files over and over, as much as wanted."""
    paths = kb.TextCorpus(arguments.pattern).files
    rng, left, share = random.Random(0), arguments.megabytes * 10**6, 0.0
    while left > 0:
        for path in paths:
            text = pathlib.Path(path).read_text(encoding="utf-8", errors="ignore")
            content = misspell(text, share, rng).encode()[: max(left, 0)]
            left -= len(content)
            yield content.decode("utf-8", "ignore")
        share = arguments.new_words


def misspell(text: str, share: float, rng: random.Random) -> str:
    """Swaps neighboring letters in a share of the words, so that repeated text has new words."""

    def swap(match: re.Match[str]) -> str:
        word = match[0]
        if rng.random() >= share:
            return word
        at = rng.randrange(len(word) - 1)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return re.sub(r"[^\W\d_]{2,}", swap, text)


def peak_megabytes() -> float:
    # Kilobytes on Linux, bytes on macOS.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    flags.run(main, Arguments)
