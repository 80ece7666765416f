"""More positions or more pieces for a model that is trained already."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

import keras
import numpy as np

from keras_bert.config import BertConfig
from keras_bert.models.encoder import BertEncoder

Model = TypeVar("Model", bound=keras.Model)


def resize(
    model: Model,
    max_sequence_length: int | None = None,
    vocabulary_size: int | None = None,
) -> Model:
    """A model with the weights of another and more rows in its tables.

    New positions repeat the learned ones from the first on, as Longformer starts them (Beltagy et
    al. 2020, arXiv:2004.05150, section 5); new pieces are drawn as fresh weights are, and their
    output bias is 0. What the model gives for old pieces at old positions stays the same.

    Args:
        model: BertEncoder, BertPretrainer or a task.
        max_sequence_length: int, positions wanted; None leaves them.
        vocabulary_size: int, pieces wanted; None leaves them.

    Returns:
        A new model of the same kind, not compiled yet; the old one is not changed. A task keeps its
        tokenizer and the length of its rows.

    Raises:
        ValueError: a number is smaller than the model's own, or the model is of another kind.

    Example:

    >>> import keras_bert as kb
    >>> config = kb.BertConfig(
    ...     vocabulary_size=97, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> encoder = kb.resize(kb.BertEncoder(config), max_sequence_length=1024)
    >>> encoder.config.max_sequence_length, tuple(encoder.embeddings.position.embeddings.shape)
    (1024, (1024, 15))
    """
    encoder = _encoder_of(model)
    config = _resized_config(
        encoder.config,
        max_sequence_length=max_sequence_length,
        vocabulary_size=vocabulary_size,
    )
    larger = BertEncoder(config, dtype=encoder.embeddings.dtype_policy, name=encoder.name)
    larger.recompute = encoder.recompute
    larger = larger if model is encoder else model.on(larger)
    # States of dropout too; none of the two is compiled or has metrics among its variables.
    old_variables = {variable.path: variable for variable in model.variables}
    for variable in larger.variables:
        _fill(variable, old_variables[variable.path])
    return larger


def _encoder_of(model: keras.Model) -> BertEncoder:
    if isinstance(model, BertEncoder):
        return model
    if isinstance(getattr(model, "encoder", None), BertEncoder) and hasattr(model, "on"):
        return model.encoder
    raise ValueError(
        f"What is resized must be a BertEncoder, a BertPretrainer or a task, not {model!r}: "
        "resize its encoder, and make a model on that."
    )


def _fill(variable: keras.Variable, old_variable: keras.Variable) -> None:
    """Gives a variable the values of a smaller one, and whether it is trained."""
    old, new = np.array(old_variable), np.array(variable)
    if variable.path == "embeddings/position/embeddings":
        new = np.resize(old, new.shape)  # NumPy's resize repeats
    else:
        new[tuple(slice(size) for size in old.shape)] = old
    variable.assign(new)
    variable.trainable = old_variable.trainable


def _resized_config(config: BertConfig, **sizes: int | None) -> BertConfig:
    sizes = {name: size for name, size in sizes.items() if size is not None}
    for name, size in sizes.items():
        if size < getattr(config, name):
            raise ValueError(
                f"A model can only grow: {name} must be at least its {getattr(config, name)}, not "
                f"{size}. Train a smaller one to have less."
            )
    return dataclasses.replace(config, **sizes)
