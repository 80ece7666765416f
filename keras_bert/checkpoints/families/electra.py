"""ELECTRA's checkpoints: Clark et al. 2020, as transformers writes them."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

from keras_bert.checkpoints import names, settings, word_pieces
from keras_bert.checkpoints.families.family import (
    ConfigFile,
    Family,
    HubClasses,
    HubTensors,
)
from keras_bert.checkpoints.families.hub_config import (
    CONFIG_KEYS,
    PLAIN,
    ConfigKeys,
    check_plain,
)
from keras_bert.checkpoints.names import Names, WeightName, dense, head, norm
from keras_bert.config import ElectraConfig
from keras_bert.models.electra import ElectraEncoder

KEYS = ConfigKeys(
    "ELECTRA",
    ElectraConfig,
    {**CONFIG_KEYS, "embedding_dim": "embedding_size"},
    model_type="electra",
)
CLASSES = HubClasses.of("Electra", replaced_tokens="ElectraForPreTraining")
# What a head for choices must say of how it makes a vector of a text's tokens.
SUMMARY: dict[str, tuple[Any, ...]] = {
    "summary_type": (None, "first"),
    "summary_use_proj": (None, True),
    "summary_activation": (None, "gelu"),
    "summary_proj_to_labels": (None, False),
}


def _read(content: Mapping[str, Any], source: pathlib.Path) -> ElectraConfig:
    architecture = settings.architecture_of(content, source)
    has_summary = architecture == CLASSES.tasks["multiple_choice"]
    check_plain(content, source, "ELECTRA", {**PLAIN, **(SUMMARY if has_summary else {})})
    return KEYS.read(content, source, {})


def _write(config: ElectraConfig) -> dict[str, Any]:
    return {
        **KEYS.write(config),
        "pad_token_id": 0,
        "tie_word_embeddings": True,
    }


def weight_names(config: ElectraConfig) -> Names:
    """The weights of ELECTRA's encoder, and of the heads of generators, detectors and tasks."""
    hub, width = "electra.embeddings", "embedding_dim"
    tables = {
        "token": ("word_embeddings", "vocabulary_size"),
        "position": ("position_embeddings", "max_sequence_length"),
        "segment": ("token_type_embeddings", "num_segments"),
    }
    projection = dense("embeddings/projection", "electra.embeddings_project", width_in=width)
    return Names(
        encoder=(
            *(
                names.table(f"embeddings/{ours}", f"{hub}.{theirs}.weight", "", rows, width=width)
                for ours, (theirs, rows) in tables.items()
            ),
            *norm("embeddings/norm", f"{hub}.LayerNorm", width=width),
            *(projection if config.is_projected else ()),
            *(
                name
                for i in range(config.num_layers)
                for name in names.block(config, i, f"electra.encoder.layer.{i}")
            ),
        ),
        heads=(
            *dense("masked_lm/dense", "generator_predictions.dense", width_out=width),
            *norm("masked_lm/norm", "generator_predictions.LayerNorm", width=width),
            WeightName("masked_lm/bias", "generator_lm_head.bias", shape=("vocabulary_size",)),
            *dense("replaced_tokens_dense", "discriminator_predictions.dense"),
            *head("replaced_tokens", "discriminator_predictions.dense_prediction", num_outputs=1),
            *head("classifier", "classifier"),
            *head("span", "qa_outputs"),
        ),
        tasks={
            "text_classification": (
                *dense("pooler/dense", "classifier.dense"),
                *head("classifier", "classifier.out_proj"),
            ),
            "multiple_choice": dense("pooler/dense", "sequence_summary.summary"),
        },
    )


ELECTRA = Family(
    name="ELECTRA",
    encoder=ElectraEncoder,
    model_types=KEYS.model_types,
    class_prefix="Electra",
    classes=CLASSES,
    config=ConfigFile(_read, _write),
    names=weight_names,
    tensors=HubTensors(
        prefix="electra.",
        present_name=names.present_name(
            "electra.", ("embeddings.", "embeddings_project.", "encoder.")
        ),
        copies={
            "generator_lm_head.weight": "electra.embeddings.word_embeddings.weight",
        },
        counters=("electra.embeddings.position_ids",),
    ),
    tokenizer=word_pieces.FILES,
)
