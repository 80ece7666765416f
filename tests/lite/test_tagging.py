import numpy as np
import pytest

from keras_bert.lite.tagging import TokenClassifier, spans_of, tags_of
from keras_bert.tasks.entities import scheme_of

ENTITIES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


@pytest.fixture
def task(lite_task, of_ids, vocabulary):
    """Which takes "fine" for a person that begins, "film" for one that goes on."""
    table = np.zeros([len(vocabulary), len(ENTITIES)])
    table[:, 0], table[vocabulary.index("fine"), 1] = 1, 3
    table[vocabulary.index("film"), 2] = 3
    return lite_task(TokenClassifier, of_ids("logits", table), labels=ENTITIES, stride=10)


def test_entities_of_a_text(task):
    text = "a Fine film, film of " + "over " * 30 + "FINE"
    found = task.as_python(task.answer({"text": text}))
    spans = [(one["label"], one["text"], one["start"], one["end"]) for one in found]
    assert spans == [
        ("PER", "Fine film", 2, 11),
        ("PER", "film", 13, 17),
        ("PER", "FINE", len(text) - 4, len(text)),
    ]
    sure = np.exp(3) / (np.exp(3) + np.exp(1) + 3)
    assert found[0]["probability"] == pytest.approx(sure)
    assert task.as_python(task.answer({"text": ""})) == []


def test_labels_of_words(task):
    found = task.as_python(task.answer({"words": ["Fine", "\u200b", "films", "a"]}))
    assert [one["label"] for one in found] == ["B-PER", "O", "I-PER", "O"]
    assert found[1]["probability"] == 0.0


def test_plain_labels_are_those_of_all_words(lite_task, of_ids, vocabulary):
    network = of_ids("logits", np.eye(len(vocabulary))[:, [5, 6]])
    task = lite_task(TokenClassifier, network, labels=["A", "B"], stride=10)
    found = task.as_python(task.answer({"text": "a b"}))
    assert [(one["label"], one["text"]) for one in found] == [("A", "a"), ("B", "b")]
    assert task.answer({"words": ["\u200b"]})["labels"] == ["A"]


@pytest.mark.parametrize(
    "labels",
    [ENTITIES, ["O", "I", "B"], ["DET", "NOUN"], ["O", "S-X", "B-X", "M-X", "E-X"], ["B-X", "odd"]],
)
def test_labels_say_of_entities_what_they_say_in_tensorflow(labels):
    wanted, found = scheme_of(tuple(labels)), tags_of(labels)
    assert (found is not None) == wanted.is_of_entities
    for i, tag in enumerate(found or ()):
        assert tag.kind == wanted.kinds[i]
        assert (tag.begins, tag.continues, tag.ends) == (
            *(wanted.begins[i], wanted.continues[i]),
            wanted.ends[i],
        )


def test_a_label_that_continues_begins_where_there_is_none_of_its_kind():
    tags = tags_of(["I-A", "I-A", "I-B", "O", "I-B", "E-B", "I-B"])
    assert spans_of(tags) == [(0, 1, "A"), (2, 2, "B"), (4, 5, "B"), (6, 6, "B")]
