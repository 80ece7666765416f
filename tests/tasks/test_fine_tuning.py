import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.tasks import fine_tuning

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
    # Gone on with as it is, the run knows what its earlier epochs reached.
    more = Scripted(script.task, (0.5,))
    history = more.run(tmp_path, patience=9)
    assert more.saved == [] and history["val_accuracy"] == [0.2, 0.6, 0.6, 0.1, 0.5]


def test_without_held_out_examples_the_end_is_saved(tokenizer, config, tmp_path):
    task, saved = classifier(tokenizer, config), []
    data = task.dataset(EXAMPLES, 4, training=True)
    fine_tuning.fine_tune(task, data, [], tmp_path, lambda: saved.append(True), num_epochs=1)
    assert saved == [True]


def test_a_metric_that_is_none(task, tmp_path):
    keep = fine_tuning.KeepBest(task, EXAMPLES, tmp_path, lambda: None, metric="bleu")
    with pytest.raises(ValueError, match="one of accuracy, f1, matthews, not 'bleu'"):
        keep.on_epoch_end(0, {})


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
    task.compile(kb.AdamW(1e-2), **task.objective())
    before = {weight.path: np.array(weight) for weight in task.weights}
    task.fit(task.dataset(EXAMPLES, 4), verbose=0)
    changed = {w.path.split("/")[0] for w in task.weights if (np.array(w) != before[w.path]).any()}
    assert {"layer_1", "pooler", "classifier"} <= changed
    kept = {w.path for w in task.weights if (np.array(w) == before[w.path]).all()}
    frozen = {path for path in before if path.startswith(("embeddings/", "layer_0/"))}
    assert {path for path in frozen if "seed" not in path} <= kept
    with pytest.raises(ValueError, match="between 0 and 2, not 3"):
        fine_tuning.freeze(task.encoder, 3)
