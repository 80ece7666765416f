"""Removes what matters least of a fine-tuned checkpoint: attention heads, columns, blocks.

keras-bert prune --checkpoint=mine --train_files=train.tsv --eval_files=eval.tsv \
    --remove_heads=0.3 --remove_columns=0.5 --output_dir=smaller
"""

from __future__ import annotations

import dataclasses
import random
import statistics
import time
from collections.abc import Sequence
from typing import Any

import keras_bert as kb
from keras_bert import flags

from .examples import Files, check_flags, files_of, options_of, split

# Calls whose median is the time of an answer, after one that builds the graph.
NUM_CALLS = 21


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(Files):
    checkpoint: str = flags.required("checkpoint directory of a task")
    output_dir: str = flags.required("directory to write")
    train_files: str | None = flags.flag(
        None, "files by which heads and columns are compared, named as for train.finetune"
    )
    eval_files: str | None = flags.flag(None, "files to score it with, before and after")
    remove_heads: float = flags.flag(0.0, "share of all attention heads to remove")
    remove_columns: float = flags.flag(
        0.0, "share of all columns of the feed-forward networks to remove"
    )
    remove_layers: int = flags.flag(0, "blocks to leave out, from the last one on")
    num_examples: int = flags.flag(2000, "examples to compare by, at most")
    batch_size: int = flags.flag(4, "examples whose gradient is taken together")
    sequence_length: int | None = flags.flag(
        None, "pieces of a row at most; else as the checkpoint was trained"
    )


def main(arguments: Arguments) -> None:
    check(arguments)
    task = kb.finetuning.load_task(
        arguments.checkpoint,
        text_keys=split(arguments.text_keys),
        label_key=arguments.label_key,
        sequence_length=arguments.sequence_length,
    )
    check_flags(arguments, task)
    held_out = examples_of(arguments, arguments.eval_files, task)
    learned = examples_of(arguments, arguments.train_files, task)
    if len(learned) > arguments.num_examples:  # files are often sorted
        learned = random.Random(0).sample(learned, arguments.num_examples)
    smaller = pruned(arguments, task, learned)
    kb.save(smaller, arguments.output_dir, task.tokenizer)
    print(said_of(task, smaller, held_out))
    print(
        f"{arguments.output_dir}: a {type(smaller).__name__}. Next, to make up for what is gone:\n"
        f"  keras-bert finetune --checkpoint={arguments.output_dir} "
        f"--train_files={arguments.train_files or 'train.tsv'} --output_dir=..."
    )


def check(arguments: Arguments) -> None:
    """Refuses what cannot be done, before anything is read."""
    for name in ("remove_heads", "remove_columns"):
        share = getattr(arguments, name)
        if not 0 <= share < 1:
            raise ValueError(f"--{name} must be a share in [0, 1), not {share}.")
    if arguments.remove_layers < 0:
        raise ValueError(f"--remove_layers must be at least 0, not {arguments.remove_layers}.")
    for name in ("num_examples", "batch_size"):
        if getattr(arguments, name) < 1:
            raise ValueError(f"--{name} must be at least 1, not {getattr(arguments, name)}.")
    by_examples = arguments.remove_heads or arguments.remove_columns
    if not by_examples and not arguments.remove_layers:
        raise ValueError(
            "Nothing is to be removed: say --remove_heads, --remove_columns or --remove_layers."
        )
    if by_examples and not arguments.train_files:
        raise ValueError("Heads and columns are compared by examples: say --train_files.")


def examples_of(arguments: Arguments, path: str | None, task: kb.Task) -> Sequence[Any]:
    """The examples of files; none where there are no files."""
    if not path:
        return ()
    examples = kb.finetuning.read_for(task, files_of(arguments, path), options_of(arguments))
    task.check_examples(examples)
    return examples


def pruned(arguments: Arguments, task: kb.Task, examples: Sequence[Any]) -> kb.Task:
    """The task without the blocks, heads and columns that the flags say."""
    num_layers = task.encoder.config.num_layers
    if arguments.remove_layers:  # first: what is left is compared as it will be
        task = kb.prune(task, layers=range(num_layers)[-arguments.remove_layers :])
    if not examples or not (arguments.remove_heads or arguments.remove_columns):
        return task
    task.compile(kb.AdamW(1e-5), **task.objective())
    found = kb.importance(task, task.dataset(examples, arguments.batch_size))
    return kb.prune(
        task,
        heads=kb.least_important(found.heads, arguments.remove_heads),
        columns=kb.least_important(found.columns, arguments.remove_columns),
    )


def said_of(task: kb.Task, smaller: kb.Task, held_out: Sequence[Any]) -> str:
    """A table of both: numbers, operations, time of an answer and scores."""
    length = task.packer.sequence_length
    rows = [("", "before", "after", "share")]
    both = (task, smaller)
    counts = [one.count_params() for one in both]
    flops = [kb.num_inference_flops(one.encoder.config, length) / 1e9 for one in both]
    rows.append(_row("parameters", counts, ",.0f"))
    rows.append(_row(f"GFLOP, {length} tokens", flops, ",.3f"))
    if held_out:
        rows.append(_row("ms, one example", milliseconds(both, held_out[0]), ".1f"))
        scores = [one.scored(held_out) for one in both]
        rows += [_row(name, [one[name] for one in scores], ".4f") for name in scores[0]]
    return kb.finetuning.aligned(rows)


def milliseconds(tasks: Sequence[kb.Task], example: Any) -> list[float]:
    """The median time of an answer to one example, of tasks that take turns."""
    times: list[list[float]] = [[] for _ in tasks]
    for _ in range(NUM_CALLS + 1):
        for task, own in zip(tasks, times, strict=True):
            start = time.perf_counter()
            task([example])
            own.append(1000 * (time.perf_counter() - start))
    return [statistics.median(own[1:]) for own in times]


def _row(name: str, values: Sequence[float], form: str) -> tuple[str, str, str, str]:
    before, after = values
    share = f"{after / before:.2f}" if before else ""
    return name, format(before, form), format(after, form), share


if __name__ == "__main__":
    flags.run(main, Arguments)
