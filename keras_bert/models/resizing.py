"""More positions or more pieces for a model that is trained already."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from keras_bert.config import BertConfig
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.pretrainer import BertPretrainer


def resize(
    model: BertEncoder | BertPretrainer,
    max_sequence_length: int | None = None,
    vocabulary_size: int | None = None,
) -> BertEncoder | BertPretrainer:
    """A model with the weights of another and more rows in its tables.

    New positions repeat the learned ones from the first on, as Longformer starts them (Beltagy et
    al. 2020, arXiv:2004.05150, section 5); new pieces are drawn as fresh weights are, and their
    output bias is 0. What the model gives for old pieces at old positions stays the same.

    Args:
        model: BertEncoder or BertPretrainer.
        max_sequence_length: int, positions wanted; None leaves them.
        vocabulary_size: int, pieces wanted; None leaves them.

    Returns:
        A new model of the same kind; the old one is not changed.

    Raises:
        ValueError: a number is smaller than the model's own.

    Example:

    >>> import keras_bert as kb
    >>> config = kb.BertConfig(
    ...     vocabulary_size=97, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> encoder = kb.resize(kb.BertEncoder(config), max_sequence_length=1024)
    >>> encoder.config.max_sequence_length, tuple(encoder.embeddings.position.embeddings.shape)
    (1024, (1024, 15))
    """
    config = _resized_config(
        getattr(model, "encoder", model).config,
        max_sequence_length=max_sequence_length,
        vocabulary_size=vocabulary_size,
    )
    larger: keras.Model = BertEncoder(config)
    if isinstance(model, BertPretrainer):
        larger = BertPretrainer(larger, model.sentence_objective)
    old_weights = {weight.path: weight for weight in model.weights}
    for weight in larger.weights:
        old, new = np.array(old_weights[weight.path]), np.array(weight)
        if weight.path == "embeddings/position/embeddings":
            new = np.resize(old, new.shape)  # NumPy's resize repeats
        else:
            new[tuple(slice(size) for size in old.shape)] = old
        weight.assign(new)
    return larger


def _resized_config(config: BertConfig, **sizes: int | None) -> BertConfig:
    sizes = {name: size for name, size in sizes.items() if size is not None}
    for name, size in sizes.items():
        if size < getattr(config, name):
            raise ValueError(
                f"A model can only grow: {name} must be at least its {getattr(config, name)}, not "
                f"{size}. Train a smaller one to have less."
            )
    return dataclasses.replace(config, **sizes)
