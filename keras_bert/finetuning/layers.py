"""Layers by their depth: rates of learning that fall towards the embeddings, and frozen ones."""

from __future__ import annotations

import re

from keras_bert.models.encoder import Encoder


def layer_rates(encoder: Encoder, decay: float) -> dict[str, float]:
    """Factors of the learning rate that fall with the distance from the head.

    The head has the full rate, the last block `decay` of it, the one before `decay` squared, and
    the embeddings least (Howard and Ruder 2018, arXiv:1801.06146; ELECTRA has 0.8).

    Args:
        encoder: Encoder.
        decay: float above 0, at most 1.

    Returns:
        dict of floats by regular expression, as `AdamW` takes it.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.finetuning.layers import layer_rates
    >>> layer_rates(kb.BertEncoder(kb.BertConfig.preset("tiny")), 0.5)
    {'^embeddings/': 0.125, '^layer_0/': 0.25, '^layer_1/': 0.5}
    """
    if not 0 < decay <= 1:
        raise ValueError(f"The decay of rates must lie in (0, 1], not {decay}: 1 has none.")
    if decay == 1:
        return {}
    depths = encoder.depths()
    return {
        f"^{re.escape(layer.name)}/": decay ** (len(depths) - depth)
        for depth, layer in enumerate(depths)
    }


def freeze(encoder: Encoder, num_layers: int) -> None:
    """Leaves the embeddings and the first blocks as they are; to be called before `compile`.

    Args:
        encoder: Encoder.
        num_layers: int, blocks; 0 freezes nothing.
    """
    embeddings, *blocks = encoder.depths()
    if not 0 <= num_layers <= len(blocks):
        raise ValueError(
            f"num_layers to freeze must lie between 0 and {len(blocks)}, not {num_layers}."
        )
    for layer in (embeddings, *blocks[:num_layers]) if num_layers else ():
        layer.trainable = False
