"""What an export for LiteRT is worth: its scores beside the task's own, and how long it takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_bert.lite import Lite
from keras_bert.lite.rows import Row
from keras_bert.tasks.examples import Example
from keras_bert.tasks.task import Task

# Of so many calls the median is taken, behind one that is not counted.
NUM_CALLS = 7
# Rows and their lengths that are timed, as far as the model has such.
SIZES = ((1, 32), (1, 128), (8, 128))


class _AnsweredBy:
    """A task whose texts an export embeds, where its scores ask for vectors."""

    def __init__(self, task: Task, lite: Lite):
        self._task = task
        self._lite = lite

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def embed(self, texts: Sequence[str], **_: Any) -> np.ndarray:
        return self._lite.embed(list(texts))


def scores_of(task: Task, lite: Lite, examples: Sequence[Example]) -> dict[str, float]:
    """How good the answers of an export are, by the scores of its task.

    Args:
        task: Task that was exported.
        lite: Lite.
        examples: sequence of dict, as the task scores them.
    """
    scored: Any = _AnsweredBy(task, lite)
    # Bound to what stands in for the task, so that its vectors are the export's, all of them.
    return type(task).scores(scored, examples, lite(list(examples)))


def milliseconds(lite: Lite, num_rows: int, length: int) -> float:
    """The median time that rows of a length take, one after the other.

    Args:
        lite: Lite.
        num_rows: int.
        length: int, at most the longest of the export.
    """
    rows = [Row([lite.tokenizer.unknown] * length, [0] * length)] * num_rows
    times = []
    for _ in range(1 + NUM_CALLS):
        start = time.perf_counter()
        for row in rows:
            lite.model(row)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times[1:])
