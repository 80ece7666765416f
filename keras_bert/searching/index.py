"""An index: the vectors of passages, kept in a file that says of which model and texts they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_bert.answering import (
    answered,
    check_to_answer,
    fingerprint,
    outputs_of,
    write_answers,
)
from keras_bert.data.answers.arrays import Vectors, read_vectors
from keras_bert.data.answers.forms import ARRAYS, SUFFIXES
from keras_bert.data.answers.rows import digest_of
from keras_bert.data.rows import Path, Row
from keras_bert.tasks.progress import with_bar
from keras_bert.tasks.search import search
from keras_bert.tasks.sentence_embedding import SentenceEmbedder


class Hit(NamedTuple):
    """A passage that was found.

    Args:
        row: Row, its columns, and where it stands.
        score: float, the cosine of its vector and the query's.
    """

    row: Row
    score: float


class Index(NamedTuple):
    """Passages and their vectors, to be searched by the model that made these.

    Args:
        embedder: SentenceEmbedder.
        rows: sequence of N Rows.
        vectors: float [N, D].
    """

    embedder: SentenceEmbedder
    rows: Sequence[Row]
    vectors: np.ndarray

    def search(self, queries: Sequence[str], num_hits: int) -> list[list[Hit]]:
        """What is nearest to each query, the nearest first.

        Args:
            queries: sequence of str.
            num_hits: int, how many passages; fewer where there are not as many.

        Raises:
            ValueError: `num_hits` is below 1.
        """
        if num_hits < 1:
            raise ValueError(f"num_hits must be at least 1, but is {num_hits}: raise it.")
        found = search(self.embedder.embed(queries), self.vectors, k=min(num_hits, len(self.rows)))
        return [
            [Hit(self.rows[i], score) for i, score in zip(*one, strict=True)]
            for one in zip(found[0].tolist(), found[1].tolist(), strict=True)
        ]


def index_of(embedder: SentenceEmbedder, rows: Sequence[Row], path: Path | None = None) -> Index:
    """The index of passages: of a file, if it is there, or else embedded now, and kept in it.

    Args:
        embedder: SentenceEmbedder.
        rows: sequence of Row with a `text`, at least one.
        path: path of the file, an `.npz`; None keeps nothing.

    Raises:
        ValueError: the file is of another model or of other passages, or is damaged.
    """
    if path is None:
        check_to_answer(embedder, rows)
        return Index(embedder, rows, _embedded(embedder, rows))
    if not os.path.exists(path):
        write_answers(path, embedder, rows)
    found = read_vectors(path)
    _check_model(found, embedder, path)
    if found.notes.get("rows") != digest_of(rows):
        raise ValueError(
            f"{path} must be of these {len(rows):,} texts, but they are not those that it was made "
            f"of: delete it, or name another --index, to embed them anew."
        )
    return Index(embedder, rows, found.vectors)


def index_of_vectors(embedder: SentenceEmbedder, path: Path) -> Index:
    """The index of a file of vectors; where it does not say of what they are it has their numbers.

    Args:
        embedder: SentenceEmbedder.
        path: path of an `.npy` or `.npz`.

    Raises:
        ValueError: it says that it is of another model, has vectors of another length, or is
            damaged.
    """
    found = read_vectors(path)
    size = embedder.output["embeddings"].shape[-1]
    if found.vectors.shape[1] != size:
        raise ValueError(
            f"{path} must have vectors of {size} numbers, as the checkpoint's are, but they have "
            f"{found.vectors.shape[1]}: name the checkpoint that made them."
        )
    if "checkpoint" in found.notes:
        _check_model(found, embedder, path)
    return Index(embedder, found.rows or _Numbered(path, len(found.vectors)), found.vectors)


def is_of_vectors(path: Path) -> bool:
    """Whether a file holds vectors, by its name.

    Example:

    >>> from keras_bert.searching.index import is_of_vectors
    >>> is_of_vectors("texts.npz"), is_of_vectors("texts.txt")
    (True, False)
    """
    return SUFFIXES.get(os.path.splitext(os.fspath(path))[1].lower()) in ARRAYS


def check_index_name(path: Path) -> None:
    """Checks that an index can be kept in a file.

    Raises:
        ValueError: it is not named `.npz`.
    """
    if os.path.splitext(os.fspath(path))[1].lower() != ".npz":
        raise ValueError(f"--index is a file of vectors and texts, but is {path}: name it .npz.")


class _Numbered(Sequence[Row]):
    """Rows without a column, which only know their number in a file."""

    def __init__(self, path: Path, number: int):
        self._path, self._number = path, number

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, number: Any) -> Any:
        return Row({}, f"{os.fspath(self._path)}[{number}]")


def _embedded(embedder: SentenceEmbedder, rows: Sequence[Any]) -> np.ndarray:
    parts = with_bar(answered(outputs_of(embedder), rows), len(rows))
    return np.concatenate([vectors for _, vectors in parts])


def _check_model(found: Vectors, embedder: SentenceEmbedder, path: Path) -> None:
    if found.notes.get("checkpoint") != fingerprint(embedder):
        raise ValueError(
            f"{path} must be of this checkpoint, but its vectors are of another one, or of other "
            "settings: name the one that made them, or delete the file and have it made anew."
        )
