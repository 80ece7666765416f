"""What stands for examples, and what is said of what does not."""

import collections.abc

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.data import rows
from keras_bert.tasks.examples import (
    Reads,
    as_examples,
    missing_column,
    nearest_first,
    plain,
    source_of,
    text_columns,
    with_labels,
)

TEXT = {"sentence": tf.TensorSpec([None], tf.string)}
PAIR = {"first": tf.TensorSpec([None], tf.string), "second": tf.TensorSpec([None], tf.string)}
WORDS = {"words": tf.RaggedTensorSpec([None, None], tf.string, ragged_rank=1)}

OF_TEXT = Reads(TEXT, {}, ("sentence", "label"))
OF_PAIRS = Reads(PAIR, {}, ("first", "second", "label"))
OF_WORDS = Reads({"text": tf.TensorSpec([None], tf.string)}, WORDS, ("words", "labels"))


class Row(dict):
    """An example of a file."""

    source = "a.tsv:7"


def test_one_example_and_several():
    text, pair, words = Reads(TEXT), Reads(PAIR), Reads(TEXT, WORDS)
    assert as_examples("a", text) == ([{"sentence": "a"}], True)
    assert as_examples(["a", "b"], text) == ([{"sentence": "a"}, {"sentence": "b"}], False)
    assert as_examples(("a", "b"), pair) == ([{"first": "a", "second": "b"}], True)
    assert as_examples([("a", "b")], pair)[0] == as_examples(("a", "b"), pair)[0]
    assert as_examples({"words": ["a", "b"]}, words) == ([{"words": ["a", "b"]}], True)
    assert as_examples({"words": [["a"], ["b"]]}, words)[1] is False
    assert as_examples([["a", "b"], ["c"]], words)[0] == [{"words": ["a", "b"]}, {"words": ["c"]}]


class Column(collections.abc.Sequence):
    """A column of a `datasets.Dataset`, which is read where it is asked for."""

    def __init__(self, values):
        self.values = values

    def __getitem__(self, i):
        return self.values[i]

    def __len__(self):
        return len(self.values)


class HubDataset:
    """A table like a `datasets.Dataset`."""

    def __init__(self, columns):
        self.columns_by_name = columns
        self.column_names = list(columns)

    def __getitem__(self, name):
        return Column(self.columns_by_name[name])

    def __len__(self):
        return len(self[self.column_names[0]])

    def to_list(self):
        rows = zip(*self.columns_by_name.values(), strict=True)
        return [dict(zip(self.column_names, row, strict=True)) for row in rows]


class Frame:
    """A table like a DataFrame of pandas."""

    def __init__(self, columns):
        self.table, self.columns = HubDataset(columns), list(columns)

    def to_dict(self, orient):
        assert orient == "records"
        return self.table.to_list()


ROWS = [{"sentence": "a", "label": 1}, {"sentence": "b", "label": 0}]
COLUMNS = {"sentence": ["a", "b"], "label": [1, 0]}
TABLE = HubDataset(COLUMNS)


@pytest.mark.parametrize(
    "given",
    [
        ROWS,
        [("a", 1), ("b", 0)],
        [["a", 1], ["b", 0]],
        COLUMNS,
        {"sentence": np.array(["a", "b"]), "label": tf.constant([1, 0])},
        (["a", "b"], [1, 0]),
        (np.array(["a", "b"]), np.array([1, 0])),
        TABLE,
        {"sentence": TABLE["sentence"], "label": TABLE["label"]},
        Frame(COLUMNS),
    ],
)
def test_one_rule_for_all_that_is_learned_from(given):
    assert as_examples(given, OF_TEXT) == (ROWS, False)


def test_a_tuple_has_columns_and_what_is_learned_behind_the_texts():
    rows = [{"first": "a", "second": "b", "label": 1}, {"first": "c", "second": "d", "label": 0}]
    for given in ([("a", "b", 1), ("c", "d", 0)], (["a", "c"], ["b", "d"], [1, 0])):
        assert as_examples(given, OF_PAIRS) == (rows, False)
    assert as_examples(("a", "b", 1), OF_PAIRS) == (rows[:1], True)
    tagged = [{"words": ["a", "b"], "labels": ["A", "B"]}]
    for given, is_one in (((["a", "b"], ["A", "B"]), True), (([["a", "b"]], [["A", "B"]]), False)):
        assert as_examples(given, OF_WORDS) == (tagged, is_one)
    assert as_examples(["a", "b"], OF_WORDS) == ([{"words": ["a", "b"]}], True)
    assert as_examples(("a", "b"), OF_TEXT)[0] == [{"sentence": "a"}, {"sentence": "b"}]
    for reads in (Reads(TEXT), OF_TEXT):
        with pytest.raises(ValueError, match="1 columns, sentence.* has 3: pass a dict"):
            as_examples([("a", "b", "c")], reads)
    with pytest.raises(ValueError, match="1 columns, sentence, but .* has 2: pass a dict"):
        as_examples([("a", 1)], Reads(TEXT))


def test_labels_are_put_beside_examples():
    texts = [{"sentence": "a"}, {"sentence": "b"}]
    for labels in ([1, 0], np.array([1, 0]), TABLE["label"], {"label": [1, 0]}, ROWS):
        assert with_labels(texts, labels, "label") == ROWS
    assert with_labels(texts, [{"text": "x"}, {"text": "y"}], "label")[0]["label"] == {"text": "x"}
    [row] = with_labels([rows.Row({"sentence": "a"}, "a.tsv:7")], [3], "label")
    assert (row, row.source) == ({"sentence": "a", "label": 3}, "a.tsv:7")
    for labels, message in (([1], "labels are 1: give as many"), (3, "labels are 3")):
        with pytest.raises(ValueError, match=message):
            with_labels(texts, labels, "label")


def test_columns_are_as_tensors_and_lists_ragged():
    columns = text_columns([Row(sentence="a", words=["b", "c"]), {"sentence": b"d", "words": []}],
                           {**TEXT, **WORDS})  # fmt: skip
    assert columns["sentence"].numpy().tolist() == [b"a", b"d"]
    assert columns["words"].to_list() == [[b"b", b"c"], []]
    assert text_columns([], TEXT)["sentence"].shape == (0,)


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (Row(text="a"), "a.tsv:7: there must be a column 'sentence', but there is 'text'"),
        (Row(sentence=["a"]), "a.tsv:7: sentence must be a text, but is "),
        ({"sentence": 3}, "the example {'sentence': 3}: sentence must be a text, but is 3"),
    ],
)
def test_what_is_no_text_is_told_with_its_place(example, message):
    with pytest.raises(ValueError, match=message):
        text_columns([example], TEXT)


def test_names_that_are_much_alike_come_first():
    assert nearest_first("label", ["id", "text", "labels"]) == ["labels", "id", "text"]
    assert "'labels', 'id'" in missing_column({"id": 1, "labels": 2}, "label")
    assert source_of(Row(a=1)) == "a.tsv:7"


def test_values_of_other_libraries_are_pythons():
    for value in (np.array(["a", "b"]), tf.constant(["a", "b"]), ["a", "b"]):
        assert [one.decode() if isinstance(one, bytes) else one for one in plain(value)] == [
            "a",
            "b",
        ]
    assert plain(np.int64(3)) == 3 and plain(None) is None
