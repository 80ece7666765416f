"""Scores fine-tuned checkpoints on files: one alone, several together, or the mean of several.

keras-bert evaluate --checkpoint=mine --eval_files=test.tsv
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Literal

import keras_bert as kb
from keras_bert import flags

from .examples import Files, check_flags, files_of, options_of, split


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(Files):
    checkpoint: str = flags.required("checkpoint directories of a task, with commas between them")
    eval_files: str = flags.required("files, named as for train.finetune")
    combine: Literal["ensemble", "average"] = flags.flag(
        "ensemble", "of several checkpoints: the mean of their outputs, or of their weights"
    )
    output_dir: str | None = flags.flag(None, "directory for predictions.jsonl and metrics.json")
    sequence_length: int | None = flags.flag(
        None, "pieces of a row at most; else as the checkpoint was trained"
    )


def main(arguments: Arguments) -> None:
    is_one = os.path.isdir(arguments.checkpoint)  # its path may have a comma
    paths = [arguments.checkpoint] if is_one else arguments.checkpoint.split(",")
    members = [
        kb.finetuning.load_task(
            path,
            text_keys=split(arguments.text_keys),
            label_key=arguments.label_key,
            sequence_length=arguments.sequence_length,
        )
        for path in paths
    ]
    task = combined(members, arguments.combine) if len(members) > 1 else members[0]
    check_flags(arguments, task)
    files = files_of(arguments, arguments.eval_files)
    examples = kb.finetuning.read_for(task, files, options_of(arguments))
    task.check_examples(examples)  # what is wrong with labels shows before the answers
    kb.answering.check_to_answer(task, examples)
    answers = task(examples)
    scores = task.scores(examples, answers)
    print(json.dumps({"examples": len(examples), **scores}, indent=2))
    if arguments.output_dir:
        folder = pathlib.Path(arguments.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        kb.finetuning.write_predictions(folder / "predictions.jsonl", examples, answers)
        kb.finetuning.write_metrics(folder / "metrics.json", scores)
        print(f"In {folder}: predictions.jsonl and metrics.json.")


def combined(members: Sequence[kb.Task], how: str) -> kb.Task:
    """Several tasks as one."""
    from keras_bert.tasks.ensembles import average, ensemble

    return average(members) if how == "average" else ensemble(members)


if __name__ == "__main__":
    flags.run(main, Arguments)
