"""Exact search of vectors, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

SIMILARITIES = ("cosine", "dot")
# Search holds the scores of so many queries and documents in memory at a time: 64 MiB.
QUERY_BLOCK, DOCUMENT_BLOCK = 1024, 16384


def search(
    queries: np.ndarray, documents: np.ndarray, k: int, similarity: str = "cosine"
) -> tuple[np.ndarray, np.ndarray]:
    """The k documents that are most similar to each query, by comparing all with all.

    Only blocks of scores are in memory at a time, and only blocks of `queries` and `documents` are
    read: they may be those of a file, as `np.load("vectors.npy", mmap_mode="r")` gives them.

    Args:
        queries: float [Q, D], or [D] of one alone.
        documents: float [N, D].
        k: int from 1 to N.
        similarity: "cosine" (0 with a vector of zeros) or "dot".

    Returns:
        Pair of the documents' indices, int64 [Q, k], the most similar first and of equals the
        earlier one, and their scores, float32 [Q, k]; both [k] for one query alone.

    Raises:
        ValueError: the shapes do not fit, k or `similarity` is out of range, or a vector is not
            finite.

    Example:

    >>> import numpy as np
    >>> from keras_bert.tasks.search import search
    >>> documents = np.array([[1.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    >>> indices, scores = search(np.array([[2.0, 0.0]]), documents, k=2, similarity="dot")
    >>> indices.tolist(), scores.tolist()
    ([[0, 2]], [[2.0, 2.0]])
    """
    if len(np.shape(queries)) == 1:
        indices, scores = search(np.asarray(queries)[None], documents, k, similarity)
        return indices[0], scores[0]
    _check_search(queries, documents, k, similarity)
    prepare = unit if similarity == "cosine" else _unchanged
    indices = np.empty([len(queries), k], "int64")
    scores = np.empty([len(queries), k], "float32")
    for some in blocks(len(queries), QUERY_BLOCK):
        block = prepare(_finite(queries, some, "queries"))
        with tf.device("CPU"):  # where products are not rounded to TensorFloat-32
            indices[some], scores[some] = _best(block, documents, k, prepare)
    return indices, scores


def ranks_among(vectors: np.ndarray, candidates: np.ndarray, own: np.ndarray) -> np.ndarray:
    """How many candidates are as near to each vector as its own, which counts too.

    Args:
        vectors: float32 [N, D], of length 1.
        candidates: float32 [M, D], of length 1.
        own: int [N], which candidate is each vector's own.

    Returns:
        int [N], from 1 on.

    Example:

    >>> import numpy as np
    >>> from keras_bert.tasks.search import ranks_among
    >>> ranks_among(np.eye(2)[:1], np.array([[0.6, 0.8], [1.0, 0.0]]), np.array([0])).tolist()
    [2]
    """
    ranks = []
    block = max(1, QUERY_BLOCK * DOCUMENT_BLOCK // len(candidates))
    for some in blocks(len(vectors), block):
        cosines = vectors[some] @ candidates.T
        own_cosines = np.take_along_axis(cosines, own[some, None], axis=1)
        ranks.append((cosines >= own_cosines).sum(axis=1))
    return np.concatenate(ranks)


def _best(queries: np.ndarray, documents, k: int, prepare) -> tuple[tf.Tensor, tf.Tensor]:
    """The best k of all documents for a block of queries."""
    indices = tf.zeros([len(queries), 0], tf.int64)
    scores = tf.zeros([len(queries), 0])
    for some in blocks(len(documents), DOCUMENT_BLOCK):
        block = prepare(_finite(documents, some, "documents"))
        new = tf.math.top_k(tf.matmul(queries, block, transpose_b=True), min(k, len(block)))
        # What was found before stands first, so that of equal ones the earlier stays.
        scores = tf.concat([scores, new.values], axis=1)
        indices = tf.concat([indices, some.start + tf.cast(new.indices, tf.int64)], axis=1)
        scores, places = tf.math.top_k(scores, min(k, scores.shape[1]))
        indices = tf.gather(indices, places, batch_dims=1)
    return indices, scores


def blocks(number: int, size: int) -> Iterator[slice]:
    """Slices of so many entries, of all from 0 up to a number."""
    for start in range(0, number, size):
        yield slice(start, min(start + size, number))


def _unchanged(vectors: np.ndarray) -> np.ndarray:
    return vectors


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors scaled to length 1; squares in float64, where they neither overflow nor vanish."""
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype="float64"))[:, None]
    return (vectors / np.where(lengths > 0, lengths, 1.0)).astype("float32")


def _finite(vectors: np.ndarray, some: slice, name: str) -> np.ndarray:
    """Some of the vectors, as float32."""
    with np.errstate(over="ignore"):  # what is too large becomes infinite and is told below
        block = np.asarray(vectors[some], "float32")
    is_finite = np.isfinite(block).all(axis=1)
    if not is_finite.all():
        raise ValueError(
            f"Vectors must be finite, but {name}[{some.start + int(np.argmin(is_finite))}] is not: "
            "find out where it was made, or leave it out."
        )
    return block


def _check_search(queries, documents, k: int, similarity: str) -> None:
    if similarity not in SIMILARITIES:
        raise ValueError(f"similarity must be one of {SIMILARITIES}, not {similarity!r}.")
    shapes = [np.shape(queries), np.shape(documents)]
    if [len(shape) for shape in shapes] != [2, 2] or shapes[0][1] != shapes[1][1]:
        raise ValueError(
            f"queries and documents must be matrices [Q, D] and [N, D], but have the shapes "
            f"{shapes[0]} and {shapes[1]}: embed both with the same model."
        )
    if not 1 <= k <= len(documents):
        raise ValueError(
            f"k must lie between 1 and the {len(documents)} documents there are, not {k}."
        )
