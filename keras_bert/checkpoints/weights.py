"""Weights of a model under the names of a form, Google's or the Hub's, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, Protocol

import keras
import numpy as np
import tensorflow as tf

from keras_bert.checkpoints.families import family_of_model
from keras_bert.checkpoints.families.family import Config, Family, with_article
from keras_bert.checkpoints.names import WeightName
from keras_bert.models.electra import GENERATOR
from keras_bert.tasks.table import name_of
from keras_bert.tasks.task import Task

Form = Literal["google", "hub"]

# So much of a tensor is assigned at a time.
BLOCK_BYTES = 1 << 25


class Tensors(Protocol):
    """Tensors of a file by name, read from the disk one at a time, and their shapes, unread."""

    def __contains__(self, name: object) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, name: str) -> np.ndarray: ...
    def shape(self, name: str) -> tuple[int, ...]: ...


def names_of(model: keras.Model) -> dict[str, WeightName]:
    """The names of a model's weights.

    Args:
        model: an encoder, a pretrainer or a task.

    Returns:
        dict of WeightName by our name, the path of the variable.
    """
    task = name_of(type(model)) if isinstance(model, Task) else None
    names = family_of_model(model).names(model.encoder.config).all(task)
    paths = by_path(model)
    return {ours: name for ours, name in names.items() if ours in paths}


def by_path(model: keras.Model) -> dict[str, keras.Variable]:
    """A model's weights by their paths, those of a generator in training as those of one alone."""
    return {weight.path.removeprefix(f"{GENERATOR}/"): weight for weight in model.weights}


def superseded(model: keras.Model) -> set[str]:
    """Names of the Hub in the place of which a task's files have others.

    Older versions of transformers wrote them besides, without a use for them.
    """
    common = family_of_model(model).names(model.encoder.config).all()
    return {common[ours].hub for ours, name in names_of(model).items() if ours in common} - {
        name.hub for name in names_of(model).values()
    }


def pooler_of(model: keras.Model) -> set[str]:
    """The paths of the pooler's weights where no head of a model stands on it.

    Of an encoder alone they are those of its pooler: a head may come.
    """
    idle = set(model.encoder.pooling_layers)
    if model is not model.encoder:
        idle &= set(model.idle_layers)
    idle_weights = {id(weight) for layer in idle for weight in layer.weights}
    return {path for path, weight in by_path(model).items() if id(weight) in idle_weights}


def tensors_of(model: keras.Model, form: Form) -> dict[str, np.ndarray]:
    """The weights that a model uses as a form names and stores them, float32.

    transformers leaves the pooler out where no head uses it; Google's code always has it.
    """
    has_all = form == "google" or model is model.encoder
    unused = set() if has_all else pooler_of(model)
    variables = by_path(model)
    found: dict[str, list[np.ndarray]] = {}
    for ours, name in names_of(model).items():
        if ours not in unused:
            value = _turned(np.asarray(variables[ours], "float32"), name, form)
            found.setdefault(getattr(name, form), []).append(value)
    return {name: np.ascontiguousarray(np.concatenate(parts)) for name, parts in found.items()}


def check_named(model: keras.Model) -> None:
    """Refuses a model with weights that its family has no names for: they would be lost.

    Args:
        model: an encoder, a pretrainer or a task.

    Raises:
        ValueError: it has some.
    """
    known = {*names_of(model), *pooler_of(model)}
    lost = [
        path
        for path, variable in by_path(model).items()
        if path not in known and keras.backend.is_float_dtype(variable.dtype)
    ]
    if lost:
        family = with_article(family_of_model(model).name)
        raise ValueError(
            f"Files of {family} have no name for {_some(lost)} of a {type(model).__name__}: take "
            "an encoder of another family, or name them in the family's file."
        )


