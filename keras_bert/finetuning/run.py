"""Fine-tuning as people expect it: the best epoch kept, early stop, rates by depth."""

from __future__ import annotations

import collections
import math
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf
from absl import logging

from keras_bert import metrics
from keras_bert.config import BertConfig
from keras_bert.models.encoder import BertEncoder
from keras_bert.tasks.examples import Example, nearest_first
from keras_bert.tasks.labels import label_name
from keras_bert.tasks.task import Task
from keras_bert.training import run


def fine_tune(
    task: Task,
    data: tf.data.Dataset,
    held_out: Sequence[Example],
    output_dir: str | os.PathLike,
    save: Callable[[], None],
    num_epochs: int,
    metric: str | None = None,
    patience: int | None = None,
) -> dict[str, list[float]]:
    """Trains a compiled task epoch by epoch; run again, it goes on where it was stopped.

    After each epoch the held-out examples are answered and scored, and the task is saved if no
    epoch before was better. Without held-out examples it is saved at the end, and nothing is
    scored.

    Args:
        task: a compiled Task.
        data: one epoch, shuffled: `task.dataset(examples, batch_size, training=True)`.
        held_out: sequence of dicts, to choose by; may be empty.
        output_dir: path of the run's folder, as for `training.run.train`.
        save: function that saves the task as it is.
        num_epochs: int, the most epochs.
        metric: str, one of the task's `score_names`, to choose by; None is the first.
        patience: int, stop after so many epochs without a better one; None never does.

    Returns:
        For each figure, the scores as `val_<name>` among them, a list with one value an epoch.

    Raises:
        ValueError: before anything is trained: there is no such metric, a held-out example lacks
            a column or has a wrong label, or something is to be chosen by scores without any.
    """
    held_out = task.as_examples(held_out)
    callbacks = []
    if held_out:  # which are checked where they are kept
        callbacks = [KeepBest(task, held_out, output_dir, save, metric, patience)]
    else:
        check_choice(task, held_out, metric, patience)
    steps = num_batches(data)
    history = run.train(
        task,
        lambda step: data.repeat().skip(step),
        output_dir,
        run.Epochs(num_steps=steps * num_epochs, steps_per_epoch=steps),
        callbacks=callbacks,
    )
    if not held_out:
        save()
    return history


def num_batches(dataset: tf.data.Dataset) -> int:
    """The number of batches of one epoch, counted where the dataset does not know it."""
    known = int(dataset.cardinality())
    if known >= 0:
        return known
    return int(dataset.reduce(tf.constant(0, tf.int64), lambda count, *_: count + 1))


def best_epoch(history: Mapping[str, Sequence[float]], metric: str) -> int:
    """The index of the epoch with the best `val_<metric>`, the earliest of equal ones.

    Example:

    >>> from keras_bert.finetuning.run import best_epoch
    >>> best_epoch({"val_f1": [0.3, 0.5, 0.5]}, "f1")
    1
    >>> best_epoch({"val_mean_squared_error": [float("nan"), 0.3, 0.5]}, "mean_squared_error")
    1
    """
    name = f"val_{metric}"
    if name not in history:
        raise ValueError(
            f"The best epoch is chosen by {name}, but the history has {', '.join(history)}: name a "
            "score on held-out examples that it has."
        )
    return metrics.best(metric, history[name])


class KeepBest(keras.callbacks.Callback):
    """Scores held-out examples after each epoch, and saves the task whenever it is best.

    What earlier epochs reached is read from the run's record, so that a run that was stopped goes
    on as if it had not been.

    Args:
        task: Task.
        examples: sequence of dicts, held out, at least one.
        output_dir: path of the run's folder, where its record is.
        save: function that saves the task as it is.
        metric: str, one of the task's `score_names`; None is the first.
        patience: int, stop the run after so many epochs without a better one; None never does.

    Raises:
        ValueError: there is no such metric, an example lacks a column or has a wrong label, or
            `patience` is below 1.
    """

    def __init__(
        self,
        task: Task,
        examples: Sequence[Example],
        output_dir: str | os.PathLike,
        save: Callable[[], None],
        metric: str | None = None,
        patience: int | None = None,
    ):
        super().__init__()
        check_choice(task, examples, metric, patience)
        self.metric = metric or task.score_names[0]
        self.task = task
        self.examples = task.as_examples(examples)
        self.record = run.MetricsLog(pathlib.Path(output_dir) / "metrics.jsonl")
        self.save = save
        self.patience = patience

    def on_epoch_end(self, epoch, logs=None) -> None:
        scores = self.task.scores(self.examples, self.task(self.examples))
        if logs is not None:
            logs.update({f"val_{name}": value for name, value in scores.items()})
        score = scores.get(self.metric, math.nan)
        values = [*self.record.history().get(f"val_{self.metric}", []), score]
        if math.isnan(values[-1]):
            logging.warning(
                "%s of the held-out examples is nan, as of answers that are all the same: this "
                "epoch is kept only as long as no other one has a number.",
                self.metric,
            )
        best = metrics.best(self.metric, values)
        waited = len(values) - 1 - best
        if not waited:
            self.save()
        if self.patience is not None and waited >= self.patience:
            logging.info("No better epoch for %d: stopping.", waited)
            self.model.stop_training = True


