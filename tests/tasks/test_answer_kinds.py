"""What files say of words, of answers in a context, and of vectors."""

import json

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.tasks.answer_kinds import Spans, Tags, Vectors
from keras_bert.tasks.pooling import Pool

TEXT, PAIR = tf.TensorSpec([None], tf.string), ("question", "context")
POOL = Pool("vote", "softmax")


@pytest.fixture
def task(tokenizer):
    class Task:
        labels = ("O", "B-A", "I-A")
        example_spec = {"text": TEXT}

    Task.tokenizer = tokenizer
    return Task


class Questions:
    example_spec = dict.fromkeys(PAIR, TEXT)


def written(tmp_path, *rows):
    path = tmp_path / "said.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def tags_of(tmp_path, task, example, answer):
    row = {name: value for name, value in example.items() if name != "labels"}
    rows = Tags(written(tmp_path, {**row, "answer": answer}), task, POOL)
    shares = np.exp(rows.columns_beside([example])["logits"][0].numpy().astype("float64"))
    return rows, shares.round(4).tolist()


def test_words_have_labels_or_the_probabilities_of_all(tmp_path, task):
    example = {"words": ["the", "fox"], "labels": ["O", "B-A"]}
    named = {"I-A": 0.1, "O": 0.2, "B-A": 0.7}
    answer = [{"label": "O", "probability": 0.4}, {"label": "B-A", "probabilities": named}]
    rows, shares = tags_of(tmp_path, task, example, answer)
    assert rows.only_votes and shares == [[1.0, 0.0, 0.0], [0.2, 0.7, 0.1]]
    rows, _ = tags_of(tmp_path, task, example, answer[1:] * 2)
    assert not rows.only_votes
    with pytest.raises(ValueError, match="2 words, but .*said.jsonl has answers to 1"):
        tags_of(tmp_path, task, example, answer[1:])
    for wrong, message in (
        ("O B-A", "jsonl:1: .*an object with a label for each word, but has 'O B-A'"),
        ([{"label": "B-X"}] * 2, "one of the labels O, B-A, I-A, but has 'B-X'"),
        ([{"probabilities": {"O": 1}}], "probabilities of O, B-A, I-A whose sum is 1"),
        ([{"probabilities": {**named, "O": 0.9}}], "whose sum is 1"),
    ):
        with pytest.raises(ValueError, match=message):
            tags_of(tmp_path, task, example, wrong)


def test_entities_of_a_text_are_those_of_its_words(tmp_path, task):
    example = {"text": "the lazy fox, a dog"}
    answer = [{"label": "A", "start": 4, "end": 12}, {"label": "A", "start": 12, "end": 13}]
    _, shares = tags_of(tmp_path, task, example, answer)
    assert [row.index(1.0) for row in shares] == [0, 1, 2, 1, 0, 0]
    task.labels = ("DET", "NOUN")
    _, shares = tags_of(tmp_path, task, example, [{"label": "NOUN", "start": 9, "end": 12}])
    assert shares[2] == [0.0, 1.0] and not any(shares[0])
    for wrong, message in (
        ([{"label": "A", "start": 0, "end": 3}], "entities of DET, NOUN"),
        ([{"label": "NOUN", "end": 3}], "label, start and end of an entity"),
        ([{"label": "NOUN"}], "is a text, but .* has labels of words"),
    ):
        with pytest.raises(ValueError, match=message):
            tags_of(tmp_path, task, example, wrong)


def test_answers_have_their_place_and_a_share(tmp_path):
    columns = {"question": "what", "context": "a fox, a dog"}
    best = [
        {"answer": "fox", "start": 2, "end": 5, "probability": 0.5},
        {"answer": "a fox", "start": 0, "end": 5, "probability": 0.25},
    ]
    alone = {**columns, "question": "who", "answer": {"answer": "dog", "start": 9, "end": 12}}
    none = {**columns, "question": "why", "answer": {"answer": ""}}
    told = {**columns, "answer": {"answer": "", "best_answers": best}}
    rows = Spans(written(tmp_path, told, alone, none), Questions, POOL)
    assert rows.only_votes
    examples = [{**columns, "question": question} for question in ("why", "what", "who")]
    said = {name: value.numpy() for name, value in rows.columns_beside(examples).items()}
    assert said["starts"].tolist() == [[0, 0], [2, 0], [9, 0]]
    assert said["ends"].tolist() == [[0, 0], [5, 5], [12, 0]]
    np.testing.assert_allclose(np.exp(said["scores"]), [[0, 0], [0.5, 0.25], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(np.exp(said["none"]), [1, 0.25, 0], atol=1e-6)
    with pytest.raises(ValueError, match="'fox' is not at 2: have it answered again"):
        Spans(written(tmp_path, {"answer": told["answer"]}), Questions, POOL).columns_beside(
            [{"question": "what", "context": "my fox"}]
        )
    with pytest.raises(ValueError, match="answer, start, end and probability of answers"):
        Spans(written(tmp_path, {**columns, "answer": {"answer": "fox"}}), Questions, POOL)


def test_vectors_have_one_width(tmp_path, task):
    rows = [{"text": text, "answer": {"embedding": [i, 0.5]}} for i, text in enumerate("ab")]
    found = Vectors(written(tmp_path, *rows), task, POOL)
    assert found.input_specs == {"embeddings": ((None, 1, 2), "float32")}
    vectors = found.columns_beside([{"text": "b"}, {"text": "a"}])["embeddings"]
    assert vectors.numpy().tolist() == [[[1.0, 0.5]], [[0.0, 0.5]]]
    twice = [*rows, {**rows[1], "answer": {"embedding": [1.00001, 0.5]}}]
    assert len(Vectors(written(tmp_path, *twice), task, POOL)._of([{"text": "b"}])) == 1
    twice[2]["answer"]["embedding"] = [1.1, 0.5]
    with pytest.raises(ValueError, match="jsonl:3: text 'b' must be there once"):
        Vectors(written(tmp_path, *twice), task, POOL).columns_beside([{"text": "b"}])
    for wrong in ([1.0], [1.0, None], "none"):
        rows[1]["answer"]["embedding"] = wrong
        with pytest.raises(ValueError, match="jsonl:2: .*an embedding of 2 finite numbers"):
            Vectors(written(tmp_path, *rows), task, POOL)
