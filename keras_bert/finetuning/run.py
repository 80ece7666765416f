"""Fine-tuning as people expect it: epoch by epoch, the best one kept, and gone on with."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from keras_bert.finetuning.choice import FIRST_SCORE, Choice, KeepBest, check_choice
from keras_bert.finetuning.held_out import HeldOut
from keras_bert.tasks.examples import Example
from keras_bert.tasks.task import Task
from keras_bert.training import run
from keras_bert.training.callbacks import Throughput
from keras_bert.training.replicas import by_chief


@dataclasses.dataclass(frozen=True, kw_only=True)
class Passes:
    """How examples are gone through.

    Args:
        num_epochs: int, how often at most.
        batch_size: int, the rows of an update.
        log_every: int, the updates between two points of the record; None has a tenth of an epoch,
            and at most 50.
        held_out_weight: sequence of float, what each held-out example weighs in the loss; None
            counts all alike.
    """

    num_epochs: int
    batch_size: int
    log_every: int | None = None
    held_out_weight: Sequence[float] | None = None


def fine_tune(
    task: Task,
    data: tf.data.Dataset,
    held_out: Sequence[Example],
    output_dir: str | os.PathLike,
    save: Callable[[], None],
    passes: Passes,
    choice: Choice = FIRST_SCORE,
) -> dict[str, list[float]]:
    """Trains a compiled task epoch by epoch; run again, it goes on where it was stopped.

    After each epoch the held-out examples are answered and scored, their loss is computed, and the
    task is saved if no epoch before was better. Without held-out examples it is saved at the end,
    and nothing is scored.

    Args:
        task: a compiled Task; of a Student the plain task is compiled too, and is scored.
        data: one epoch, shuffled: `task.dataset(examples, batch_size, training=True)`.
        held_out: sequence of dicts, to choose by; may be empty.
        output_dir: path of the run's folder, as for `training.run.train`.
        save: function that saves the task as it is; of several workers, the first one calls it.
        passes: Passes, how often and in what batches.
        choice: Choice, by what the best epoch is chosen.

    Returns:
        For each figure, the scores and the loss as `val_<name>` among them, a list with one value
        an epoch.

    Raises:
        ValueError: before anything is trained: there is no such metric, a held-out example lacks
            a column or has a wrong label, or something is to be chosen by scores without any.
    """
    judged = task.judged()
    held_out = judged.as_examples(held_out)
    check_choice(judged, held_out, choice)
    callbacks: list[keras.callbacks.Callback] = [Throughput(rows_per_step=passes.batch_size)]
    if held_out:
        judge = HeldOut(judged, held_out, passes.batch_size, passes.held_out_weight)
        callbacks.append(KeepBest(judge, output_dir, save, choice))
    steps = num_batches(data)
    history = run.train(
        task,
        lambda step: data.repeat().skip(step),
        output_dir,
        run.Epochs(
            num_steps=steps * passes.num_epochs,
            steps_per_epoch=steps,
            log_every=passes.log_every,
        ),
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
