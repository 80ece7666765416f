"""Answers are read again as they were written; a file that says nothing is refused."""

import numpy as np
import pytest

from keras_bert.data.answers.forms import opened_for_rows
from keras_bert.data.answers.reading import is_file_of_answers, read_answers


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
def test_what_is_written_is_read(tmp_path, suffix):
    path = tmp_path / f"said.{suffix}"
    said = {"label": "good", "probability_good": 0.75}
    own = {"answer": said} if suffix == "jsonl" else said
    columns = {"text": ["fine,\tand"], **{name: [value] for name, value in own.items()}}
    with opened_for_rows(path, columns) as write:
        write([{"text": "fine,\tand", **own}])
    [row] = read_answers(path)
    assert is_file_of_answers(path) and row.source.startswith(str(path))
    assert row["text"] == "fine,\tand" and row["answer"]["label"] == "good"
    assert float(row["answer"]["probability_good"]) == 0.75


def test_what_is_no_answer_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text("")
    np.save(tmp_path / "c.npy", np.ones([2, 2]))
    for name, message in (("a.jsonl", "has none"), ("c.npy", "holds an array"), ("d.csv", "none")):
        with pytest.raises(ValueError, match=message):
            read_answers(tmp_path / name)
    (tmp_path / "folder.csv").mkdir()
    assert not is_file_of_answers(tmp_path) and not is_file_of_answers(tmp_path / "folder.csv")
