"""Answering: many examples, some at a time, to a file in the form that its name says."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert.data.answers.arrays import Write as WriteArray
from keras_bert.data.answers.arrays import npy, npz
from keras_bert.data.answers.forms import ARRAYS, form_of_answers, opened_for_rows
from keras_bert.data.answers.rows import Columns, digest_of, sourced
from keras_bert.data.answers.values import shortened
from keras_bert.data.rows import Path
from keras_bert.tasks.batches import buckets, taken
from keras_bert.tasks.examples import Example
from keras_bert.tasks.members import join, members_of, pool_of
from keras_bert.tasks.progress import with_bar
from keras_bert.tasks.task import Task

# So many examples are answered at a time, and then written: what is in memory is theirs.
BLOCK = 256
# Tokenizers with the same pieces differ in what they do to letters and signs.
_PROBE = "Ça, déjà VU! 中文 naïve"

Write = Callable[[Sequence[Example], Any], None]


def check_form(task: Task, path: Path) -> None:
    """Checks that a file of answers can hold a task's.

    Args:
        task: Task.
        path: path of the file that is to be written.

    Raises:
        ValueError: its name says no form, or one that holds arrays alone.
    """
    if form_of_answers(path) in ARRAYS and task.ARRAY not in task.output:
        raise ValueError(
            f"{os.fspath(path)} holds an array with one entry an example, which the answers of a "
            f"{type(task).__name__} are not: name it .jsonl, .csv, .tsv or .parquet."
        )


def check_to_answer(task: Task, examples: Sequence[Example]) -> None:
    """Raises what answering would raise of examples, and says how many of their texts are cut.

    Args:
        task: Task.
        examples: sequence of dicts.

    Raises:
        ValueError: an example lacks a column, or has in it what cannot be answered.
    """
    join(task, examples)
    lengths = []
    for some in blocks(examples):
        columns = task.input_columns(some)
        if task.ONE_ROW_EACH:
            lengths.append(task.num_tokens(task.tokenized(columns)).numpy())
    if lengths:
        task.count_rows(np.concatenate(lengths))


def write_answers(path: Path, task: Task, examples: Sequence[Example]) -> None:
    """Answers examples and writes what is said, some at a time; the file is whole or not there.

    Of `.jsonl` each line is an example with its `source` and its `answer`. Tables have a column for
    each of these, and in place of `answer` for each thing that it says. `.npy` holds the model's
    output alone, logits or embeddings, and `.npz` the examples as well (`read_vectors`).

    Args:
        path: path of the file, whose name says the form.
        task: Task.
        examples: sequence of dicts, at least one.

    Raises:
        ValueError: the form holds no such answers, an example is wrong, or another process is
            writing the file.

    Example:

    >>> import os, tempfile
    >>> import keras_bert as kb
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=1, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> task = kb.TextClassifier(kb.BertEncoder(config), kb.Packer(tokenizer), ("bad", "good"))
    >>> path = os.path.join(tempfile.mkdtemp(), "answers.csv")
    >>> kb.answering.write_answers(path, task, [{"sentence": "a fine film"}])
    >>> open(path).readline()
    'sentence,label,probability,probability_bad,probability_good\\n'
    """
    check_form(task, path)
    check_to_answer(task, examples)
    says = functools.partial(task.answered, progress=False)
    is_array = form_of_answers(path) in ARRAYS
    parts = with_bar(answered(outputs_of(task) if is_array else says, examples), len(examples))
    first = next(parts)
    with _opened(path, task, examples, first[1]) as write:
        for some, answers in itertools.chain([first], parts):
            write(some, answers)


def answered(
    answer: Callable[[Sequence[Example]], Any], examples: Sequence[Example]
) -> Iterator[tuple[Sequence[Example], Any]]:
    """Examples and what is said of them, some at a time, in their order.

    Args:
        answer: a task, or another function of several examples.
        examples: sequence of dicts.
    """
    for some in blocks(examples):
        yield some, answer(some)


def outputs_of(task: Task) -> Callable[[Sequence[Example]], np.ndarray]:
    """A function of examples that gives the one output of a task that files of arrays hold.

    Args:
        task: Task, which has an `ARRAY`.

    Returns:
        Function of a sequence of dicts to float32 [N, D], in their order.
    """

    name = task.ARRAY or ""

    @tf.function(autograph=False, reduce_retracing=True)
    def output(columns):
        return tf.cast(task.outputs_of(task.features(columns))[name], tf.float32)

    def outputs(examples: Sequence[Example]) -> np.ndarray:
        columns = task.input_columns(examples)
        found = np.empty([len(examples), task.output[name].shape[-1]], "float32")
        for indices in buckets(columns):
            values = output(taken(columns, tf.constant(indices))).numpy()
            found[indices] = values.reshape(len(indices), -1)
        return found

    return outputs


def fingerprint(task: Task) -> str:
    """What tells a task from others that answer otherwise: of its weights, settings and pieces.

    It is the same whatever form the checkpoint has, and whatever else its directory holds.

    Args:
        task: Task.

    Returns:
        str, hexadecimal digits.
    """
    digest = hashlib.sha256(json.dumps(task.settings(), sort_keys=True).encode())
    if members_of(task):
        digest.update(repr(pool_of(task)).encode())
    digest.update("\n".join(task.tokenizer.vocabulary).encode("utf-8", "replace"))
    digest.update(task.tokenizer.tokenize(_PROBE).numpy().tobytes())
    # Layers that no answer stands on may be drawn anew whenever a checkpoint is opened.
    idle = {id(weight) for layer in task.idle_layers for weight in layer.weights}
    for weight in task.weights:
        if id(weight) not in idle and keras.backend.is_float_dtype(weight.dtype):
            digest.update(np.ascontiguousarray(weight.numpy()).tobytes())
    return digest.hexdigest()


def answered_per_second(task: Task, examples: Sequence[Example]) -> float:
    """How many examples a task answers in a second, when its graphs are there.

    Args:
        task: Task.
        examples: sequence of dicts, at least one.
    """
    for _ in task.answer_batches(examples):
        pass
    start = time.perf_counter()
    for _ in task.answer_batches(examples):
        pass
    return len(examples) / (time.perf_counter() - start)


def blocks(examples: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Examples, `BLOCK` at a time.

    Example:

    >>> from keras_bert.answering import blocks
    >>> [len(some) for some in blocks(range(600))]
    [256, 256, 88]
    """
    for start in range(0, len(examples), BLOCK):
        yield examples[start : start + BLOCK]


