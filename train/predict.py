"""Answers texts with a checkpoint: fills blanks, or does the task that it was fine-tuned for.

keras-bert predict --checkpoint=mine --text='A fine film.'
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import keras_bert as kb
from keras_bert import flags

from .examples import Files, check_flags, files_of, options_of, split


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(Files):
    checkpoint: str = flags.required("checkpoint directory")
    text: tuple[str, ...] = flags.flag((), "text; with [MASK] where it has blanks; a question")
    second: tuple[str, ...] = flags.flag((), "for each text, what goes with it; a context")
    choice: tuple[str, ...] = flags.flag((), "choices, to be told apart for one text")
    input_files: str | None = flags.flag(None, "files of examples instead, as finetune reads them")
    output_file: str | None = flags.flag(None, "JSON lines file (.jsonl) for the answers")
    top_k: int | None = flags.flag(None, "number of candidates for a blank; else 5")


def main(arguments: Arguments) -> None:
    check(arguments)
    task = kb.finetuning.load_task(
        arguments.checkpoint,
        text_keys=split(arguments.text_keys),
        label_key=arguments.label_key,
        top_k=arguments.top_k,
    )
    examples = examples_of(arguments, task)
    answers = task(examples)
    if arguments.output_file:
        kb.finetuning.write_predictions(arguments.output_file, examples, answers)
        print(f"{arguments.output_file}: {len(answers):,} answers.")
        return
    for example, answer in zip(examples, answers, strict=True):
        print(" | ".join(str(example[key]) for key in task.example_spec if key in example))
        for line in task.lines_of(answer):
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
    check_flags(arguments, task)
    if not arguments.input_files:
        return task.asked(arguments.text, arguments.second, choices=arguments.choice)
    files = files_of(arguments, arguments.input_files)
    return kb.finetuning.read_for(task, files, options_of(arguments), labelled=False)


if __name__ == "__main__":
    flags.run(main, Arguments)
