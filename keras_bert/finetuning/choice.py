"""Choosing: the best epoch by scores on held-out examples, and when to stop looking for another."""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

import keras
from absl import logging

from keras_bert import metrics
from keras_bert.finetuning.held_out import HeldOut
from keras_bert.tasks.examples import Example, nearest_first
from keras_bert.tasks.task import Task
from keras_bert.training.progress import SILENT, Graph
from keras_bert.training.record import MetricsLog
from keras_bert.training.replicas import by_chief, gathered


@dataclasses.dataclass(frozen=True)
class Choice:
    """By what the best epoch of a run is chosen.

    Args:
        metric: str, one of the task's `score_names`; None is the first.
        patience: int, stop after so many epochs without a better one; None never does.
        first_epoch: int, the first that may be chosen, from 0 on.
    """

    metric: str | None = None
    patience: int | None = None
    first_epoch: int = 0

    def metric_of(self, task: Task) -> str:
        """The score of a task to choose by."""
        return self.metric or task.score_names[0]


# By the task's first score, of all epochs.
FIRST_SCORE = Choice()


def best_epoch(history: Mapping[str, Sequence[float]], metric: str, first_epoch: int = 0) -> int:
    """The index of the epoch with the best `val_<metric>`, the earliest of equal ones.

    Args:
        history: dict of figures, a value an epoch.
        metric: str.
        first_epoch: int, as of `Choice`.

    Example:

    >>> from keras_bert.finetuning.choice import best_epoch
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
    return first_epoch + metrics.best(metric, history[name][first_epoch:])


def scores_of_best(
    history: Mapping[str, Sequence[float]], task: Task, choice: Choice
) -> dict[str, float]:
    """The scores on held-out examples, without their loss, of the epoch that was kept."""
    best = best_epoch(history, choice.metric_of(task), choice.first_epoch)
    prefix = "val_"
    return {
        name.removeprefix(prefix): values[best]
        for name, values in history.items()
        if name.startswith(prefix) and name != f"{prefix}loss"
    }


class KeepBest(keras.callbacks.Callback):
    """Scores held-out examples after each epoch, and saves the task whenever it is best.

    What earlier epochs reached is read from the run's record, so that a run that was stopped goes
    on as if it had not been.

    The logs of an epoch get all of it, the loss among them, as `val_<name>`.

    Args:
        held_out: HeldOut.
        output_dir: path of the run's folder, where its record is.
        save: function that saves the task as it is.
        choice: Choice.

    Raises:
        ValueError: there is no such metric, an example lacks a column or has a wrong label, or
            the patience is below 1.
    """

    def __init__(
        self,
        held_out: HeldOut,
        output_dir: str | os.PathLike,
        save: Callable[[], None],
        choice: Choice = FIRST_SCORE,
    ):
        super().__init__()
        check_choice(held_out.task, held_out.examples, choice)
        self.metric, self.patience = choice.metric_of(held_out.task), choice.patience
        self.first_epoch = choice.first_epoch
        self.held_out = held_out
        self.record = MetricsLog(pathlib.Path(output_dir) / "metrics.jsonl")
        self.save = save

    def on_train_begin(self, logs=None) -> None:
        is_told = self.params.get("verbose", SILENT) != SILENT and not self.model.run_eagerly
        self.held_out.graph = Graph("the evaluation", is_told=is_told)

    def on_epoch_end(self, epoch, logs=None) -> None:
        scores = self.held_out.scored()
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
        if len(values) <= self.first_epoch:
            return
        values = values[self.first_epoch :]
        # The first worker's decides: scores of two machines may differ in their last digits.
        [[waited, *_]] = gathered(len(values) - 1 - metrics.best(self.metric, values))
        if not waited:
            by_chief(self.save)
        if self.patience is not None and waited >= self.patience:
            logging.info("No better epoch for %d: stopping.", waited)
            self.model.stop_training = True


def check_choice(task: Task, held_out: Sequence[Example], choice: Choice) -> None:
    """Checks all by which the best epoch will be chosen, before anything is trained.

    Args:
        task: Task.
        held_out: sequence of dicts; may be empty where nothing is chosen.
        choice: Choice.

    Raises:
        ValueError: there is no such metric, an example lacks a column or has a wrong label, the
            patience is below 1, or something is to be chosen by scores without any.
    """
    names, metric, patience = task.score_names, choice.metric, choice.patience
    if metric is not None and metric not in names:
        raise ValueError(
            f"The metric to choose by must be one of {', '.join(nearest_first(metric, names))}, "
            f"not {metric!r}: name a score of a {type(task).__name__}."
        )
    if patience is not None and (not isinstance(patience, int) or patience < 1):
        raise ValueError(f"patience must be an int of at least 1 or None, not {patience!r}.")
    held_out = task.as_examples(held_out)
    if held_out:
        task.check_examples(held_out)
    elif (metric, patience) != (None, None):
        raise ValueError(
            "The best epoch is chosen by scores on held-out examples, but there are none for "
            f"metric={metric!r} and patience={patience!r}: hold examples out, or leave these out."
        )
