"""Tables of vectors, as this package and sentence-transformers' StaticEmbedding have them."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from keras_bert.checkpoints import names, settings, word_piece_json, word_pieces
from keras_bert.checkpoints.families.family import (
    ConfigFile,
    Family,
    HubClasses,
    HubTensors,
)
from keras_bert.checkpoints.names import Names, head
from keras_bert.config import StaticConfig
from keras_bert.models.static import StaticEncoder

KEYS = {
    "vocabulary_size": "vocab_size",
    "hidden_dim": "hidden_size",
    "max_sequence_length": "max_position_embeddings",
}
# transformers has no such model, and opens nothing of this name.
MODEL_TYPE = "keras_bert_static"


def _read(content: Mapping[str, Any], source: pathlib.Path) -> StaticConfig:
    return settings.read_config(StaticConfig, content, KEYS, source, {})


def _write(config: StaticConfig) -> dict[str, Any]:
    return {
        "model_type": MODEL_TYPE,
        **{theirs: getattr(config, ours) for ours, theirs in KEYS.items()},
    }


def weight_names(config: StaticConfig) -> Names:
    """The one table, and the heads of tasks."""
    table = names.table("embeddings/token", "embedding.weight", "", "vocabulary_size")
    heads = (*head("classifier", "classifier"), *head("span", "qa_outputs"))
    return Names(encoder=(table,), heads=heads)


STATIC = Family(
    name="static table",
    encoder=StaticEncoder,
    model_types=(MODEL_TYPE,),
    class_prefix="Static",
    classes=HubClasses(
        encoder="StaticEmbedding",
        masked_lm="StaticForMaskedLM",
        pretraining=None,
        tasks={"sentence_embedding": "StaticEmbedding"},
    ),
    config=ConfigFile(_read, _write),
    names=weight_names,
    tensors=HubTensors(prefix="", present_name=lambda name: name),
    tokenizer=dataclasses.replace(word_pieces.FILES, write=word_piece_json.write_of_vectors),
)
