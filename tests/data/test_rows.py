import copy
import pickle

import pytest

from keras_bert.data.rows import Row, field, place_of


def test_the_place_is_no_column():
    row = Row({"source": 1, "with_columns": 2}, "a.csv:2")
    assert (row.source, dict(row)) == ("a.csv:2", {"source": 1, "with_columns": 2})
    other = row.with_columns({"text": "a"})
    assert other == {"text": "a"} and other.source == "a.csv:2"
    for again in (copy.copy(row), copy.deepcopy(row), pickle.loads(pickle.dumps(row))):
        assert again == row and again.source == row.source


def test_what_came_from_nowhere_is_shown():
    assert place_of(Row({}, "a:1")) == "a:1"
    assert place_of({"text": "a"}) == "the example {'text': 'a'}"


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (1, str, "must be a text, but is 1"),
        (" ", str, "must be a text, but is ' '"),
        (True, int, "must be an integer, but is True"),
        (1, bool, "must be true or false"),
        ((), list, "must be a list"),
    ],
)
def test_values_of_another_kind_are_named(value, kind, message):
    with pytest.raises(ValueError, match=f"a:1: 'x' {message}"):
        field({"x": value}, "x", kind, "a:1")
    for record in ({}, [], None):
        with pytest.raises(ValueError, match="a:1: 'x' must be .* is missing"):
            field(record, "x", kind, "a:1")
