"""What the binaries know of tasks by name: how one reads its examples, and how it is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras_bert as kb
from keras_bert.data.readers import read_examples
from keras_bert.data.tables import read_json_lists, read_labeled_lines
from keras_bert.data.tagging import in_iob2

TaskName = Literal[
    "text_classification",
    "token_classification",
    "question_answering",
    "multiple_choice",
    "sentence_embedding",
    "fill_mask",
]
Example = dict[str, Any]


def read(task: TaskName, arguments: Any, files: str) -> list[Example]:
    """The examples of files, or of TensorFlow Datasets, as a task takes them.

    Args:
        task: name of the task.
        arguments: with `form`, `columns`, `label_key`, `encoding` and `repair`.
        files: globs with commas between them; "tfds:name@split"; "label=path,label=path" for files
            with a text on every line; or "path.json@part" for lists of rows in a JSON object.
    """
    columns = arguments.columns.split(",") if arguments.columns else None
    if "=" in files:
        paths = dict(part.split("=", 1) for part in files.split(","))
        examples = read_labeled_lines(paths, encoding=arguments.encoding)
    elif ".json@" in files:
        path, part = files.rsplit("@", 1)
        examples = read_json_lists(path, part, columns or ("sentence", "label"))
    else:
        examples = read_examples(files, arguments.form, columns)
    if task == "token_classification":
        return in_iob2(examples, arguments.repair)
    if task in ("text_classification", "sentence_embedding"):
        return [_with_label(example, arguments.label_key) for example in examples]
    return examples


def make(arguments: Any, checkpoint: kb.Checkpoint, examples: Sequence[Example]) -> kb.Task:
    """The task of the arguments on a checkpoint's encoder, with labels as they or the data say."""
    length = min(arguments.sequence_length, checkpoint.config.max_sequence_length)
    packer = kb.Packer(checkpoint.tokenizer, length)
    encoder = checkpoint.encoder
    if arguments.task == "text_classification":
        keys = arguments.text_keys.split(",")
        labels = ("value",) if arguments.problem == "regression" else labels_of(arguments, examples)
        task = kb.TextClassifier(encoder, packer, labels, keys, arguments.problem, arguments.stride)
    elif arguments.task == "token_classification":
        task = kb.TokenClassifier(encoder, packer, labels_of(arguments, examples))
    elif arguments.task == "question_answering":
        impossible = any(example["impossible"] for example in examples)
        threshold = 0.0 if impossible else None
        task = kb.QuestionAnswerer(encoder, packer, arguments.stride, no_answer_threshold=threshold)
    elif arguments.task == "multiple_choice":
        task = kb.MultipleChoice(encoder, packer)
    elif arguments.task == "sentence_embedding":
        values = [float(example["label"]) for example in examples if "label" in example]
        problem = "cosine_regression" if values else "in_batch_negatives"
        label_range = (min(values), max(values)) if values else (0.0, 1.0)
        task = kb.SentenceEmbedder(encoder, packer, problem=problem, label_range=label_range)
    else:
        task = kb.FillMask(checkpoint.model, packer)
    print(_heads(task, checkpoint.model))
    return task


def name_of(task: kb.Task) -> str:
    """The name that the binaries have for a task."""
    kinds = {
        kb.TextClassifier: "text_classification",
        kb.TokenClassifier: "token_classification",
        kb.QuestionAnswerer: "question_answering",
        kb.MultipleChoice: "multiple_choice",
        kb.SentenceEmbedder: "sentence_embedding",
        kb.FillMask: "fill_mask",
    }
    return kinds[type(task)]


def labels_of(arguments: Any, examples: Sequence[Example]) -> tuple[str, ...]:
    """The labels that are named, or else those of the examples, in order ("O" first)."""
    if arguments.labels:
        return tuple(arguments.labels.split(","))
    found = set()
    for example in examples:
        value = example.get("labels", example.get("label"))
        several = getattr(arguments, "problem", "") == "multi_label_classification"
        names = value.split(",") if several and isinstance(value, str) else value
        found.update([names] if isinstance(names, str | int) else names or ())
    return tuple(sorted(map(str, found - {"", None}), key=lambda name: (name != "O", name)))


def _with_label(example: Example, label_key: str) -> Example:
    """An example whose label stands under `label`, whatever its column is called."""
    if label_key == "label" or label_key not in example:
        return example
    return {**{k: v for k, v in example.items() if k != label_key}, "label": example[label_key]}


def _heads(task: kb.Task, model: Any) -> str:
    """Takes over the weights of a head of the same kind and labels, and says what is new."""
    heads = {w.path: w for w in task.weights if w.path.startswith(("classifier/", "span/"))}
    same = type(model) is type(task) and getattr(model, "labels", ()) == getattr(task, "labels", ())
    if not heads:
        return "All weights are the checkpoint's."
    if not same:
        return f"New weights: {', '.join(heads)}; all others are the checkpoint's."
    for weight in model.weights:
        if weight.path in heads:
            heads[weight.path].assign(weight)
    return "All weights are the checkpoint's, those of the head too."
