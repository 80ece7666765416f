"""Word vectors of GloVe or word2vec text files, for the first weights of piece embeddings."""

from __future__ import annotations

import io
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from keras_bert.data.compression import FAULTS, damaged, opened


def read_word_vectors(
    path: str | os.PathLike, vocabulary: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Reads the vectors of those words that are pieces of a vocabulary.

    Both text forms are understood: GloVe's, a word and its numbers on every line, and word2vec's,
    which has a first line with the number of words and their width.

    Args:
        path: path of the text file, plain or compressed.
        vocabulary: sequence of str, the pieces; one that continues a word ("##s") has no vector.

    Returns:
        Pair of int32 [N], ascending ids of the pieces found, and float32 [N, W], their vectors. Of
        a word that occurs twice the first vector counts.

    Raises:
        ValueError: a line has another width than those before it or something that is no finite
            number; the message names file and line.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.pretraining.word_vectors import read_word_vectors
    >>> path = os.path.join(tempfile.mkdtemp(), "vectors.txt")
    >>> _ = open(path, "w").write("the 1 2 3\\nunheard 4 5 6\\n")
    >>> ids, vectors = read_word_vectors(path, ("[PAD]", "film", "the"))
    >>> ids.tolist(), vectors.tolist()
    ([2], [[1.0, 2.0, 3.0]])
    """
    path = pathlib.Path(path)
    ids = {piece: i for i, piece in enumerate(vocabulary)}
    found: dict[int, np.ndarray] = {}
    width = None
    for number, word, values in _lines(path):
        if number == 1 and len(values) == 1 and word.isdigit():  # word2vec's header
            width = int(values[0])
            continue
        width = len(values) if width is None else width
        if len(values) < width or width == 0:
            raise ValueError(
                f"{path}:{number}: a line must hold a word and {width or 'its'} numbers, but this "
                f"one has {len(values)} numbers: restore the file or delete the line."
            )
        # A word may itself hold spaces: what stands before the last `width` fields belongs to it.
        word = " ".join((word, *values[: len(values) - width]))
        if word in ids and ids[word] not in found:
            found[ids[word]] = _parse(values[len(values) - width :], path, number)
    order = sorted(found)
    vectors = np.array([found[i] for i in order], "float32").reshape(len(order), width or 0)
    return np.array(order, "int32"), vectors


def fit_word_vectors(
    vectors: np.ndarray, hidden_dim: int, deviation: float, seed: int = 0
) -> np.ndarray:
    """Brings word vectors to the width and scale of a model's embeddings.

    Another width is reached by a random orthonormal projection, which keeps inner products exactly
    where it widens, and on average where it narrows.

    Args:
        vectors: float [N, W].
        hidden_dim: int, width D wanted.
        deviation: float, standard deviation wanted: the config's `initializer_range`.
        seed: int, seed of the projection.

    Returns:
        float32 [N, D].

    Example:

    >>> import numpy as np
    >>> from keras_bert.data.pretraining.word_vectors import fit_word_vectors
    >>> fitted = fit_word_vectors(np.eye(5), hidden_dim=8, deviation=0.02)
    >>> fitted.shape, round(float(fitted.std()), 4)
    ((5, 8), 0.02)
    """
    width = vectors.shape[1]
    if width != hidden_dim:
        wide = np.random.default_rng(seed).normal(size=(max(width, hidden_dim),) * 2)
        vectors = vectors @ np.linalg.qr(wide)[0][:width, :hidden_dim]
    return (vectors * (deviation / max(vectors.std(), 1e-12))).astype("float32")


def _lines(path: pathlib.Path) -> Iterator[tuple[int, str, list[str]]]:
    """Number, first field and other fields of every line that is not empty."""
    with io.TextIOWrapper(opened(path), encoding="utf-8", newline="\n") as file:
        try:
            for number, line in enumerate(file, 1):
                fields = line.rstrip("\r\n ").split(" ")
                if fields[0]:
                    yield number, fields[0], fields[1:]
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path} must be UTF-8, but is not ({error}): word2vec's binary form cannot be "
                "read, write the text form."
            ) from error
        except FAULTS as error:
            raise damaged(path, error) from error


def _parse(values: list[str], path: pathlib.Path, number: int) -> np.ndarray:
    try:
        vector = np.array(values, "float32")
    except ValueError as error:
        raise ValueError(f"{path}:{number}: a word's values must be numbers: {error}.") from error
    if not np.isfinite(vector).all():
        raise ValueError(f"{path}:{number}: a word's values must be finite: delete the line.")
    return vector
