"""Where a task starts from: a checkpoint's weights or new ones, its head's too if it is alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from keras_bert.checkpoints.directory import Checkpoint
from keras_bert.checkpoints.fresh import fresh
from keras_bert.checkpoints.transfer import take_heads
from keras_bert.data.rows import Row
from keras_bert.finetuning.options import given
from keras_bert.tasks.hooks import Hooks, Start
from keras_bert.tasks.task import Task
from keras_bert.text.packing import Packer
from keras_bert.text.subwords import SubwordTokenizer

# Pieces of a row where neither the user nor the checkpoint says.
SEQUENCE_LENGTH = 128


def new_start(
    task: type[Hooks],
    tokenizer: SubwordTokenizer,
    preset: str | None = None,
    dropout: float | None = None,
) -> Checkpoint:
    """A model with new weights for a task.

    Args:
        task: a task's class.
        tokenizer, preset, dropout: as of `fresh`.

    Raises:
        ValueError: the family has no such tokenizer.
    """
    start = fresh(tokenizer, preset, dropout=dropout)
    return dataclasses.replace(start, model=task.new_model(start.encoder))


def make_task(
    task: type[Hooks],
    start: Checkpoint,
    examples: Sequence[Row],
    sequence_length: int | None,
    options: Mapping[str, Any],
) -> Task:
    """A task on a checkpoint's encoder, with labels as the options or the examples say.

    Args:
        task: its class.
        start: Checkpoint.
        examples: sequence of Row, to learn from.
        sequence_length: int, the most pieces of a row; None is 128, or the model's positions if
            they are fewer.
        options: dict of what the task may be told, by name; what it has no use for is not looked
            at.

    Raises:
        ValueError: the labels, rows or model do not fit the task.
    """
    most = start.config.max_sequence_length
    if sequence_length is not None and sequence_length > most:
        raise ValueError(
            f"sequence_length must be at most the model's {most} positions, not "
            f"{sequence_length}: choose shorter rows, or a --stride where the task has one."
        )
    packer = Packer(start.tokenizer, sequence_length or min(SEQUENCE_LENGTH, most))
    on = Start(start.encoder, packer, start.model)
    return task.from_examples(on, examples, **given(task.from_examples, options))


def take_head(task: Task, start: Checkpoint) -> str:
    """Takes over the weights of a head of the same kind and labels, and says what is new.

    Args:
        task: Task on the encoder of the checkpoint.
        start: Checkpoint.

    Returns:
        str, a sentence.
    """
    heads = take_heads(task, start, are_alike=task.shares_head(start.model))
    trained = [weight.path for weight in task.trainable_weights]
    new = [*(path for path in start.new if path in trained), *heads.new]
    if new:
        return f"New weights: {', '.join(new)}; all others are the checkpoint's."
    return f"All weights are the checkpoint's{', those of the head too' if heads.taken else ''}."
