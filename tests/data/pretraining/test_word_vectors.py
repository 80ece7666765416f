import gzip

import numpy as np
import pytest

from keras_bert.data.pretraining.word_vectors import fit_word_vectors, read_word_vectors

VOCABULARY = ("[PAD]", "the", "##s", "film", "fine", "new york")


def test_both_forms_and_gzip(tmp_path):
    lines = "film 1 2.5 -3e-1\nunheard 4 5 6\nnew york 7 8 9\nfilm 0 0 0\nthe 1 1 1\n"
    (tmp_path / "glove.txt").write_text(lines)
    (tmp_path / "word2vec.txt").write_text("5 3\n" + lines.replace("\n", " \r\n"))
    with gzip.open(tmp_path / "glove.txt.gz", "wt") as file:
        file.write(lines)
    for name in ("glove.txt", "word2vec.txt", "glove.txt.gz"):
        ids, vectors = read_word_vectors(tmp_path / name, VOCABULARY)
        assert ids.tolist() == [1, 3, 5]
        np.testing.assert_allclose(vectors, [[1, 1, 1], [1, 2.5, -0.3], [7, 8, 9]], rtol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("the 1 2 3\nfilm 1 2\n", r"vectors.txt:2: .*3 numbers, but this one has 2"),
        ("the 1 2 x\n", r"vectors.txt:1: a word's values must be numbers"),
        ("fine 1 2 3\nthe 1 2 nan\n", r"vectors.txt:2: a word's values must be finite"),
        ("the\n", r"vectors.txt:1: "),
    ],
)
def test_bad_lines_are_named(tmp_path, content, message):
    (tmp_path / "vectors.txt").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_word_vectors(tmp_path / "vectors.txt", VOCABULARY)


def test_widening_keeps_inner_products():
    vectors = np.random.default_rng(1).normal(size=[11, 5])
    fitted = fit_word_vectors(vectors, 17, deviation=0.02)
    assert fitted.shape == (11, 17) and abs(fitted.std() - 0.02) < 1e-6
    products = fitted @ fitted.T
    ratio = products / (vectors @ vectors.T)
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-3)


def test_narrowing_keeps_inner_products_on_average():
    vectors = np.random.default_rng(1).normal(size=[2, 300]) + 1.0
    cosines = []
    for seed in range(20):
        a, b = fit_word_vectors(vectors, 100, deviation=0.02, seed=seed)
        cosines.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    a, b = vectors
    expected = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert abs(np.mean(cosines) - expected) < 0.05


def test_real_vectors(shared):
    path = shared / "data" / "vectors" / "glove.6B.100d.sample.txt.gz"
    ids, vectors = read_word_vectors(path, ("[PAD]", "the", "zzzz"))
    assert ids.tolist() == [1] and vectors.shape == (1, 100)
