"""Parquet by pyarrow, where it is installed, and by nothing else."""

import sys

import pytest

from keras_bert.data.answers.parquet import check_installed, parquet
from keras_bert.data.answers.reading import read_answers


def test_without_pyarrow_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ValueError, match=r"a\.parquet .*pip install 'kerasbert\[parquet\]'"):
        check_installed("a.parquet")


@pytest.mark.reference("pyarrow")
def test_columns_have_types(tmp_path):
    import pyarrow
    import pyarrow.parquet

    rows = [
        {"text": "a", "n": 1, "p": 0.5, "vector": [0.25, 1.0], "words": ["a"], "any": 1},
        {"text": "b", "n": 2, "p": 1.5, "vector": [0.5, 2.0], "words": [], "any": "x"},
        {"text": None, "n": None, "p": None, "vector": None, "words": None, "any": [{"a": 1}]},
    ]
    like = {name: [row[name] for row in rows] for name in rows[0]}
    with parquet(tmp_path / "a.parquet", like) as write:
        write(rows[:2])
        write(rows[2:])
    found = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert found.schema.field("vector").type == pyarrow.list_(pyarrow.float32())
    wanted = [
        {**row, "any": said} for row, said in zip(rows, ("1", "x", '[{"a": 1}]'), strict=True)
    ]
    assert found.to_pylist() == wanted
    read = read_answers(tmp_path / "a.parquet")
    assert read[1]["answer"] == wanted[1] and read[1].source.endswith("a.parquet:[1]")
    (tmp_path / "a.parquet").write_text("no parquet")
    with pytest.raises(ValueError, match="whole file of Parquet"):
        read_answers(tmp_path / "a.parquet")
