import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.finetuning import run as fine_tuning

EXAMPLES = [
    {"sentence": text, "label": label}
    for text, label in (("the fox", "no"), ("lazy dog", "yes"), ("a film", "no"), ("over", "yes"))
]


def classifier(tokenizer, config):
    keras.utils.set_random_seed(4)
    config = dataclasses.replace(config, num_layers=1)
    task = kb.TextClassifier(kb.BertEncoder(config), kb.Packer(tokenizer, 9), ("no", "yes"))
    task.compile(kb.AdamW(1e-3), **task.objective())
    return task


class Scripted:
    """A task whose scores are those of a list, one for each epoch."""

    def __init__(self, task, values):
        self.task, self.values, self.saved = task, list(values), []
        task.scores = lambda examples, answers: {"accuracy": self.values.pop(0), "f1": 0.0}

    def save(self):
        self.saved.append(int(self.task.optimizer.iterations.numpy()))

    def run(self, folder, num_epochs=5, **arguments):
        data = self.task.dataset(EXAMPLES, 3, training=True)
        return fine_tuning.fine_tune(
            self.task, data, EXAMPLES, folder, self.save, num_epochs, **arguments
        )


@pytest.fixture(scope="module")
def task(tokenizer, config):
    return classifier(tokenizer, config)


def test_the_best_epoch_is_saved_and_patience_ends_the_run(tokenizer, config, tmp_path):
    script = Scripted(classifier(tokenizer, config), (0.2, 0.6, 0.6, 0.1, 0.9))
    history = script.run(tmp_path, patience=2)
    assert script.saved == [2, 4]  # two steps an epoch
    assert history["val_accuracy"] == [0.2, 0.6, 0.6, 0.1]
    assert fine_tuning.best_epoch(history, "accuracy") == 1
    # Run again it stays ended: nothing is trained, scored or saved.
    again = Scripted(script.task, ())
    assert again.run(tmp_path, patience=2) == history and again.saved == []


def test_a_run_that_goes_on_knows_what_its_earlier_epochs_reached(tokenizer, config, tmp_path):
    script = Scripted(classifier(tokenizer, config), (0.2, 0.6))
    script.run(tmp_path, num_epochs=2)
    more = Scripted(script.task, (0.5,))
    history = more.run(tmp_path, num_epochs=3)
    assert more.saved == [] and history["val_accuracy"] == [0.2, 0.6, 0.5]


def test_without_held_out_examples_the_end_is_saved(tokenizer, config, tmp_path):
    task, saved = classifier(tokenizer, config), []
    data = task.dataset(EXAMPLES, 4, training=True)
    fine_tuning.fine_tune(task, data, [], tmp_path, lambda: saved.append(True), num_epochs=1)
    assert saved == [True]


def kept(task, folder, values, metric="accuracy", **arguments):
    """The epochs that are saved where the scores are these, and whether the run ends then."""
    saved = []
    examples = [{**example, "label": 1} for example in EXAMPLES] if metric in NUMBERS else EXAMPLES
    task.scores = lambda examples, answers: {metric: values[len(log.lines())], "f1": 0.0}
    keep = fine_tuning.KeepBest(
        task, examples, folder, lambda: saved.append(len(log.lines())), metric, **arguments
    )
    keep.set_model(task)
    log, task.stop_training = keep.record, False
    while len(log.lines()) < len(values) and not task.stop_training:
        logs = {"step": len(log.lines())}
        keep.on_epoch_end(len(log.lines()), logs)
        log.append(logs)
    return saved, len(log.lines())


NAN = float("nan")
NUMBERS = ("pearson", "mean_squared_error")


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
    assert fine_tuning.best_epoch({f"val_{metric}": values}, metric) == saved[-1]
    assert (f"{metric} of the held-out examples is nan" in caplog.text) == (NAN in values)


def test_patience_waits_for_what_is_better(numbers, tmp_path):
    values = [0.9, 0.5, 0.6, 0.7, 0.1]
    assert kept(numbers, tmp_path, values, "mean_squared_error", patience=2) == ([0, 1], 4)


