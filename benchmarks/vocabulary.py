"""How long it takes to learn a vocabulary, and in how much memory.

    python -m benchmarks.vocabulary --pattern='corpus/*.txt' --megabytes=60

Files are read again, with new words in them each time, until there is as much text as wanted.
"""

from __future__ import annotations

import json
import pathlib
import platform
import random
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib import metadata

import tensorflow as tf
from absl import app, flags

import keras_bert as kb

PATTERN = flags.DEFINE_string("pattern", None, "Text files to learn from.", required=True)
MEGABYTES = flags.DEFINE_integer("megabytes", 60, "How much text to learn from.")
VOCABULARY_SIZE = flags.DEFINE_integer("vocabulary_size", 30_000, "How many pieces to learn.")
NEW_WORDS = flags.DEFINE_float("new_words", 0.02, "The share of words to misspell when repeated.")


def misspell(text: str, share: float, rng: random.Random) -> str:
    """Swaps neighboring letters in a share of the words, so that repeated text has new words."""

    def swap(match: re.Match[str]) -> str:
        word = match[0]
        if rng.random() >= share:
            return word
        at = rng.randrange(len(word) - 1)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return re.sub(r"[^\W\d_]{2,}", swap, text)


def texts() -> Iterator[str]:
    """Text of the files over and over, `--megabytes` in all."""
    paths = sorted(tf.io.gfile.glob(PATTERN.value))
    if not paths:
        raise ValueError(f"--pattern must match files; {PATTERN.value} matches none. Correct it.")
    rng, left, share = random.Random(0), MEGABYTES.value * 10**6, 0.0
    while left > 0:
        for path in paths:
            text = pathlib.Path(path).read_text(encoding="utf-8", errors="ignore")
            content = misspell(text, share, rng).encode()[: max(left, 0)]
            left -= len(content)
            yield content.decode("utf-8", "ignore")
        share = NEW_WORDS.value


def peak_megabytes() -> float:
    # Kilobytes on Linux, bytes on macOS.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main(_: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "corpus.txt")
        with path.open("w", encoding="utf-8") as file:
            file.writelines(texts())
        num_bytes = path.stat().st_size
        before = peak_megabytes()
        start = time.perf_counter()
        lines = tf.data.TextLineDataset(str(path)).batch(1024)
        vocabulary = kb.learn_vocabulary(lines, VOCABULARY_SIZE.value)
        seconds = time.perf_counter() - start
    about = {
        "corpus_megabytes": round(num_bytes / 1e6, 1),
        "vocabulary_size": len(vocabulary),
        "versions": {
            "tensorflow": metadata.version("tensorflow"),
            "python": platform.python_version(),
        },
        "machine": platform.processor() or platform.machine(),
    }
    figures = {
        "seconds": (round(seconds, 1), "s"),
        "peak_memory": (round(peak_megabytes()), "MB resident"),
        "memory_before": (round(before), "MB resident"),
    }
    for name, (value, unit) in figures.items():
        print(json.dumps(dict(name=f"learn_vocabulary/{name}", value=value, unit=unit, **about)))


if __name__ == "__main__":
    app.run(main)
