"""What is left of a fine-tuned task for people: answers, scores, pictures, a model card."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure  # without pyplot: no window system, no global state

from keras_bert import files, metrics
from keras_bert.tasks.examples import Example, plain
from keras_bert.tasks.task import Task, label_index
from keras_bert.tasks.text_classification import TextClassifier


def write_predictions(
    path: str | os.PathLike, examples: Sequence[Example], answers: Sequence[Any]
) -> None:
    """Writes every example as a line of JSON, with its `source` if it has one, and its `answer`.

    Where the examples have columns of these names, ours are `source_` and `answer_`.

    Args:
        path: path of the file.
        examples: sequence of dicts.
        answers: sequence with what a task says of each.
    """
    columns = {name for example in examples for name in example}
    source, answer = _free("source", columns), _free("answer", columns)
    lines = (
        json.dumps(
            {**example, **_source(example, source), answer: said},
            ensure_ascii=False,
            default=_as_json,
        )
        for example, said in zip(examples, answers, strict=True)
    )
    _write(path, "".join(f"{line}\n" for line in lines))


def write_metrics(path: str | os.PathLike, figures: Mapping[str, Any]) -> None:
    """Writes figures as JSON."""
    _write(path, json.dumps(figures, indent=2) + "\n")


def mean_and_spread(runs: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """The mean and the standard deviation of every score over runs with different seeds.

    Both are nan where a run has nan or no such score.

    Example:

    >>> from keras_bert.finetuning.report import mean_and_spread
    >>> mean_and_spread([{"f1": 0.5}, {"f1": 0.75}, {"f1": 1.0}])
    {'f1': (0.75, 0.25)}
    """
    columns = {name: [scores.get(name, math.nan) for scores in runs] for name in runs[0]}
    return {
        name: (float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0)
        for name, values in columns.items()
    }


def draw_scores(history: Mapping[str, Sequence[float]], path: str | os.PathLike) -> None:
    """Draws the scores of held-out examples over epochs as a picture."""
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


def draw_confusion(
    task: TextClassifier,
    examples: Sequence[Example],
    answers: Sequence[Mapping[str, Any]],
    path: str | os.PathLike,
) -> None:
    """Draws how often each label was taken for which as a picture; rows are what was right."""
    index, number = label_index(task.labels), len(task.labels)
    matrix = metrics.confusion_matrix(
        np.argmax(task.target_columns(examples)["label"], axis=1),
        [index(said["label"], e) for e, said in zip(examples, answers, strict=True)],
        number,
    )
    size = min(16, 3 + 0.35 * number)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.subplots()
    axes.imshow(matrix / matrix.sum(axis=1, keepdims=True).clip(1), cmap="Blues", vmin=0, vmax=1)
    if number <= 40:
        axes.set_xticks(range(number), task.labels, rotation=90)
        axes.set_yticks(range(number), task.labels)
    if number <= 12:
        for (row, column), count in _entries(matrix):
            axes.text(column, row, str(count), ha="center", va="center", fontsize=8)
    axes.set_xlabel("said")
    axes.set_ylabel("right")
    figure.savefig(path, format="png", dpi=120)


def model_card(
    task: Task,
    name: str,
    data: Mapping[str, Any],
    scores: Mapping[str, float | tuple[float, float]],
    command: str,
) -> str:
    """The README of a fine-tuned checkpoint: what it is, its data, scores, flags, and its use.

    Args:
        task: Task.
        name: str, of the model.
        data: dict of what was learned from and scored on, as one says it.
        scores: dict of the scores on held-out examples, floats, or pairs of mean and standard
            deviation over seeds; empty where there were no such examples.
        command: str, the command that made it.
    """
    config = task.encoder.config
    facts = "".join(f"- {key}: {value}\n" for key, value in data.items())
    return (
        f"# {name}\n\n"
        f"A `{type(task).__name__}` of keras_bert: {config.num_layers} layers of "
        f"{config.hidden_dim}, {task.count_params():,} parameters, rows of up to "
        f"{task.packer.sequence_length} pieces. transformers opens it as "
        f"`{task.ARCHITECTURE}`.\n\n"
        f"## Data\n\n{facts}\n"
        f"## Scores on held-out examples\n\n{_table(scores)}\n"
        f"## How it was made\n\n```\n{command}\n```\n\n"
        "## Use\n\n```python\nimport keras_bert as kb\n\n"
        f'task = kb.load("{name}").model\n```\n'
    )


def _table(scores: Mapping[str, float | tuple[float, float]]) -> str:
    if not scores:
        return "None: no examples were held out, so how good it is is not known.\n"
    rows = "".join(f"| {key} | {_number(value)} |\n" for key, value in scores.items())
    return f"| score | value |\n|---|---|\n{rows}"


def _number(value: float | tuple[float, float]) -> str:
    if isinstance(value, tuple):
        return f"{value[0]:.4f} ± {value[1]:.4f}"
    return f"{value:.4f}" if math.isfinite(value) else str(value)


def _entries(matrix):
    for row, values in enumerate(matrix.tolist()):
        for column, count in enumerate(values):
            yield (row, column), count


def _write(path: str | os.PathLike, text: str) -> None:
    with files.whole_file(path) as staging:
        staging.write_text(text, encoding="utf-8")


def _free(name: str, columns: Container[str]) -> str:
    """A name that no column has."""
    return _free(f"{name}_", columns) if name in columns else name


def _source(example: Example, name: str) -> dict[str, str]:
    source = getattr(example, "source", None)
    return {} if source is None else {name: str(source)}


def _as_json(value: Any) -> Any:
    """What JSON has no word for: values of other libraries, bytes, dates."""
    found = plain(value)
    if isinstance(found, bytes):
        return found.decode("utf-8", "replace")
    return str(value) if found is value else found
