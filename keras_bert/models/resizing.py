"""More positions or more pieces for a model that is trained already, or fewer layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TypeVar

import keras
import numpy as np

from keras_bert.config import EncoderConfig
from keras_bert.models.encoder import Encoder

Model = TypeVar("Model", bound=keras.Model)

# How the paths end of variables with a number for each piece, in heads of masked language models.
OUTPUT_BIAS = "masked_lm/bias"


def resize(
    model: Model,
    *,
    max_sequence_length: int | None = None,
    vocabulary_size: int | None = None,
    parts: Mapping[int, Sequence[int]] | None = None,
) -> Model:
    """A model with the weights of another and more rows in its tables.

    New positions repeat the learned ones from the first on, as Longformer starts them (Beltagy et
    al. 2020, arXiv:2004.05150, section 5); new pieces are drawn as fresh weights are, and their
    output bias is 0, or both are the mean of those of the old pieces that spell them, as
    IndoBERTweet starts them (Koto et al. 2021, arXiv:2109.04607). What the model gives for old
    pieces at old positions stays the same.

    Args:
        model: an encoder, a pretrainer or a task.
        max_sequence_length: int, positions wanted; None leaves them.
        vocabulary_size: int, pieces wanted; None leaves them.
        parts: mapping of the ids of new pieces to those of the old ones that spell them.

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
    encoder = encoder_of(model, "resized")
    config = dataclasses.replace(
        encoder.config,
        max_sequence_length=_grown(encoder.config, "max_sequence_length", max_sequence_length),
        vocabulary_size=_grown(encoder.config, "vocabulary_size", vocabulary_size),
    )
    larger = model.on(encoder.anew(config))
    # States of dropout too; none of the two is compiled or has metrics among its variables.
    old_variables = {variable.path: variable for variable in model.variables}
    first = getattr(encoder.embeddings, "first_position", 0)
    for variable in larger.variables:
        _fill(variable, old_variables[variable.path], first)
        is_table = variable is larger.encoder.token_embedding.embeddings
        if is_table or variable.path.endswith(OUTPUT_BIAS):
            _join(variable, parts or {})
    return larger


def encoder_of(model: keras.Model, done: str) -> Encoder:
    """The encoder of a model that another one is made of.

    Args:
        model: an encoder, a pretrainer or a task.
        done: str, what is done with it, for the error.

    Raises:
        ValueError: it is another kind of model.
    """
    encoder = getattr(model, "encoder", None)
    if not isinstance(encoder, Encoder):
        raise ValueError(
            f"What is {done} must be an encoder, a pretrainer or a task, not {model!r}: take its "
            "encoder, and make a model on that."
        )
    return encoder


def _fill(variable: keras.Variable, old_variable: keras.Variable, first: int) -> None:
    """Gives a variable the values of a smaller one, and whether it is trained.

    Args:
        variable: the new one.
        old_variable: the smaller one.
        first: int, the row of a table of positions from which on these count.
    """
    old, new = np.array(old_variable), np.array(variable)
    if variable.path == "embeddings/position/embeddings":
        new[:first] = old[:first]
        new[first:] = np.resize(old[first:], new[first:].shape)  # NumPy's resize repeats
    else:
        new[tuple(slice(size) for size in old.shape)] = old
    variable.assign(new)
    variable.trainable = old_variable.trainable


def _join(variable: keras.Variable, parts: Mapping[int, Sequence[int]]) -> None:
    """Gives new pieces the mean of what their parts have in a variable with a row for each."""
    values = np.array(variable)
    means = {id_: np.mean(values[list(old)], axis=0) for id_, old in parts.items()}
    for id_, mean in means.items():
        values[id_] = mean
    variable.assign(values)


def _grown(config: EncoderConfig, name: str, size: int | None) -> int:
    """The size that a model is to have, its own where nothing is said."""
    own = getattr(config, name)
    if size is None:
        return own
    if size < own:
        raise ValueError(
            f"A model can only grow: {name} must be at least its {own}, not {size}. Train a "
            "smaller one to have less."
        )
    return size
