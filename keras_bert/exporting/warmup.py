"""Warm-up: requests that a server answers before it is ready, made up for a task and written."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_bert.exporting.functions import ANSWER, TOKENIZE, TOKENS, as_examples
from keras_bert.serving.wire import json_tensors, messages, proto_tensors
from keras_bert.tasks.task import Task
from keras_bert.text.subwords import SubwordTokenizer

# Batches as they come from one client and from several; texts of this many words, and as long as
# the model reads.
BATCH_SIZES: tuple[int, ...] = (1, 8, 32)
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
    words = np.array([[word.encode() for word in _words(task.tokenizer)[:SHORT]]], object)
    others = {
        **{name: {name: words} for name in task.other_spec},
        TOKENS: {name: value.numpy() for name, value in ids.items()},
        TOKENIZE: texts[0],
    }
    return [
        *(Request(ANSWER, inputs) for inputs in texts),
        *(Request(name, inputs) for name, inputs in others.items() if name in signatures),
    ]


def write(requests: Sequence[Request], path: pathlib.Path) -> None:
    """Writes requests as TensorFlow Serving reads them: a TFRecord file of `PredictionLog`.

    Args:
        requests: at most `layout.MAX_WARMUP_REQUESTS`, as TensorFlow Serving takes no more.
        path: path of the file.
    """
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            log = messages.PredictionLog()
            log.predict_log.request.model_spec.signature_name = request.signature
            proto_tensors.write(request.inputs, log.predict_log.request.inputs)
            writer.write(log.SerializeToString(deterministic=True))


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
    elif name.endswith(json_tensors.BYTES_SUFFIX):
        fault = "has a name for which JSON would have base64"
    if fault:
        raise ValueError(
            f"An output must have a row for each of the {num_rows} examples of a request, finite "
            f"values, and a name that does not end in {json_tensors.BYTES_SUFFIX}, but {name} of "
            f"{signature} {fault}: correct the weights, or the task's head or answers."
        )


def _texts(task: Task, batch_size: int, length: int, generator: np.random.Generator) -> Arrays:
    """A column of texts for each of the task's, all columns together of so many words."""
    words, mask = _words(task.tokenizer), task.tokenizer.mask_token
    length = max(1, length // len(task.example_spec))
    inputs = {}
    for name, spec in task.example_spec.items():
        shape = (batch_size, LIST_LENGTH)[: spec.shape.rank]
        chosen = generator.choice(words, (*shape, length)).reshape(-1, length).tolist()
        # Each with a blank in front, which FillMask asks for.
        texts = [" ".join((mask, *some)).encode() for some in chosen]
        inputs[name] = np.array(texts, object).reshape(shape)
    return inputs


def _words(tokenizer: SubwordTokenizer) -> list[str]:
    """The pieces that are whole words, of which a text has as many pieces as words."""
    return [piece for piece in tokenizer.vocabulary if piece.isalpha()] or ["a"]
