"""The flags of learning from a teacher, and what they are for the library."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras_bert as kb
from keras_bert import flags

from .examples import split

# Flags that only say how a teacher teaches.
OF_TEACHER = ("temperature", "teacher_share", "distil", "unlabelled_files")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Taught:
    """By whom it is taught, if by examples not alone."""

    teacher: str | None = flags.flag(
        None, "checkpoints that have learned the same, with commas: the mean of what they say"
    )
    temperature: float = flags.flag(2.0, "by which logits are divided, to soften what is said")
    teacher_share: float = flags.flag(
        0.5, "of the loss, that is the teacher's; labels have the rest"
    )
    distil: str = flags.flag(
        "outputs",
        "what is learned, with commas: outputs, relations, cosine, hidden_states, attention",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Teaching(Taught):
    """By whom a task is taught."""

    unlabelled_files: str | None = flags.flag(
        None, "examples without labels besides, as --train_files, of which the teacher says all"
    )


def teachers(arguments: Taught) -> tuple[str, ...]:
    """The directories of the teachers."""
    return split(arguments.teacher) or ()


def lesson_of(arguments: Taught, *, has_labels: bool) -> kb.Lesson:
    """What the flags say is learned of a teacher; all where there are no labels."""
    return kb.Lesson(
        temperature=arguments.temperature,
        share=arguments.teacher_share if has_labels else 1.0,
        of=split(arguments.distil) or (),
    )


def check_teaching(arguments: Taught, given: set[str]) -> None:
    """Refuses what only a teacher has use for where there is none, and values out of range.

    Args:
        arguments: the flags of teachers.
        given: names of the flags that are not as they are by default.

    Raises:
        ValueError: the message names the flag.
    """
    alone = sorted(given.intersection(OF_TEACHER))
    if alone and not arguments.teacher:
        raise ValueError(f"--{alone[0]} is for what a teacher says: give --teacher.")
    if arguments.teacher:
        lesson_of(arguments, has_labels=True)


def show_beside(
    arguments: Teaching, task: kb.Task, teacher: kb.Teacher, held_out: Sequence
) -> dict[str, dict]:
    """Prints teachers and student side by side, and gives the figures."""
    models = dict(zip(teachers(arguments), teacher.members, strict=True))
    figures = kb.finetuning.compared({**models, "student": task}, held_out)
    print(kb.finetuning.table_of(figures))
    return figures
