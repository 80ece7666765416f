"""Rows as text: what is written is read again, and a file is whole or not there."""

import csv
import json

import pytest

from keras_bert.data.answers.tables import json_lines, table
from keras_bert.data.examples.tables import read_table

ROWS = [
    {"text": 'a "fine"\tfilm,\nin parts', "label": None},
    {"label": "ça", "text": ""},
    {"text": '"', "label": 'b "c"'},
]


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_tables_are_read_again(tmp_path, delimiter):
    path = tmp_path / ("a.csv" if delimiter == "," else "a.tsv")
    with table(path, ("text", "label"), delimiter) as write:
        write(ROWS[:1])
        write(ROWS[1:])
    wanted = [{"text": row["text"], "label": row["label"] or ""} for row in ROWS]
    with path.open(newline="") as file:
        assert list(csv.DictReader(file, delimiter=delimiter)) == wanted
    assert read_table(path) == wanted


def test_lines_hold_objects(tmp_path):
    path = tmp_path / "new" / "a.jsonl"
    with json_lines(path) as write:
        write(ROWS)
    assert [json.loads(line) for line in path.open()] == ROWS


@pytest.mark.parametrize("opened", [json_lines, lambda path: table(path, ("text",))])
def test_what_fails_leaves_the_file_that_was_there(tmp_path, opened):
    (tmp_path / "a").write_text("before")
    with pytest.raises(KeyboardInterrupt), opened(tmp_path / "a") as write:
        write(ROWS)
        raise KeyboardInterrupt
    assert (tmp_path / "a").read_text() == "before" and len(list(tmp_path.iterdir())) == 1
