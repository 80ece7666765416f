"""Cutting: heads and columns that go while a task is fine-tuned, and are gone when it is done."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import NamedTuple

from keras_bert.checkpoints.directory import save
from keras_bert.config import EncoderConfig
from keras_bert.finetuning.loading import load_task
from keras_bert.models.encoder import Encoder
from keras_bert.models.importance import movement_of
from keras_bert.models.pruning import prune, silent_parts
from keras_bert.training.movement import Movement
from keras_bert.training.replicas import by_chief

# Of the updates, after which all is cut that is to be cut: the rest makes up for it.
CUT_BY = 2 / 3


class Cut(NamedTuple):
    """What is cut while a task is fine-tuned, and when.

    Args:
        heads, columns: float in [0, 1), shares of all heads, and of all columns of the feed-forward
            networks.
        first, last: int, updates between which it is cut.
    """

    heads: float
    columns: float
    first: int
    last: int

    @classmethod
    def of(cls, shares: tuple[float, float], num_steps: int, warmup_steps: int) -> Cut:
        """What is cut from the end of the warm-up to two thirds of all updates.

        Args:
            shares: pair of floats, of heads and of columns.
            num_steps: int, updates in all.
            warmup_steps: int, those until the peak of the rate.

        Example:

        >>> from keras_bert.finetuning.cutting import Cut
        >>> Cut.of((0.5, 0.25), num_steps=90, warmup_steps=9)
        Cut(heads=0.5, columns=0.25, first=9, last=60)
        """
        last = max(1, math.ceil(CUT_BY * num_steps))
        return cls(*shares, min(warmup_steps, last - 1), last)

    def movement(self, encoder: Encoder) -> Movement:
        """What has the optimizer cut it.

        Raises:
            ValueError: the encoder is of a family whose heads and columns do not go.
        """
        shares = self.heads, self.columns
        return movement_of(encoder, shares, first=self.first, last=self.last)

    def first_epoch(self, steps_per_epoch: int) -> int:
        """The first epoch, from 0 on, at whose end all is cut: none before may be kept.

        Example:

        >>> from keras_bert.finetuning.cutting import Cut
        >>> [Cut(0.5, 0.5, 9, 60).first_epoch(number) for number in (30, 59, 60, 90)]
        [1, 1, 0, 0]
        """
        return math.ceil(self.last / steps_per_epoch) - 1


def remove_cut(directory: str | os.PathLike) -> str:
    """Takes from a checkpoint what was cut of it, which then has fewer numbers, and says how many.

    It answers as before. One of which nothing is cut stays as it is; of several workers all open
    it, and the first one writes.

    Args:
        directory: path of a task's checkpoint.

    Returns:
        str, a sentence.
    """
    task = load_task(directory)
    silent, whole = silent_parts(task), _numbers_of(task.encoder.config)
    number = {name: sum(map(len, parts.values())) for name, parts in silent.items()}
    before = task.count_params()
    if not any(number.values()):
        return f"Nothing more is cut that could be removed: {before:,} numbers."
    task = prune(task, heads=silent["heads"], columns=silent["columns"])
    by_chief(lambda: save(task, directory))
    of_all = " and ".join(f"{number[name]:,} of {whole[name]:,} {name}" for name in number)
    return f"Removed are {of_all}: {before:,} numbers are now {task.count_params():,}."


def _numbers_of(config: EncoderConfig) -> Mapping[str, int]:
    """The heads and the columns of all blocks."""
    layers = range(config.num_layers)
    return {
        "heads": sum(map(config.heads_of, layers)),
        "columns": sum(map(config.intermediate_dim_of, layers)),
    }
