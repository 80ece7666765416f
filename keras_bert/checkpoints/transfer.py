"""Transfer: the weights of a checkpoint's heads to a model on its encoder."""

from __future__ import annotations

from typing import NamedTuple

import keras

from keras_bert.checkpoints.directory import Checkpoint


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
