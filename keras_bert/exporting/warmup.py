"""Warm-up: requests that a server answers before it is ready, made up for a task and written."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_bert.exporting.functions import ANSWER, TOKENIZE, TOKENS, WORDS, as_examples
from keras_bert.tasks.task import Task
from keras_bert.text.tokenizer import Tokenizer

# Where TensorFlow Serving looks for them, in the directory of a version.
FILE = pathlib.PurePath("assets.extra", "tf_serving_warmup_requests")
# Batches as they come from one client and from several; texts of this many words, and as long as
# the model reads.
BATCH_SIZES = (1, 8, 32)
SHORT = 8
# Where an example has a list of texts.
LIST_LENGTH = 4

Arrays = Mapping[str, np.ndarray]


class Request(NamedTuple):
    """A call of one signature: its inputs by name, strings as arrays of bytes objects."""

    signature: str
    inputs: Arrays


def requests_for(task: Task, signatures: Collection[str]) -> list[Request]:
    """Requests of the usual batch sizes and lengths for `serving_default`, one for the others.

    Their texts are words of the vocabulary, drawn with a fixed seed.

    Args:
        task: Task.
        signatures: the names of those that are served.

    Returns:
        list of Request.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.exporting import warmup
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> task = kb.SentenceEmbedder(kb.BertEncoder(config), kb.Packer(tokenizer, 23))
    >>> requests = warmup.requests_for(task, ("serving_default", "tokens", "tokenize"))
    >>> [len(request.inputs["text"]) for request in requests[:6]]
    [1, 1, 8, 8, 32, 32]
    >>> [request.signature for request in requests[6:]]
    ['tokens', 'tokenize']
    """
    generator = np.random.default_rng(0)
    lengths = (SHORT, task.packer.sequence_length)
    texts = [
        _texts(task, batch_size, length, generator)
        for batch_size in BATCH_SIZES
        for length in lengths
    ]
    examples = as_examples({name: tf.constant(value) for name, value in texts[0].items()})
    ids = task.model_inputs(task.features(examples))
    words = [word.encode() for word in _words(task.tokenizer)[:SHORT]]
    others = {
        WORDS: {"words": np.array([words], object)},
        TOKENS: {name: value.numpy() for name, value in ids.items()},
        TOKENIZE: texts[0],
    }
    return [
        *(Request(ANSWER, inputs) for inputs in texts),
        *(Request(name, inputs) for name, inputs in others.items() if name in signatures),
    ]


def write(requests: Sequence[Request], path: pathlib.Path) -> None:
    """Writes requests as TensorFlow Serving reads them: a TFRecord file of `PredictionLog`.

    The few fields that a request needs are encoded here, so that an export does not need the
    package `tensorflow-serving-api` (tensorflow_serving/apis/prediction_log.proto, predict.proto
    and model.proto).

    Args:
        requests: at most 1,000 of them, as TensorFlow Serving takes no more.
        path: path of the file.
    """
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            inputs = b"".join(
                _field(2, _field(1, name.encode()) + _field(2, _tensor(value)))
                for name, value in sorted(request.inputs.items())
            )
            predict = _field(1, _field(3, request.signature.encode())) + inputs
            writer.write(_field(6, _field(1, predict)))


def replay(
    call: Callable[[str, dict[str, tf.Tensor]], Mapping[str, tf.Tensor]],
    requests: Sequence[Request],
) -> list[dict[str, np.ndarray]]:
    """Answers requests and sees to it that the answers can be sent.

    Args:
        call: function of a signature's name and its inputs.
        requests: sequence of Request.

    Returns:
        The outputs of each.

    Raises:
        ValueError: an output has not a row for each example, is not finite, or has a name that
            means something else in JSON.
    """
    answers = []
    for signature, inputs in requests:
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        # A scalar string would be bytes, not an array.
        called = call(signature, tensors).items()
        outputs = {name: np.asarray(value.numpy()) for name, value in called}
        num_rows = len(next(iter(inputs.values())))
        for name, value in outputs.items():
            _check_output(signature, name, value, num_rows)
        answers.append(outputs)
    return answers


def _check_output(signature: str, name: str, value: np.ndarray, num_rows: int) -> None:
    fault = None
    if value.shape[:1] != (num_rows,):
        fault = f"has the shape {value.shape}"
    elif np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
        fault = "is not finite everywhere"
    elif name.endswith("_bytes"):
        fault = "has a name for which JSON would have base64"
    if fault:
        raise ValueError(
            f"An output must have a row for each of the {num_rows} examples of a request, finite "
            f"values, and a name that does not end in _bytes, but {name} of {signature} {fault}: "
            "correct the weights, or the task's head or answers."
        )


def _texts(task: Task, batch_size: int, length: int, generator: np.random.Generator) -> Arrays:
    """A column of texts for each of the task's, all columns together of so many words."""
    words = _words(task.tokenizer)
    length = max(1, length // len(task.example_spec))
    inputs = {}
    for name, spec in task.example_spec.items():
        shape = (batch_size, LIST_LENGTH)[: spec.shape.rank]
        chosen = generator.choice(words, (*shape, length)).tolist()
        inputs[name] = _joined(chosen, len(shape))
    return inputs


def _joined(words: list, rank: int) -> np.ndarray:
    """Words [..., n] as texts [...], each with a blank in front, which FillMask asks for."""
    if rank == 0:
        return " ".join(["[MASK]", *words]).encode()
    return np.array([_joined(some, rank - 1) for some in words], object)


def _words(tokenizer: Tokenizer) -> list[str]:
    """The pieces that are whole words, of which a text has as many pieces as words."""
    return [piece for piece in tokenizer.vocabulary if piece.isalpha()] or ["a"]


def _tensor(value: np.ndarray) -> bytes:
    """A serialized TensorProto."""
    dtype = tf.string if value.dtype == object else None
    return tf.make_tensor_proto(value, dtype, value.shape).SerializeToString()


def _field(number: int, content: bytes) -> bytes:
    """A message, string or bytes field of a protocol buffer: key, length, content.

    https://protobuf.dev/programming-guides/encoding
    """
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
