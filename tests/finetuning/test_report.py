import json
import math

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.finetuning import report


@pytest.fixture(scope="module")
def task(tokenizer, config):
    return kb.TextClassifier(kb.BertEncoder(config), kb.Packer(tokenizer, 9), ("no", "yes"))


def test_predictions_are_examples_with_their_answers(tmp_path):
    examples = [{"sentence": "Übung", "label": "no"}, {"sentence": "b", "label": "yes"}]
    report.write_predictions(tmp_path / "predictions.jsonl", examples, [{"label": "no"}, [1]])
    lines = (tmp_path / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {**examples[0], "answer": {"label": "no"}}
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


def test_a_model_card_without_held_out_examples_has_no_scores(task):
    card = report.model_card(task, "mine", {}, {}, "python")
    assert "None: no examples were held out" in card and "| score |" not in card


def test_mean_and_spread_of_one_run():
    assert report.mean_and_spread([{"f1": 0.5}]) == {"f1": (0.5, 0.0)}


def test_mean_and_spread_of_a_run_without_a_number():
    runs = [{"pearson": float("nan"), "f1": 0.5}, {"pearson": 0.5}]
    figures = report.mean_and_spread(runs)
    assert all(math.isnan(number) for pair in figures.values() for number in pair)


def test_pictures_are_drawn(task, tmp_path):
    examples = [{"label": label} for label in ("no", "yes", " yes")]
    answers = [{"label": label} for label in ("no", "no", "yes")]
    report.draw_confusion(task, examples, answers, tmp_path / "confusion.png")
    history = {"epoch": [1, 2], "loss": [0.9, 0.5], "val_accuracy": [0.5, 0.75]}
    report.draw_scores(history, tmp_path / "scores.png")
    for name in ("confusion.png", "scores.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_a_model_card_says_what_a_reader_asks(task):
    card = report.model_card(
        task,
        "checkpoints/mine",
        {"learned from": "train.tsv (7 examples)"},
        {"accuracy": 0.91234, "f1": (0.9, 0.01)},
        "python -m train.finetune --flagfile=checkpoints/mine/finetune.flags",
    )
    for part in (
        "`TextClassifier`",
        "- learned from: train.tsv (7 examples)",
        "| accuracy | 0.9123 |",
        "| f1 | 0.9000 ± 0.0100 |",
        "python -m train.finetune",
        'kb.load("checkpoints/mine")',
    ):
        assert part in card
