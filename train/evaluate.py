"""Scores fine-tuned checkpoints on files: one alone, several together, or the mean of several.

keras-bert evaluate --checkpoint=mine --eval_files=test.tsv
keras-bert evaluate --checkpoint=bert,roberta,other.jsonl --combine=vote --eval_files=test.tsv
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping

import keras_bert as kb
from keras_bert import flags

from .examples import check_flags, files_of, options_of
from .together import Members, paths_of, task_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(Members):
    eval_files: str = flags.required("files, named as for train.finetune")
    output_dir: str | None = flags.flag(None, "directory for predictions.jsonl and metrics.json")


def main(arguments: Arguments) -> None:
    from keras_bert.tasks.ensembles import member_scores

    task = task_of(arguments)
    check_flags(arguments, task)
    files = files_of(arguments, arguments.eval_files)
    examples = kb.finetuning.read_for(task, files, options_of(arguments))
    task.check_examples(examples)  # what is wrong with labels shows before the answers
    kb.answering.check_to_answer(task, examples)
    answers = task(examples)
    scores = task.scores(examples, answers)
    alone = member_scores(task, examples)
    of_members = dict(zip(paths_of(arguments), alone, strict=True)) if alone else {}
    if of_members:
        print(table({**of_members, "together": scores}))
    print(json.dumps({"examples": len(examples), **scores}, indent=2))
    if arguments.output_dir:
        folder = pathlib.Path(arguments.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        kb.finetuning.write_predictions(folder / "predictions.jsonl", examples, answers)
        figures = {**scores, **({"members": of_members} if of_members else {})}
        kb.finetuning.write_metrics(folder / "metrics.json", figures)
        print(f"In {folder}: predictions.jsonl and metrics.json.")


def table(scores: Mapping[str, Mapping[str, float]]) -> str:
    """Scores side by side, a line a model.

    Example:

    >>> from train.evaluate import table
    >>> print(table({"mine": {"accuracy": 0.5}, "together": {"accuracy": 0.75}}))
              accuracy
    mine        0.5000
    together    0.7500
    """
    lines = [("", *next(iter(scores.values())))]
    lines += [(model, *(f"{value:.4f}" for value in own.values())) for model, own in scores.items()]
    return kb.finetuning.aligned(lines)


if __name__ == "__main__":
    flags.run(main, Arguments)
