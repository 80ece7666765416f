"""The JSON files of a checkpoint, and what they say of an encoder's config."""

from __future__ import annotations

import json
import math
import pathlib
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from keras_bert.config import EncoderConfig

CONFIG_FILE = "config.json"

Config = TypeVar("Config", bound=EncoderConfig)
# The defaults of settings, which may be null where their default is.
Switch = TypeVar("Switch", bool, None)
Number = TypeVar("Number", float, None)
Text = TypeVar("Text", str, None)


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        ValueError: the file is not one.
    """
    return parse_json(path.read_bytes(), path)


def parse_json(content: bytes, source: pathlib.Path) -> dict[str, Any]:
    """The object in the content of a JSON file.

    Args:
        content: the file's bytes.
        source: the file, for errors.

    Raises:
        ValueError: it holds none.
    """
    value = parse(content, source)
    if not isinstance(value, dict):
        raise ValueError(f"{source} must be a JSON object, not {type(value).__name__}.")
    return value


def parse(content: bytes, source: pathlib.Path) -> Any:
    """The value in the content of a JSON file."""
    try:
        return json.loads(content.decode("utf-8"))
    except ValueError as error:
        raise ValueError(f"{source} must be JSON, but {error}: restore the file.") from error
    except RecursionError:
        raise ValueError(
            f"{source} must be JSON, but is nested too deeply: restore the file."
        ) from None


def write_json(path: pathlib.Path, value: Mapping[str, Any]) -> None:
    """Writes a JSON file that people can read."""
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def switch(settings: Mapping[str, Any], key: str, default: Switch, source: object) -> bool | Switch:
    """A setting that is true or false, or, where the default is None, null.

    Raises:
        ValueError: it is something else, a word, say.
    """
    value = settings.get(key, default)
    if not isinstance(value, bool) and not (value is None and default is None):
        raise ValueError(f"{source}: {key} must be true or false, not {value!r:.80}: correct it.")
    return value


def number(
    settings: Mapping[str, Any], key: str, default: Number, source: object
) -> float | Number:
    """A setting that is a finite number, or, where the default is None, null.

    Raises:
        ValueError: it is something else, a word, say.
    """
    value = settings.get(key, default)
    if value is None and default is None:
        return None
    kinds = (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not abs(value) < math.inf:
        raise ValueError(f"{source}: {key} must be a number, not {value!r:.80}: correct it.")
    return value


def text(settings: Mapping[str, Any], key: str, default: Text, source: object) -> str | Text:
    """A setting that is a text, or, where the default is None, null.

    Raises:
        ValueError: it is something else.
    """
    value = settings.get(key, default)
    if not isinstance(value, str) and not (value is None and default is None):
        raise ValueError(f"{source}: {key} must be a text, not {value!r:.80}: correct it.")
    return value


def one_of(
    settings: Mapping[str, Any], key: str, default: str, choices: Collection[str], source: object
) -> str:
    """A setting that is one of some names.

    Raises:
        ValueError: it is something else.
    """
    value = text(settings, key, default, source)
    if value not in choices:
        raise ValueError(f"{source}: {key} must be one of {tuple(choices)}, not {value!r}.")
    return value


def architecture_of(settings: Mapping[str, Any], source: object) -> str | None:
    """The class of transformers that config.json names; None where it names none.

    Raises:
        ValueError: it has something else in that place.
    """
    names = settings.get("architectures") or [None]
    if not isinstance(names, list) or not isinstance(names[0], str | None):
        raise ValueError(
            f"{source}: architectures must be a list of names, not {names!r:.80}: correct it."
        )
    return names[0]


def read_config(
    kind: type[Config],
    settings: Mapping[str, Any],
    keys: Mapping[str, str],
    source: object,
    others: Mapping[str, Any],
) -> Config:
    """The config that settings describe by numbers under keys of their own.

    Args:
        kind: class of the config.
        settings: content of `config.json` or `bert_config.json`; for keys that it lacks the config
            has its defaults.
        keys: the settings' keys by the config's fields.
        source: the file, for errors.
        others: fields of the config that are known already.

    Raises:
        ValueError: a setting is no number, or has a value that no such encoder has.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.checkpoints import settings
    >>> content, keys = {"n_layers": 6}, {"num_layers": "n_layers"}
    >>> settings.read_config(kb.BertConfig, content, keys, "config.json", {}).num_layers
    6
    """
    there = {ours: key for ours, key in keys.items() if key in settings}
    fields: dict[str, Any] = {ours: number(settings, key, 0, source) for ours, key in there.items()}
    try:
        return kind(**fields, **others)
    except ValueError as error:
        names = [f"{ours} is {key}" for ours, key in there.items() if ours in str(error).split()]
        raise ValueError(f"{source}: {error}{f' ({names[0]} there.)' if names else ''}") from error
