"""The model card: what a fine-tuned checkpoint is, what it learned from, and how good it is."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from keras_bert import files
from keras_bert.checkpoints import hub
from keras_bert.tasks.task import Task


def write_card(card: str, path: str | os.PathLike) -> None:
    """Writes a model card, the README.md of a checkpoint; it is there whole or not at all."""
    with files.whole_file(path) as staging:
        staging.write_text(card, encoding="utf-8")


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
        f"`{hub.class_of(task)}`.\n\n"
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
