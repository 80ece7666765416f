"""Passages of folders, files and tables."""

import pytest

from keras_bert.data.examples.reading import Reading
from keras_bert.searching.passages import read_passages


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.txt").write_text("one\ntwo\n\nthree\n")
    (tmp_path / "in" / "a.rst").write_text("four\nfive\n")
    (tmp_path / "rows.csv").write_text("id,body\n7,six\n")
    return tmp_path


def test_a_folder_has_paragraphs_or_lines(folder):
    rows = read_passages("in")
    assert [(row["text"], row.source) for row in rows] == [
        ("four", "in/a.rst:1"),
        ("five", "in/a.rst:2"),
        ("one two", "in/b.txt:1"),
        ("three", "in/b.txt:4"),
    ]
    assert [row["text"] for row in read_passages("in/b.txt", Reading(form="lines"))] == [
        *("one", "two", "", "three")
    ]


def test_tables_name_their_column(folder):
    rows = read_passages("in/a.rst,rows.csv", text_keys=("body",))
    assert [row["text"] for row in rows] == ["four", "five", "six"] and rows[-1]["id"] == "7"
    with pytest.raises(ValueError, match="rows.csv: there must be a column 'text_'"):
        read_passages("rows.csv", text_keys=("text_",))
    with pytest.raises(ValueError, match="'nowhere' matches none"):
        read_passages("nowhere")
