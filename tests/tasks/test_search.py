import numpy as np
import pytest

from keras_bert.tasks import search as module
from keras_bert.tasks.search import search

RNG = np.random.default_rng(1)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("k", [1, 4, 23])
def test_search_compares_all_with_all(monkeypatch, similarity, k):
    monkeypatch.setattr(module, "QUERY_BLOCK", 2)
    monkeypatch.setattr(module, "DOCUMENT_BLOCK", 5)
    queries, documents = RNG.normal(size=[3, 7]), RNG.normal(size=[23, 7]).astype("float32")
    indices, scores = search(queries, documents, k, similarity)
    if similarity == "cosine":
        queries, documents = unit(queries), unit(documents)
    expected = queries @ documents.T
    order = np.argsort(-expected, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(scores, np.take_along_axis(expected, order, axis=1), atol=1e-6)
    assert (indices.dtype, scores.dtype) == ("int64", "float32")


def test_of_equal_documents_the_earlier_comes_first(monkeypatch):
    monkeypatch.setattr(module, "DOCUMENT_BLOCK", 3)
    documents = np.array([[0.0], [1.0], [1.0], [1.0], [0.0], [1.0], [2.0]])
    indices, _ = search(np.array([[1.0]]), documents, 6, "dot")
    assert indices.tolist() == [[6, 1, 2, 3, 5, 0]]


def test_cosines_neither_overflow_nor_vanish():
    documents = np.array([[1e30, 1e30], [0.0, 0.0], [-1e-30, 0.0]], "float32")
    indices, scores = search(np.array([[1e-30, 0.0]], "float32"), documents, 3)
    assert indices.tolist() == [[0, 1, 2]]
    np.testing.assert_allclose(scores, [[0.5**0.5, 0.0, -1.0]], rtol=1e-6)


def test_one_query_alone_has_results_alone():
    documents = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    indices, scores = search([3.0, 0.0], documents, 2)
    assert indices.tolist() == [1, 2] and scores.shape == (2,)


class OnDisk:
    """Vectors of a file, which counts the rows that are read at a time."""

    def __init__(self, vectors):
        self.vectors, self.shape, self.most = vectors, vectors.shape, 0

    def __len__(self):
        return len(self.vectors)

    def __getitem__(self, some):
        self.most = max(self.most, some.stop - some.start)
        return self.vectors[some]


def test_documents_may_lie_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "QUERY_BLOCK", 2)
    monkeypatch.setattr(module, "DOCUMENT_BLOCK", 5)
    np.save(tmp_path / "vectors.npy", RNG.normal(size=[11, 3]).astype("float16"))
    documents = OnDisk(np.load(tmp_path / "vectors.npy", mmap_mode="r"))
    queries = OnDisk(documents.vectors[4:9])
    indices, scores = search(queries, documents, 1)
    assert indices.tolist() == [[4], [5], [6], [7], [8]]
    np.testing.assert_allclose(scores, 1.0, rtol=1e-6)
    assert (queries.most, documents.most) == (2, 5)


@pytest.mark.parametrize(
    ("queries", "documents", "k", "similarity", "message"),
    [
        ((2, 3), (5, 4), 1, "dot", r"have the shapes \(2, 3\) and \(5, 4\): embed both"),
        ((3,), (5, 4), 1, "dot", r"have the shapes \(1, 3\) and \(5, 4\)"),
        ((), (5, 4), 1, "dot", r"have the shapes \(\) and \(5, 4\)"),
        ((2, 3), (5, 3), 6, "dot", "between 1 and the 5 documents there are, not 6"),
        ((2, 3), (5, 3), 0, "dot", "not 0"),
        ((2, 3), (5, 3), 1, "euclidean", "similarity must be one of"),
    ],
)
def test_bad_searches_are_errors(queries, documents, k, similarity, message):
    with pytest.raises(ValueError, match=message):
        search(np.ones(queries), np.ones(documents), k, similarity)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_vectors_are_finite(value):
    vectors = np.ones([4, 3])
    vectors[2, 1] = value
    with pytest.raises(ValueError, match=r"but documents\[2\] is not"):
        search(np.ones([1, 3]), vectors, 1)
    with pytest.raises(ValueError, match=r"but queries\[2\] is not"):
        search(vectors, np.ones([1, 3]), 1)
