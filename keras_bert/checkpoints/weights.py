"""Weights of a model under the names of a form, Google's or the Hub's, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import keras
import numpy as np

from keras_bert.checkpoints.names import WeightName, encoder_names, pretraining_names
from keras_bert.models.pretrainer import BertPretrainer

Form = Literal["google", "hub"]


def names_of(model: keras.Model) -> dict[str, WeightName]:
    """The names of a model's weights.

    Args:
        model: BertEncoder or BertPretrainer.

    Returns:
        dict of WeightName by our name, the path of the variable.
    """
    config = getattr(model, "encoder", model).config
    names = encoder_names(config.num_layers)
    if isinstance(model, BertPretrainer):
        names += pretraining_names(model.sentence_objective or "next_sentence")
    paths = {variable.path for variable in model.weights}
    return {name.ours: name for name in names if name.ours in paths}


def tensors_of(model: keras.Model, form: Form) -> dict[str, np.ndarray]:
    """All weights of a model as a form names and stores them, float32."""
    variables = {variable.path: variable for variable in model.weights}
    return {
        getattr(name, form): np.ascontiguousarray(
            _turned(np.asarray(variables[ours], "float32"), name, form)
        )
        for ours, name in names_of(model).items()
    }


def assign(
    model: keras.Model,
    tensors: Mapping[str, np.ndarray],
    form: Form,
    source: str,
    may_be_missing: Iterable[str] = (),
) -> None:
    """Puts every tensor into its variable; nothing may be left over on either side.

    Args:
        model: BertEncoder or BertPretrainer.
        tensors: mapping of names, as the form gives them, to arrays; read one at a time.
        form: "google" or "hub".
        source: what an error calls the file.
        may_be_missing: our names of variables that keep their value where there is no tensor.

    Raises:
        ValueError: a tensor is missing, not known, or does not fit; the message names it.
    """
    names = names_of(model)
    expected = {getattr(name, form) for name in names.values()}
    optional = {getattr(names[ours], form) for ours in may_be_missing if ours in names}
    missing = sorted(expected - set(tensors) - optional)
    unknown = sorted(set(tensors) - expected)
    if missing or unknown:
        raise ValueError(
            f"{source} must hold the tensors of a {type(model).__name__} of its config, but "
            f"{_some(missing)} are missing and {_some(unknown)} are not known: check that the "
            "directory holds one whole BERT and the config that belongs to it."
        )
    for variable in model.weights:
        name = names[variable.path]
        if getattr(name, form) not in tensors:
            continue
        value = _turned(tensors[getattr(name, form)], name, form)
        if value.shape != tuple(variable.shape):
            raise ValueError(
                f"{source}: {getattr(name, form)} must have the shape {tuple(variable.shape)} that "
                f"the config says, but has {value.shape} (as we store it): config and weights are "
                "of different models."
            )
        variable.assign(value)


def _turned(value: np.ndarray, name: WeightName, form: Form) -> np.ndarray:
    return value.T if form in name.transposed_in else value


def _some(names: list[str]) -> str:
    """Up to five names, and how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more if names else "none"
