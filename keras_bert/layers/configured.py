"""Configured: a layer's config, for Keras' files, is what it was made with."""

from __future__ import annotations

import inspect
import types
from typing import Any

import keras

PACKAGE = "keras_bert"
registered = keras.saving.register_keras_serializable(PACKAGE)


class Configured(keras.layers.Layer):
    """Gives a layer `get_config` and `from_config` by the parameters of its constructor.

    Keras does so for layers that take numbers and strings alone. Here a parameter may be a layer,
    an initializer, or a dtype policy too. A part that was handed in comes back unbuilt, so that its
    weights are named after the layer again.

    Before a layer of Keras' own among the bases it is named first.

    Example:

    >>> import keras
    >>> from keras_bert.layers.heads import Pooler
    >>> pooler = Pooler(15, "zeros", norm=keras.layers.LayerNormalization(name="norm"))
    >>> again = Pooler.from_config(pooler.get_config())
    >>> again.dense.units, again.norm.name
    (15, 'norm')
    """

    def __new__(cls, *args, **options):
        layer = super().__new__(cls, *args, **options)
        given = _given(cls, layer, args, options)
        # A namespace, because Keras would take the layers in a dict for parts of another name.
        vars(layer)["_made_with"] = types.SimpleNamespace(**given)
        return layer

    def get_config(self) -> dict[str, Any]:
        """The parameters of the constructor, as JSON, and `trainable`."""
        keras_config = super().get_config()
        config = {"trainable": keras_config["trainable"]}
        for name, value in vars(self._made_with).items():
            if name in ("dtype", "name"):
                config[name] = keras_config[name]
            else:
                config[name] = _unbuilt(keras.saving.serialize_keras_object(value))
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]):
        """A layer of what `get_config` gave."""
        config = dict(config)
        trainable = config.pop("trainable", True)
        given = {n: keras.saving.deserialize_keras_object(v) for n, v in config.items()}
        layer = cls(**given)
        layer.trainable = trainable
        return layer


def _given(cls: Any, layer: Any, args: tuple, options: dict[str, Any]) -> dict[str, Any]:
    """What a constructor is given, by name; what it hands on, by the names of the one below."""
    bound = inspect.signature(cls.__init__).bind(layer, *args, **options)
    bound.apply_defaults()
    owner = next(one for one in cls.__mro__ if "__init__" in vars(one))
    given: dict[str, Any] = {}
    for name, value in list(bound.arguments.items())[1:]:
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            _, *names = inspect.signature(super(owner, cls).__init__).parameters
            given |= dict(zip(names, value, strict=False))
        elif kind is inspect.Parameter.VAR_KEYWORD:
            given |= {"dtype": None, "name": None, **value}
        else:
            given[name] = value
    return given


def _unbuilt(config: Any) -> Any:
    """Serialized parts, without the shapes that they were built for; changed in place."""
    values = config.values() if isinstance(config, dict) else config
    if isinstance(config, dict):
        config.pop("build_config", None)
    if isinstance(config, dict | list | tuple):
        for value in values:
            _unbuilt(value)
    return config
