"""Which rows of a file are those of examples; `test_predictions.py` has what is wrong of them."""

import pytest

from keras_bert.tasks.answer_rows import AnswerRows


def test_rows_hold_json_and_know_their_examples(tmp_path):
    path = tmp_path / "said.csv"
    path.write_text('text,said,broken\nfox,"[1, 2]",[1\n')
    rows = AnswerRows(path, ("text",))
    [row] = rows.rows
    assert rows._value(row, "said") == [1, 2] and rows.input_specs == {}
    with pytest.raises(ValueError, match="said.csv:2: a prediction must have broken as JSON"):
        rows._value(row, "broken")
    rows._found = ["it"]
    assert rows._of([{"text": b"fox"}]) == ["it"]
    with pytest.raises(NotImplementedError):
        rows.columns_beside([])
    with pytest.raises(ValueError, match="export the ensemble without it"):
        _ = rows.resources
