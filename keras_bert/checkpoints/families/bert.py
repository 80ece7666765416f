"""BERT's checkpoints: Devlin et al. 2018, as google-research/bert and transformers write them."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

from keras_bert.checkpoints import names, word_pieces
from keras_bert.checkpoints.families.family import (
    ConfigFile,
    Family,
    HubClasses,
    HubTensors,
)
from keras_bert.checkpoints.families.hub_config import (
    CONFIG_KEYS,
    OF_LAYERS,
    PLAIN,
    ConfigKeys,
    check_plain,
)
from keras_bert.checkpoints.names import Names, WeightName, dense, head, norm
from keras_bert.config import BertConfig
from keras_bert.models.bert import BertEncoder
from keras_bert.models.pretrainer import SENTENCE_OBJECTIVES

NEEDED = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
HUB = ConfigKeys(
    "BERT",
    BertConfig,
    CONFIG_KEYS,
    model_type="bert",
    needed=NEEDED,
    own=("norm_first", "positions", *OF_LAYERS),
)
# What Google calls gelu is computed by the tanh formula, what the Hub calls gelu by erf.
GOOGLE = ConfigKeys(
    "BERT", BertConfig, CONFIG_KEYS, {"gelu": "gelu_tanh", "relu": "relu"}, needed=NEEDED
)
# Sinusoidal positions are in no file; they are computed, so many numbers at most.
MAX_COMPUTED = 1 << 26


def _read_hub(content: Mapping[str, Any], source: pathlib.Path) -> BertConfig:
    plain = {**PLAIN, "embedding_size": (None, content.get("hidden_size"))}
    check_plain(content, source, "BERT", plain)
    config = HUB.read(content, source, {})
    computed = config.max_sequence_length * config.hidden_dim
    if config.positions == "sinusoidal" and computed > MAX_COMPUTED:
        raise ValueError(
            f"{source}: {config.max_sequence_length} sinusoidal positions of {config.hidden_dim} "
            "numbers are too many: correct the config."
        )
    return config


def _write_hub(config: BertConfig) -> dict[str, Any]:
    return {**HUB.write(config), "pad_token_id": 0, "tie_word_embeddings": True}


def _read_google(content: Mapping[str, Any], source: pathlib.Path) -> BertConfig:
    return GOOGLE.read(content, source, {})


def _write_google(config: BertConfig) -> dict[str, Any]:
    if config.norm_first or config.positions != "learned" or config.activation == "gelu":
        raise ValueError(
            "Google's code has learned positions, post-norm and gelu by its tanh formula, but this "
            f"model has positions={config.positions!r}, norm_first={config.norm_first} and "
            f"activation={config.activation!r}: save it in the Hub's layout."
        )
    if config.is_pruned:
        raise ValueError(
            "Google's code has blocks of one size, but heads or columns of this model were pruned: "
            "save it in the Hub's layout."
        )
    content = GOOGLE.write(config)
    del content["layer_norm_eps"]  # Google's code has it as a constant, 1e-12.
    return content


def weight_names(config: BertConfig) -> Names:
    """The weights of BERT's encoder, of its pooler, and of the heads on them.

    Both references call the head of a sentence objective `seq_relationship`, whatever it predicts.
    Google's heads are those of `run_pretraining.py`, `run_classifier.py` and `run_squad.py`.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.checkpoints.families.bert import weight_names
    >>> weight_names(kb.BertConfig.preset("tiny")).all()["layer_0/attention/query/kernel"].hub
    'bert.encoder.layer.0.attention.self.query.weight'
    """
    tables = {
        "token": ("word_embeddings", "vocabulary_size"),
        "position": ("position_embeddings", "max_sequence_length"),
        "segment": ("token_type_embeddings", "num_segments"),
    }
    if config.positions != "learned":
        del tables["position"]
    embeddings = (
        names.table(
            f"embeddings/{ours}",
            f"bert.embeddings.{theirs}.weight",
            f"bert/embeddings/{theirs}",
            rows,
        )
        for ours, (theirs, rows) in tables.items()
    )
    blocks = (
        name
        for i in range(config.num_layers)
        for name in names.block(config, i, f"bert.encoder.layer.{i}", f"bert/encoder/layer_{i}")
    )
    first_norm = norm("embeddings/norm", "bert.embeddings.LayerNorm", "bert/embeddings/LayerNorm")
    last_norm = norm("norm", "bert.encoder.LayerNorm", "bert/encoder/LayerNorm")
    return Names(
        encoder=(
            *embeddings,
            *(() if config.norm_first else first_norm),
            *blocks,
            *(last_norm if config.norm_first else ()),
        ),
        pooler=dense("pooler/dense", "bert.pooler.dense", "bert/pooler/dense"),
        heads=_heads(),
    )


def _heads() -> tuple[WeightName, ...]:
    hub, google = "cls.predictions", "cls/predictions"
    return (
        *dense("masked_lm/dense", f"{hub}.transform.dense", f"{google}/transform/dense"),
        *norm("masked_lm/norm", f"{hub}.transform.LayerNorm", f"{google}/transform/LayerNorm"),
        WeightName(
            "masked_lm/bias", f"{hub}.bias", f"{google}/output_bias", (), ("vocabulary_size",)
        ),
        *(
            name
            for objective in SENTENCE_OBJECTIVES
            for name in head(objective, "cls.seq_relationship", "cls/seq_relationship/output", 2)
        ),
        *head("classifier", "classifier", "output"),
        *head("span", "qa_outputs", "cls/squad/output"),
    )


BERT = Family(
    name="BERT",
    encoder=BertEncoder,
    model_types=HUB.model_types,
    class_prefix="Bert",
    classes=HubClasses.of("Bert", pretraining="BertForPreTraining"),
    config=ConfigFile(_read_hub, _write_hub),
    names=weight_names,
    tensors=HubTensors(
        prefix="bert.",
        present_name=names.present_name("bert.", ("embeddings.", "encoder.", "pooler.")),
        copies={
            "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
            "cls.predictions.decoder.bias": "cls.predictions.bias",
        },
        counters=("bert.embeddings.position_ids",),
    ),
    tokenizer=word_pieces.FILES,
    google=ConfigFile(_read_google, _write_google),
)
