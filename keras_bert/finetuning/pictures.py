"""Pictures: scores over epochs, what was taken for what, for which examples, and how surely."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure  # without pyplot: no window system, no global state

from keras_bert import files, metrics
from keras_bert.tasks.hooks import Breakdown, Classes

# Classes whose names, and whose entries, a matrix can show.
MOST_NAMES, MOST_ENTRIES = 40, 12
# Classes whose entries have room for large digits.
FEW_ENTRIES = 5
# What is reported beside scores: the loss, how many examples there were, where to cut.
_NO_SCORES = ("val_loss", "total", "thresh")
# Groups whose bars can be told apart; of more the largest are shown.
MOST_BARS = 30


def draw_scores(history: Mapping[str, Sequence[float]], path: str | os.PathLike) -> None:
    """Draws the scores of held-out examples over epochs as a picture; their loss is in another one.

    Scores up to 1, those up to 100 and those of which less is better have axes of their own. One
    epoch has bars in place of curves.

    Args:
        history: for each figure its value in every epoch; those of `val_<name>` are drawn.
        path: path of the PNG file.
    """
    scores = {
        name.removeprefix("val_"): list(history[name])
        for name in history
        if name[:4] == "val_" and not name.endswith(_NO_SCORES)
    }
    kinds: dict[str, list[str]] = {}
    for name, values in scores.items():
        kinds.setdefault(_kind(name, values), []).append(name)
    number = max(len(kinds), 1)
    figure = Figure(figsize=(1.5 + 5.5 * number, 4.5), layout="constrained")
    figure.suptitle("Held-out examples")
    places = np.ravel(figure.subplots(1, number))[: len(kinds)]
    for axes, (kind, names) in zip(places, kinds.items(), strict=True):
        for place, name in enumerate(names):
            _draw_score(axes, place, name, history["epoch"], scores[name])
        axes.grid(alpha=0.3)
        if len(history["epoch"]) > 1:
            axes.set(xlabel="epoch", ylabel=kind)
            axes.xaxis.get_major_locator().set_params(integer=True)
            if len(names) > 1:
                axes.legend()
        else:
            axes.set(xlabel=kind)
            axes.set_yticks(range(len(names)), names)
            axes.invert_yaxis()
    _save(figure, path)


def draw_confusion(classes: Classes, path: str | os.PathLike) -> None:
    """Draws how often each class was taken for which as a picture; rows are the true ones.

    Args:
        classes: Classes, what was true and what was answered.
        path: path of the PNG file.
    """
    number = len(classes.labels)
    matrix = metrics.confusion_matrix(classes.true, classes.predicted, number)
    shares = matrix / matrix.sum(axis=1, keepdims=True).clip(1)
    size = min(16, 4 + (0.55 if number <= MOST_ENTRIES else 0.3) * number)
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, format=lambda share, _: f"{share:.0%}", label="of the true class")
    axes.set(xlabel="predicted", ylabel="true")
    accuracy = np.diag(matrix).sum() / max(matrix.sum(), 1)
    axes.set_title(f"{matrix.sum():,} held-out examples, {accuracy:.1%} right")
    if number <= MOST_NAMES:
        axes.set_xticks(range(number), classes.labels, rotation=90)
        axes.set_yticks(range(number), classes.labels)
    if number <= MOST_ENTRIES:
        for row, column, count in _entries(matrix):
            # Up to there the blue is light.
            color = "white" if shares[row, column] > 0.6 else "black"
            said = f"{shares[row, column]:.0%}\n{count:,}"
            size = 11 if number <= FEW_ENTRIES else 8
            axes.text(column, row, said, ha="center", va="center", fontsize=size, color=color)
    _save(figure, path)


def draw_calibration(classes: Classes, path: str | os.PathLike) -> None:
    """Draws how often answers are right by how sure they are: a reliability diagram.

    Args:
        classes: Classes, with the probabilities of the answers.
        path: path of the PNG file.
    """
    found = metrics.calibration(classes.true == classes.predicted, classes.probability)
    number = len(found.counts)
    centers = (np.arange(number) + 0.5) / number
    figure = Figure(figsize=(5, 6), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    upper.bar(centers, np.nan_to_num(found.accuracy), 0.9 / number, label="answers")
    upper.plot([0, 1], [0, 1], color="gray", linestyle="--", label="as sure as right")
    upper.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    upper.set_title(f"Held-out examples: calibration error {found.error:.1%}")
    upper.legend(loc="upper left")
    lower.bar(centers, found.counts, 0.9 / number, color="gray")
    lower.set(xlabel="probability of the answer", ylabel="answers")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    _save(figure, path)


def draw_breakdown(groups: Breakdown, path: str | os.PathLike) -> None:
    """Draws the score of each group of held-out examples as a picture.

    Args:
        groups: Breakdown; of more than 30 groups the largest are drawn.
        path: path of the PNG file.
    """
    names = list(groups.values)
    if len(names) > MOST_BARS:
        names = sorted(names, key=lambda name: -groups.counts[name])[:MOST_BARS]
    figure = Figure(figsize=(7, 1.5 + 0.3 * len(names)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(range(len(names)), [groups.values[name] for name in names])
    most = 100 if max(groups.values.values(), default=0) > 1 else 1
    digits = 1 if most == 100 else 2
    axes.bar_label(
        bars,
        [f"{groups.values[name]:.{digits}f} (n = {groups.counts[name]:,})" for name in names],
        padding=3,
        fontsize=8,
    )
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel=groups.score, ylabel=groups.by, xlim=(0, 1.25 * most))
    axes.set_xticks(np.linspace(0, most, 6))
    of_all = "" if len(names) == len(groups.values) else f" (largest {len(names)} of all)"
    axes.set_title(f"Held-out examples: {groups.score} by {groups.by}{of_all}")
    axes.grid(alpha=0.3, axis="x")
    _save(figure, path)


def _kind(name: str, values: Sequence[float]) -> str:
    """What a score is measured in: such scores share an axis."""
    if not metrics.is_better(name, 1.0, than=0.0):
        return f"{name.replace('_', ' ')} (less is better)"
    return f"score (at most {100 if np.nanmax(np.abs(values), initial=0.0) > 1 else 1})"


def _draw_score(
    axes: Axes, place: int, name: str, epochs: Sequence[float], values: Sequence[float]
) -> None:
    if len(epochs) > 1:
        axes.plot(epochs, values, marker=".", label=name)
        return
    bars = axes.barh([place], values, height=0.6, color="tab:blue")
    axes.bar_label(bars, fmt="%.3f", padding=3)
    axes.margins(x=0.12)


def _entries(matrix: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Row, column and value of each entry."""
    for row, values in enumerate(matrix.tolist()):
        for column, count in enumerate(values):
            yield row, column, count


def _save(figure: Figure, path: str | os.PathLike) -> None:
    with files.whole_file(path) as staging:
        figure.savefig(staging, format="png", dpi=120)
