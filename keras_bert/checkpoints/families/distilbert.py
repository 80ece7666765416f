"""DistilBERT's checkpoints: Sanh et al. 2019, as transformers writes them."""

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
from keras_bert.checkpoints.families.hub_config import ConfigKeys, check_plain
from keras_bert.checkpoints.names import Names, WeightName, dense, head, norm
from keras_bert.config import DistilBertConfig
from keras_bert.models.distilbert import DistilBertEncoder

KEYS = ConfigKeys(
    "DistilBERT",
    DistilBertConfig,
    {
        "vocabulary_size": "vocab_size",
        "num_layers": "n_layers",
        "num_heads": "n_heads",
        "hidden_dim": "dim",
        "intermediate_dim": "hidden_dim",
        "max_sequence_length": "max_position_embeddings",
        "dropout": "dropout",
        "attention_dropout": "attention_dropout",
        "initializer_range": "initializer_range",
    },
    model_type="distilbert",
    activation_key="activation",
    needed=("vocab_size", "dim", "n_layers", "n_heads"),
)
# The dropout of a head that reads whole texts.
DROPOUT_KEY = "seq_classif_dropout"
OF_TEXTS = ("text_classification", "multiple_choice")
# The layers of a block by our names.
LAYERS = {
    "attention/query": "attention/q_lin",
    "attention/key": "attention/k_lin",
    "attention/value": "attention/v_lin",
    "attention/output": "attention/out_lin",
    "attention_norm": "sa_layer_norm",
    "intermediate": "ffn/lin1",
    "output": "ffn/lin2",
    "output_norm": "output_layer_norm",
}


def _read(content: Mapping[str, Any], source: pathlib.Path) -> DistilBertConfig:
    check_plain(content, source, "DistilBERT")
    return KEYS.read(content, source, {})


def _write(config: DistilBertConfig) -> dict[str, Any]:
    if config.norm_epsilon != DistilBertConfig.norm_epsilon:
        raise ValueError(
            f"norm_epsilon must be {DistilBertConfig.norm_epsilon}, which transformers has as a "
            f"constant for DistilBERT, not {config.norm_epsilon}: it cannot be saved."
        )
    return {
        **KEYS.write(config),
        "sinusoidal_pos_embds": False,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
    }


def weight_names(config: DistilBertConfig) -> Names:
    """The weights of DistilBERT's encoder, and of the heads on it."""
    embeddings, blocks = "distilbert.embeddings", "distilbert.transformer.layer"
    tables = {
        "token": ("word_embeddings", "vocabulary_size"),
        "position": ("position_embeddings", "max_sequence_length"),
    }
    return Names(
        encoder=(
            *(
                names.table(f"embeddings/{ours}", f"{embeddings}.{theirs}.weight", "", rows)
                for ours, (theirs, rows) in tables.items()
            ),
            *norm("embeddings/norm", f"{embeddings}.LayerNorm"),
            *(
                name
                for i in range(config.num_layers)
                for name in names.block(config, i, f"{blocks}.{i}", layers=LAYERS)
            ),
        ),
        heads=(
            *dense("masked_lm/dense", "vocab_transform"),
            *norm("masked_lm/norm", "vocab_layer_norm"),
            WeightName("masked_lm/bias", "vocab_projector.bias", shape=("vocabulary_size",)),
            *head("classifier", "classifier"),
            *head("span", "qa_outputs"),
        ),
        tasks=dict.fromkeys(OF_TEXTS, dense("pooler/dense", "pre_classifier")),
    )


DISTILBERT = Family(
    name="DistilBERT",
    encoder=DistilBertEncoder,
    model_types=KEYS.model_types,
    class_prefix="DistilBert",
    classes=HubClasses.of("DistilBert", dropouts=dict.fromkeys(OF_TEXTS, DROPOUT_KEY)),
    config=ConfigFile(_read, _write),
    names=weight_names,
    tensors=HubTensors(
        prefix="distilbert.",
        present_name=names.present_name("distilbert.", ("embeddings.", "transformer.")),
        copies={"vocab_projector.weight": "distilbert.embeddings.word_embeddings.weight"},
        counters=("distilbert.embeddings.position_ids",),
    ),
    tokenizer=word_pieces.FILES,
)
