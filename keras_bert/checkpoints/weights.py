"""Weights of a model under the names of a form, Google's or the Hub's, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import keras
import numpy as np
import tensorflow as tf

from keras_bert.checkpoints.names import (
    WeightName,
    encoder_names,
    pretraining_names,
    task_names,
)
from keras_bert.config import BertConfig
from keras_bert.models.pretrainer import BertPretrainer

Form = Literal["google", "hub"]

# So much of a tensor is assigned at a time.
BLOCK_BYTES = 1 << 25
# transformers leaves the pooler out where no head uses it; Google's code always has it.
POOLER = frozenset(("pooler/dense/kernel", "pooler/dense/bias"))
# Sinusoidal positions are in no file; they are computed, so many numbers at most.
MAX_COMPUTED = 1 << 26


class Tensors(Protocol):
    """Tensors of a file by name, read from the disk one at a time, and their shapes, unread."""

    def __contains__(self, name: object) -> bool: ...
    def __len__(self) -> int: ...
    def __getitem__(self, name: str) -> np.ndarray: ...
    def shape(self, name: str) -> tuple[int, ...]: ...


def names_of(model: keras.Model) -> dict[str, WeightName]:
    """The names of a model's weights.

    Args:
        model: BertEncoder, BertPretrainer or a task.

    Returns:
        dict of WeightName by our name, the path of the variable.
    """
    config = getattr(model, "encoder", model).config
    objective = getattr(model, "sentence_objective", None) or "next_sentence"
    names = encoder_names(config.num_layers) + pretraining_names(objective) + task_names()
    paths = {variable.path for variable in model.weights}
    return {name.ours: name for name in names if name.ours in paths}


def uses_pooler(model: keras.Model) -> bool:
    """Whether a head of the model stands on the pooler; of an encoder alone one may."""
    if isinstance(model, BertPretrainer):
        return model.sentence_objective is not None
    return getattr(model, "USES_POOLER", True)


def tensors_of(model: keras.Model, form: Form) -> dict[str, np.ndarray]:
    """The weights that a model uses as a form names and stores them, float32."""
    unused = POOLER if form == "hub" and not uses_pooler(model) else ()
    variables = {variable.path: variable for variable in model.weights}
    return {
        getattr(name, form): np.ascontiguousarray(
            _turned(np.asarray(variables[ours], "float32"), name, form)
        )
        for ours, name in names_of(model).items()
        if ours not in unused
    }


def check_shapes(tensors: Tensors, config: BertConfig, form: Form, source: str) -> None:
    """Compares what a file holds with the config, before a model of that size is built.

    Args:
        tensors: the file's.
        config: BertConfig.
        form: "google" or "hub".
        source: what an error calls the file.

    Raises:
        ValueError: a tensor of the encoder is missing, or a shape is not the config's.
    """
    computed = config.max_sequence_length * config.hidden_dim
    if config.positions == "sinusoidal" and computed > MAX_COMPUTED:
        raise ValueError(
            f"{source}: {config.max_sequence_length} sinusoidal positions of {config.hidden_dim} "
            "numbers are too many: correct the config."
        )
    # As many layers as the file can hold, so that a config cannot ask for a million names.
    encoder = encoder_names(min(config.num_layers, len(tensors) + 1))
    absent = _absent(config)
    encoder = [name for name in encoder if not name.ours.startswith(absent)]
    missing = [getattr(name, form) for name in encoder if name.ours not in POOLER]
    missing = [name for name in missing if name not in tensors]
    if missing:
        raise ValueError(
            f"{source} must hold the tensors of a BERT of its config, but {_some(missing)} are "
            "missing: check that the directory holds one whole BERT and the config that belongs "
            "to it."
        )
    for name in (*encoder, *pretraining_names(), *task_names()):
        if getattr(name, form) in tensors:
            sizes = (getattr(config, s) if isinstance(s, str) else s for s in name.shape)
            shape = tensors.shape(getattr(name, form))
            _check_shape(
                shape[::-1] if form in name.transposed_in else shape, sizes, name, form, source
            )


def _absent(config: BertConfig) -> tuple[str, ...]:
    """How our names of weights begin that encoders of a config do not have."""
    norm = "embeddings/norm/" if config.norm_first else "norm/"
    return (norm, "embeddings/position/") if config.positions != "learned" else (norm,)


def _check_shape(shape, sizes, name: WeightName, form: Form, source: str) -> None:
    expected = tuple(sizes)
    if len(shape) != len(expected) or any(
        there != size for there, size in zip(shape, expected, strict=True) if size is not None
    ):
        raise ValueError(
            f"{source}: {getattr(name, form)} must have the shape {expected} that the config says, "
            f"but has {tuple(shape)} (as we store it): config and weights are of different models."
        )


def assign(
    model: keras.Model,
    tensors: Mapping[str, np.ndarray],
    form: Form,
    source: str,
) -> list[str]:
    """Puts every tensor into its variable; nothing may be left over on either side.

    Only the pooler of an encoder alone, or of a model that does not use it, may be missing.

    Args:
        model: BertEncoder, BertPretrainer or a task.
        tensors: mapping of names, as the form gives them, to arrays; read one at a time.
        form: "google" or "hub".
        source: what an error calls the file.

    Returns:
        Paths of the variables that keep their value, since there is no tensor for them.

    Raises:
        ValueError: a tensor is missing, not known, or does not fit; the message names it.
    """
    names = names_of(model)
    expected = {getattr(name, form) for name in names.values()}
    optional = set()
    if form == "hub" and not (uses_pooler(model) and hasattr(model, "encoder")):
        optional = {getattr(names[ours], form) for ours in POOLER}
    missing = sorted(expected - set(tensors) - optional)
    unknown = sorted(set(tensors) - expected)
    if missing or unknown:
        raise ValueError(
            f"{source} must hold the tensors of a {type(model).__name__} of its config, but "
            f"{_some(missing)} are missing and {_some(unknown)} are not known: check that the "
            "directory holds one whole BERT and the config that belongs to it."
        )
    kept = []
    for variable in model.weights:
        name = names[variable.path]
        if getattr(name, form) not in tensors:
            kept.append(variable.path)
            continue
        value = _turned(tensors[getattr(name, form)], name, form)
        _check_shape(value.shape, variable.shape, name, form, source)
        _put(variable, value)
    return kept


def _put(variable: keras.Variable, value: np.ndarray) -> None:
    """Assigns a large table some rows at a time: of what is assigned there are two copies."""
    if value.nbytes <= BLOCK_BYTES:
        variable.assign(value)
        return
    num_rows = max(1, BLOCK_BYTES * len(value) // value.nbytes)
    for start in range(0, len(value), num_rows):
        stop = min(start + num_rows, len(value))
        tf.raw_ops.ResourceScatterUpdate(
            resource=variable.value.handle,
            indices=tf.range(start, stop),
            updates=np.asarray(value[start:stop], variable.dtype),
        )


def _turned(value: np.ndarray, name: WeightName, form: Form) -> np.ndarray:
    return value.T if form in name.transposed_in else value


def _some(names: list[str]) -> str:
    """Up to five names, and how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more if names else "none"
