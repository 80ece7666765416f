"""What files say of examples: joined by id, text or order, labels by name, and what is wrong."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.tasks.pooling import Pool
from keras_bert.tasks.predictions import Predictions


class Classifier:
    labels = ("bad", "good", "odd")
    example_spec = {"text": tf.TensorSpec([None], tf.string)}


EXAMPLES = [{"text": "one", "id": 1}, {"text": "two", "id": 2}]
SHARES = [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]
NAMED = [dict(zip(Classifier.labels, share, strict=True)) for share in SHARES]


def said_of(tmp_path, rows, examples=EXAMPLES, task=Classifier, activation="softmax"):
    """The probabilities that a file of rows has of examples."""
    if isinstance(rows, str):
        path = tmp_path / "said.csv"
        path.write_text(rows)
    else:
        path = tmp_path / "said.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    pool = Pool("mean", activation)
    logits = Predictions(path, task, pool).columns_beside(examples)["logits"]
    return np.asarray(pool.probabilities(logits))


HEAD = "probability_odd,probability_bad,probability_good"
FORMS = {
    "names": [{"probabilities": one} for one in NAMED],
    "texts": [{"text": t, "probabilities": p} for t, p in (("two", NAMED[1]), ("one", NAMED[0]))],
    "ids": f"id,text,{HEAD}\n2,x,.6,.1,.3\n1,x,.1,.7,.2\n",
    "order": f"{HEAD}\n.1,.7,.2\n.6,.1,.3\n",
    "lists": [  # good, odd, bad
        {"answer": {"label": "bad", "probabilities": [0.2, 0.1, 0.7]}},
        {"answer": {"label": "odd", "probabilities": [0.3, 0.6, 0.1]}},
    ],
    "own label": [
        {"label": "bad", "label_": label, "probabilities": share, "text": text}
        for label, share, text in zip(("bad", "odd"), SHARES, ("one", "two"), strict=True)
    ],
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_joined_and_labels_known_by_name(tmp_path, form):
    np.testing.assert_allclose(said_of(tmp_path, FORMS[form]), SHARES, atol=1e-6)


FAULTS = {
    "too few": (FORMS["names"][:1], r"a row for each of the 2 examples.*\(text\), but has 1"),
    "other text": ([{**r, "text": "six"} for r in FORMS["names"][:1]], "none with text 'one'"),
    "other ids": (f"id,{HEAD}\n7,.1,.7,.2\n2,.6,.1,.3\n", "none with id 1.*from id '7' on"),
    "twice": (f"id,{HEAD}\n1,.1,.7,.2\n1,.6,.1,.3\n", "csv:3: id '1' must be there once.*csv:2"),
    "other label": ([{"probabilities": {"bad": 1, "fine": 0}}], r"jsonl:1: .*bad, good, odd"),
    "sum": (f"{HEAD}\n.1,.7,.2\n.6,.1,.5\n", r"csv:3: .*sum is 1, but has \[0.1, 0.5, 0.6\]"),
    "range": (f"{HEAD}\n1.5,-.7,.2\n", "csv:2: .*from 0 to 1"),
    "text": (f"{HEAD}\n.1,.7,much\n", "csv:2: .*finite numbers, but has .*'much'"),
    "width": ([{"probabilities": [0.5, 0.5]}], "jsonl:1: .*have 3 numbers"),
    "no names": ([{"probabilities": [0.2, 0.1, 0.7]}] * 2, "that of 0 of 3 labels.*csv"),
    "crossed": (
        [FORMS["lists"][0], {"label": "bad", "probabilities": [0.5, 0.4, 0.1]}][::-1]
        + [{"label": "good", "probabilities": [0.5, 0.4, 0.1]}],
        "jsonl:3: .*likeliest label of its list, but has 'good'",
    ),
    "nothing": ([{"sentence": "a"}], r"jsonl:1: .*its probabilities, but has \['sentence'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_told_with_its_place(tmp_path, fault):
    rows, message = FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        said_of(tmp_path, rows)


def test_of_some_examples_the_order_is_that_of_all(tmp_path):
    path = tmp_path / "said.csv"
    path.write_text(FORMS["order"])
    found = Predictions(path, Classifier, Pool("mean", "softmax"))
    with pytest.raises(ValueError, match="a row for each of the 1 examples"):
        found.columns_beside(EXAMPLES[1:])
    found.join(EXAMPLES)
    some = found.columns_beside(EXAMPLES[1:])["logits"]
    np.testing.assert_allclose(np.exp(some), SHARES[1:], atol=1e-6)


def test_several_labels_and_numbers(tmp_path):
    rows = [
        {"labels": "good,odd", "probabilities": [0.1, 0.9, 0.8]},
        {"labels": "", "probabilities": [0.1, 0.2, 0.3]},
    ]
    found = said_of(tmp_path, rows, activation="sigmoid")
    np.testing.assert_allclose(found, [row["probabilities"] for row in rows], atol=1e-6)
    rows[0]["labels"] = "bad"
    with pytest.raises(ValueError, match="labels above 0.5 of bad, good, odd in a list"):
        said_of(tmp_path, rows, activation="sigmoid")

    class Numbers(Classifier):
        labels = ("value",)

    for numbers in ("value\n2.5\n-7\n", [{"values": [2.5]}, {"values": [-7]}]):
        found = said_of(tmp_path, numbers, task=Numbers, activation=None)
        np.testing.assert_allclose(found, [[2.5], [-7.0]])


def test_choices_may_be_of_any_number(tmp_path, tokenizer, encoder_of, without_graphs):
    task = kb.MultipleChoice(encoder_of("Bert", num_layers=1), kb.Packer(tokenizer, 15))
    examples = [
        {"context": "a", "question": "so", "choices": ["fox", "dog", "cat"][: 2 + i], "label": 1}
        for i in range(2)
    ]
    for suffix in ("jsonl", "csv"):
        path = tmp_path / f"choices.{suffix}"
        kb.answering.write_answers(path, task, examples)
        both = kb.ensemble([task, path], by="mean")
        for one, other in zip(task(examples), both(examples), strict=True):
            assert other["probabilities"] == pytest.approx(one["probabilities"], abs=1e-5)
        with pytest.raises(ValueError, match="none with context 'b'"):
            both([{**examples[0], "context": "b"}])


def test_labels_alone_are_votes_and_a_file_is_not_served(
    tmp_path, tokenizer, encoder_of, without_graphs
):
    keras.utils.set_random_seed(1)
    task = kb.TextClassifier(encoder_of("Bert", num_layers=1), kb.Packer(tokenizer, 9), ["a", "b"])
    path = tmp_path / "votes.csv"
    path.write_text("sentence,label\na fox,a\na dog,b\n")
    with pytest.raises(ValueError, match="votes.csv must have probabilities.*by='vote'"):
        kb.ensemble([task, path])
    both = kb.ensemble([task, path], by="vote", weights=(1, 2))
    assert [answer["label"] for answer in both(["a dog", "a fox"])] == ["b", "a"]
    with pytest.raises(ValueError, match="votes.csv has predictions for its own"):
        kb.export(both, tmp_path / "served")
    assert not (tmp_path / "served").exists()
