"""Texts embedded a second, beside sentence-transformers with the same weights, in turns.

    pip install '.[peers]' sentence-transformers
    python -m benchmarks.embeddings --checkpoint=all-MiniLM-L6-v2 --texts=texts.txt

Both begin with strings and end with a NumPy matrix, on all cores, sorting texts by length into
batches of 32. `difference` is the largest one between the two matrices.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Callable

import numpy as np

from benchmarks.figures import in_processes, medians_in_turns, print_figure, seconds_of
from keras_bert import flags

OURS = "keras_bert"


@dataclasses.dataclass(frozen=True)
class Arguments:
    checkpoint: str = flags.required("a directory that sentence-transformers opens")
    texts: str = flags.required("a file with a text a line")
    num_texts: int = flags.flag(1024, "texts of a round")
    num_rounds: int = flags.flag(5, "rounds, besides one to warm up")


def main(arguments: Arguments) -> None:
    lines = pathlib.Path(arguments.texts).read_text(encoding="utf-8").splitlines()
    texts = [line for line in lines if line.strip()][: arguments.num_texts]
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: str(pathlib.Path(folder, f"{name}.npy")) for name in MAKERS}
        candidates = {
            name: (make, arguments.checkpoint, texts, paths[name]) for name, make in MAKERS.items()
        }
        with in_processes(candidates) as running:
            medians = medians_in_turns(running, arguments.num_rounds)
        ours, theirs = (np.load(path) for path in paths.values())
    for name, seconds in medians.items():
        print_figure(
            f"embeddings/{name}",
            round(len(texts) / seconds, 1),
            "texts/s",
            ratio=round(medians[OURS] / seconds, 3),
            difference=float(np.abs(ours - theirs).max()),
        )


def our_seconds(checkpoint: str, texts: list[str], path: str) -> Callable[[], float]:
    import keras_bert as kb

    embed = kb.finetuning.load_task(checkpoint).embed
    np.save(path, embed(texts))
    return lambda: seconds_of(lambda: embed(texts))


def their_seconds(checkpoint: str, texts: list[str], path: str) -> Callable[[], float]:
    import sentence_transformers
    import torch

    torch.set_num_threads(os.cpu_count())
    model = sentence_transformers.SentenceTransformer(checkpoint, device="cpu")
    np.save(path, model.encode(texts, batch_size=32))
    return lambda: seconds_of(lambda: model.encode(texts, batch_size=32))


MAKERS = {OURS: our_seconds, "sentence_transformers": their_seconds}


if __name__ == "__main__":
    flags.run(main, Arguments)
