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
import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text
from absl import logging

from keras_bert import files
from keras_bert.checkpoints.settings import write_json
from keras_bert.exporting import functions, operations, warmup
from keras_bert.models.encoder import Encoder
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.serving.wire import layout
from keras_bert.tasks.fill_mask import FillMask
from keras_bert.tasks.sentence_embedding import SentenceEmbedder
from keras_bert.tasks.setting import settings_of
from keras_bert.tasks.task import Task
from keras_bert.text.packing import Packer
from keras_bert.text.subwords import SubwordTokenizer

Precision = Literal["float32", "bfloat16"]
PRECISIONS = ("float32", "bfloat16")

# A saved graph computes what the one in memory does, to the order of its sums.
TOLERANCE = 1e-3

Answers = Mapping[str, np.ndarray]


def export(
    model: keras.Model,
    directory: str | os.PathLike,
    precision: Precision = "float32",
    tokenizer: SubwordTokenizer | None = None,
) -> pathlib.Path:
    """Writes a model as the next version of a served model: `<directory>/<number>/`.

    What is written is a SavedModel that takes raw strings and needs TensorFlow and TensorFlow Text
    to be loaded, nothing of this package; its signatures are those of
    `keras_bert.exporting.functions.functions_of`. It holds every weight that they read once. Under
    `assets.extra` are the requests that TensorFlow Serving warms it up with, and `metadata.json`:
    task and labels, signatures, versions of libraries, checksums and sizes of files.

    The version is made in a hidden folder beside, loaded again, its operations and its answers to
    the warm-up requests are checked, all is flushed to the disk, and then the folder is renamed: a
    server sees it whole. What a process that was killed has left is removed by the next one; two
    at a time wait for each other.

    Args:
        model: Task; or an Encoder, which is exported as a `SentenceEmbedder` that takes the mean,
            or a BertPretrainer, as a `FillMask`.
        directory: path of the served model's directory, such as "saved_models/sst2".
        precision: "float32" or "bfloat16": of weights, which take half the space then, and of
            computation. How much answers change by it is logged and in `metadata.json`; whether it
            is faster depends on the CPU: 0.55 to 1.8 times the speed of float32 was measured.
        tokenizer: SubwordTokenizer of an encoder or pretrainer; None for a task, which has its
            own.

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
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}, not {precision!r}.")
    reference = _as_task(model, tokenizer).in_precision("float32")
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with _alone(directory), files.system_errors(directory):
        version = _next_version(directory)
        with files.whole_folder(version) as staging:
            _write(reference, precision, staging)
    logging.info("%s is written.", version)
    return version


def differences(
    expected: Sequence[Answers], answers: Sequence[Answers]
) -> dict[str, dict[str, float]]:
    """How much answers differ from those that were expected, by the name of the output.

    Args:
        expected: sequence of dicts of arrays.
        answers: the same; where a rectangle is wider, what fills it up is "" or 0 there.

    Returns:
        For numbers with a fraction `max_absolute_difference`, for others `share_of_rows_changed`.

    Example:

    >>> import numpy as np
    >>> from keras_bert.exporting.export import differences
    >>> expected = {"label": np.array([b"a", b"b"], object), "value": np.array([0.5, 1.0])}
    >>> answers = {"label": np.array([b"a", b"c"], object), "value": np.array([0.75, 1.0])}
    >>> differences([expected], [answers])
    {'label': {'share_of_rows_changed': 0.5}, 'value': {'max_absolute_difference': 0.25}}
    """
    return {
        name: _difference(
            [
                _filled_up(one[name], other[name])
                for one, other in zip(expected, answers, strict=True)
            ]
        )
        for name in expected[0]
    }


def _difference(pairs: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    if np.issubdtype(pairs[0][0].dtype, np.floating):
        largest = max(float(np.abs(a - b).max(initial=0)) for a, b in pairs)
        return {"max_absolute_difference": largest}
    changed = [(a != b).reshape(len(a), -1).any(axis=1) for a, b in pairs]
    return {"share_of_rows_changed": float(np.concatenate(changed).mean())}


def _filled_up(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays in the smallest shape that holds both."""
    shape = np.maximum(first.shape, second.shape)
    fill = b"" if first.dtype == object else 0
    first, second = (
        np.pad(a, [(0, n) for n in shape - a.shape], constant_values=fill) for a in (first, second)
    )
    return first, second


@functools.singledispatch
def _as_task(model: Any, tokenizer: SubwordTokenizer | None) -> Task:
    """The model, or the task that a model without one is exported as."""
    raise ValueError(
        "What is exported must be a task, or an Encoder or BertPretrainer with a tokenizer, but is "
        f"a {type(model).__name__}: load a checkpoint."
    )


@_as_task.register
def _(task: Task, tokenizer: SubwordTokenizer | None) -> Task:
    if tokenizer not in (None, task.tokenizer):
        raise ValueError("A task is exported with its own tokenizer: leave out the other one.")
    return task


@_as_task.register
def _(encoder: Encoder, tokenizer: SubwordTokenizer | None) -> Task:
    return SentenceEmbedder(encoder, _packer(encoder, tokenizer))


@_as_task.register
def _(pretrainer: BertPretrainer, tokenizer: SubwordTokenizer | None) -> Task:
    return FillMask(pretrainer, _packer(pretrainer.encoder, tokenizer))


def _packer(encoder: Encoder, tokenizer: SubwordTokenizer | None) -> Packer:
    if tokenizer is None:
        raise ValueError(
            "What is no task is exported with a tokenizer, but there is none: export(model, "
            "directory, tokenizer=tokenizer)."
        )
    return Packer(tokenizer, encoder.config.max_sequence_length)


def _write(reference: Task, precision: Precision, staging: pathlib.Path) -> None:
    """Writes a version, with all that belongs to it, and tries it."""
    task = reference.in_precision(precision)
    served = functions.functions_of(task)
    expected = served[functions.ANSWER]
    if task is not reference:
        expected = functions.answer_function(reference)
    served_module = _Served(served, task.tokenizer)
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
        "files": _files(staging),
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
    worst = max((d.get("max_absolute_difference", 0.0) for d in found.values()), default=0.0)
    if precision == "float32" and worst > TOLERANCE:
        raise ValueError(
            f"What was written must answer as the model does, up to {TOLERANCE}, but {path} "
            f"differs by {worst}: export again, and report it if it stays so."
        )
    for name, difference in found.items():
        logging.info("%s differs from the float32 model: %s", name, difference)
    return found


class _Served(tf.Module):
    """What is saved: signatures, and the weights and resources that they read, each once."""

    def __init__(
        self, served: Mapping[str, functions.ConcreteFunction], tokenizer: SubwordTokenizer
    ):
        super().__init__()
        self.resources = list(tokenizer.resources)
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


def _files(directory: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of every file below a directory, by its path there."""
    return {
        path.relative_to(directory).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": files.sha256(path),
        }
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != files.LOCK
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
