"""The flags of those binaries that ask several models as one, and the task that they name."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Literal

import keras_bert as kb
from keras_bert import flags
from keras_bert.data.answers.reading import is_file_of_answers

from .examples import Files, files_of, options_of, split


@dataclasses.dataclass(frozen=True, kw_only=True)
class Members(Files):
    """What answers: one checkpoint, or several models."""

    checkpoint: str = flags.required(
        "checkpoint directories of a task, and files of answers, with commas between them"
    )
    combine: Literal["outputs", "mean", "vote", "average"] = flags.flag(
        "outputs",
        "of several: the mean of their outputs, such as logits, or of probabilities, or what most "
        "of them say; or one model, with the average of their weights",
    )
    member_weights: str | None = flags.flag(
        None, "of several: what each weighs, numbers with commas between them"
    )
    held_out_files: str | None = flags.flag(
        None, "of several: files by whose score members weigh, in place of --member_weights"
    )
    sequence_length: int | None = flags.flag(
        None, "pieces of a row at most; else as the checkpoint was trained"
    )


def paths_of(arguments: Members) -> list[str]:
    """The paths of all members; that of one may have a comma."""
    if os.path.isdir(arguments.checkpoint):
        return [arguments.checkpoint]
    return list(split(arguments.checkpoint) or ())


def task_of(arguments: Members, **own: Any) -> kb.Task:
    """The task that answers.

    Args:
        arguments: Members.
        own: what else `load_task` is told of each checkpoint: `top_k`, `dimensions`.

    Raises:
        ValueError: the members do not go together, or flags are of no use.
    """
    paths = paths_of(arguments)
    weights = _weights(arguments, len(paths))
    members: list[Any] = [
        path if is_file_of_answers(path) else _loaded(arguments, path, own) for path in paths
    ]
    if len(members) == 1 and isinstance(members[0], kb.Task):
        return members[0]
    if arguments.combine == "average":
        return kb.average(members)
    first = next((one for one in members if isinstance(one, kb.Task)), None)
    held_out = None
    if arguments.held_out_files and first is not None:
        files = files_of(arguments, arguments.held_out_files)
        held_out = kb.finetuning.read_for(first, files, options_of(arguments))
    return kb.ensemble(members, arguments.combine, weights=weights, held_out=held_out)


def _loaded(arguments: Members, path: str, own: Mapping[str, Any]) -> kb.Task:
    return kb.finetuning.load_task(
        path,
        text_keys=split(arguments.text_keys),
        label_key=arguments.label_key,
        sequence_length=arguments.sequence_length,
        **own,
    )


def _weights(arguments: Members, number: int) -> list[float] | None:
    """What each member weighs, before any is opened."""
    given = arguments.member_weights
    if number == 1 and arguments.combine != "outputs":
        raise ValueError(
            f"--combine={arguments.combine} is for several models, but --checkpoint names one: "
            "leave it out, or name them with commas between them."
        )
    if (given or arguments.held_out_files) and (number == 1 or arguments.combine == "average"):
        raise ValueError(
            "--member_weights and --held_out_files are for several models whose answers are "
            f"combined, but there {'is 1' if number == 1 else 'is --combine=average'}: leave them "
            "out."
        )
    if given and arguments.held_out_files:
        raise ValueError("Give --member_weights or --held_out_files: one of them.")
    try:
        return [float(one) for one in split(given) or ()] or None
    except ValueError:
        raise ValueError(
            f"--member_weights must be numbers with commas between them, but is {given!r}: give "
            f"{number}."
        ) from None
