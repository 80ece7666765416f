"""A task as files for LiteRT: its network, and what it reads and says."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert.checkpoints.settings import write_json
from keras_bert.exporting import warmup
from keras_bert.exporting.differences import differences, sizes_of
from keras_bert.exporting.functions import ANSWER, ConcreteFunction, as_examples
from keras_bert.exporting.lite_tokenizers import described, files_of
from keras_bert.exporting.mixed_precision import Mixture, find_layers
from keras_bert.lite.lite import (
    CONFIG_FILE,
    FORMAT_VERSION,
    MODEL_FILE,
    TASKS,
    Lite,
)
from keras_bert.lite.model import NUM_BLANKS, SIGNATURE
from keras_bert.tasks.examples import Example
from keras_bert.tasks.setting import settings_of
from keras_bert.tasks.task import Task

# What is written is tried with batches up to this size.
MOST_TRIED = 8


def write(
    task: Task,
    directory: pathlib.Path,
    precision: str,
    examples: Sequence[Example] = (),
) -> dict[str, Any]:
    """Writes what `keras_bert.lite.Lite` answers with.

    - `model.tflite`: the model's outputs for a row of any length. In int8 large matrices are whole
      numbers, with a scale for each row, and what they are multiplied with is rounded as it comes
      (dynamic range).
    - `vocab.txt`: the pieces, one a line; and of byte-level ones `merges.txt`.
    - `litert.json`: the task, its settings, its tokenizer's, and signatures as servers have them.

    Args:
        task: Task.
        directory: path of a directory, which is there.
        precision: "float32" or "int8".
        examples: sequence of dict, as the task scores them, in int8: where the first score falls by
            more than half a point, the layers that it needs stay float32.

    Returns:
        dict, what stands in `litert.json`.

    Raises:
        ValueError: the tokenizer, or the task, has no runtime outside TensorFlow.

    Example:

    >>> import pathlib, tempfile
    >>> import keras_bert as kb
    >>> from keras_bert.exporting.litert import write
    >>> from keras_bert.lite import Lite
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=1, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> task = kb.SentenceEmbedder(kb.BertEncoder(config), kb.Packer(tokenizer, 8))
    >>> directory = pathlib.Path(tempfile.mkdtemp())
    >>> _ = write(task, directory, "float32")
    >>> lite = Lite(directory)
    >>> bool(abs(lite.embed("fine film") - task.embed("fine film")).max() < 1e-5)
    True
    """
    name, tokenizer = _checked_name(task), described(task.tokenizer)
    requests = _requests(task)
    expected = warmup.replay(lambda _, inputs: task.answer(as_examples(inputs)), requests)
    config = {
        "format_version": FORMAT_VERSION,
        "keras_bert": importlib.metadata.version("kerasbert"),
        "task": name,
        "precision": precision,
        "sequence_length": task.packer.sequence_length,
        "template": dataclasses.asdict(task.packer.template),
        "tokenizer": tokenizer,
        "settings": {key: value for key, value in settings_of(task).items() if key != "packer"},
        "signatures": {
            request.signature: {"inputs": _specs(request.inputs), "outputs": _specs(outputs)}
            for request, outputs in zip(requests, expected, strict=True)
        },
    }
    (directory / MODEL_FILE).write_bytes(_converted(task, precision))
    for file, content in files_of(task.tokenizer).items():
        (directory / file).write_bytes(content.encode("utf-8"))
    write_json(directory / CONFIG_FILE, config)
    if examples:
        config["float32_layers"] = _kept(task, directory, examples)
    lite = Lite(directory)
    answers = warmup.replay(lambda name, inputs: _answered(lite, name, inputs), requests)
    of_texts = [i for i, request in enumerate(requests) if request.signature == ANSWER]
    found = differences([expected[i] for i in of_texts], [answers[i] for i in of_texts])
    config = {**config, "difference_from_float32": found, "files": sizes_of(directory)}
    write_json(directory / CONFIG_FILE, config)
    return config


def _checked_name(task: Task) -> str:
    """The name of a task's class that the runtime has."""
    if task.has_other_rows:
        raise ValueError(
            "LiteRT runs one network on the rows of one tokenizer, but this ensemble has members "
            "with rows of their own: export a SavedModel, or members that read alike."
        )
    for cls in type(task).__mro__:
        if cls.__name__ in TASKS:
            return cls.__name__
    raise ValueError(
        f"LiteRT runs {', '.join(TASKS)}, but this is a {type(task).__name__}: export a SavedModel."
    )


def _kept(task: Task, directory: pathlib.Path, examples: Sequence[Example]) -> list[str]:
    """The layers that are float32 in what was written in int8, since a score needs them."""
    content = (directory / MODEL_FILE).read_bytes()
    return find_layers(
        task, directory, lambda: Mixture(_converted(task, "float32"), content), examples
    )


def _requests(task: Task) -> list[warmup.Request]:
    """Requests of few rows to the signatures that take texts."""
    wanted = (ANSWER, *task.other_spec)
    return [
        request
        for request in warmup.requests_for(task, wanted)
        if request.signature in wanted
        and len(next(iter(request.inputs.values()))) <= max(MOST_TRIED, warmup.BATCH_SIZES[0])
    ]


def _specs(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Arrays as a server describes them, of any size in each dimension."""
    return {
        name: {
            "dtype": "string" if array.dtype == object else array.dtype.name,
            "shape": [None] * array.ndim,
        }
        for name, array in arrays.items()
    }


def _answered(lite: Lite, name: str, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    texts = {column: tensor.numpy().tolist() for column, tensor in inputs.items()}
    return {key: tf.constant(value) for key, value in lite.arrays(texts, name).items()}


def _converted(task: Task, precision: str) -> bytes:
    """The bytes of a LiteRT file, whose weights the converter takes from a SavedModel."""
    function, module = _of_a_row(task), tf.Module()
    module.weights = list(function.variables)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={SIGNATURE: function})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        if precision == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return converter.convert()


def _of_a_row(task: Task) -> ConcreteFunction:
    """From one row, of any length, to the model's outputs."""
    specs = {
        tensor.name: tf.TensorSpec(
            [
                *([1] * (len(tensor.shape) - 1)),
                NUM_BLANKS if tensor.name == "mask_positions" else None,
            ],
            tensor.dtype,
            tensor.name,
        )
        for tensor in keras.tree.flatten(task.inputs)
    }
    run = tf.function(lambda ids: task(ids, training=False), autograph=False)
    return run.get_concrete_function(specs)
