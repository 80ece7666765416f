"""BertConfig as the JSON files of a checkpoint say it, and JSON files from elsewhere."""

from __future__ import annotations

import json
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from keras_bert.config import BertConfig

# Fields of BertConfig, as Google and the Hub call them.
CONFIG_KEYS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
    "num_segments": "type_vocab_size",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "initializer_range": "initializer_range",
    "norm_epsilon": "layer_norm_eps",
}
# Our activations by the names of each form; the first name of each is the one that is written.
# What Google calls gelu is computed by the tanh formula, what the Hub calls gelu by erf.
GOOGLE_ACTIVATIONS = {"gelu": "gelu_tanh", "relu": "relu"}
HUB_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
# A config must say these; for the others it may rely on the reference's defaults, which are ours.
NEEDED = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")


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


def switch(settings: Mapping[str, Any], key: str, default: bool | None, source: object):
    """A setting that is true or false, or, where the default is None, null.

    Raises:
        ValueError: it is something else, a word, say.
    """
    value = settings.get(key, default)
    if not isinstance(value, bool) and not (value is None and default is None):
        raise ValueError(f"{source}: {key} must be true or false, not {value!r:.80}: correct it.")
    return value


def number(settings: Mapping[str, Any], key: str, default: float | None, source: object):
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


def text(settings: Mapping[str, Any], key: str, default: str | None, source: object):
    """A setting that is a text, or, where the default is None, null.

    Raises:
        ValueError: it is something else.
    """
    value = settings.get(key, default)
    if not isinstance(value, str) and not (value is None and default is None):
        raise ValueError(f"{source}: {key} must be a text, not {value!r:.80}: correct it.")
    return value


def read_config(
    settings: Mapping[str, Any],
    activations: Mapping[str, str],
    source: pathlib.Path,
    own_keys: Sequence[str] = (),
) -> BertConfig:
    """The BertConfig that settings describe.

    Args:
        settings: content of `bert_config.json` or `config.json`.
        activations: our activations by the form's names.
        source: the file, for errors.
        own_keys: fields of ours that the settings may hold besides.

    Raises:
        ValueError: a setting is missing, or has a value that no BERT of ours has.
    """
    missing = [key for key in NEEDED if key not in settings]
    if missing:
        raise ValueError(
            f"{source} must be the config of a BERT, but does not say {', '.join(missing)}: "
            "restore the file."
        )
    activation = text(settings, "hidden_act", "gelu", source)
    if activation not in activations:
        raise ValueError(
            f"{source}: hidden_act must be one of {tuple(activations)}, not {activation!r}."
        )
    there = {ours: key for ours, key in CONFIG_KEYS.items() if key in settings}
    fields = {ours: number(settings, key, 0, source) for ours, key in there.items()}
    fields.update({key: settings[key] for key in own_keys if key in settings})
    try:
        return BertConfig(activation=activations[activation], **fields)
    except ValueError as error:
        names = [f"{ours} is {key}" for ours, key in there.items() if ours in str(error).split()]
        raise ValueError(f"{source}: {error}{f' ({names[0]} there.)' if names else ''}") from error


def config_settings(config: BertConfig, activations: Mapping[str, str]) -> dict[str, Any]:
    """What `read_config` reads."""
    [hidden_act, *_] = [theirs for theirs, ours in activations.items() if ours == config.activation]
    values = {key: getattr(config, ours) for ours, key in CONFIG_KEYS.items()}
    return {"hidden_act": hidden_act, **values}


def dropout_settings(dropout: float | None) -> dict[str, float]:
    """The settings that replace a config's dropouts, of hidden states, attention and heads."""
    keys = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")
    return {} if dropout is None else dict.fromkeys(keys, dropout)
