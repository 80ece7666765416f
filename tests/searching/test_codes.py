import numpy as np
import pytest

import keras_bert as kb
from keras_bert.searching.codes import RESCORED, Codes

GENERATOR = np.random.default_rng(11)
# Around some centres, as vectors of texts are.
CENTRES = GENERATOR.normal(size=(9, 37))
VECTORS = (CENTRES[np.arange(300) % 9] + GENERATOR.normal(size=(300, 37))).astype("float32")
QUERIES = (VECTORS[:7] + 0.1 * GENERATOR.normal(size=(7, 37))).astype("float32")


@pytest.mark.parametrize(
    ("precision", "num_bytes", "least"),
    [("float32", 4 * 37, 1.0), ("int8", 37, 0.9), ("binary", 5, 0.5)],
)
def test_codes_find_most_of_what_is_nearest(precision, num_bytes, least):
    codes = Codes.of(VECTORS, precision)
    assert codes.array.nbytes == 300 * num_bytes and codes.dimensions == 37
    indices, scores = codes.nearest(QUERIES, 5)
    assert indices[:, 0].tolist() == [*range(7)]
    assert (np.diff(scores, axis=1) <= 0).all()
    assert least <= codes.recall(VECTORS) <= 1
    if precision != "binary":
        _, exact = kb.search(QUERIES, VECTORS, 5)
        np.testing.assert_allclose(scores, exact, atol=0.02)


def test_signs_are_rescored_by_the_numbers_of_the_query():
    codes = Codes.of(VECTORS, "binary")
    signs = np.where(VECTORS > 0, 1.0, -1.0)
    wanted = QUERIES @ signs.T / np.linalg.norm(QUERIES, axis=1)[:, None] / np.sqrt(37)
    # All are rescored where as many are asked for.
    indices, scores = codes.nearest(QUERIES, len(VECTORS) // RESCORED)
    np.testing.assert_allclose(scores, -np.sort(-wanted, axis=1)[:, :30], atol=1e-5)
    found = np.take_along_axis(wanted, indices, axis=1)
    np.testing.assert_allclose(found, scores, atol=1e-5)


def test_few_vectors_and_wrong_precisions():
    assert Codes.of(VECTORS[:1], "binary").recall(VECTORS[:1]) == 1.0
    assert Codes.of(VECTORS[:2], "int8").recall(VECTORS[:2]) == 1.0
    assert not Codes.of(0 * VECTORS[:2], "int8").array.any()
    with pytest.raises(ValueError, match="one of float32, int8, binary, not 'int4'"):
        Codes.of(VECTORS, "int4")