@pytest.fixture(scope="module")
def numbers(tokenizer, config):
    config = dataclasses.replace(config, num_layers=1)
    encoder, packer = kb.BertEncoder(config), kb.Packer(tokenizer, 9)
    task = kb.TextClassifier(encoder, packer, ("score",), problem="regression")
    return task


@pytest.mark.parametrize(
    ("held_out", "arguments", "message"),
    [
        (EXAMPLES, {"metric": "acuracy"}, "one of accuracy, f1, matthews, not 'acuracy'"),
        (EXAMPLES, {"metric": "f1_macro"}, "one of f1, accuracy, matthews, not 'f1_macro'"),
        (EXAMPLES, {"patience": 0}, "patience must be an int of at least 1"),
        ([{"sentence": "a", "label": "or"}], {}, "a label must be one of 'no', 'yes', but is 'or'"),
        ([{"sentence": "a"}], {}, "there must be a column 'label'"),
        ([{"text": "a", "label": "no"}], {}, "there must be a column 'sentence'"),
        ([], {"metric": "f1"}, "there are none for metric='f1'"),
        ([], {"patience": 2}, "patience=2: hold examples out"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_trained(
    task, tmp_path, held_out, arguments, message
):
    with pytest.raises(ValueError, match=message):
        fine_tuning.fine_tune(task, None, held_out, tmp_path, None, num_epochs=3, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_score_that_the_history_lacks():
    with pytest.raises(ValueError, match="chosen by val_f1, but the history has loss"):
        fine_tuning.best_epoch({"loss": [0.5]}, "f1")


def test_num_batches_counts_what_is_not_known():
    data = tf.data.Dataset.range(7)
    assert fine_tuning.num_batches(data.batch(3)) == 3
    assert fine_tuning.num_batches(data.filter(lambda x: x > 1)) == 5


def test_balanced_labels_weigh_the_same_in_all():
    labels = [*"aabbb", 1, "1.0"]
    sums = dict.fromkeys("ab1", 0.0)
    for label, weight in zip("aabbb11", fine_tuning.balanced_weights(labels), strict=True):
        sums[label] += weight
    assert list(sums.values()) == pytest.approx([7 / 3] * 3)
    with pytest.raises(ValueError, match="that of example 1 is '-'"):
        fine_tuning.balanced_weights(["a", "-"])


def test_every_weight_has_its_layers_rate(task):
    rates = fine_tuning.layer_rates(task.encoder.config, 0.5)
    optimizer = kb.AdamW(1e-3, rate_factors=rates)
    factors = {weight.path: optimizer.rate_factor(weight) for weight in task.trainable_weights}
    assert factors["embeddings/token/embeddings"] == 0.25
    assert factors["layer_0/attention/query/kernel"] == 0.5
    assert factors["pooler/dense/kernel"] == factors["classifier/bias"] == 1.0
    assert fine_tuning.layer_rates(task.encoder.config, 1.0) == {}
    with pytest.raises(ValueError, match=r"lie in \(0, 1\], not 0"):
        fine_tuning.layer_rates(task.encoder.config, 0.0)


def test_frozen_layers_keep_their_weights(tokenizer, config):
    task = kb.TextClassifier(kb.BertEncoder(config), kb.Packer(tokenizer, 9), ("no", "yes"))
    fine_tuning.freeze(task.encoder, 1)
    task.compile(kb.AdamW(1e-2), run_eagerly=True, **task.objective())
    before = {weight.path: np.array(weight) for weight in task.weights}
    task.fit(task.dataset(EXAMPLES, 4), verbose=0)
    changed = {w.path.split("/")[0] for w in task.weights if (np.array(w) != before[w.path]).any()}
    assert {"layer_1", "pooler", "classifier"} <= changed
    kept = {w.path for w in task.weights if (np.array(w) == before[w.path]).all()}
    frozen = {path for path in before if path.startswith(("embeddings/", "layer_0/"))}
    assert {path for path in frozen if "seed" not in path} <= kept
    with pytest.raises(ValueError, match="between 0 and 2, not 3"):
        fine_tuning.freeze(task.encoder, 3)
