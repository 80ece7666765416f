"""The best epoch by any score, and what is told before anything is trained."""

import dataclasses

import keras
import pytest

import keras_bert as kb
from keras_bert.finetuning import choice
from keras_bert.finetuning.choice import Choice
from keras_bert.finetuning.held_out import HeldOut

EXAMPLES = [{"sentence": "the fox", "label": "no"}, {"sentence": "lazy dog", "label": "yes"}]
NAN = float("nan")
NUMBERS = ("pearson", "mean_squared_error")


@pytest.fixture(scope="module")
def task(tokenizer, config):
    keras.utils.set_random_seed(4)
    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1))
    return kb.TextClassifier(encoder, kb.Packer(tokenizer, 9), ("no", "yes"))


@pytest.fixture(scope="module")
def numbers(task):
    return kb.TextClassifier(task.encoder, task.packer, ("score",), problem="regression")


def kept(task, folder, values, metric="accuracy", **chosen):
    """The epochs that are saved where the scores are these, and whether the run ends then."""
    saved = []
    examples = [{**example, "label": 1} for example in EXAMPLES] if metric in NUMBERS else EXAMPLES
    judge = HeldOut(task, examples, 3)
    judge.scored = lambda: {metric: values[len(log.lines())], "f1": 0.0}
    keep = choice.KeepBest(
        *(judge, folder, lambda: saved.append(len(log.lines()))), Choice(metric, **chosen)
    )
    keep.set_model(task)
    log, task.stop_training = keep.record, False
    while len(log.lines()) < len(values) and not task.stop_training:
        logs = {"step": len(log.lines())}
        keep.on_epoch_end(len(log.lines()), logs)
        log.append(logs)
    return saved, len(log.lines())


@pytest.mark.parametrize(
    ("metric", "values", "saved"),
    [
        ("accuracy", [0.2, 0.1, 0.2, 0.3], [0, 3]),
        ("mean_squared_error", [0.9, 0.1, 0.5, 0.1], [0, 1]),
        ("pearson", [NAN, 0.2, NAN, 0.9], [0, 1, 3]),
        ("mean_squared_error", [NAN, NAN, 0.5, NAN], [0, 2]),
        ("pearson", [NAN, NAN], [0]),
    ],
)
def test_every_score_has_a_best_epoch(task, numbers, tmp_path, caplog, metric, values, saved):
    task = numbers if metric in NUMBERS else task
    with caplog.at_level("WARNING", logger="absl"):
        assert kept(task, tmp_path, values, metric) == (saved, len(values))
    history = {f"val_{metric}": values, "val_f1": values[::-1], "loss": values, "val_loss": values}
    assert choice.best_epoch(history, metric) == saved[-1]
    best = choice.scores_of_best(history, task, Choice(metric))
    assert str(best) == str({metric: values[saved[-1]], "f1": values[::-1][saved[-1]]})
    assert (f"{metric} of the held-out examples is nan" in caplog.text) == (NAN in values)


def test_patience_waits_for_what_is_better(numbers, tmp_path):
    values = [0.9, 0.5, 0.6, 0.7, 0.1]
    assert kept(numbers, tmp_path, values, "mean_squared_error", patience=2) == ([0, 1], 4)


def test_epochs_at_the_beginning_may_not_be_chosen(task, tmp_path):
    values = [0.9, 0.8, 0.4, 0.5, 0.5, 0.3]
    chosen = {"first_epoch": 2, "patience": 2}
    assert kept(task, tmp_path, values, **chosen) == ([2, 3], 6)
    assert choice.best_epoch({"val_accuracy": values}, "accuracy", first_epoch=2) == 3
    history = {"val_accuracy": values, "val_f1": values}
    found = choice.scores_of_best(history, task, Choice(**chosen))
    assert found == {"accuracy": 0.5, "f1": 0.5}
    choice.check_choice(task, [], Choice(first_epoch=2))


@pytest.mark.parametrize(
    ("held_out", "chosen", "message"),
    [
        (EXAMPLES, Choice("acuracy"), "one of accuracy, f1, matthews, not 'acuracy'"),
        (EXAMPLES, Choice("f1_macro"), "one of f1, accuracy, matthews, not 'f1_macro'"),
        (EXAMPLES, Choice(patience=0), "patience must be an int of at least 1"),
        ([{"sentence": "a", "label": "or"}], Choice(), "one of 'no', 'yes', but is 'or'"),
        ([{"sentence": "a"}], Choice(), "there must be a column 'label'"),
        ([{"text": "a", "label": "no"}], Choice(), "there must be a column 'sentence'"),
        ([], Choice("f1"), "there are none for metric='f1'"),
        ([], Choice(patience=2), "patience=2: hold examples out"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_trained(task, held_out, chosen, message):
    with pytest.raises(ValueError, match=message):
        choice.check_choice(task, held_out, chosen)
    choice.check_choice(task, [], Choice())


def test_a_score_that_the_history_lacks():
    with pytest.raises(ValueError, match="chosen by val_f1, but the history has loss"):
        choice.best_epoch({"loss": [0.5]}, "f1")
