"""Teaching: teachers from checkpoints, texts without labels, and students beside their teachers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from keras_bert.answering import answered_per_second
from keras_bert.data.rows import Row
from keras_bert.finetuning.loading import load_task
from keras_bert.finetuning.options import given
from keras_bert.finetuning.report import aligned
from keras_bert.tasks.columns import ExampleFiles, split
from keras_bert.tasks.examples import Example
from keras_bert.tasks.hooks import Hooks
from keras_bert.tasks.task import Task
from keras_bert.tasks.teacher import Teacher

# Texts by which speed is measured, at most.
TIMED = 256


def teacher_of(directories: Sequence[str | os.PathLike]) -> Teacher:
    """The teacher of one checkpoint, or of several.

    Args:
        directories: sequence of paths.

    Raises:
        ValueError: one holds no task, they hold several kinds, or what `load` raises.
    """
    return Teacher([load_task(directory) for directory in directories])


def read_unlabelled(
    task: type[Hooks], files: ExampleFiles, options: Mapping[str, Any]
) -> list[Row]:
    """Examples of which only a teacher says something: their labels, if they have some, go.

    Args:
        task: a task's class.
        files: ExampleFiles.
        options: dict of what the task may be told, by name, as of `read_to_learn`.

    Raises:
        ValueError: a column is not there, or what a reader refuses.
    """
    rows = task.read(files, False, **given(task.read, options))
    named = split(options.get("label_key")) or ()
    learned = {task.COLUMNS.label, *task.COLUMNS.others, *named}
    return [row.with_columns({n: x for n, x in row.items() if n not in learned}) for row in rows]


def compared(models: Mapping[str, Task], held_out: Sequence[Example]) -> dict[str, dict[str, Any]]:
    """What teachers and their student are worth: scores, size and speed.

    Args:
        models: dict of Task by name.
        held_out: sequence of dicts, at least one.

    Returns:
        dict by name of dict: `scores`, `parameters`, and `examples_per_second`.
    """
    return {
        name: {
            "scores": task.scored(held_out),
            "parameters": task.count_params(),
            "examples_per_second": answered_per_second(task, task.as_examples(held_out)[:TIMED]),
        }
        for name, task in models.items()
    }


def table_of(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """What `compared` gave, as lines to read; sizes and speeds beside those of the last one.

    Args:
        figures: dict by name.

    Example:

    >>> from keras_bert.finetuning.teaching import table_of
    >>> one = {"scores": {"accuracy": 0.9}, "parameters": 600, "examples_per_second": 10.0}
    >>> two = {"scores": {"accuracy": 0.8}, "parameters": 300, "examples_per_second": 25.0}
    >>> print(table_of({"teacher": one, "student": two}))
              accuracy  parameters   size  examples/s  speed
    teacher     0.9000         600  2.00x        10.0  0.40x
    student     0.8000         300  1.00x        25.0  1.00x
    """
    last = [*figures.values()][-1]
    lines = [["", *last["scores"], "parameters", "size", "examples/s", "speed"]]
    for name, one in figures.items():
        scores = [f"{one['scores'][key]:.4f}" for key in last["scores"]]
        size = one["parameters"] / last["parameters"]
        speed = one["examples_per_second"] / last["examples_per_second"]
        counts = [f"{one['parameters']:,}", f"{size:.2f}x"]
        lines.append([name, *scores, *counts, f"{one['examples_per_second']:.1f}", f"{speed:.2f}x"])
    return aligned(lines)
