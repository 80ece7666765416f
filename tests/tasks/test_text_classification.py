import numpy as np
import pytest

import keras_bert as kb


def task_of(tokenizer, config, *args, **kwargs):
    return kb.TextClassifier(kb.BertEncoder(config), kb.Packer(tokenizer, 13), *args, **kwargs)


@pytest.fixture(scope="module")
def classifier(tokenizer, config):
    return task_of(tokenizer, config, ("no", "perhaps", "yes"))


def test_answers_of_one_label(classifier):
    answers = classifier.answers({"logits": np.log([[1.0, 2.0, 5.0], [4.0, 2.0, 2.0]])}, {})
    assert answers["label"].numpy().tolist() == [b"yes", b"no"]
    np.testing.assert_allclose(answers["probability"], [5 / 8, 4 / 8], rtol=1e-6)
    np.testing.assert_allclose(answers["probabilities"][1], [0.5, 0.25, 0.25], rtol=1e-6)


def test_answers_of_several_labels(tokenizer, config):
    task = task_of(tokenizer, config, ("x", "y", "z"), problem="multi_label_classification")
    answers = task.answers({"logits": np.array([[3.0, -1.0, 0.1], [-1.0, -2.0, -3.0]])}, {})
    assert answers["labels"].numpy().tolist() == [b"x,z", b""]
    np.testing.assert_allclose(answers["probabilities"][0, 1], 1 / (1 + np.e), rtol=1e-6)


def test_scores_of_two_classes(tokenizer, config):
    task = task_of(tokenizer, config, ("no", "yes"))
    examples = [{"label": label} for label in ("yes", "yes", "no", "no", "yes")]
    answers = [{"label": label} for label in ("yes", "no", "no", "yes", "yes")]
    scores = task.scores(examples, answers)
    assert scores["accuracy"] == pytest.approx(3 / 5)
    assert scores["f1"] == pytest.approx(2 / 3)  # of "yes": 2 right of 3 said and 3 there
    assert scores["matthews"] == pytest.approx(1 / 6)


def test_scores_of_numbers(tokenizer, config):
    task = task_of(tokenizer, config, ("score",), problem="regression")
    examples = [{"label": label} for label in ("1", 2.0, 4)]
    scores = task.scores(examples, [{"values": [value]} for value in (1.0, 3.0, 4.0)])
    assert scores["spearman"] == pytest.approx(1.0)
    assert scores["mean_squared_error"] == pytest.approx(1 / 3)


def test_scores_of_several_labels(tokenizer, config):
    task = task_of(tokenizer, config, ("x", "y"), problem="multi_label_classification")
    answers = [{"probabilities": p} for p in ([0.9, 0.8], [0.2, 0.6])]
    scores = task.scores([{"label": "x"}, {"label": "y"}], answers)
    assert scores["accuracy"] == 0.5
    assert scores["f1_micro"] == pytest.approx(4 / 5)


def test_a_long_text_is_the_mean_of_its_windows(tokenizer, config):
    task = task_of(tokenizer, config, ("no", "yes"), stride=5)
    short = task_of(tokenizer, config, ("no", "yes"))
    short.set_weights(task.get_weights())
    text = "a b c d e f g h i j k l m n o"  # rows of 11 pieces, from the pieces 0 and 5 on
    features = task.features({"sentence": np.array([text, "a b"])})
    assert features["token_ids"].shape == (2, 2, 13)
    logits = task(task.model_inputs(features))["logits"]
    windows = [text[:22], text[10:], "a b"]
    rows = short(short.features({"sentence": np.array(windows)}))["logits"].numpy()
    np.testing.assert_allclose(logits[0], rows[:2].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(logits[1], rows[2], atol=1e-6)


def test_label_smoothing_is_that_of_its_paper(classifier):
    loss = classifier.objective(label_smoothing=0.3)["loss"]["logits"]
    logits, labels = np.array([[0.3, -0.2, 1.0]], "float32"), np.array([[0.0, 1.0, 0.0]])
    log_p = logits - np.log(np.exp(logits).sum())
    expected = -(log_p * (0.7 * labels + 0.1)).sum()
    assert float(loss(labels, logits)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": "no"}, "labels must be names"),
        ({"labels": ("no", "no")}, "each once"),
        ({"labels": ("no",)}, "at least two classes"),
        ({"labels": ("a", "b"), "problem": "sorting"}, "problem must be one of"),
        ({"labels": ("a", "b"), "text_keys": "text"}, "text_keys must be"),
        ({"labels": ("a", "b"), "text_keys": ("x", "y"), "stride": 3}, "for single texts"),
    ],
)
def test_arguments_are_checked(tokenizer, config, arguments, message):
    with pytest.raises(ValueError, match=message):
        task_of(tokenizer, config, **arguments)


class Row(dict):
    """An example of a file."""

    source = "a.tsv:3"


@pytest.fixture(scope="module")
def regression(tokenizer, config):
    return task_of(tokenizer, config, ("score",), problem="regression")


@pytest.mark.parametrize("label", ["one", None, "1,2", float("nan"), "", [1, 2], "inf"])
def test_numbers_must_be_numbers(regression, label):
    with pytest.raises(ValueError, match=r"a\.tsv:3: a label must be a finite number, but"):
        regression.target_columns([Row(sentence="a", label=label)])


def test_numbers_are_read_as_files_write_them(regression):
    examples = [{"label": label} for label in ("3", 3, " 3.0 ", np.float32(3), [3], b"3")]
    assert np.ravel(regression.target_columns(examples)["label"]).tolist() == [3.0] * 6


@pytest.fixture(scope="module")
def several(tokenizer, config):
    return task_of(tokenizer, config, ("x", "y", "z"), problem="multi_label_classification")


@pytest.mark.parametrize(
    "label", ["x, z", "z,x", ["x", "z"], [1, 0, 1], ["1", "0", "1.0"], "x;z", "['x', 'z']"]
)
def test_several_labels_are_read_as_files_write_them(several, label):
    assert np.asarray(several.target_columns([{"label": label}])["label"]).tolist() == [[1, 0, 1]]


def test_no_label_of_several_is_not_the_same_as_no_column(several):
    assert np.sum(several.target_columns([{"label": ""}, {"label": []}])["label"]) == 0
    with pytest.raises(ValueError, match=r"a\.tsv:3: there must be a column 'label'"):
        several.target_columns([Row(sentence="a", labels="x")])
    for label in (None, float("nan"), "-"):
        with pytest.raises(ValueError, match=r"a\.tsv:3: label must have .* write \[\]"):
            several.target_columns([Row(label=label)])
    with pytest.raises(ValueError, match=r"a\.tsv:3: a label must be one of .* but is 'w'"):
        several.target_columns([Row(label="x, w")])


def test_labels_may_be_numbers(tokenizer, config):
    task = task_of(tokenizer, config, (0, 1))
    assert task.labels == ("0", "1")
    columns = task.target_columns([{"label": label} for label in (1, "1", 1.0, "1.0")])
    assert np.argmax(columns["label"], axis=1).tolist() == [1] * 4
