"""The table of tasks: each by the name that the binaries have for it, and its class.

A new task is its file, `tasks/<name>.py`, and a line here. Nothing here imports TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_bert.tasks.task import Task

TASKS = {
    "text_classification": "TextClassifier",
    "token_classification": "TokenClassifier",
    "question_answering": "QuestionAnswerer",
    "multiple_choice": "MultipleChoice",
    "sentence_embedding": "SentenceEmbedder",
    "fill_mask": "FillMask",
}


def task_class(name: str) -> type[Task]:
    """The class of a task, from its file.

    Raises:
        ValueError: there is no task of this name.

    Example:

    >>> from keras_bert.tasks.table import task_class
    >>> task_class("multiple_choice").__name__
    'MultipleChoice'
    """
    if name not in TASKS:
        raise ValueError(f"A task must be one of {', '.join(TASKS)}, not {name!r}: name one.")
    return getattr(importlib.import_module(f"keras_bert.tasks.{name}"), TASKS[name])


def name_of(task: type) -> str:
    """The name of a task's class, or of the one that it is derived from.

    Raises:
        ValueError: it is not in the table.

    Example:

    >>> from keras_bert.tasks.table import name_of, task_class
    >>> name_of(task_class("fill_mask"))
    'fill_mask'
    """
    names = {class_name: name for name, class_name in TASKS.items()}
    for cls in task.__mro__:
        if cls.__name__ in names:
            return names[cls.__name__]
    raise ValueError(
        f"A task must be in the table of tasks/table.py, but {task.__name__} is not: add a line."
    )
