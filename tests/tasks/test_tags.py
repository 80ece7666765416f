"""Labels of words from files to scores."""

import pytest

from keras_bert.data.rows import Row
from keras_bert.tasks.tags import tag_scores, tagged_rows, tags_of


def test_rows_have_words_and_labels_under_the_tasks_names():
    rows = [Row({"tokens": ["Ann"], "ner": ["B-PER"]}, "a.jsonl:1")]
    expected = [{"words": ["Ann"], "labels": ["B-PER"]}]
    assert tagged_rows(rows, ("tokens",), "ner", None, labelled=True) == expected
    assert tagged_rows(rows, (), None, None, labelled=True) == expected
    with pytest.raises(ValueError, match="Words stand in one column, but --text_keys are a, b"):
        tagged_rows(rows, ("a", "b"), None, None, labelled=False)
    with pytest.raises(ValueError, match="a.jsonl: there must be a column 'words'"):
        tagged_rows(rows, ("words",), None, None, labelled=False)


def test_labels_are_asked_for_where_something_is_learned():
    rows = [Row({"words": ["Ann"]}, "a.jsonl:1")]
    assert tagged_rows(rows, (), None, None, labelled=False) == [{"words": ["Ann"]}]
    with pytest.raises(ValueError, match="a.jsonl:1: words must have labels .* --label_key"):
        tagged_rows(rows, (), None, None, labelled=True)


def test_tags_are_as_many_as_words():
    assert tags_of({"words": ("a", "b"), "labels": ["O", 1]}) == ["O", 1]
    for example in (
        {"words": ["a"]},
        {"words": ["a"], "labels": "O"},
        {"words": [], "labels": [1]},
    ):
        with pytest.raises(ValueError, match="labels"):
            tags_of(example)


def test_scores_of_entities_and_of_plain_labels():
    true, predicted = [["B-PER", "O", "B-LOC"]], [["B-PER", "B-LOC", "B-PER"]]
    scores = tag_scores(true, predicted, of_entities=True)
    third = pytest.approx(1 / 3)
    assert scores == {
        "f1": pytest.approx(0.4),
        "precision": third,
        "recall": 0.5,
        "accuracy": third,
    }
    scores = tag_scores([["DET", "NOUN"]], [["DET", "VERB"]], of_entities=False)
    assert scores == {"accuracy": 0.5, "f1_macro": third}
