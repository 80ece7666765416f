"""Columns of examples, with ours beside them."""

from keras_bert.data.answers.rows import Columns, digest_of, sourced
from keras_bert.data.rows import Row


def test_columns_are_those_of_all_examples():
    columns = Columns.of([Row({"a": 1}, "x.csv:2"), {"b": 2}])
    assert columns.of_rows == ("a", "b", "source")
    assert columns.row(Row({"a": 1}, "x.csv:2")) == {"a": 1, "source": "x.csv:2"}
    assert columns.row({"b": 2}) == {"b": 2}
    assert Columns.of([{"answer": 1, "answer_": 2}]).free("answer") == "answer__"
    assert Columns.of([{"a": 1}]).of_rows == ("a",)


def test_rows_are_told_apart_by_all_that_they_have():
    rows = list(sourced([{"a": 1}, Row({"a": 1}, "x.csv:2")]))
    assert [row.source for row in rows] == ["[0]", "x.csv:2"]
    others = [rows[:1], rows[1:], rows[::-1], rows, [Row({"a": 2}, "[0]"), rows[1]]]
    assert len({digest_of(some) for some in others}) == 5
    assert digest_of(rows) == digest_of([*rows])
