"""Seeds: several runs of one recipe, and the best of them kept."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Sequence
from typing import NamedTuple

from keras_bert import metrics
from keras_bert.checkpoints.directory import save
from keras_bert.finetuning.loading import load_task
from keras_bert.tasks.task import Task
from keras_bert.training.replicas import by_chief


class Run(NamedTuple):
    """A run with one seed.

    Args:
        figures: dict of the scores of its best epoch, or else of the training's loss.
        folder: path of its checkpoint.
    """

    figures: dict[str, float]
    folder: pathlib.Path


def best_run(runs: Sequence[Run], metric: str | None = None) -> Run:
    """The best of several runs by a figure; None is the first.

    Example:

    >>> import pathlib
    >>> from keras_bert.finetuning.seeds import Run, best_run
    >>> runs = [Run({"loss": loss}, pathlib.Path(name)) for name, loss in (("a", 0.5), ("b", 0.3))]
    >>> best_run(runs).folder.name
    'b'
    """
    name = metric or next(iter(runs[0].figures))
    return runs[metrics.best(name, [one.figures[name] for one in runs])]


def keep(best: Run, output_dir: pathlib.Path) -> Task:
    """The task of a run, whose checkpoint and pictures are in the output directory by then.

    Of several workers all open it, as they make its variables together.
    """
    task = load_task(best.folder)
    if best.folder != output_dir:
        by_chief(lambda: _copy(task, best.folder, output_dir))
    return task


def _copy(task: Task, folder: pathlib.Path, output_dir: pathlib.Path) -> None:
    save(task, output_dir)
    for picture in folder.glob("*.png"):
        shutil.copy(picture, output_dir)