def check_shapes(
    tensors: Tensors,
    family: Family[Config],
    config: Config,
    form: Form,
    source: str,
    task: str | None = None,
) -> None:
    """Compares what a file holds with the config, before a model of that size is built.

    Args:
        tensors: the file's.
        family: the encoder's.
        config: the encoder's.
        form: "google" or "hub".
        source: what an error calls the file.
        task: the name of the task whose file it is; None of all other models.

    Raises:
        ValueError: a tensor of the encoder is missing, or a shape is not the config's.
    """
    # As many layers as the file can hold, so that a config cannot ask for a million names.
    num_layers = min(config.num_layers, len(tensors) + 1)
    names = family.names(config.of_layers(range(num_layers)))
    missing = [getattr(name, form) for name in names.encoder]
    missing = [name for name in missing if name not in tensors]
    if missing:
        raise ValueError(
            f"{source} must hold the tensors of {with_article(family.name)} of its config, but "
            f"{_some(missing)} are missing: check that the directory holds one whole "
            f"{family.name} and the config that belongs to it."
        )
    for name in names.all(task).values():
        if getattr(name, form) in tensors:
            sizes = (getattr(config, s) if isinstance(s, str) else s for s in name.shape)
            shape = tensors.shape(getattr(name, form))
            _, num_parts = name.part
            if num_parts > 1 and shape[:1] and shape[0] % num_parts == 0:
                shape = (shape[0] // num_parts, *shape[1:])
            _check_shape(
                shape[::-1] if form in name.transposed_in else shape, sizes, name, form, source
            )


def _check_shape(
    shape: tuple[int, ...],
    sizes: Iterable[int | None],
    name: WeightName,
    form: Form,
    source: str,
) -> None:
    expected = tuple(sizes)
    if len(shape) != len(expected) or any(
        there != size for there, size in zip(shape, expected, strict=True) if size is not None
    ):
        raise ValueError(
            f"{source}: {getattr(name, form)} must have the shape {expected} that the config says, "
            f"but has {tuple(shape)} (as we store it): config and weights are of different models."
        )


def assign(model: keras.Model, tensors: Tensors, form: Form, source: str) -> list[keras.Variable]:
    """Puts every tensor into its variable; nothing may be left over on either side.

    Only the pooler of an encoder alone, or of a model that does not use it, may be missing.

    Args:
        model: an encoder, a pretrainer or a task.
        tensors: the file's.
        form: "google" or "hub".
        source: what an error calls the file.

    Returns:
        The variables that keep their value, since there is no tensor for them.

    Raises:
        ValueError: a tensor is missing, not known, or does not fit; the message names it.
    """
    names = names_of(model)
    expected = {getattr(name, form) for name in names.values()}
    optional = set()
    if form == "hub":
        optional = {getattr(names[ours], form) for ours in pooler_of(model) if ours in names}
    missing = sorted(expected - set(tensors) - optional)
    unknown = sorted(set(tensors) - expected - superseded(model))
    if missing or unknown:
        family = family_of_model(model).name
        raise ValueError(
            f"{source} must hold the tensors of a {type(model).__name__} of its config, but "
            f"{_some(missing)} are missing and {_some(unknown)} are not known: check that the "
            f"directory holds one whole {family} and the config that belongs to it."
        )
    kept = []
    for variable in model.weights:
        name = names.get(variable.path)
        if name is None or getattr(name, form) not in tensors:
            kept.append(variable)
            continue
        value = _turned(_part(tensors[getattr(name, form)], name), name, form)
        _check_shape(value.shape, variable.shape, name, form, source)
        _put(variable, value)
    return kept


def _put(variable: keras.Variable, value: np.ndarray) -> None:
    """Assigns a large table some rows at a time: of what is assigned there are two copies.

    Not one of which every replica has its own, and which has no handle.
    """
    if value.nbytes <= BLOCK_BYTES or isinstance(variable.value, tf.distribute.DistributedValues):
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


def _part(value: np.ndarray, name: WeightName) -> np.ndarray:
    number, num_parts = name.part
    length = len(value) // num_parts
    return value[number * length : (number + 1) * length] if num_parts > 1 else value


def _some(names: list[str]) -> str:
    """Up to five names, and how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more if names else "none"
