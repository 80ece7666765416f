"""Fine-tuning as people expect it: epoch by epoch, the best one kept, and gone on with."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import tensorflow as tf

from keras_bert.finetuning.choice import FIRST_SCORE, Choice, KeepBest, check_choice
from keras_bert.tasks.examples import Example
from keras_bert.tasks.task import Task
from keras_bert.training import run
from keras_bert.training.replicas import by_chief


def fine_tune(
    task: Task,
    data: tf.data.Dataset,
    held_out: Sequence[Example],
    output_dir: str | os.PathLike,
    save: Callable[[], None],
    num_epochs: int,
    choice: Choice = FIRST_SCORE,
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
        save: function that saves the task as it is; of several workers, the first one calls it.
        num_epochs: int, the most epochs.
        choice: Choice, by what the best epoch is chosen.

    Returns:
        For each figure, the scores as `val_<name>` among them, a list with one value an epoch.

    Raises:
        ValueError: before anything is trained: there is no such metric, a held-out example lacks
            a column or has a wrong label, or something is to be chosen by scores without any.
    """
    held_out = task.as_examples(held_out)
    callbacks = []
    if held_out:  # which are checked where they are kept
        callbacks = [KeepBest(task, held_out, output_dir, save, choice)]
    else:
        check_choice(task, held_out, choice)
    steps = num_batches(data)
    history = run.train(
        task,
        lambda step: data.repeat().skip(step),
        output_dir,
        run.Epochs(num_steps=steps * num_epochs, steps_per_epoch=steps),
        callbacks=callbacks,
    )
    if not held_out:
        by_chief(save)
    return history


def num_batches(dataset: tf.data.Dataset) -> int:
    """The number of batches of one epoch, counted where the dataset does not know it."""
    known = int(dataset.cardinality())
    if known >= 0:
        return known
    return int(dataset.reduce(tf.constant(0, tf.int64), lambda count, *_: count + 1))
