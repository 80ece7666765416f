"""Pictures: scores over epochs, and which classes were taken for which."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure  # without pyplot: no window system, no global state

from keras_bert import metrics
from keras_bert.tasks.hooks import Classes


def draw_scores(history: Mapping[str, Sequence[float]], path: str | os.PathLike) -> None:
    """Draws the scores of held-out examples over epochs as a picture.

    Args:
        history: for each figure its value in every epoch; those of `val_<name>` are drawn.
        path: path of the PNG file.
    """
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    names = [name for name in history if name.startswith("val_")]
    for name in names:
        axes.plot(history["epoch"], history[name], marker=".", label=name.removeprefix("val_"))
    axes.set_xlabel("epoch")
    axes.set_ylabel("score")
    axes.grid(alpha=0.3)
    if names:
        axes.legend()
    figure.savefig(path, format="png", dpi=120)


def draw_confusion(classes: Classes, path: str | os.PathLike) -> None:
    """Draws how often each class was taken for which as a picture; rows are the true ones.

    Args:
        classes: Classes, what was true and what was answered.
        path: path of the PNG file.
    """
    number = len(classes.labels)
    matrix = metrics.confusion_matrix(classes.true, classes.predicted, number)
    size = min(16, 3 + 0.35 * number)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.subplots()
    axes.imshow(matrix / matrix.sum(axis=1, keepdims=True).clip(1), cmap="Blues", vmin=0, vmax=1)
    if number <= 40:
        axes.set_xticks(range(number), classes.labels, rotation=90)
        axes.set_yticks(range(number), classes.labels)
    if number <= 12:
        for row, column, count in _entries(matrix):
            axes.text(column, row, str(count), ha="center", va="center", fontsize=8)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    figure.savefig(path, format="png", dpi=120)


def _entries(matrix: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Row, column and value of each entry."""
    for row, values in enumerate(matrix.tolist()):
        for column, count in enumerate(values):
            yield row, column, count
