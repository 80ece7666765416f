"""What is learned of labels, how it is scored, and which rows have none."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.data.rows import Row
from keras_bert.tasks.problems import PROBLEMS, REGRESSION, SEVERAL_LABELS, SINGLE_LABEL

LABELS = ("no", "perhaps", "yes")


def rows(*labels):
    return [Row({"mood": label}, f"a.csv:{i}") for i, label in enumerate(labels, 2)]


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        (SINGLE_LABEL, (1, "0", 1.0), ("0", "1")),
        (SEVERAL_LABELS, ("b, a", ["c"]), ("a", "b", "c")),
        (REGRESSION, (3, 4), ("value",)),
    ],
)
def test_labels_are_those_of_the_data(name, labels, expected):
    assert PROBLEMS[name].labels_of(rows(*labels), "mood") == expected


def test_columns_of_marks_are_labels():
    problem = PROBLEMS[SEVERAL_LABELS]
    some = [Row({"toxic": 1, "rude": "0.0"}, "a.csv:2"), Row({"toxic": 0, "rude": 1}, "a.csv:3")]
    assert problem.labels_of(some, "toxic,rude") == ("toxic", "rude")
    prepared = problem.prepared(some, "toxic,rude", None, some)
    assert [row["toxic,rude"] for row in prepared] == [["toxic"], ["rude"]]
    wrong = [Row({"toxic": "yes", "rude": 0}, "a.csv:2")]
    with pytest.raises(ValueError, match="a.csv:2: toxic must be 0 or 1, .* but is 'yes'"):
        problem.prepared(wrong, "toxic,rude", None, wrong)


def test_cells_have_a_column_for_each_label():
    answer = {"label": "no", "probability": 0.5, "probabilities": [0.5, 0.25, 0.25]}
    cells = PROBLEMS[SINGLE_LABEL].cells(answer, LABELS)
    assert list(cells)[:3] == ["label", "probability", "probability_no"]
    assert (len(cells), cells["probability_yes"]) == (5, 0.25)
    cells = PROBLEMS[SEVERAL_LABELS].cells({"labels": "", "probabilities": [0.25, 0.5]}, "ab")
    assert cells == {"labels": "", "probability_a": 0.25, "probability_b": 0.5}
    assert PROBLEMS[REGRESSION].cells({"values": [3.5]}, ("value",)) == {"value": 3.5}


def test_rows_without_a_label_are_left_out_and_counted(caplog):
    problem, some = PROBLEMS[SINGLE_LABEL], rows("-", 2, -1, "", 0, "1")
    kept = problem.prepared(some, "mood", None, some)
    assert [row["mood"] for row in kept] == [2, "", 0, "1"]
    assert "Left out 2 of 6 examples, which have no label (mood is '-' at a.csv:2)" in caplog.text
    assert problem.prepared(some, "mood", ("-", "-1", "0", "1", "2"), some) == some
    with pytest.raises(ValueError, match=r"No example has a label \(mood is '-' at a.csv:2\)"):
        problem.prepared(some[:1], "mood", None, some)


def test_what_is_not_certain_is_told_with_the_flag_that_says_it():
    with pytest.raises(ValueError, match="a.csv:2 and others: mood: .* Say --labels="):
        PROBLEMS[SINGLE_LABEL].labels_of(rows(-1, 0, 1), "mood")


def test_targets_are_a_row_for_each_example():
    targets = PROBLEMS[SINGLE_LABEL].targets(rows("yes", " no"), "mood", LABELS)
    assert targets.tolist() == [[0, 0, 1], [1, 0, 0]]
    targets = PROBLEMS[SEVERAL_LABELS].targets(rows("yes,no", ""), "mood", LABELS)
    assert targets.tolist() == [[1, 0, 1], [0, 0, 0]]
    targets = PROBLEMS[REGRESSION].targets(rows("1.5,2", [3, 4]), "mood", ("a", "b"))
    assert targets.tolist() == [[1.5, 2.0], [3.0, 4.0]]
    with pytest.raises(ValueError, match="a.csv:2: a label must be 2 finite numbers, but is '1'"):
        PROBLEMS[REGRESSION].targets(rows("1"), "mood", ("a", "b"))


@pytest.mark.parametrize("name", PROBLEMS)
def test_scores_of_arrays_are_those_of_answers(name):
    problem, generator = PROBLEMS[name], np.random.default_rng(3)
    labels = ("number",) if name == REGRESSION else LABELS
    logits = generator.normal(size=[29, len(labels)]).astype("float32")
    columns = {
        key: value.numpy() for key, value in problem.answers(tf.constant(logits), labels).items()
    }
    answers = [
        {
            key: v.decode() if isinstance(v, bytes) else v
            for key, v in zip(columns, row, strict=True)
        }
        for row in zip(*(value.tolist() for value in columns.values()), strict=True)
    ]
    targets = {
        SINGLE_LABEL: np.eye(3)[generator.integers(3, size=29)],
        SEVERAL_LABELS: generator.integers(2, size=[29, 3]).astype("float32"),
        REGRESSION: generator.normal(size=[29, 1]),
    }[name]
    scores = problem.scores(targets, answers, labels)
    assert scores == problem.scores(targets, columns, labels)
    assert tuple(scores) == problem.SCORES


def test_the_one_class_of_an_answer():
    columns = {"probabilities": np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])}
    assert PROBLEMS[SINGLE_LABEL].predicted(columns, LABELS).tolist() == [1, 0]
    answers = [{"label": "yes"}, {"label": "no"}]
    assert PROBLEMS[SINGLE_LABEL].predicted(answers, LABELS).tolist() == [2, 0]
    assert PROBLEMS[SEVERAL_LABELS].predicted(columns, LABELS) is None


def test_losses_are_those_of_logits():
    logits, labels = tf.constant([[0.0, 0.0]]), tf.constant([[1.0, 0.0]])
    for name, expected in (
        (SINGLE_LABEL, np.log(2)),
        (SEVERAL_LABELS, np.log(2)),
        (REGRESSION, 0.5),
    ):
        problem = PROBLEMS[name]
        assert float(problem.loss(0.0)(labels, logits)) == pytest.approx(expected, rel=1e-5)
        metric = problem.metric()
        metric.update_state(labels, logits)
        assert 0.0 <= float(metric.result()) <= 1.0


def test_one_label_may_stand_as_keras_has_it():
    problem = PROBLEMS[SINGLE_LABEL]
    for labels in (np.array([[2], [0]]), np.array([[0, 0, 1], [1, 0, 0]]), ("yes", "no"), (2, 0.0)):
        targets = problem.targets(rows(*labels), "mood", LABELS)
        assert targets.argmax(axis=1).tolist() == [2, 0]
    for wrong in ([1, 1, 0], [0, 1], 3):
        with pytest.raises(ValueError, match="a.csv:2: a label must be one of 'no', 'perhaps'"):
            problem.targets(rows(wrong), "mood", LABELS)
