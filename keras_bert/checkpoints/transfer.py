"""Transfer: what a model begins with of a checkpoint: its heads, or some of its blocks."""

from __future__ import annotations

import math
from typing import NamedTuple

import keras

from keras_bert.checkpoints.directory import Checkpoint
from keras_bert.config import ModernBertConfig
from keras_bert.models.pruning import shorten


class Heads(NamedTuple):
    """The weights of a model that are not its encoder's, by their paths.

    Args:
        taken: tuple of str, those that are now the checkpoint's.
        new: tuple of str, those that stay new.
    """

    taken: tuple[str, ...]
    new: tuple[str, ...]


def take_heads(model: keras.Model, start: Checkpoint, *, are_alike: bool = True) -> Heads:
    """Takes over the weights of the heads that a checkpoint has too.

    Args:
        model: a pretrainer or a task on the checkpoint's encoder.
        start: Checkpoint.
        are_alike: bool, whether heads of the same names are of the same kind, and so taken over.

    Returns:
        Heads.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.checkpoints.transfer import take_heads
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=1, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> encoder = kb.BertEncoder(config)
    >>> start = kb.Checkpoint(config, tokenizer, encoder, kb.BertPretrainer(encoder, None))
    >>> heads = take_heads(kb.BertPretrainer(encoder, "sentence_order"), start)
    >>> len(heads.taken), heads.new
    (5, ('sentence_order/kernel', 'sentence_order/bias'))
    """
    there = start.encoder if start.model is None else start.model
    shared = {id(weight) for weight in (*there.weights, *start.encoder.weights)}
    before = {weight.path: weight for weight in there.weights} if are_alike else {}
    own = [weight for weight in model.trainable_weights if id(weight) not in shared]
    taken = [weight for weight in own if weight.path in before]
    for weight in taken:
        weight.assign(before[weight.path])
    new = tuple(weight.path for weight in own if weight.path not in before)
    return Heads(tuple(weight.path for weight in taken), new)


def shortened(start: Checkpoint, num_layers: int) -> Checkpoint:
    """A checkpoint with some of its blocks: see `kb.shorten`.

    Args:
        start: Checkpoint.
        num_layers: int, blocks.

    Raises:
        ValueError: there are not as many.
    """
    whole = start.encoder if start.model is None else start.model
    model = shorten(whole, num_layers)
    encoder = model.encoder
    has_head = start.model is not None
    return Checkpoint(encoder.config, start.tokenizer, encoder, model if has_head else None)


def take_alike(model: keras.Model, start: Checkpoint) -> tuple[int, int]:
    """Takes over the weights of a checkpoint, perhaps of another family, where shapes allow.

    They are known by their places; of more blocks than the model has they are those of `shortened`.

    Args:
        model: a pretrainer or a task, with weights of its own.
        start: Checkpoint.

    Returns:
        How many numbers the model has now from there, and how many it trains.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.checkpoints.transfer import take_alike
    >>> sizes = {
    ...     "vocabulary_size": 7, "num_heads": 3, "hidden_dim": 15, "intermediate_dim": 31,
    ... }
    >>> large = kb.BertEncoder(kb.BertConfig(num_layers=2, **sizes))
    >>> small = kb.DistilBertEncoder(kb.DistilBertConfig(num_layers=1, **sizes))
    >>> taken, trained = take_alike(small, kb.Checkpoint(large.config, None, large, None))
    >>> taken == trained
    True
    """
    own, theirs = model.encoder.config.num_layers, start.config.num_layers
    # Blocks that differ by their places, a ModernBERT's, are taken from the first one on.
    if own < theirs and not isinstance(start.config, ModernBertConfig):
        start = shortened(start, own)
    there = start.encoder if start.model is None else start.model
    before = {weight.path: weight for weight in there.weights}
    trained = model.trainable_weights
    taken = [
        weight
        for weight in trained
        if weight.path in before and before[weight.path].shape == weight.shape
    ]
    for weight in taken:
        weight.assign(before[weight.path])
    numbers = [sum(math.prod(weight.shape) for weight in some) for some in (taken, trained)]
    return numbers[0], numbers[1]
