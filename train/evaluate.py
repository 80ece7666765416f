"""Scores fine-tuned checkpoints on files: one alone, several together, or the mean of several."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from typing import Literal

from keras_bert import flags
from keras_bert.finetuning import report
from keras_bert.tasks import ensembles
from train import tasks
from train.examples import Files


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(Files):
    checkpoint: str = flags.required("checkpoint directories of a task, with commas between them")
    eval_files: str = flags.required("files, named as for train.finetune")
    combine: Literal["ensemble", "average"] = flags.flag(
        "ensemble", "of several checkpoints: the mean of their outputs, or of their weights"
    )
    output_dir: str | None = flags.flag(None, "directory for predictions.jsonl and metrics.json")


def main(arguments: Arguments) -> None:
    is_one = os.path.isdir(arguments.checkpoint)  # its path may have a comma
    paths = [arguments.checkpoint] if is_one else arguments.checkpoint.split(",")
    loaded = [tasks.load(path, arguments) for path in paths]
    combine = ensembles.average if arguments.combine == "average" else ensembles.ensemble
    task = combine(loaded) if len(loaded) > 1 else loaded[0]
    examples = tasks.read_for(loaded[0], arguments, arguments.eval_files)
    loaded[0].target_columns(examples)  # what is wrong with labels shows before the answers
    answers = task(examples)
    scores = task.scores(examples, answers)
    print(json.dumps({"examples": len(examples), **scores}, indent=2))
    if arguments.output_dir:
        folder = pathlib.Path(arguments.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        report.write_predictions(folder / "predictions.jsonl", examples, answers)
        report.write_metrics(folder / "metrics.json", scores)
        print(f"In {folder}: predictions.jsonl and metrics.json.")


if __name__ == "__main__":
    flags.run(main, Arguments)
