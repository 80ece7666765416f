"""Scores fine-tuned checkpoints on files: one alone, several together, or the mean of several."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Literal

import keras_bert as kb
from keras_bert import flags
from keras_bert.tasks import ensembles, report
from train import tasks


@dataclasses.dataclass(frozen=True)
class Arguments:
    checkpoint: str = flags.required("checkpoint directories of a task, with commas between them")
    eval_files: str = flags.required("files, named as for train.finetune")
    combine: Literal["ensemble", "average"] = flags.flag(
        "ensemble", "of several checkpoints: the mean of their outputs, or of their weights"
    )
    form: str | None = flags.flag(None, "form of the files: tsv csv jsonl conll squad swag ...")
    columns: str | None = flags.flag(None, "names of the columns of tables without a header")
    label_key: str = flags.flag("label", "column with the label")
    encoding: str = flags.flag("utf-8", "encoding of label=path files")
    repair: bool = flags.flag(False, "mend tags that break their scheme, and count them")
    output_dir: str | None = flags.flag(None, "directory for predictions.jsonl and metrics.json")


def main(arguments: Arguments) -> None:
    loaded = [kb.load(path).model for path in arguments.checkpoint.split(",")]
    for path, task in zip(arguments.checkpoint.split(","), loaded, strict=True):
        if not isinstance(task, kb.Task):
            raise ValueError(f"{path} must hold the model of a task: fine-tune it first.")
    combine = ensembles.average if arguments.combine == "average" else ensembles.ensemble
    task = combine(loaded) if len(loaded) > 1 else loaded[0]
    examples = tasks.read(tasks.name_of(task), arguments, arguments.eval_files)
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
