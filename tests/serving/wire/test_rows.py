"""Rows of arrays: their sizes, parts of them, and parts joined."""

import numpy as np
import pytest

from keras_bert.serving.wire import rows


def texts(*sizes):
    return np.array([b"x" * size for size in sizes], object)


def test_sizes_are_of_all_arrays_together():
    arrays = {
        "text": texts(3, 0, 5),
        "words": np.array([[b"a", b"bc"], [b"", b""], [b"d", b""]], object),
        "ids": np.zeros((3, 7), np.int32),
    }
    assert rows.num_bytes(arrays).tolist() == [34, 28, 34]
    empty = {"text": texts(), "words": np.zeros((0, 4), object), "ids": np.zeros((0, 7))}
    assert rows.num_bytes(empty).tolist() == []
    assert rows.num_bytes({"words": np.zeros((2, 0), object)}).tolist() == [0, 0]


@pytest.mark.parametrize(
    "sizes, expected",
    [
        ((), [[]]),
        ((1, 2, 3), [[1, 2, 3]]),
        ((10, 1, 9, 1, 30, 4), [[10], [1, 9], [1], [30], [4]]),
        ((0, 0, 11, 0), [[0, 0], [11], [0]]),
    ],
)
def test_parts_are_as_few_as_are_small_enough(sizes, expected):
    arrays = {"text": texts(*sizes), "number": np.arange(len(sizes), dtype=np.int8)[:, None][:, :0]}
    parts = list(rows.parts(arrays, 10))
    assert [[len(text) for text in part["text"]] for part in parts] == expected
    assert all(len(part["text"]) == len(part["number"]) for part in parts)


def test_parts_are_joined_and_filled_up_at_their_ends():
    wide, narrow = np.ones((1, 2, 3), np.float32), np.ones((2, 3, 1), np.float32)
    joined = rows.joined([wide, narrow])
    assert joined.shape == (3, 3, 3) and joined.dtype == np.float32
    np.testing.assert_array_equal(joined[0, :2], wide[0])
    np.testing.assert_array_equal(joined[1:, :, :1], narrow)
    assert joined.sum() == wide.sum() + narrow.sum()
    words = rows.joined([np.array([[b"a", b"b"]], object), np.array([[b"c"]], object)])
    assert words.tolist() == [[b"a", b"b"], [b"c", b""]]
