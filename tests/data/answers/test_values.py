"""Values as JSON and cells hold them."""

import datetime
import json

import numpy as np

from keras_bert.data.answers.values import as_cell, as_json, as_python, shortened


def test_values_of_other_libraries_are_plain():
    values = {"a": np.float32(0.5), "b": np.arange(2), "c": b"\xff", "d": datetime.date(2026, 1, 2)}
    assert json.loads(as_json(values)) == {"a": 0.5, "b": [0, 1], "c": "�", "d": "2026-01-02"}


def test_cells_hold_text_and_numbers_and_the_rest_as_json():
    values = ["a", 1, 0.5, True, None, np.float32(0.5), ["a"], (1, "b"), {"a": [1]}]
    cells = ["a", 1, 0.5, True, None, 0.5, '["a"]', '[1, "b"]', '{"a": [1]}']
    assert [as_cell(value) for value in values] == cells


def test_few_digits_say_the_same_number():
    numbers = np.random.default_rng(3).normal(size=99).astype("float32")
    short = shortened(numbers.tolist())
    assert (np.array(short, "float32") == numbers).all()
    assert max(len(str(number)) for number in short) <= 14
    assert shortened([{"a": (1, "b", None)}]) == [{"a": [1, "b", None]}]


def test_values_of_numpy_are_those_of_python():
    assert as_python(np.array([[b"\xffa"], [b"b"]], object)) == [["\ufffda"], ["b"]]
    assert type(as_python(np.int64(3))) is int and as_python("a") == "a"
