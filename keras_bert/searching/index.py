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
from keras_bert.data.answers.arrays import Vectors, npz, read_vectors
from keras_bert.data.answers.forms import ARRAYS, SUFFIXES
from keras_bert.data.answers.rows import digest_of, sourced
from keras_bert.data.rows import Path, Row
from keras_bert.searching.codes import Codes
from keras_bert.tasks.progress import with_bar
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
        codes: Codes, their vectors, perhaps in fewer bytes.
        recall: float, the share of the 10 nearest that these find; None where it is not known.
    """

    embedder: SentenceEmbedder
    rows: Sequence[Row]
    codes: Codes
    recall: float | None = None

    @property
    def vectors(self) -> np.ndarray:
        """The vectors as they are kept."""
        return self.codes.array

    @property
    def summed_up(self) -> str:
        """What it costs, in a few words."""
        codes, exact = self.codes, 4 * len(self.rows) * self.codes.dimensions
        found = "" if self.recall is None else f", recall@10 {self.recall:.3f} beside exact search"
        return f"{codes.precision}: {codes.array.nbytes:,} bytes, {exact:,} in float32{found}."

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
        found = self.codes.nearest(self.embedder.embed(queries), min(num_hits, len(self.rows)))
        return [
            [Hit(self.rows[i], score) for i, score in zip(*one, strict=True)]
            for one in zip(found[0].tolist(), found[1].tolist(), strict=True)
        ]


def index_of(
    embedder: SentenceEmbedder,
    rows: Sequence[Row],
    path: Path | None = None,
    precision: str = "float32",
) -> Index:
    """The index of passages: of a file, if it is there, or else embedded now, and kept in it.

    Args:
        embedder: SentenceEmbedder.
        rows: sequence of Row with a `text`, at least one.
        path: path of the file, an `.npz`; None keeps nothing.
        precision: str, of what is kept: "float32", "int8" or "binary".

    Raises:
        ValueError: the file is of another model, of other passages or in another precision, or is
            damaged.
    """
    if path is None:
        check_to_answer(embedder, rows)
        return _coded(embedder, rows, _embedded(embedder, rows), precision)
    if not os.path.exists(path):
        if precision == "float32":
            write_answers(path, embedder, rows)
        else:
            check_to_answer(embedder, rows)
            index = _coded(embedder, rows, _embedded(embedder, rows), precision)
            _write(path, index)
    found = read_vectors(path)
    _check_model(found, embedder, path)
    if found.notes.get("rows") != digest_of(rows):
        raise ValueError(
            f"{path} must be of these {len(rows):,} texts, but they are not those that it was made "
            f"of: delete it, or name another --index, to embed them anew."
        )
    return _opened(embedder, rows, found, precision, path)


def index_of_vectors(embedder: SentenceEmbedder, path: Path, precision: str = "float32") -> Index:
    """The index of a file of vectors; where it does not say of what they are it has their numbers.

    Args:
        embedder: SentenceEmbedder.
        path: path of an `.npy` or `.npz`.
        precision: str, as of `index_of`.

    Raises:
        ValueError: it says that it is of another model, has vectors of another length or in another
            precision, or is damaged.
    """
    found = read_vectors(path)
    size = embedder.output["embeddings"].shape[-1]
    there = found.notes.get("dimensions", found.vectors.shape[1])
    if there != size:
        raise ValueError(
            f"{path} must have vectors of {size} numbers, as the checkpoint's are, but they have "
            f"{there}: name the checkpoint that made them."
        )
    if "checkpoint" in found.notes:
        _check_model(found, embedder, path)
    rows = found.rows or _Numbered(path, len(found.vectors))
    return _opened(embedder, rows, found, precision, path)


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


def _coded(
    embedder: SentenceEmbedder, rows: Sequence[Row], vectors: np.ndarray, precision: str
) -> Index:
    """The index of vectors, in fewer bytes where that is wanted, and what that costs."""
    codes = Codes.of(vectors, precision)
    return Index(embedder, rows, codes, codes.recall(vectors) if precision != "float32" else None)


def _opened(
    embedder: SentenceEmbedder, rows: Sequence[Row], found: Vectors, precision: str, path: Path
) -> Index:
    """The index of what a file holds: codes as they are, vectors as codes of them."""
    kept = found.notes.get("precision")
    if kept is None:
        return _coded(embedder, rows, found.vectors, precision)
    if kept != precision:
        raise ValueError(
            f"{path} has vectors in {kept}, but they are to be in {precision}: give "
            f"--precision={kept}, or name another --index, to embed the texts anew."
        )
    codes = Codes(found.vectors, kept, found.notes["dimensions"])
    return Index(embedder, rows, codes, found.notes.get("recall@10"))


def _write(path: Path, index: Index) -> None:
    """Writes codes, their rows, and what they are."""
    codes, rows = index.codes, [*sourced(index.rows)]
    notes = {
        "checkpoint": fingerprint(index.embedder),
        "rows": digest_of(rows),
        "precision": codes.precision,
        "dimensions": codes.dimensions,
        "recall@10": index.recall,
    }
    with npz(path, rows, len(rows), name=index.embedder.ARRAY or "", notes=notes) as write:
        write(codes.array)


def _check_model(found: Vectors, embedder: SentenceEmbedder, path: Path) -> None:
    if found.notes.get("checkpoint") != fingerprint(embedder):
        raise ValueError(
            f"{path} must be of this checkpoint, but its vectors are of another one, or of other "
            "settings: name the one that made them, or delete the file and have it made anew."
        )
