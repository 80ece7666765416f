"""Export: a task as a SavedModel for TensorFlow Serving, as a whole new version or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import importlib.metadata
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import keras
import tensorflow as tf
import tensorflow_text as tf_text
from absl import logging

from keras_bert import files
from keras_bert.checkpoints.settings import write_json
from keras_bert.exporting import functions, litert, operations, warmup
from keras_bert.exporting.differences import differences, largest, sizes_of
from keras_bert.models.encoder import Encoder
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.serving.wire import layout
from keras_bert.tasks.examples import Example
from keras_bert.tasks.fill_mask import FillMask
from keras_bert.tasks.sentence_embedding import SentenceEmbedder
from keras_bert.tasks.setting import settings_of
from keras_bert.tasks.task import Task
from keras_bert.text.packing import Packer
from keras_bert.text.subwords import SubwordTokenizer

Form = Literal["saved_model", "litert"]
Precision = Literal["float32", "bfloat16", "int8"]
PRECISIONS = {"saved_model": ("float32", "bfloat16"), "litert": ("float32", "int8")}

# A saved graph computes what the one in memory does, to the order of its sums.
TOLERANCE = 1e-3


def export(
    model: keras.Model,
    directory: str | os.PathLike,
    precision: Precision = "float32",
    tokenizer: SubwordTokenizer | None = None,
    *,
    format: Form = "saved_model",
    examples: Sequence[Example] | None = None,
) -> pathlib.Path:
    """Writes a model as the next version of a served model: `<directory>/<number>/`.

    What is written is a SavedModel that takes raw strings and needs TensorFlow and TensorFlow Text
    to be loaded, nothing of this package; its signatures are those of
    `keras_bert.exporting.functions.functions_of`. It holds every weight that they read once. Under
    `assets.extra` are the requests that TensorFlow Serving warms it up with, and `metadata.json`:
    task and labels, signatures, versions of libraries, checksums and sizes of files. For LiteRT it
    is what `keras_bert.exporting.litert.write` says.

    The version is made in a hidden folder beside, loaded again, its operations and its answers to
    the warm-up requests are checked, all is flushed to the disk, and then the folder is renamed: a
    server sees it whole. What a process that was killed has left is removed by the next one; two
    at a time wait for each other.

    Args:
        model: Task; or an Encoder, which is exported as a `SentenceEmbedder` that takes the mean,
            or a BertPretrainer, as a `FillMask`.
        directory: path of the served model's directory, such as "saved_models/sst2".
        precision: "float32", or of a SavedModel "bfloat16", of LiteRT "int8": of weights, which
            take a half or a quarter of the space then, and of computation. How much answers change
            by it is logged and in the version's metadata; whether bfloat16 is faster depends on
            the CPU: 0.55 to 1.8 times the speed of float32 was measured.
        tokenizer: SubwordTokenizer of an encoder or pretrainer; None for a task, which has its
            own.
        format: "saved_model" or "litert".
        examples: of LiteRT in int8: held-out examples, as `fit` takes them. Where the task's first
            score on them falls by more than half a point, the layers that do most damage stay
            float32, and no more than it needs; they are in `litert.json` and in the log.

    Returns:
        pathlib.Path of the new version.

    Raises:
        ValueError: the model cannot be served as it is; the message says why.
        OSError: the disk is full, or the directory cannot be written to. Nothing is left behind.

    Example:

    >>> import os, tempfile
    >>> import keras_bert as kb
    >>> from keras_bert.exporting.export import export
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> directory = os.path.join(tempfile.mkdtemp(), "embedder")
    >>> path = export(kb.BertEncoder(config), directory, tokenizer=tokenizer)
    >>> path.name, sorted(os.listdir(path))
    ('1', ['assets', 'assets.extra', 'fingerprint.pb', 'saved_model.pb', 'variables'])
    >>> import tensorflow as tf
    >>> served = tf.saved_model.load(path).signatures["serving_default"]
    >>> tuple(served(text=tf.constant(["a fine film"]))["embedding"].shape)
    (1, 15)
    """
    _check_form(format, precision)
    reference = as_task(model, tokenizer).in_precision("float32")
    held_out = _held_out(reference, precision, examples)
    resources = reference.resources
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with _alone(directory), files.system_errors(directory):
        version = _next_version(directory)
        with files.whole_folder(version) as staging:
            if format == "litert":
                config = litert.write(reference, staging, precision, held_out)
                _check(staging, precision, config["difference_from_float32"])
            else:
                _write(reference, precision, staging, resources)
    logging.info("%s is written.", version)
    return version


def _check_form(format: Form, precision: Precision) -> None:
    if format not in PRECISIONS:
        raise ValueError(f"format must be one of {tuple(PRECISIONS)}, not {format!r}.")
    if precision not in PRECISIONS[format]:
        raise ValueError(
            f"precision must be one of {PRECISIONS[format]} in the format {format!r}, not "
            f"{precision!r}."
        )


def _held_out(
    task: Task, precision: Precision, examples: Sequence[Example] | None
) -> list[Example]:
    """Examples as the task scores them; what is wrong with them shows at once."""
    if examples is None:
        return []
    if precision != "int8":
        raise ValueError(
            "Examples say which layers stay float32 in int8, but the precision is "
            f"{precision!r}: leave them out."
        )
    found = task.as_examples(examples)
    task.check_examples(found)
    return found


@functools.singledispatch
def as_task(model: Any, tokenizer: SubwordTokenizer | None) -> Task:
    """The model, or the task that a model without one is exported as.

    Args:
        model: as of `export`.
        tokenizer: as of `export`.

    Raises:
        ValueError: it is no such model, or the tokenizer is not its own.
    """
    raise ValueError(
        "What is exported must be a task, or an Encoder or BertPretrainer with a tokenizer, but is "
        f"a {type(model).__name__}: load a checkpoint."
    )


@as_task.register
def _(task: Task, tokenizer: SubwordTokenizer | None) -> Task:
    if tokenizer not in (None, task.tokenizer):
        raise ValueError("A task is exported with its own tokenizer: leave out the other one.")
    return task


@as_task.register
def _(encoder: Encoder, tokenizer: SubwordTokenizer | None) -> Task:
    return SentenceEmbedder(encoder, _packer(encoder, tokenizer))


@as_task.register
def _(pretrainer: BertPretrainer, tokenizer: SubwordTokenizer | None) -> Task:
    return FillMask(pretrainer, _packer(pretrainer.encoder, tokenizer))


def _packer(encoder: Encoder, tokenizer: SubwordTokenizer | None) -> Packer:
    if tokenizer is None:
        raise ValueError(
            "What is no task is exported with a tokenizer, but there is none: export(model, "
            "directory, tokenizer=tokenizer)."
        )
    return Packer(tokenizer, encoder.config.max_sequence_length)


def _write(
    reference: Task, precision: Precision, staging: pathlib.Path, resources: Sequence[Any]
) -> None:
    """Writes a version, with all that belongs to it, and tries it."""
    task = reference.in_precision(precision)
    served = functions.functions_of(task)
    expected = served[functions.ANSWER]
    if task is not reference:
        expected = functions.answer_function(reference)
    served_module = _Served(served, resources)
    tf.saved_model.save(served_module, str(staging), signatures=served)
    operations.check_operations(staging / layout.SAVED_MODEL_FILE)
    requests = warmup.requests_for(task, served)
    (staging / layout.WARMUP_FILE).parent.mkdir()
    warmup.write(requests, staging / layout.WARMUP_FILE)
    labels = settings_of(task).get("labels")
    metadata = {
        "task": type(task).__name__,
        **({"labels": list(labels)} if labels else {}),
        "precision": precision,
        "sequence_length": task.packer.sequence_length,
        "max_text_bytes": functions.MAX_TEXT_BYTES,
        "signatures": {name: _signature(function) for name, function in served.items()},
        "num_warmup_requests": len(requests),
        "difference_from_float32": _try(staging, expected, requests, precision),
        "versions": _versions_of_libraries(),
        "files": sizes_of(staging),
    }
    write_json(staging / layout.METADATA_FILE, metadata)


def _try(
    path: pathlib.Path,
    answer: functions.ConcreteFunction,
    requests: Sequence[warmup.Request],
    precision: Precision,
) -> dict[str, dict[str, float]]:
    """Answers requests with what was written, and says how much it differs from what `answer`
    says."""
    loaded = tf.saved_model.load(str(path)).signatures
    answers = warmup.replay(lambda name, inputs: loaded[name](**inputs), requests)
    asked = [request for request in requests if request.signature == functions.ANSWER]
    expected = warmup.replay(lambda _, inputs: answer(inputs), asked)
    found = differences(expected, answers[: len(asked)])
    _check(path, precision, found)
    return found


def _check(path: pathlib.Path, precision: Precision, found: dict[str, dict[str, float]]) -> None:
    """Refuses what answers otherwise than the model though it has its precision, and logs it."""
    worst = largest(found)
    if precision == "float32" and worst > TOLERANCE:
        raise ValueError(
            f"What was written must answer as the model does, up to {TOLERANCE}, but {path} "
            f"differs by {worst}: export again, and report it if it stays so."
        )
    if precision != "float32":
        for name, difference in found.items():
            logging.info("%s differs from the float32 model: %s", name, difference)


class _Served(tf.Module):
    """What is saved: signatures, and the weights and resources that they read, each once."""

    def __init__(self, served: Mapping[str, functions.ConcreteFunction], resources: Sequence[Any]):
        super().__init__()
        self.resources = [*resources]
        variables = [variable for function in served.values() for variable in function.variables]
        self.weights = list({variable.ref(): variable for variable in variables}.values())


def _signature(function: functions.ConcreteFunction) -> dict[str, Any]:
    [inputs] = function.structured_input_signature[0]
    return {"inputs": _described(inputs), "outputs": _described(function.structured_outputs)}


def _described(tensors: Mapping[str, tf.TensorSpec]) -> dict[str, Any]:
    return {
        name: {"dtype": tensor.dtype.name, "shape": tensor.shape.as_list()}
        for name, tensor in tensors.items()
    }


def _versions_of_libraries() -> dict[str, str]:
    return {
        "keras_bert": importlib.metadata.version("kerasbert"),
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "tensorflow_text": tf_text.__version__,
    }


@contextlib.contextmanager
def _alone(directory: pathlib.Path) -> Iterator[None]:
    """Waits until no other process exports to a directory; one that was killed waits for none."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _next_version(directory: pathlib.Path) -> pathlib.Path:
    """The version after the last one; what killed processes have left is removed."""
    for left in directory.glob(f"{files.WRITING}*"):
        files.remove(left)
    names = [path.name for path in directory.iterdir() if layout.VERSION.fullmatch(path.name)]
    return directory / str(max(map(int, names), default=0) + 1)