@contextlib.contextmanager
def _opened(path: Path, task: Task, examples: Sequence[Example], first: Any) -> Iterator[Write]:
    """A function that writes examples and their answers, of which the first ones are known."""
    form = form_of_answers(path)
    if form in ARRAYS:
        with _opened_for_arrays(path, task, examples) as write_array:
            yield lambda _, outputs: write_array(outputs)
        return
    columns = Columns.of(examples)
    cells_of = _cells_of(task, columns, form)
    cells = [cells_of(answer) for answer in first]
    like: dict[str, Sequence[Any]] = {
        **{name: [example.get(name) for example in examples] for name in columns.names},
        **{name: [""] for name in columns.of_rows if name not in columns.names},
        **{name: [one[name] for one in cells] for name in cells[0]},
    }
    with opened_for_rows(path, like) as write:
        yield lambda some, answers: write(
            {**columns.row(example), **cells_of(answer)}
            for example, answer in zip(some, answers, strict=True)
        )


def _cells_of(task: Task, columns: Columns, form: str) -> Callable[[Any], dict[str, Any]]:
    """A function of an answer that gives what a row of a form has of it, by column."""
    if form == "jsonl":
        return lambda answer: {columns.free("answer"): answer}
    short = shortened if form != "parquet" else lambda value: value
    return lambda answer: {
        columns.free(name): short(value) for name, value in task.cells_of(answer).items()
    }


def _opened_for_arrays(
    path: Path, task: Task, examples: Sequence[Example]
) -> contextlib.AbstractContextManager[WriteArray]:
    if form_of_answers(path) == "npy":
        return npy(path, len(examples))
    rows = sourced(examples)
    notes = {"checkpoint": fingerprint(task), "rows": digest_of(sourced(examples))}
    return npz(path, rows, len(examples), name=task.ARRAY or "", notes=notes)
