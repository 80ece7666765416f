import collections
import json
import math
import shutil

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.finetuning import report
from keras_bert.tasks.hooks import Classes

EXAMPLES = [{"sentence": "Übung", "label": "no"}, {"sentence": "b", "label": "yes"}]


def test_predictions_are_examples_with_their_answers(tmp_path):
    report.write_predictions(tmp_path / "predictions.jsonl", EXAMPLES, [{"label": "no"}, [1]])
    lines = (tmp_path / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {**EXAMPLES[0], "answer": {"label": "no"}}
    assert "Übung" in lines[0] and json.loads(lines[1])["answer"] == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.jsonl"]


class Row(dict):
    """An example of a file."""

    source = "a.tsv:7"


def test_no_column_is_lost_in_predictions(tmp_path):
    path = tmp_path / "predictions.jsonl"
    report.write_predictions(path, [Row(text="a", vector=np.ones(2))], [1])
    assert json.loads(path.read_text()) == {
        "text": "a",
        "vector": [1.0, 1.0],
        "source": "a.tsv:7",
        "answer": 1,
    }
    users = {"answer": "b", "source": "c", "answer_": "d"}
    report.write_predictions(path, [Row(users), Row(answer="e")], [1, 2])
    first, second = map(json.loads, path.read_text().splitlines())
    assert first == {**users, "source_": "a.tsv:7", "answer__": 1}
    assert second == {"answer": "e", "source_": "a.tsv:7", "answer__": 2}


def test_cells_stand_in_columns():
    lines = [("", "f1", "parameters"), ("teacher", "0.9000", "7"), ("a", "0.8", "12,345")]
    assert report.aligned(lines).splitlines() == [
        "             f1  parameters",
        "teacher  0.9000           7",
        "a           0.8      12,345",
    ]


def test_mean_and_spread_of_one_run():
    assert report.mean_and_spread([{"f1": 0.5}]) == {"f1": (0.5, 0.0)}


def test_mean_and_spread_of_a_run_without_a_number():
    runs = [{"pearson": float("nan"), "f1": 0.5}, {"pearson": 0.5}]
    figures = report.mean_and_spread(runs)
    assert all(math.isnan(number) for pair in figures.values() for number in pair)


def test_figures_of_several_seeds_have_their_spread_and_the_most_frequent_label():
    classes = Classes(("no", "yes"), np.array([1, 0, 1]), np.array([1, 1, 1]), np.full(3, 0.5))
    runs = [{"accuracy": 0.5}, {"accuracy": 1.0}]
    figures = report.figures_of(runs[1], runs, classes, are_scores=True)
    assert figures["scores"] == runs[1] and figures["runs"] == runs
    assert figures["the most frequent label"] == {"label": "yes", "accuracy": 2 / 3}
    assert figures["mean and standard deviation"]["accuracy"][0] == 0.75
    assert figures["classes"]["yes"]["precision"] == 2 / 3 and figures["f1 is of"] == "yes"
    assert figures["calibration error"] == pytest.approx(2 / 3 - 0.5)


def test_the_surest_mistakes_come_first():
    classes = Classes(
        ("no", "yes"), np.array([1, 0, 1]), np.array([0, 1, 1]), np.array([0.6, 0.9, 0.95])
    )
    examples = [{"a": "x", "b": "y"}, {"a": "z", "b": "w"}, {"a": "", "b": ""}]
    found = report.Answered(examples, [], classes).mistakes(("a", "b"))
    assert found == [
        report.Mistake("z | w", "no", "yes", 0.9),
        report.Mistake("x | y", "yes", "no", 0.6),
    ]
    assert report.Answered(examples, [], None).mistakes(("a",)) == []


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([{"label": "bad", "probability": p} for p in (0.6, 0.9)], "'bad' for every held-out"),
        ([{"choice": 0}, {"choice": 0}], "0 for every held-out example"),
        ([{"answer": ""}, {"answer": ""}], "nothing for every held-out example"),
        ([{"labels": ""}, {"labels": ""}], "nothing for every held-out example"),
        ([[{"label": "O"}] * 2, []], "O for every word, and finds nothing"),
        ([[[("the", 0.5), ("a", 0.1)]], [[("the", 0.4)]]], "'the' for every word"),
        ([{"label": "bad"}], None),
        ([{"label": "bad"}, {"label": "good"}], None),
        ([[{"label": "O"}, {"label": "B-A"}]], None),
        ([{"embedding": [1.0]}, {"values": [1.0]}], None),
    ],
)
def test_answers_that_are_all_the_same_are_told(answers, said):
    found = report.warning_of(answers)
    assert found is None if said is None else f"It says {said}" in found


@pytest.fixture(scope="module")
def packer(tokenizer):
    return kb.Packer(tokenizer, 11)


def test_held_out_examples_are_answered_and_what_was_taken_for_what_is_drawn(
    packer, config, tmp_path
):
    task = kb.TextClassifier(kb.BertEncoder(config), packer, ("no", "yes"))
    task.layers[-1].set_weights([np.zeros((18, 2)), np.array([1.0, 0.0])])
    answered = report.answer_held_out(task, EXAMPLES, tmp_path)
    assert answered.warning.startswith("It says 'no' for every held-out example: train longer")
    assert report.answer_held_out(task, 2 * EXAMPLES[:1], tmp_path / "right").warning is None
    shutil.rmtree(tmp_path / "right")
    classes = answered.classes
    assert classes.labels == ("no", "yes") and classes.true.tolist() == [0, 1]
    said = [json.loads(line) for line in (tmp_path / "predictions.jsonl").open()]
    assert [one["answer"]["label"] for one in said] == [
        classes.labels[index] for index in classes.predicted
    ]
    assert {path.name for path in tmp_path.iterdir()} == {
        *("predictions.jsonl", "confusion.png", "calibration.png", "groups.png"),
    }


def test_the_threshold_of_no_answer_is_chosen_and_saved(packer, config, tmp_path):
    task = kb.QuestionAnswerer(kb.BertEncoder(config), packer, no_answer_threshold=99.0)
    question = {"question": "who", "context": "the fox"}
    examples = [
        {**question, "answers": ["the fox"], "answer_starts": [0]},
        {**question, "impossible": True},
    ]
    best = task.scores(examples, task(examples))["best_f1_thresh"]
    assert report.answer_held_out(task, examples, tmp_path).classes is None
    assert (tmp_path / "groups.png").exists()
    assert kb.load(tmp_path).model.no_answer_threshold == task.no_answer_threshold == best
    said = [
        json.loads(line)["answer"]["answer"] for line in (tmp_path / "predictions.jsonl").open()
    ]
    assert collections.Counter(said) == collections.Counter(
        answer["answer"] for answer in task(examples)
    )
