"""A checkpoint is a directory in the Hub's layout; `load` opens it, `save` writes it.

The files are `config.json`, `model.safetensors`, `vocab.txt` and `tokenizer_config.json`, as
transformers writes and reads them.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import tempfile

import keras
import numpy as np
import safetensors
import safetensors.numpy

from keras_bert.checkpoints.names import WeightName, encoder_names, pretraining_names
from keras_bert.config import BertConfig
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.text.tokenizer import Tokenizer
from keras_bert.text.vocabulary import read_vocabulary, write_vocabulary

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
VOCABULARY_FILE = "vocab.txt"
TOKENIZER_FILE = "tokenizer_config.json"

# Fields of BertConfig, as config.json calls them.
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
ACTIVATION_NAMES = {"gelu": "gelu", "gelu_tanh": "gelu_new", "relu": "relu"}
# What transformers has no name for is kept under ours, in a model type that it does not open.
OWN_KEYS = ("norm_first", "positions")
OWN_MODEL_TYPE = "keras_bert"
SENTENCE_KEY = "sentence_objective"
# Copies of tied weights and a buffer, which older versions of transformers wrote besides.
REDUNDANT = (
    "bert.embeddings.position_ids",
    "cls.predictions.decoder.weight",
    "cls.predictions.decoder.bias",
)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint directory holds.

    Args:
        config: BertConfig.
        tokenizer: Tokenizer.
        encoder: BertEncoder with the weights of the file.
        model: the model with its head, a `BertPretrainer`, or None where there is no head.
    """

    config: BertConfig
    tokenizer: Tokenizer
    encoder: BertEncoder
    model: keras.Model | None


def load(directory: str | os.PathLike) -> Checkpoint:
    """Opens a checkpoint directory in the Hub's layout.

    Args:
        directory: path of a directory that `save` or transformers' `save_pretrained` wrote, with
            the encoder alone or with pretraining heads.

    Returns:
        Checkpoint.

    Raises:
        ValueError: a file is missing, is not what its name says, or does not fit the others; the
            message names the file and, where there is one, the tensor.

    Example:

    >>> import keras_bert as kb
    >>> import os, tempfile
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film", "fine"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> directory = os.path.join(tempfile.mkdtemp(), "mine")
    >>> kb.save(kb.BertPretrainer(kb.BertEncoder(config)), directory, tokenizer)
    >>> checkpoint = kb.load(directory)
    >>> checkpoint.config == config, type(checkpoint.model).__name__
    (True, 'BertPretrainer')
    """
    directory = pathlib.Path(directory)
    path = _existing(directory, WEIGHTS_FILE)
    settings = _read_json(_existing(directory, CONFIG_FILE))
    config = _config_from(settings, directory / CONFIG_FILE)
    tokenizer = _load_tokenizer(directory, config)
    tensors = _read_tensors(path)
    encoder = BertEncoder(config)
    model, head_names = None, ()
    objective = None
    if "cls.seq_relationship.weight" in tensors:
        objective = settings.get(SENTENCE_KEY, "next_sentence")
    if "cls.predictions.bias" in tensors:
        model = BertPretrainer(encoder, objective)
        head_names = pretraining_names(objective or "next_sentence")
    _assign(model or encoder, (*encoder_names(config.num_layers), *head_names), tensors, path)
    return Checkpoint(config, tokenizer, encoder, model)


def save(
    model: keras.Model, directory: str | os.PathLike, tokenizer: Tokenizer | None = None
) -> None:
    """Writes a model and its tokenizer as a checkpoint directory in the Hub's layout.

    Every file is written beside its name first and then renamed, so that a file is always whole.
    Other files of the directory stay.

    Args:
        model: BertEncoder, BertPretrainer, or a task around one.
        directory: path of the directory; made if it is not there.
        tokenizer: Tokenizer; None takes the model's own.

    Raises:
        ValueError: the tokenizer does not fit the model.

    Example: see `load`.
    """
    model, tokenizer = getattr(model, "pretrainer", model), tokenizer or model.tokenizer
    config = getattr(model, "encoder", model).config
    if tokenizer.vocabulary_size > config.vocabulary_size:
        raise ValueError(
            f"The vocabulary may have at most the config's vocabulary_size={config.vocabulary_size}"
            f" pieces, but has {tokenizer.vocabulary_size}: build the model for this vocabulary."
        )
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".save-") as staging:
        staging = pathlib.Path(staging)
        write_vocabulary(staging / VOCABULARY_FILE, tokenizer.vocabulary)
        _write_json(staging / TOKENIZER_FILE, _tokenizer_settings(tokenizer, config))
        _write_json(staging / CONFIG_FILE, _settings_from(config, model))
        safetensors.numpy.save_file(
            _tensors_of(model), staging / WEIGHTS_FILE, metadata={"format": "pt"}
        )
        for name in (VOCABULARY_FILE, TOKENIZER_FILE, CONFIG_FILE, WEIGHTS_FILE):
            os.replace(staging / name, directory / name)


def _existing(directory: pathlib.Path, name: str) -> pathlib.Path:
    path = directory / name
    if not path.is_file():
        raise ValueError(
            f"A checkpoint is a directory with {CONFIG_FILE}, {WEIGHTS_FILE} and {VOCABULARY_FILE},"
            f" but there is no {path}: name the directory that save() or save_pretrained() wrote."
        )
    return path


def _read_json(path: pathlib.Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} must be JSON, but {error}: restore the file.") from error


