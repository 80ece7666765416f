import numpy as np
import pytest

from keras_bert.tasks import labels


@pytest.mark.parametrize(
    ("value", "name"),
    [
        *((value, "1") for value in (1, 1.0, "1", "1.0", " 1. ", np.int8(1), np.float32(1), b"1")),
        *((value, None) for value in (None, float("nan"), np.nan, "", "  ", "-", b"-")),
        (-1, "-1"),
        ("-1.0", "-1"),
        (0.5, "0.5"),
        ("01", "01"),
        ("a-b", "a-b"),
        (True, "True"),
        ("nan", "nan"),
    ],
)
def test_a_label_has_one_name_however_it_is_written(value, name):
    assert labels.label_name(value) == name


def test_numbers_are_labels_where_no_name_is_one():
    index = labels.label_index(("bad", "good"))
    assert [index(label, {}) for label in (1, "1", 1.0, np.int64(0), "good")] == [1, 1, 1, 0, 1]
    assert labels.label_index(("2", "1"))(1, {}) == 1  # a name that is a number is a name
    for names, label in ((("bad", "good"), 2), (("bad", "1"), 0), (("bad", "good"), -1)):
        with pytest.raises(ValueError, match="a label must be one of"):
            labels.label_index(names)(label, {})
    assert labels.class_names([1, "B-X", " O", None], ("O", "B-LOC")) == ["B-LOC", "B-X", "O", ""]


def test_a_list_of_marks_is_told_from_a_list_of_names():
    assert labels.names_of([0, 1], ("a", "b")) == ["b"]
    assert labels.names_of("1,0", ("a", "b")) == ["a"]
    assert labels.names_of([1], ("a",)) == ["a"] and labels.names_of([0], ("a",)) == []
    assert labels.names_of([1, 1], ("0", "1")) == ["0", "1"]
    assert labels.names_of([2, 0], ("0", "1", "2")) == ["2", "0"]
    assert labels.names_of("0, 1", ("0", "1")) == ["0", "1"]
    assert labels.names_of("a;b", ("a;b", "c")) == ["a;b"]
    assert labels.names_of(np.array(["a", "b"])) == ["a", "b"]
    assert labels.names_of("", ("a",)) == labels.names_of([], ("a",)) == []
    for value, names in (([0, 1], None), ([1, 0], ("0", "1")), ([1, 0, 1], None)):
        with pytest.raises(ValueError, match="may mark labels with other names"):
            labels.names_of(value, names)


def test_the_labels_of_data():
    assert labels.names_among(["b", "a", "", None, "-"]) == ("a", "b")
    assert labels.names_among([0, 2, 1.0, -1]) == ("0", "1", "2")
    assert labels.names_among(["-1", 1]) == ("-1", "1")
    assert labels.names_among([-1, 0, 2]) == ("-1", "0", "2")
    with pytest.raises(ValueError, match="may be three, or two and -1 for no label"):
        labels.names_among([-1, 0, 1])
    assert labels.several_among(["a, b", "", "b"]) == ("a", "b")
    assert labels.several_among([[1, 0, 1], [0, 0, 0]]) == ("0", "1", "2")
    assert labels.several_among([]) == ()


def test_what_stands_for_no_label_is_one_where_it_is_named():
    assert labels.has_label("-", ("-", "x")) and labels.has_label(-1, ("-1", "1"))
    assert not any(labels.has_label(value, ("0", "1")) for value in ("-", -1, None, ""))


@pytest.mark.parametrize("names", ["no", (), ("a", "a"), ("1", 1.0), ("a", ""), (None, "a")])
def test_labels_of_a_task_are_names_each_once(names):
    with pytest.raises(ValueError, match="labels must be names, each once"):
        labels.checked_labels(names)
