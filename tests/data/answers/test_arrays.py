"""Arrays in NumPy's files, and what is no such file."""

import json

import numpy as np
import pytest

from keras_bert.data.answers.arrays import npy, npz, read_vectors
from keras_bert.data.rows import Row

VALUES = np.random.default_rng(5).normal(size=[5, 3]).astype("float32")
ROWS = [Row({"text": f"\u2028 {n}\n", "id": n}, f"a.txt:{n}") for n in range(5)]


@pytest.fixture
def file(tmp_path):
    """A file with vectors and their rows."""
    with npz(tmp_path / "a.npz", ROWS, 5, name="logits", notes={"checkpoint": "c"}) as write:
        write(VALUES[:2])
        write(VALUES[2:])
    return tmp_path / "a.npz"


def test_arrays_are_read_by_numpy_and_here(tmp_path, file):
    with npy(tmp_path / "a.npy", 5) as write:
        write(VALUES[:4])
        write(VALUES[4:])
    assert (np.load(tmp_path / "a.npy") == VALUES).all()
    assert (np.load(file)["logits"] == VALUES).all()
    lines = np.load(file)["rows.jsonl"].decode().split("\n")[:-1]
    assert [json.loads(line)["columns"] for line in lines] == ROWS
    found = read_vectors(file)
    assert (found.vectors == VALUES).all() and found.notes["checkpoint"] == "c"
    assert [(row, row.source) for row in found.rows] == [(row, row.source) for row in ROWS]
    alone = read_vectors(tmp_path / "a.npy")
    assert (alone.vectors == VALUES).all() and alone.rows is None and not alone.notes


def test_files_that_are_none_of_vectors_are_refused(tmp_path, file):
    (tmp_path / "cut.npz").write_bytes(file.read_bytes()[:-9])
    (tmp_path / "text.npy").write_text("a fine film")
    np.save(tmp_path / "cube.npy", np.zeros([2, 2, 2]))
    np.save(tmp_path / "words.npy", np.array([["a", "b"]]))
    np.savez(tmp_path / "two.npz", a=VALUES, b=VALUES)
    with npz(tmp_path / "fewer.npz", ROWS[:4], 5, name="a", notes={}) as write:
        write(VALUES)
    with npz(tmp_path / "later.npz", ROWS, 5, name="a", notes={"format_version": 2}) as write:
        write(VALUES)
    for name, message in {
        "cut.npz": "cut.npz must be a whole file of NumPy's",
        "text.npy": "text.npy must be a whole file of NumPy's",
        "cube.npy": r"a matrix of numbers, .* of the shape \(2, 2, 2\)",
        "words.npy": "a matrix of numbers, .*<U1",
        "two.npz": "must hold one array, but holds a, b",
        "fewer.npz": "for each of its 5 vectors, but has 4",
        "later.npz": "is of format 2, and this is read up to 1: update",
    }.items():
        with pytest.raises(ValueError, match=message):
            read_vectors(tmp_path / name)
