"""Epochs that are kept, stopped, gone on with, or come to an end without any score."""

import dataclasses

import keras
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.finetuning import run
from keras_bert.finetuning.choice import Choice, best_epoch

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


PASSES = run.Passes(num_epochs=3, batch_size=3)


class Scripted:
    """A task whose scores are those of a list, one for each epoch."""

    def __init__(self, task, values):
        self.task, self.values, self.saved = task, list(values), []
        task.scores = lambda examples, answers: {"accuracy": self.values.pop(0), "f1": 0.0}

    def save(self):
        self.saved.append(int(self.task.optimizer.iterations.numpy()))

    def run(self, folder, num_epochs=5, **chosen):
        data = self.task.dataset(EXAMPLES, 3, training=True)
        choice = Choice(**chosen)
        passes = run.Passes(num_epochs=num_epochs, batch_size=3)
        return run.fine_tune(self.task, data, EXAMPLES, folder, self.save, passes, choice)


def test_the_best_epoch_is_saved_and_patience_ends_the_run(tokenizer, config, tmp_path):
    script = Scripted(classifier(tokenizer, config), (0.2, 0.6, 0.6, 0.1, 0.9))
    history = script.run(tmp_path, patience=2)
    assert script.saved == [2, 4]  # two steps an epoch
    assert history["val_accuracy"] == [0.2, 0.6, 0.6, 0.1]
    assert best_epoch(history, "accuracy") == 1
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
    passes = run.Passes(num_epochs=1, batch_size=4)
    run.fine_tune(task, data, [], tmp_path, lambda: saved.append(True), passes)
    assert saved == [True]


@pytest.mark.parametrize("held_out", [EXAMPLES, []])
def test_what_is_wrong_with_a_choice_leaves_no_trace(tokenizer, config, held_out, tmp_path):
    task = classifier(tokenizer, config)
    with pytest.raises(ValueError, match="metric"):
        run.fine_tune(task, None, held_out, tmp_path, None, PASSES, Choice("acuracy"))
    assert list(tmp_path.iterdir()) == []


def test_num_batches_counts_what_is_not_known():
    data = tf.data.Dataset.range(7)
    assert run.num_batches(data.batch(3)) == 3
    assert run.num_batches(data.filter(lambda x: x > 1)) == 5