def check_choice(
    task: Task,
    held_out: Sequence[Example],
    metric: str | None = None,
    patience: int | None = None,
) -> None:
    """Checks all by which the best epoch will be chosen, before anything is trained.

    Args:
        task: Task.
        held_out: sequence of dicts; may be empty where nothing is chosen.
        metric: str, one of the task's `score_names`; None is the first.
        patience: int, epochs without a better one after which a run stops, or None.

    Raises:
        ValueError: there is no such metric, an example lacks a column or has a wrong label,
            `patience` is below 1, or something is to be chosen by scores without any.
    """
    names = task.score_names
    if metric is not None and metric not in names:
        raise ValueError(
            f"The metric to choose by must be one of {', '.join(nearest_first(metric, names))}, "
            f"not {metric!r}: name a score of a {type(task).__name__}."
        )
    if patience is not None and (not isinstance(patience, int) or patience < 1):
        raise ValueError(f"patience must be an int of at least 1 or None, not {patience!r}.")
    held_out = task.as_examples(held_out)
    if held_out:
        task.training_columns(held_out, batch_size=1)  # for its checks
    elif (metric, patience) != (None, None):
        raise ValueError(
            "The best epoch is chosen by scores on held-out examples, but there are none for "
            f"metric={metric!r} and patience={patience!r}: hold examples out, or leave these out."
        )


def balanced_weights(labels: Sequence[str]) -> list[float]:
    """Weights of examples by which every label counts as much as any other.

    A label of n among N examples and C labels weighs N / (C n), as in scikit-learn's "balanced".

    Args:
        labels: sequence of str, the label of each example.

    Returns:
        list of float, the `sample_weight` of `Task.dataset`.

    Raises:
        ValueError: an example has no label.

    Example:

    >>> from keras_bert.finetuning.run import balanced_weights
    >>> balanced_weights(["a", "a", "b"])
    [0.75, 0.75, 1.5]
    """
    names = [label_name(label) for label in labels]
    if None in names:
        raise ValueError(
            f"Every example must have a label to weigh, but that of example {names.index(None)} is "
            f"{labels[names.index(None)]!r}: leave it out."
        )
    counts = collections.Counter(names)
    return [len(names) / (len(counts) * counts[name]) for name in names]


def layer_rates(config: BertConfig, decay: float) -> dict[str, float]:
    """Factors of the learning rate that fall with the distance from the head.

    The head has the full rate, the last block `decay` of it, the one before `decay` squared, and
    the embeddings least (Howard and Ruder 2018, arXiv:1801.06146; ELECTRA has 0.8).

    Args:
        config: BertConfig.
        decay: float above 0, at most 1.

    Returns:
        dict of floats by regular expression, as `AdamW` takes it.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.finetuning.run import layer_rates
    >>> layer_rates(kb.BertConfig(num_layers=2), 0.5)
    {'^embeddings/': 0.125, '^layer_0/': 0.25, '^layer_1/': 0.5}
    """
    if not 0 < decay <= 1:
        raise ValueError(f"The decay of rates must lie in (0, 1], not {decay}: 1 has none.")
    if decay == 1:
        return {}
    depth = config.num_layers
    blocks = {f"^layer_{i}/": decay ** (depth - i) for i in range(depth)}
    return {"^embeddings/": decay ** (depth + 1), **blocks}


def freeze(encoder: BertEncoder, num_layers: int) -> None:
    """Leaves the embeddings and the first blocks as they are; to be called before `compile`.

    Args:
        encoder: BertEncoder.
        num_layers: int, blocks; 0 freezes nothing.
    """
    if not 0 <= num_layers <= len(encoder.blocks):
        raise ValueError(
            f"num_layers to freeze must lie between 0 and {len(encoder.blocks)}, not {num_layers}."
        )
    if num_layers:
        encoder.embeddings.trainable = False
        for block in encoder.blocks[:num_layers]:
            block.trainable = False
