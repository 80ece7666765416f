"""The functions that a SavedModel serves, each with the checks that it begins with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import keras
import tensorflow as tf

from keras_bert.models.encoder import Encoder
from keras_bert.serving.wire.signatures import DEFAULT_SIGNATURE
from keras_bert.tasks.task import Task

ANSWER, TOKENS, TOKENIZE = DEFAULT_SIGNATURE, "tokens", "tokenize"

# A longer text is refused, since an answer about a part of it would pass for one about the whole.
MAX_TEXT_BYTES = 1 << 16

Columns = dict[str, tf.Tensor]
ConcreteFunction: TypeAlias = tf.types.experimental.ConcreteFunction


def functions_of(task: Task) -> dict[str, ConcreteFunction]:
    """The signatures of a task.

    - `serving_default`: the texts of a batch of examples, string [B] in each column of the task's
      `example_spec`, and [B, N] where it has a list of them, "" behind the last one. Answers.
    - a column of the task's `other_spec`, under its name: `words`, of a TokenClassifier, are those
      of each text, string [B, N]. Their labels.
    - `tokens`: the ids that the model takes, int32. The model's outputs.
    - `tokenize`: the texts again. The ids that `tokens` takes. Not for a task in which a long text
      has several rows, as an output must have a row for each example.

    An ensemble whose members have rows of their own has neither of the last two.

    Each begins with checks in the graph, whose failure is INVALID_ARGUMENT: a tensor of another
    rank than its signature says would end the process, in TensorFlow Text, or give a wrong answer.
    Columns must have the same number of rows, a text, or a list of texts, at most `MAX_TEXT_BYTES`
    bytes; ids must be in range, masks 0 or 1, and rows no longer than the model's positions, with
    no more places to predict than positions. There may be no rows.

    Args:
        task: Task.

    Returns:
        dict of concrete functions of one dict of tensors, which give a dict of tensors.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.exporting.functions import functions_of
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> task = kb.SentenceEmbedder(kb.BertEncoder(config), kb.Packer(tokenizer))
    >>> {name: tuple(function.structured_outputs) for name, function in functions_of(task).items()}
    {'serving_default': ('embedding',), 'tokens': ('embeddings',),
     'tokenize': ('padding_mask', 'segment_ids', 'token_ids')}
    """
    functions = {ANSWER: answer_function(task)}
    for name, spec in task.other_spec.items():
        functions[name] = _of_texts(task.answer, {name: spec})
    if task.has_other_rows:  # whose ids are of several models
        return functions
    functions[TOKENS] = _of_ids(task)
    if task.ONE_ROW_EACH:
        functions[TOKENIZE] = _of_texts(
            lambda examples: task.model_inputs(task.features(examples)), task.example_spec
        )
    return functions


def answer_function(task: Task) -> ConcreteFunction:
    """The `serving_default` of a task, alone."""
    return _of_texts(task.answer, task.example_spec)


def as_examples(texts: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor | tf.RaggedTensor]:
    """What a task takes for what is sent: lists of texts, [B, N], without the "" behind them."""
    return {
        name: text if text.shape.rank == 1 else tf.RaggedTensor.from_tensor(text, padding="")
        for name, text in texts.items()
    }


def _of_texts(respond: Callable[[Mapping], Mapping], columns: Mapping) -> ConcreteFunction:
    """The function that responds to texts in these columns, of which only the rank is looked at."""
    specs = {
        name: tf.TensorSpec([None] * spec.shape.rank, tf.string, name)
        for name, spec in columns.items()
    }

    def of_texts(texts: Columns) -> Columns:
        texts = _checked_texts(texts, specs)
        num_rows = tf.shape(next(iter(texts.values())))[0]
        # Not every operation knows what to do with no rows: one is answered, and cut off.
        some = tf.cond(num_rows > 0, lambda: texts, lambda: _one_row(specs, "a"))
        outputs = respond(as_examples(some))
        return {name: _sent(value)[:num_rows] for name, value in outputs.items()}

    return tf.function(of_texts, autograph=False).get_concrete_function(specs)


def _of_ids(task: Task) -> ConcreteFunction:
    specs = {
        tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype, tensor.name)
        for tensor in keras.tree.flatten(task.inputs)
    }

    def of_ids(ids: Columns) -> Columns:
        ids = _checked_ids(ids, specs, task.encoder)
        return {name: _sent(value) for name, value in task.outputs_of(ids).items()}

    return tf.function(of_ids, autograph=False).get_concrete_function(specs)


def _checked_texts(texts: Columns, specs: Mapping[str, tf.TensorSpec]) -> Columns:
    """The texts behind all their checks."""
    texts = {name: tf.ensure_shape(text, specs[name].shape) for name, text in texts.items()}
    num_rows = tf.stack([tf.shape(text)[0] for text in texts.values()])
    same = f"{', '.join(texts)} must have the same number of rows: send one for each example."
    demands = [_demand(num_rows == num_rows[0], same)]
    for name, text in texts.items():
        num_bytes = tf.reduce_sum(tf.strings.length(text), axis=list(range(1, text.shape.rank)))
        short = f"{name} may have at most {MAX_TEXT_BYTES} bytes for an example: send parts."
        demands.append(_demand(num_bytes <= MAX_TEXT_BYTES, short))
    return _behind(demands, texts)


def _checked_ids(ids: Columns, specs: Mapping[str, tf.TensorSpec], encoder: Encoder) -> Columns:
    """The ids behind all their checks."""
    ids = {name: tf.ensure_shape(value, specs[name].shape) for name, value in ids.items()}
    shape = tf.shape(ids["token_ids"])
    longest = encoder.config.max_sequence_length
    long = f"A row must have 1 to {longest} positions: send one of the model's length at most."
    demands = [_demand((shape[-1] <= longest) & (tf.reduce_min(shape[1:]) > 0), long)]
    for name, value in ids.items():
        limit = _limit(name, encoder, shape)
        text = f"{name} must lie in [0, {'positions' if tf.is_tensor(limit) else limit})"
        in_range = _demand((value >= 0) & (value < limit), f"{text}: send what `tokenize` gives.")
        demands += [_same_shape(name, value, shape), in_range]
    return _behind(demands, ids)


def _limit(name: str, encoder: Encoder, shape: tf.Tensor) -> int | tf.Tensor:
    """What the values of an input are below."""
    limits = {**encoder.limits(), "mask_positions": shape[-1]}
    if name not in limits:
        raise ValueError(
            f"A served model may take {', '.join(limits)}, but takes {name!r} too, whose range is "
            "not known: give the task a model without it."
        )
    return limits[name]


def _same_shape(name: str, value: tf.Tensor, shape: tf.Tensor) -> tf.Operation:
    """Rows of all inputs are the same ones; of places in them there may be any number."""
    if name == "mask_positions":
        message = (
            "mask_positions must have a row for each row of token_ids, and no more places than it "
            "has positions: send as many."
        )
        rows, places = tf.unstack(tf.shape(value))
        return _demand((rows == shape[0]) & (places <= shape[1]), message)
    # Ranks are equal: `ensure_shape` saw to that.
    return _demand(tf.shape(value) == shape, f"{name} must have the shape of token_ids: send that.")


def _demand(condition: tf.Tensor, message: str) -> tf.Operation:
    """Ends the call with INVALID_ARGUMENT and the message where a condition does not hold."""
    return tf.debugging.Assert(tf.reduce_all(condition), [message])


def _behind(demands: list[tf.Operation], tensors: Columns) -> Columns:
    """The tensors, which are there only once the demands are met."""
    with tf.control_dependencies(demands):
        return {name: tf.identity(tensor) for name, tensor in tensors.items()}


def _one_row(specs: Mapping, text: str) -> Columns:
    return {name: tf.fill([1] * spec.shape.rank, text) for name, spec in specs.items()}


def _sent(value: tf.Tensor) -> tf.Tensor:
    """JSON has no numbers of less precision."""
    return tf.cast(value, tf.float32) if value.dtype in (tf.bfloat16, tf.float16) else value
