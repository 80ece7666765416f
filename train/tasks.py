"""What the binaries know of tasks by name: which flags one has, and how it is made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras_bert as kb
from keras_bert.data.examples.schemes import in_iob2
from keras_bert.data.rows import Row
from keras_bert.tasks.labels import label_number, names_among, several_among
from train import examples as reading
from train.examples import TaskName

# The flags of `train.finetune` that some tasks have and others do not.
FLAGS = {
    "text_classification": {
        *("labels", "problem", "stride", "label_smoothing", "balance_labels"),
    },
    "token_classification": {
        *("labels", "label_smoothing", "word_column", "label_column", "tag_names", "repair"),
    },
    "question_answering": {"stride"},
    "multiple_choice": set(),
    "sentence_embedding": set(),
    "fill_mask": set(),
}
CLASSES = {
    "text_classification": kb.TextClassifier,
    "token_classification": kb.TokenClassifier,
    "question_answering": kb.QuestionAnswerer,
    "multiple_choice": kb.MultipleChoice,
    "sentence_embedding": kb.SentenceEmbedder,
    "fill_mask": kb.FillMask,
}
SINGLE_LABEL, SEVERAL_LABELS, REGRESSION = (
    *("single_label_classification", "multi_label_classification", "regression"),
)
# Pieces of a row where neither a flag nor the checkpoint says.
SEQUENCE_LENGTH = 128


def check_flags(task: TaskName, arguments: Any) -> None:
    """Refuses flags that the task would have to ignore.

    Raises:
        ValueError: a flag that only other tasks have is not as it is by default.
    """
    given = {
        field.name
        for field in dataclasses.fields(arguments)
        if field.default is not dataclasses.MISSING
        and getattr(arguments, field.name) != field.default
    }
    for name in sorted(given & set().union(*FLAGS.values()) - FLAGS[task]):
        having = [other for other, names in FLAGS.items() if name in names]
        raise ValueError(
            f"The task {task} has no --{name}, which is for {' and '.join(having)}: leave it out."
        )


def make(arguments: Any, checkpoint: kb.Checkpoint, examples: Sequence[Row]) -> kb.Task:
    """The task of the arguments on a checkpoint's encoder, with labels as they or the data say.

    Raises:
        ValueError: the labels, rows or model do not fit the task.
    """
    packer = kb.Packer(checkpoint.tokenizer, sequence_length(arguments, checkpoint.config))
    return MAKERS[arguments.task](arguments, checkpoint, packer, examples)


def sequence_length(arguments: Any, config: kb.BertConfig) -> int:
    """The most pieces of a row: as the flag says, or 128 where the model has as many positions."""
    wanted, most = arguments.sequence_length, config.max_sequence_length
    if wanted is not None and wanted > most:
        raise ValueError(
            f"sequence_length must be at most the model's {most} positions, not {wanted}: choose "
            "shorter rows, or a --stride where the task has one."
        )
    return wanted or min(SEQUENCE_LENGTH, most)


def name_of(task: kb.Task) -> TaskName:
    """The name that the binaries have for a task."""
    [name] = [name for name, kind in CLASSES.items() if isinstance(task, kind)]
    return name


def task_of(checkpoint: kb.Checkpoint, directory: str, top_k: int | None = None) -> kb.Task:
    """The task that a checkpoint was trained for; a pretrained model fills blanks.

    Raises:
        ValueError: it holds no head.
    """
    if isinstance(checkpoint.model, kb.BertPretrainer):
        packer = kb.Packer(checkpoint.tokenizer, checkpoint.config.max_sequence_length)
        return kb.FillMask(checkpoint.model, packer, *(() if top_k is None else (top_k,)))
    if top_k is not None and isinstance(checkpoint.model, kb.FillMask):
        checkpoint.model.top_k = top_k
    elif top_k is not None:
        raise ValueError(
            f"--top_k is for models that fill blanks, but {directory} holds another one: leave it "
            "out."
        )
    if not isinstance(checkpoint.model, kb.Task):
        raise ValueError(
            f"{directory} must hold a model with a head, but holds a bare encoder: name a "
            "pretrained or a fine-tuned checkpoint, or fine-tune this one with train.finetune."
        )
    return checkpoint.model


def load(directory: str, arguments: reading.Files, top_k: int | None = None) -> kb.Task:
    """The task in a directory; --text_keys are the columns that a classifier reads."""
    task = task_of(kb.load(directory), directory, top_k)
    if arguments.text_keys and isinstance(task, kb.TextClassifier):
        task.text_keys = reading.split(arguments.text_keys)
    return task


def read_for(
    task: kb.Task, arguments: reading.Files, files: str, labelled: bool = True
) -> list[Row]:
    """The examples of files for a task that is made already.

    Args:
        task: Task.
        arguments: the flags of files.
        files: as for `reading.read`.
        labelled: whether answers are to be compared with labels.

    Raises:
        ValueError: what reading raises.
    """
    name = name_of(task)
    if name == "token_classification":
        rows = reading.read(name, arguments, files, labelled=labelled)
        return in_iob2(rows, arguments.repair)
    if name != "text_classification":
        return reading.read(name, arguments, files, labelled=labelled)
    label_key = arguments.label_key or task.label_key
    rows = reading.read(
        name, arguments, files, text_keys=task.text_keys, label_key=label_key, labelled=labelled
    )
    if not labelled or task.problem == REGRESSION:
        return rows
    if label_key != task.label_key:
        rows = [row.with_columns({**row, task.label_key: row[label_key]}) for row in rows]
    return labelled_rows(rows, task.label_key, task.problem, task.labels)


def labelled_rows(
    rows: Sequence[Row], label_key: str, problem: str, labels: Sequence[str]
) -> list[Row]:
    """Rows of text classification with the labels that the task takes; what has none is counted.

    Args:
        rows: the rows of a file.
        label_key: the column with the label, or several.
        problem: what the task says.
        labels: all labels.

    Raises:
        ValueError: no row has a label.
    """
    if problem == SEVERAL_LABELS and "," in label_key:
        return reading.with_marked_labels(rows, label_key)
    if problem != SINGLE_LABEL:
        return [*rows]
    left_out = reading.without_label(rows, label_key, labels)
    if not left_out:
        return [*rows]
    told = f"{label_key} is {left_out[0][label_key]!r} at {left_out[0].source}"
    if len(left_out) == len(rows):
        raise ValueError(f"No example has a label ({told}): give files with labels.")
    print(f"Left out {len(left_out):,} of {len(rows):,} examples, which have no label ({told}).")
    is_out = {id(row) for row in left_out}
    return [row for row in rows if id(row) not in is_out]


def take_head(task: kb.Task, checkpoint: kb.Checkpoint) -> str:
    """Takes over the weights of a head of the same kind and labels, and says what is new."""
    before = {weight.path: weight for weight in (checkpoint.model or checkpoint.encoder).weights}
    shared = {id(weight) for weight in (*before.values(), *checkpoint.encoder.weights)}
    heads = [weight for weight in task.trainable_weights if id(weight) not in shared]
    same = type(checkpoint.model) is type(task) and all(
        getattr(checkpoint.model, name, None) == getattr(task, name, None)
        for name in ("labels", "problem")
    )
    if heads and not same:
        names = ", ".join(weight.path for weight in heads)
        return f"New weights: {names}; all others are the checkpoint's."
    for weight in heads:
        weight.assign(before[weight.path])
    return f"All weights are the checkpoint's{', those of the head too' if heads else ''}."


def labels_of(arguments: Any, rows: Sequence[Row], label_key: str) -> tuple[str, ...]:
    """The labels that are named, or else those of the rows, in order ("O" first).

    Raises:
        ValueError: it is not certain what is a label.
    """
    if arguments.labels:
        return reading.split(arguments.labels)
    several = getattr(arguments, "problem", SINGLE_LABEL) == SEVERAL_LABELS
    if several and "," in label_key:
        return reading.split(label_key)
    values = [row[label_key] for row in rows]
    if arguments.task == "token_classification":
        values = [name for names in values for name in names]
    try:
        return (several_among if several else names_among)(values)
    except ValueError as error:
        raise ValueError(
            f"{rows[0].source} and others: {label_key}: {error} Say --labels=..., with commas."
        ) from error


def _text_classifier(arguments, checkpoint, packer, examples) -> kb.Task:
    keys, label_key = text_columns(arguments)
    labels = ("value",)
    if arguments.problem != REGRESSION:
        labels = labels_of(arguments, examples, label_key)
    return kb.TextClassifier(
        checkpoint.encoder,
        packer,
        labels,
        keys,
        arguments.problem,
        arguments.stride,
        label_key=label_key,
    )


def _token_classifier(arguments, checkpoint, packer, examples) -> kb.Task:
    return kb.TokenClassifier(
        checkpoint.encoder, packer, labels_of(arguments, examples, reading.LABEL[arguments.task])
    )


def _question_answerer(arguments, checkpoint, packer, examples) -> kb.Task:
    impossible = any(example.get("impossible") for example in examples)
    return kb.QuestionAnswerer(
        checkpoint.encoder,
        packer,
        arguments.stride,
        no_answer_threshold=0.0 if impossible else None,
    )


def _multiple_choice(arguments, checkpoint, packer, examples) -> kb.Task:
    return kb.MultipleChoice(checkpoint.encoder, packer)


def _sentence_embedder(arguments, checkpoint, packer, examples) -> kb.Task:
    if not any("label" in example for example in examples):
        return kb.SentenceEmbedder(checkpoint.encoder, packer, problem="in_batch_negatives")
    values = [_number(example, "label") for example in examples]
    return kb.SentenceEmbedder(
        checkpoint.encoder,
        packer,
        problem="cosine_regression",
        label_range=(min(values), max(values)),
    )


def _fill_mask(arguments, checkpoint, packer, examples) -> kb.Task:
    return kb.FillMask(checkpoint.model or checkpoint.encoder, packer)


MAKERS: dict[str, Callable[..., kb.Task]] = {
    "text_classification": _text_classifier,
    "token_classification": _token_classifier,
    "question_answering": _question_answerer,
    "multiple_choice": _multiple_choice,
    "sentence_embedding": _sentence_embedder,
    "fill_mask": _fill_mask,
}


def text_columns(arguments: Any) -> tuple[tuple[str, ...], str]:
    """The columns of text classification: those with the texts, and that with the label."""
    keys = reading.split(arguments.text_keys) or ("sentence",)
    label_key = arguments.label_key or "label"
    if "," in label_key and arguments.problem != SEVERAL_LABELS:
        raise ValueError(
            f"--label_key names one column, but is {label_key!r}: several are for "
            f"--problem={SEVERAL_LABELS}."
        )
    return keys, label_key


def _number(example: Row, key: str) -> float:
    number = label_number(example.get(key))
    if number is None:
        raise ValueError(
            f"{example.source}: {key} must be a number, as in other rows, but is "
            f"{example.get(key)!r}: correct it, or leave the row out."
        )
    return number
