"""What a model costs: operations of its matrix products, by formula."""

from __future__ import annotations

from keras_bert.config import EncoderConfig


def num_training_flops(config: EncoderConfig, sequence_length: int, num_predictions: int) -> int:
    """Floating-point operations of one training step on one row, by formula.

    A product of [m, k] with [k, n] is 2 m k n operations; the backward pass costs twice the
    forward one. Of BERT's blocks: 4 projections of D x D and 2 of D x F for each of T tokens, and
    the two products of T x T attention; of the last one, only keys and values are needed of every
    token, and the rest for P predictions; of the head: D x D and D x V for each of these. A config
    says what its own blocks have, of a local one what it sees. Element-wise work is not counted,
    as is usual for model FLOPs.

    Args:
        config: EncoderConfig.
        sequence_length: int, T.
        num_predictions: int, P.

    Returns:
        int, 3 (forward + backward) times the forward operations.

    Example:

    >>> import keras_bert as kb
    >>> kb.num_training_flops(kb.BertConfig.preset("base"), sequence_length=128, num_predictions=20)
    65975980032
    """
    blocks = [config.block_flops(i, sequence_length) for i in range(config.num_layers)]
    _, last = blocks[-1]
    per_token = config.embedding_flops() + sum(map(sum, blocks)) - last
    return 3 * (sequence_length * per_token + num_predictions * (last + config.head_flops()))


def num_inference_flops(config: EncoderConfig, sequence_length: int) -> int:
    """Floating-point operations of an encoder for all states of one row, by the same formula.

    Args:
        config: EncoderConfig.
        sequence_length: int, T.

    Returns:
        int.

    Example:

    >>> import keras_bert as kb
    >>> kb.num_inference_flops(kb.BertConfig.preset("base"), sequence_length=128)
    22347251712
    """
    blocks = (sum(config.block_flops(i, sequence_length)) for i in range(config.num_layers))
    return sequence_length * (config.embedding_flops() + sum(blocks))