def _write_json(path: pathlib.Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _config_from(settings: dict, path: pathlib.Path) -> BertConfig:
    model_type = settings.get("model_type", "bert")
    if model_type not in ("bert", OWN_MODEL_TYPE):
        raise ValueError(f"{path} must describe a BERT, but its model_type is {model_type!r}.")
    if "hidden_size" not in settings:
        raise ValueError(f"{path} must be a BERT's config, but has no hidden_size.")
    activations = {hub: ours for ours, hub in ACTIVATION_NAMES.items()}
    activation = settings.get("hidden_act", "gelu")
    if activation not in activations:
        raise ValueError(
            f"{path}: hidden_act must be one of {tuple(activations)}, not {activation!r}."
        )
    fields = {ours: settings[hub] for ours, hub in CONFIG_KEYS.items() if hub in settings}
    if model_type == OWN_MODEL_TYPE:
        fields.update({key: settings[key] for key in OWN_KEYS if key in settings})
    try:
        return BertConfig(activation=activations[activation], **fields)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _settings_from(config: BertConfig, model: keras.Model) -> dict:
    """The content of config.json."""
    architecture, extra = "BertModel", {}
    if isinstance(model, BertPretrainer):
        architecture = "BertForPreTraining" if model.sentence_objective else "BertForMaskedLM"
        extra[SENTENCE_KEY] = model.sentence_objective
    plain = not config.norm_first and config.positions == "learned"
    if not plain:
        extra.update({key: getattr(config, key) for key in OWN_KEYS})
    return {
        "architectures": [architecture],
        "model_type": "bert" if plain else OWN_MODEL_TYPE,
        "hidden_act": ACTIVATION_NAMES[config.activation],
        **{hub: getattr(config, ours) for ours, hub in CONFIG_KEYS.items()},
        "pad_token_id": 0,
        "tie_word_embeddings": True,
        **extra,
    }


def _load_tokenizer(directory: pathlib.Path, config: BertConfig) -> Tokenizer:
    vocabulary = read_vocabulary(
        _existing(directory, VOCABULARY_FILE), max_size=config.vocabulary_size
    )
    path = directory / TOKENIZER_FILE
    settings = _read_json(path) if path.is_file() else {}
    # A cased vocabulary has capitals, an uncased one has none outside its special tokens.
    cased = any(piece != piece.lower() for piece in vocabulary if not piece.startswith("["))
    return Tokenizer(
        vocabulary,
        lowercase=settings.get("do_lower_case", not cased),
        strip_accents=settings.get("strip_accents"),
        split_cjk=settings.get("tokenize_chinese_chars", True),
    )


def _tokenizer_settings(tokenizer: Tokenizer, config: BertConfig) -> dict:
    """The content of tokenizer_config.json."""
    return {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": tokenizer.lowercase,
        "strip_accents": tokenizer.strip_accents,
        "tokenize_chinese_chars": tokenizer.split_cjk,
        "model_max_length": config.max_sequence_length,
    }


def _read_tensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The tensors of a file; those of a bare encoder get the prefix that they have under a head."""
    try:
        tensors = safetensors.numpy.load_file(path)
    except safetensors.SafetensorError as error:
        raise ValueError(
            f"{path} must be a whole safetensors file, but {error}: restore or save it again."
        ) from error
    bare = ("embeddings.", "encoder.", "pooler.")
    named = {f"bert.{k}" if k.startswith(bare) else k: value for k, value in tensors.items()}
    return {name: value for name, value in named.items() if name not in REDUNDANT}


def _assign(
    model: keras.Model,
    names: tuple[WeightName, ...],
    tensors: dict[str, np.ndarray],
    path: pathlib.Path,
) -> None:
    """Puts every tensor into its variable; nothing may be left over on either side."""
    variables = {variable.path: variable for variable in model.weights}
    hub_names = {name.ours: name for name in names if name.ours in variables}
    expected = {name.hub for name in hub_names.values()}
    # transformers leaves the pooler out where no head uses it.
    optional = {name.hub for name in names if name.ours.startswith("pooler/")}
    missing, unexpected = expected - set(tensors) - optional, set(tensors) - expected
    if missing or unexpected:
        raise ValueError(
            f"{path} must hold the tensors of {type(model).__name__}, but "
            f"{sorted(missing) or 'none'} are missing and {sorted(unexpected) or 'none'} are not "
            "known: check that the directory holds one whole BERT."
        )
    for ours, variable in variables.items():
        name = hub_names[ours]
        if name.hub not in tensors:
            continue
        value = tensors[name.hub]
        value = value.T if "hub" in name.transposed_in else value
        if value.shape != tuple(variable.shape):
            raise ValueError(
                f"{path}: {name.hub} must fit {CONFIG_FILE} with shape {tuple(variable.shape)}, "
                f"but has {value.shape}: config and weights are of different models."
            )
        variable.assign(value)


def _tensors_of(model: keras.Model) -> dict[str, np.ndarray]:
    """The weights of a model under the Hub's names."""
    encoder = getattr(model, "encoder", model)
    names = encoder_names(encoder.config.num_layers)
    prefix = "bert."
    if isinstance(model, BertPretrainer):
        names += pretraining_names(model.sentence_objective or "next_sentence")
        prefix = ""
    variables = {variable.path: variable for variable in model.weights}
    tensors = {}
    for name in names:
        if name.ours in variables:
            value = np.asarray(variables[name.ours])
            value = value.T if "hub" in name.transposed_in else value
            tensors[name.hub.removeprefix(prefix)] = np.ascontiguousarray(value)
    return tensors
