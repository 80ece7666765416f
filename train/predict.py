"""Answers texts with a checkpoint: fills blanks, or does the task that it was fine-tuned for.

keras-bert predict --checkpoint=mine --text='A fine film.'
keras-bert predict --checkpoint=mine --input_files=texts.txt --output_file=answers.csv
keras-bert predict --checkpoint=bert,roberta --combine=mean --text='A fine film.'
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras_bert as kb
from keras_bert import flags
from keras_bert.data.answers.forms import SUFFIXES, form_of_answers

from .examples import check_flags, files_of, options_of
from .together import Members, task_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(Members):
    text: tuple[str, ...] = flags.flag((), "text; with [MASK] where it has blanks; a question")
    second: tuple[str, ...] = flags.flag((), "for each text, what goes with it; a context")
    choice: tuple[str, ...] = flags.flag((), "choices, to be told apart for one text")
    input_files: str | None = flags.flag(
        None, "files of examples instead, as finetune reads them; .txt a text a line; - is piped in"
    )
    output_file: str | None = flags.flag(
        None, f"file for the answers, in the form that its name says: {' '.join(SUFFIXES)}"
    )
    top_k: int | None = flags.flag(None, "number of candidates for a blank; else 5")
    dimensions: int | None = flags.flag(None, "numbers of an embedding, its first ones; else all")


def main(arguments: Arguments) -> None:
    check(arguments)
    task = task_of(arguments, top_k=arguments.top_k, dimensions=arguments.dimensions)
    if arguments.output_file:
        kb.answering.check_form(task, arguments.output_file)
    examples = examples_of(arguments, task)
    if arguments.output_file:
        kb.answering.write_answers(arguments.output_file, task, examples)
        print(f"{arguments.output_file}: {len(examples):,} answers.")
        return
    kb.answering.check_to_answer(task, examples)
    for some, answers in kb.answering.answered(task, examples):
        for example, answer in zip(some, answers, strict=True):
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
    if arguments.output_file:
        form_of_answers(arguments.output_file)


def examples_of(arguments: Arguments, task: kb.Task) -> Sequence[Mapping[str, Any]]:
    """The examples that the flags give, or the files that they name."""
    check_flags(arguments, task)
    if not arguments.input_files:
        return task.asked(arguments.text, arguments.second, choices=arguments.choice)
    files = files_of(arguments, arguments.input_files)
    return kb.finetuning.read_for(task, files, options_of(arguments), labelled=False)


if __name__ == "__main__":
    flags.run(main, Arguments)
