"""Numbers of pairs, and the cosines that they stand for."""

import pytest

from keras_bert.data.rows import Row
from keras_bert.tasks.pairs import cosine_of, range_of, tell_unread


def rows(*labels):
    return [Row({"label": label}, f"a.csv:{i}") for i, label in enumerate(labels, 2)]


def test_the_range_is_that_of_the_data():
    assert range_of(rows("1", 5, 2.5)) == (1.0, 5.0)
    with pytest.raises(ValueError, match="a.csv:3: label must be a number, .* but is 'many'"):
        range_of(rows(1, "many"))
    with pytest.raises(ValueError, match="a.csv:2: label must be a number, .* but is None"):
        range_of([Row({"text": "a"}, "a.csv:2")])


@pytest.mark.parametrize(("label", "cosine"), [(1, 0.0), ("5", 1.0), (2.0, 0.25)])
def test_numbers_stand_for_cosines(label, cosine):
    [row] = rows(label)
    assert cosine_of(row, (1.0, 5.0)) == cosine
    assert cosine_of(row, (5.0, 1.0)) == 1.0 - cosine


@pytest.mark.parametrize("label", [0.5, 5.1, "nan", None, ""])
def test_what_is_out_of_the_range_is_told(label):
    with pytest.raises(ValueError, match="a.csv:2: the label must be a number from 1.0 to 5.0"):
        cosine_of(rows(label)[0], (1.0, 5.0))
    with pytest.raises(ValueError, match="there must be a column 'label'"):
        cosine_of({"score": 1}, (1.0, 5.0))


def test_numbers_that_are_not_learned_are_told(caplog):
    tell_unread([Row({"text": "a"}, "a.csv:2")])
    assert not caplog.messages
    tell_unread(rows(1))
    assert "a.csv:2: the column 'label' is not read" in caplog.text
