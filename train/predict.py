"""Answers texts with a checkpoint: fills blanks, or does the task that it was fine-tuned for."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import keras_bert as kb
from keras_bert import flags
from keras_bert.finetuning.report import write_predictions
from train import tasks
from train.examples import Files


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(Files):
    checkpoint: str = flags.required("checkpoint directory")
    text: tuple[str, ...] = flags.flag((), "text; with [MASK] where it has blanks; a question")
    second: tuple[str, ...] = flags.flag((), "for each text, what goes with it; a context")
    choice: tuple[str, ...] = flags.flag((), "choices, to be told apart for one text")
    input_files: str | None = flags.flag(None, "files of examples instead, as for train.finetune")
    output_file: str | None = flags.flag(None, "JSON lines file (.jsonl) for the answers")
    top_k: int | None = flags.flag(None, "number of candidates for a blank; else 5")


def main(arguments: Arguments) -> None:
    check(arguments)
    task = tasks.load(arguments.checkpoint, arguments, arguments.top_k)
    examples = examples_of(arguments, task)
    answers = task(examples)
    if arguments.output_file:
        write_predictions(arguments.output_file, examples, answers)
        print(f"{arguments.output_file}: {len(answers):,} answers.")
        return
    for example, answer in zip(examples, answers, strict=True):
        print(" | ".join(str(example[key]) for key in task.example_spec if key in example))
        for line in lines_of(task, answer):
            print(f"  {line}")


def check(arguments: Arguments) -> None:
    """Refuses flags that nothing would come of, before the model is opened.

    Raises:
        ValueError: the message names the flags.
    """
    if bool(arguments.text) == bool(arguments.input_files):
        raise ValueError("Give --text, as often as there are texts, or --input_files: one of them.")
    if arguments.input_files and (arguments.second or arguments.choice):
        raise ValueError("--second and --choice go with --text; files have columns for them.")
    suffix = pathlib.Path(arguments.output_file or "answers.jsonl").suffix
    if suffix not in (".jsonl", ".ndjson"):
        raise ValueError(
            f"--output_file is written as JSON lines, but {arguments.output_file} ends in "
            f"{suffix!r}: name it .jsonl."
        )


def examples_of(arguments: Arguments, task: kb.Task) -> list[dict[str, Any]]:
    """The examples that the flags give, or the files that they name."""
    if arguments.input_files:
        return tasks.read_for(task, arguments, arguments.input_files, labelled=False)
    if isinstance(task, kb.MultipleChoice):
        return [_choice_example(arguments)]
    if arguments.choice:
        raise ValueError(f"--choice is for multiple choice, not for a {type(task).__name__}.")
    keys = list(task.example_spec)
    columns = [arguments.text, arguments.second][: len(keys)]
    if len(keys) == 1 and arguments.second:
        raise ValueError(_SECOND_UNUSED.format(kind=type(task).__name__))
    if len(columns[-1]) != len(arguments.text):
        raise ValueError(
            f"A {type(task).__name__} needs as many --second ({keys[1]}) as --text ({keys[0]}), "
            f"but there are {len(arguments.second)} and {len(arguments.text)}."
        )
    return [dict(zip(keys, values, strict=True)) for values in zip(*columns, strict=True)]


# A classifier of the Hub does not say how many texts it reads.
_SECOND_UNUSED = (
    "This {kind} reads one text, and --second would be lost: leave it out, or, of a classifier "
    "that was trained on pairs, name their columns: --text_keys=first,second."
)


def _choice_example(arguments: Arguments) -> dict[str, Any]:
    if len(arguments.text) > 1 or len(arguments.second) > 1 or len(arguments.choice) < 2:
        raise ValueError(
            "Multiple choice takes one --text (the context), one --second (the question) or none, "
            f"and two --choice or more, but there are {len(arguments.text)}, "
            f"{len(arguments.second)} and {len(arguments.choice)}: give --input_files for several."
        )
    [context] = arguments.text
    question = arguments.second[0] if arguments.second else ""
    return {"context": context, "question": question, "choices": list(arguments.choice)}


def lines_of(task: kb.Task, answer: Any) -> list[str]:
    """An answer as lines to read."""
    if isinstance(task, kb.FillMask):
        return [
            f"[MASK] {number}: " + ", ".join(f"{piece} {p:.1%}" for piece, p in candidates)
            for number, candidates in enumerate(answer, 1)
        ]
    if isinstance(answer, list):
        return [json.dumps(one, ensure_ascii=False) for one in answer] or ["no entities"]
    return [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in answer.items()]


if __name__ == "__main__":
    flags.run(main, Arguments)
