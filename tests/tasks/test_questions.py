"""Answers as examples have them, and the scores of others."""

import logging

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.tasks.questions import (
    check_counts,
    checked_threshold,
    question_scores,
    report_cut_questions,
    report_rows,
    span_of,
)

EXAMPLE = {"context": "a Café and a fox", "answers": ["Café", "fox"], "answer_starts": [2, 13]}


class Row(dict):
    """An example of a file."""

    source = "f.json:7"


def test_the_first_answer_is_the_span():
    assert span_of(EXAMPLE, may_be_none=False) == (2, 6)
    encoded = {**EXAMPLE, "context": EXAMPLE["context"].encode(), "answer_starts": ["2", 13.0]}
    assert span_of(encoded, may_be_none=False) == (2, 6)
    assert span_of({"impossible": True}, may_be_none=True) == (0, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answers": []}, "must be an answer and a start for every answer, .* 0 answers and 2"),
        ({"answers": "Café"}, "answers must be a list of texts"),
        ({"answer_starts": [2.5, 13]}, "answer_starts must be whole numbers"),
        ({"answer_starts": [3, 13]}, "'Café' is not at 3: correct it"),
        ({"impossible": True}, "every question must have an answer"),
    ],
)
def test_what_is_wrong_is_told(change, message):
    with pytest.raises(ValueError, match=f"f.json:7: .*{message}"):
        span_of(Row({**EXAMPLE, **change}), may_be_none=False)


def test_scores_are_of_the_best_answer_where_there_may_be_none():
    answers = [
        {"answer": "", "best_answers": [{"answer": "Café"}], "no_answer_score": -1.0},
        {"answer": "fox", "best_answers": [], "no_answer_score": 2.0},
    ]
    examples = [EXAMPLE, {"impossible": True}]
    scores = question_scores(examples, answers, no_answer_threshold=0.0)
    assert scores["f1"] == scores["exact"] == 100.0 and "best_f1_thresh" in scores
    assert question_scores(examples[:1], answers[:1], None)["f1"] == 0.0


def test_what_is_cut_or_lost_is_said(caplog):
    with caplog.at_level(logging.INFO, "absl"):
        report_cut_questions(np.array([3, 5, 7]), room=5)
        report_rows([0, 0, 1, 2], [0], [4, 9, 0], sequence_length=23)
    assert "1 of 3 questions have more than 5 pieces and are cut" in caplog.text
    assert "1 of 3 contexts are longer than a row of 23 pieces" in caplog.text
    assert "1 of 2 answers are whole in no row" in caplog.text
    caplog.clear()
    report_cut_questions(np.array([3, 5]), room=5)
    report_rows([0, 1], [0, 1], [4, 9], sequence_length=23)
    assert not caplog.text


def test_counts_and_thresholds_have_a_range(tokenizer):
    packer = kb.Packer(tokenizer, 23)
    check_counts({"stride": 19, "num_best": 1}, packer)
    for counts in ({"stride": 20}, {"stride": 0}, {"stride": 5, "num_best": 1.5}):
        with pytest.raises(ValueError, match="stride must be|num_best must be"):
            check_counts(counts, packer)
    assert checked_threshold(1) == 1.0 and checked_threshold(None) is None
    with pytest.raises(ValueError, match="must be a finite number or None, but is inf"):
        checked_threshold(float("inf"))
