"""Options: what a task can be told, read from the signatures of its own functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from keras_bert.tasks.hooks import Hooks
from keras_bert.tasks.table import TASKS, task_class


def options_of(task: type[Hooks]) -> frozenset[str]:
    """The names of all that a task can be told, and others perhaps not.

    Example:

    >>> from keras_bert.finetuning.options import options_of
    >>> from keras_bert.tasks.table import task_class
    >>> sorted(options_of(task_class("question_answering")))
    ['label_key', 'stride', 'text_keys']
    """
    hooks = (task.read, task.prepared, task.from_examples, task.sample_weights, task.objective)
    return frozenset(name for hook in hooks for name in _keywords(hook))


def given(function: Callable, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some options that a function takes by keyword alone, and that are not None.

    Example:

    >>> from keras_bert.finetuning.options import given
    >>> given(lambda rows, *, repair=False, labels=None: rows, {"repair": True, "stride": 3})
    {'repair': True}
    """
    return {name: options[name] for name in _keywords(function) if options.get(name) is not None}


def check_options(task: str, names: Collection[str]) -> None:
    """Refuses options that a task would have to ignore.

    Args:
        task: str, its name in the table of tasks.
        names: the names of what is given; those that no task has are not looked at.

    Raises:
        ValueError: one of them is for other tasks alone.
    """
    options = {name: options_of(task_class(name)) for name in TASKS}
    of_others = frozenset().union(*options.values()) - options[task]
    for name in sorted(of_others.intersection(names)):
        having = [other for other, own in options.items() if name in own]
        raise ValueError(
            f"The task {task} has no --{name}, which is for {' and '.join(having)}: leave it out."
        )


def _keywords(function: Callable) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
