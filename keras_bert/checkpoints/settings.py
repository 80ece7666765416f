"""BertConfig and Tokenizer settings as the JSON files of a checkpoint say them."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging

from keras_bert.config import BertConfig
from keras_bert.text.tokenizer import Tokenizer
from keras_bert.text.vocabulary import check_vocabulary

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
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} must be JSON, but {error}: restore the file.") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} must be a JSON object, not {type(value).__name__}.")
    return value


def write_json(path: pathlib.Path, value: Mapping[str, Any]) -> None:
    """Writes a JSON file that people can read."""
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


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
    activation = settings.get("hidden_act", "gelu")
    if activation not in activations:
        raise ValueError(
            f"{source}: hidden_act must be one of {tuple(activations)}, not {activation!r}."
        )
    fields = {ours: settings[key] for ours, key in CONFIG_KEYS.items() if key in settings}
    fields.update({key: settings[key] for key in own_keys if key in settings})
    try:
        return BertConfig(activation=activations[activation], **fields)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def config_settings(config: BertConfig, activations: Mapping[str, str]) -> dict[str, Any]:
    """What `read_config` reads."""
    [hidden_act, *_] = [theirs for theirs, ours in activations.items() if ours == config.activation]
    values = {key: getattr(config, ours) for ours, key in CONFIG_KEYS.items()}
    return {"hidden_act": hidden_act, **values}


def dropout_settings(dropout: float | None) -> dict[str, float]:
    """The settings that replace a config's dropouts, of hidden states, attention and heads."""
    keys = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")
    return {} if dropout is None else dict.fromkeys(keys, dropout)


def max_length(path: pathlib.Path, config: BertConfig) -> int:
    """The longest row that tokenizer_config.json, if it is there, and the positions allow."""
    content = read_json(path) if path.is_file() else {}
    return min(int(content.get("model_max_length") or 1 << 30), config.max_sequence_length)


def read_tokenizer(
    vocabulary: tuple[str, ...], settings: Mapping[str, Any], source: pathlib.Path
) -> Tokenizer:
    """A tokenizer by its settings; what they leave open, the vocabulary decides.

    Args:
        vocabulary: the pieces.
        settings: content of `tokenizer_config.json`; may be empty.
        source: directory of the checkpoint, for the log.
    """
    lowercase = settings.get("do_lower_case")
    if lowercase is None:
        # A cased vocabulary has capitals, an uncased one has none outside its special tokens.
        lowercase = not any(p != p.lower() for p in vocabulary if not p.startswith("["))
        logging.info(
            "%s does not say whether to lower-case; its vocabulary is %s.",
            source,
            "uncased: text is lower-cased" if lowercase else "cased: text stays as it is",
        )
    return Tokenizer(
        vocabulary,
        lowercase=lowercase,
        strip_accents=settings.get("strip_accents"),
        split_cjk=settings.get("tokenize_chinese_chars", True),
    )


def read_fast_tokenizer(
    path: pathlib.Path, max_size: int
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The vocabulary of a tokenizer.json, and its settings as tokenizer_config.json says them.

    Args:
        path: path of the file, as Hugging Face's `tokenizers` writes it.
        max_size: the most pieces that the model has embeddings for.

    Raises:
        ValueError: it is no BERT's: no WordPiece, or other normalization than BERT's.
    """
    content = read_json(path)
    model, normalizer = content.get("model") or {}, content.get("normalizer") or {}
    kinds = (model.get("type", "WordPiece"), normalizer.get("type"))
    ids = model.get("vocab")
    if kinds != ("WordPiece", "BertNormalizer") or not isinstance(ids, dict):
        raise ValueError(
            f"{path} must hold a WordPiece vocabulary with BERT's normalization, but holds "
            f"{kinds}: this is the tokenizer of another model."
        )
    vocabulary = tuple(sorted(ids, key=ids.get))
    if [ids[piece] for piece in vocabulary] != list(range(len(ids))):
        raise ValueError(f"{path} must have the ids from 0 to {len(ids) - 1}, each once.")
    check_vocabulary(vocabulary, str(path), max_size)
    return vocabulary, {
        "do_lower_case": normalizer.get("lowercase", True),
        "strip_accents": normalizer.get("strip_accents"),
        "tokenize_chinese_chars": normalizer.get("handle_chinese_chars", True),
    }


def tokenizer_settings(tokenizer: Tokenizer, config: BertConfig) -> dict[str, Any]:
    """What `read_tokenizer` reads."""
    return {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": tokenizer.lowercase,
        "strip_accents": tokenizer.strip_accents,
        "tokenize_chinese_chars": tokenizer.split_cjk,
        "model_max_length": config.max_sequence_length,
    }
