"""The user's columns under a task's names, or what is said where they are not there."""

import pytest

from keras_bert.data.examples.reading import Reading
from keras_bert.data.rows import Row
from keras_bert.tasks.columns import (
    ColumnNames,
    ExampleFiles,
    check_columns,
    in_one_column,
    split,
)

NAMES = ColumnNames(("question", "context"), "answers", ("impossible",))


def rows(*columns):
    return [Row(one, f"a.csv:{i}") for i, one in enumerate(columns, 2)]


def renamed(row, text_keys=None, label_key=None, labelled=True):
    [found] = NAMES.renamed(rows(row), "question_answering", labelled, text_keys, label_key)
    assert found.source == "a.csv:2"
    return found


def test_columns_that_nobody_named_stay():
    row = {"question": "q", "context": "c", "answers": ["a"], "impossible": False, "id": 7}
    assert renamed(row) == row


def test_columns_that_are_named_take_the_place_of_the_tasks_own():
    row = {"q": "q", "c": "c", "a": ["a"], "context": "mine", "impossible": "mine", "id": 7}
    named = {"question": "q", "context": "c", "id": 7}
    assert renamed(row, ("q", "c"), "a") == {**named, "answers": ["a"]}
    assert renamed(row, ("q", "c"), "a", labelled=False) == {**named, "a": ["a"]}
    assert renamed({**row, "answers": ["b"]}, ("q", "c")) == {
        **named,
        **{"a": ["a"], "answers": ["b"]},
    }
    label_alone = {"question": "q", "context": "c", "a": ["a"]}
    assert renamed(label_alone, None, "a") == {"question": "q", "context": "c", "answers": ["a"]}


def test_a_column_that_a_task_does_not_read_now_is_the_users():
    names = ColumnNames(("text",), None, ("second", "label"))
    row = {"t": "a", "second": "mine", "label": 1, "id": 7}
    assert names.renamed(rows(row), "sentence_embedding", True, ("t",), None) == [
        {"text": "a", "id": 7}
    ]


def test_as_many_columns_are_named_as_there_are():
    with pytest.raises(
        ValueError, match="question_answering reads 2 columns, .* names 1, q: name one for each"
    ):
        renamed({"q": "q", "c": "c"}, ("q",))


def test_one_column_is_the_one_text():
    lines = rows({"text": "a"}, {"text": "b"})
    assert in_one_column(lines, ("sentence",)) == [{"sentence": "a"}, {"sentence": "b"}]
    assert in_one_column(lines, ("first", "second")) == lines
    table = rows({"text": "a", "id": 7})
    assert in_one_column(table, ("sentence",)) == table


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("mood",), "a.csv: there must be a column 'mood', .* are review, moods: .* --label_key=m"),
        (("reviews",), "column 'reviews', .*--text_keys, such as --text_keys=review"),
        (("moods",), "a.csv:3: there must be a 'moods', as in other rows, .* only review: add it"),
    ],
)
def test_a_column_that_is_not_there_is_told(names, message):
    some = rows({"review": "a", "moods": 1}, {"review": "b"})
    check_columns(some, ["review"], ["review"])
    with pytest.raises(ValueError, match=message):
        check_columns(some, names, ["review", "reviews"])


def test_files_are_read_as_they_are_written(tmp_path):
    (tmp_path / "a.txt").write_text("fine|1\nbad|0\n")
    reading = Reading(form="csv", columns=split("sentence, label"), delimiter="|")
    files = ExampleFiles(str(tmp_path / "a.txt"), reading)
    assert files.rows() == [{"sentence": "fine", "label": "1"}, {"sentence": "bad", "label": "0"}]
    (tmp_path / "b.conll").write_text("Ann B-PER\nsings O\n")
    [row] = ExampleFiles(str(tmp_path / "b.conll")).rows()
    assert row == {"words": ["Ann", "sings"], "labels": ["B-PER", "O"]}
