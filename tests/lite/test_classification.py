import numpy as np
import pytest

from keras_bert.lite.classification import (
    FillMask,
    LiteTask,
    MultipleChoice,
    SentenceEmbedder,
    TextClassifier,
)

LABELS = ["bad", "fine", "odd"]


def of_length(row):
    """Logits by how long the row is."""
    return {"logits": np.array([5.0 - len(row.token_ids), 0.0, -1.0], np.float32)}


@pytest.fixture
def classifier(lite_task):
    def make(network=of_length, **settings):
        own = {"text_keys": ["text"], "labels": LABELS, "stride": None}
        return lite_task(TextClassifier, network, **{**own, **settings})

    return make


def test_the_likeliest_label(classifier):
    answer = classifier(problem="single_label_classification").answer({"text": "fine film"})
    assert answer["label"] == "bad"  # 5 - 4 is more than 0
    assert answer["probabilities"] == pytest.approx(np.exp([1, 0, -1]) / np.exp([1, 0, -1]).sum())
    assert answer["probability"] == answer["probabilities"][0]


def test_several_labels_and_numbers(classifier):
    answer = classifier(problem="multi_label_classification").answer({"text": "fine"})
    assert answer["labels"] == "bad"
    assert answer["probabilities"] == pytest.approx(1 / (1 + np.exp([-2.0, 0.0, 1.0])))
    assert classifier(problem="regression").answer({"text": "a"})["values"].tolist() == [2, 0, -1]


def test_windows_have_the_mean_of_their_logits(classifier):
    task = classifier(problem="regression", stride=20)
    assert task.answer({"text": "a " * 30})["values"][0] == np.mean([5 - 23, 5 - 12])


def test_pairs_are_one_row(classifier):
    rows = []
    task = classifier(
        lambda row: rows.append(row) or of_length(row),
        problem="regression",
        text_keys=["one", "other"],
    )
    task.answer({"one": "a", "other": "fine film"})
    assert rows[0].segment_ids == [0, 0, 0, 1, 1, 1]


def test_the_choice_that_scores_most(lite_task):
    task = lite_task(MultipleChoice, lambda row: {"logits": np.float32([len(row.token_ids)])})
    example = {"context": "a fox", "question": "so", "choices": ["it", "fine film over", ""]}
    answer = task.answer(example)
    assert answer["choice"] == 1 and answer["num_choices"] == 3
    assert answer["probabilities"].sum() == pytest.approx(1)
    assert set(task.as_python(answer)) == {"choice", "probability", "probabilities"}


def test_vectors_of_texts_and_of_tokens(lite_task):
    task = lite_task(SentenceEmbedder, lambda row: {"embeddings": np.ones([1, 3])}, pooling="mean")
    assert task.answer({"text": "a"})["embedding"].tolist() == [1, 1, 1]
    tokens = lite_task(
        SentenceEmbedder, lambda row: {"token_embeddings": np.ones([9, 3])}, pooling="none"
    )
    answer = tokens.answer({"text": "a film"})
    assert answer["token_embeddings"].shape == (4, 3) and answer["num_tokens"] == 4
    assert set(tokens.as_python(answer)) == {"token_embeddings"}


def test_blanks_are_asked_some_at_a_time(lite_task, vocabulary):
    asked = []

    def network(row, positions):
        asked.append(list(positions))
        logits = np.zeros([4, len(vocabulary) + 3], np.float32)
        logits[:, -1] = 99  # which is no piece
        logits[np.arange(len(positions)), positions] = 9
        return {"masked_lm": logits}

    task = lite_task(FillMask, network, top_k=2)
    answer = task.answer({"text": "a " + "[MASK] " * 5})
    assert asked == [[2, 3, 4, 5], [6]] and answer["num_blanks"] == 5
    assert [pieces[0] for pieces in answer["pieces"]] == list(vocabulary[2:7])
    assert task.as_python(answer)[0][0] == (vocabulary[2], answer["probabilities"][0][0])
    task.check({"text": "a [MASK]"})
    for text in ("a film", "a " * 22 + "[MASK]"):
        with pytest.raises(ValueError, match=r"must hold \[MASK\]"):
            task.check({"text": text})


def test_a_task_must_answer(lite_task):
    with pytest.raises(NotImplementedError):
        lite_task(LiteTask, None).answer({})
