"""Answers texts with a checkpoint: fills blanks, or does the task that it was fine-tuned for."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import keras_bert as kb
from keras_bert import flags
from keras_bert.data.readers import read_examples
from keras_bert.tasks.report import write_predictions


@dataclasses.dataclass(frozen=True)
class Arguments:
    checkpoint: str = flags.required("checkpoint directory")
    text: tuple[str, ...] = flags.flag((), "text; with [MASK] where it has blanks; a question")
    second: tuple[str, ...] = flags.flag((), "for each text, what goes with it; a context")
    choice: tuple[str, ...] = flags.flag((), "choices, to be told apart for one text")
    input_files: str | None = flags.flag(None, "files of examples instead, as for train.finetune")
    form: str | None = flags.flag(None, "form of the files: tsv csv jsonl conll squad swag ...")
    output_file: str | None = flags.flag(None, "JSON lines file for the answers to input_files")
    top_k: int = flags.flag(5, "number of candidates for a blank")


def main(arguments: Arguments) -> None:
    task = task_of(kb.load(arguments.checkpoint), arguments)
    if arguments.input_files:
        examples = read_examples(arguments.input_files, arguments.form)
    else:
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


def task_of(checkpoint: kb.Checkpoint, arguments: Arguments) -> kb.Task:
    """The checkpoint's task; a pretrained model fills blanks."""
    if isinstance(checkpoint.model, kb.Task):
        return checkpoint.model
    if not isinstance(checkpoint.model, kb.BertPretrainer):
        raise ValueError(
            f"{arguments.checkpoint} must hold a model with a head, but holds a bare encoder: name "
            "a pretrained or a fine-tuned checkpoint."
        )
    packer = kb.Packer(checkpoint.tokenizer, checkpoint.config.max_sequence_length)
    return kb.FillMask(checkpoint.model, packer, arguments.top_k)


def examples_of(arguments: Arguments, task: kb.Task) -> list[dict[str, Any]]:
    """The examples that the flags give."""
    if isinstance(task, kb.MultipleChoice):
        context, question = (*arguments.text, *arguments.second, "", "")[:2]
        return [{"context": context, "question": question, "choices": list(arguments.choice)}]
    keys = list(task.example_spec)
    columns = [arguments.text, arguments.second][: len(keys)]
    if not arguments.text or len(columns[-1]) != len(arguments.text):
        wanted = "--text" if len(keys) == 1 else f"as many --second ({keys[1]}) as --text"
        raise ValueError(
            f"A {type(task).__name__} needs {wanted}, but there are {len(arguments.text)} --text "
            f"and {len(arguments.second)} --second: give them, or --input_files."
        )
    return [dict(zip(keys, values, strict=True)) for values in zip(*columns, strict=True)]


def lines_of(task: kb.Task, answer: Any) -> list[str]:
    """An answer as lines to read."""
    if isinstance(task, kb.FillMask):
        return [
            f"[MASK] {number}: " + ", ".join(f"{piece} {p:.1%}" for piece, p in candidates)
            for number, candidates in enumerate(answer, 1)
        ]
    if isinstance(answer, list):
        return [json.dumps(one, ensure_ascii=False) for one in answer]
    return [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in answer.items()]


if __name__ == "__main__":
    flags.run(main, Arguments)
