"""Examples: the rows of files as a task takes them, to learn from, to be scored, or answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_bert.data.rows import Row
from keras_bert.finetuning.options import given
from keras_bert.tasks.columns import ExampleFiles
from keras_bert.tasks.hooks import Hooks
from keras_bert.tasks.setting import settings_of
from keras_bert.tasks.task import Task


def read_to_learn(
    task: type[Hooks],
    files: ExampleFiles | None,
    held_out: ExampleFiles | None,
    options: Mapping[str, Any],
) -> tuple[list[Row], list[Row]]:
    """The examples to learn from, and those held out, with labels as a task takes them.

    Args:
        task: a task's class.
        files: ExampleFiles to learn from; None where there are labels of none.
        held_out: ExampleFiles that are held out, or None.
        options: dict of what the task may be told, by name; what it has no use for is not looked
            at.

    Raises:
        ValueError: a column is not there, a label is wrong, or what a reader refuses.
    """
    reading, preparing = given(task.read, options), given(task.prepared, options)
    rows, others = (
        [] if some is None else task.read(some, **reading) for some in (files, held_out)
    )
    examples, others = (
        task.prepared(some, rows or others, **preparing) if some else some
        for some in (rows, others)
    )
    return examples, others


def read_for(
    task: Task, files: ExampleFiles, options: Mapping[str, Any], *, labelled: bool = True
) -> list[Row]:
    """The examples of files for a task that is made already, whose own settings count.

    Args:
        task: Task.
        files: ExampleFiles.
        options: dict of what it may be told, by name, as of `read_to_learn`.
        labelled: bool, whether answers are to be compared with labels.

    Raises:
        ValueError: as of `read_to_learn`.
    """
    options = {**options, **settings_of(task)}
    rows = task.read(files, labelled, **given(task.read, options))
    return task.prepared(rows, rows, **given(task.prepared, options)) if labelled else rows
