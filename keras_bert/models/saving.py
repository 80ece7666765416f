"""What Keras' files hold of models that are made anew by their own constructors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import keras

AnyModel = TypeVar("AnyModel", bound=keras.Model)


def config_of(model: keras.Model, **own: Any) -> dict[str, Any]:
    """The config of a model.

    Args:
        model: keras.Model.
        own: what its constructor needs: JSON, or objects that Keras serializes.

    Returns:
        dict of JSON: `own`, the model's `name`, and the paths of weights that are `frozen`.
    """
    return {
        **{name: _serialized(value) for name, value in own.items()},
        "name": model.name,
        "frozen": [weight.path for weight in model.weights if not weight.trainable],
    }


def given_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """What `config_of` was given, and the `name`."""
    given = {name: value for name, value in config.items() if name != "frozen"}
    return {n: keras.saving.deserialize_keras_object(value) for n, value in given.items()}


def frozen(model: AnyModel, config: Mapping[str, Any]) -> AnyModel:
    """The model, with the weights frozen that a config names."""
    names = set(config.get("frozen", ()))
    for weight in model.weights:
        if weight.path in names:
            weight.trainable = False
    return model


def _serialized(value: Any) -> Any:
    config = keras.saving.serialize_keras_object(value)
    if isinstance(value, keras.Model):
        # Keras says so of what it meets a second time, but forgets it of what it met first: two
        # tasks on one encoder would have one each when they are opened.
        config["shared_object_id"] = id(value)
    return config
