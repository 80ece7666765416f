"""What stands for examples, and what is said of what does not."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.tasks.examples import (
    as_examples,
    missing_column,
    nearest_first,
    plain,
    source_of,
    text_columns,
)

TEXT = {"sentence": tf.TensorSpec([None], tf.string)}
PAIR = {"first": tf.TensorSpec([None], tf.string), "second": tf.TensorSpec([None], tf.string)}
WORDS = {"words": tf.RaggedTensorSpec([None, None], tf.string, ragged_rank=1)}


class Row(dict):
    """An example of a file."""

    source = "a.tsv:7"


def test_one_example_and_several():
    assert as_examples("a", TEXT) == ([{"sentence": "a"}], True)
    assert as_examples(["a", "b"], TEXT) == ([{"sentence": "a"}, {"sentence": "b"}], False)
    assert as_examples(("a", "b"), PAIR) == ([{"first": "a", "second": "b"}], True)
    assert as_examples([("a", "b")], PAIR)[0] == as_examples(("a", "b"), PAIR)[0]
    assert as_examples({"words": ["a", "b"]}, TEXT, WORDS) == ([{"words": ["a", "b"]}], True)
    assert as_examples({"words": [["a"], ["b"]]}, TEXT, WORDS)[1] is False


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
