"""RoBERTa's checkpoints, and XLM-RoBERTa's: Liu et al. 2019, as transformers writes them."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from keras_bert.checkpoints import names
from keras_bert.checkpoints.byte_pair_files import ROBERTA_TOKENIZER
from keras_bert.checkpoints.families.family import (
    ConfigFile,
    Family,
    HubClasses,
    HubTensors,
)
from keras_bert.checkpoints.families.hub_config import CONFIG_KEYS, ConfigKeys, check_plain
from keras_bert.checkpoints.names import Names, WeightName, dense, head, norm
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.config import EncoderConfig, RobertaConfig
from keras_bert.models.roberta import RobertaEncoder
from keras_bert.text.subwords import SubwordTokenizer

POSITIONS_KEY, PADDING_KEY = "max_position_embeddings", "pad_token_id"
KEYS = ConfigKeys(
    "RoBERTa",
    RobertaConfig,
    # The file counts the rows of the table of positions.
    {**CONFIG_KEYS, "max_sequence_length": POSITIONS_KEY, "padding_id": PADDING_KEY},
    model_type="roberta",
    needed=("vocab_size", "hidden_size", POSITIONS_KEY),
)


def _read(content: Mapping[str, Any], source: pathlib.Path) -> RobertaConfig:
    check_plain(content, source, "RoBERTa")
    config = KEYS.read(content, source, {})
    num_positions = config.max_sequence_length - config.first_position
    if num_positions < 1:
        raise ValueError(
            f"{source}: {POSITIONS_KEY} must be more than {PADDING_KEY} + 1, the rows before the "
            f"first position, but is {config.max_sequence_length}: correct the config."
        )
    return dataclasses.replace(config, max_sequence_length=num_positions)


def _write(config: RobertaConfig) -> dict[str, Any]:
    return {
        **KEYS.write(config),
        POSITIONS_KEY: config.num_position_rows,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "tie_word_embeddings": True,
    }


def weight_names(config: RobertaConfig) -> Names:
    """The weights of RoBERTa's encoder, of its pooler, and of the heads on them."""
    hub = "roberta.embeddings"
    tables = {
        "token": ("word_embeddings", "vocabulary_size"),
        "position": ("position_embeddings", "num_position_rows"),
        "segment": ("token_type_embeddings", "num_segments"),
    }
    return Names(
        encoder=(
            *(
                names.table(f"embeddings/{ours}", f"{hub}.{theirs}.weight", "", rows)
                for ours, (theirs, rows) in tables.items()
            ),
            *norm("embeddings/norm", f"{hub}.LayerNorm"),
            *(
                name
                for i in range(config.num_layers)
                for name in names.block(config, i, f"roberta.encoder.layer.{i}")
            ),
        ),
        pooler=dense("pooler/dense", "roberta.pooler.dense"),
        heads=(
            *dense("masked_lm/dense", "lm_head.dense"),
            *norm("masked_lm/norm", "lm_head.layer_norm"),
            WeightName("masked_lm/bias", "lm_head.bias", shape=("vocabulary_size",)),
            *head("classifier", "classifier"),
            *head("span", "qa_outputs"),
        ),
        tasks={
            "text_classification": (
                *dense("pooler/dense", "classifier.dense"),
                *head("classifier", "classifier.out_proj"),
            ),
        },
    )


def _write_tokenizer(
    folder: pathlib.Path, tokenizer: SubwordTokenizer, config: EncoderConfig
) -> None:
    # transformers counts positions from the first id that is not this one.
    padding_id = getattr(config, "padding_id", None)
    if tokenizer.special.pad != padding_id:
        raise ValueError(
            f"The tokenizer's padding must have the config's padding_id, {padding_id}, but has "
            f"{tokenizer.special.pad}: take the tokenizer of the model, or make the model for it."
        )
    ROBERTA_TOKENIZER.write(folder, tokenizer, config)


ROBERTA = Family(
    name="RoBERTa",
    encoder=RobertaEncoder,
    model_types=KEYS.model_types,
    class_prefix="Roberta",
    classes=HubClasses.of("Roberta"),
    config=ConfigFile(_read, _write),
    names=weight_names,
    tensors=HubTensors(
        prefix="roberta.",
        present_name=names.present_name("roberta.", ("embeddings.", "encoder.", "pooler.")),
        copies={
            "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
            "lm_head.decoder.bias": "lm_head.bias",
        },
        counters=("roberta.embeddings.position_ids",),
    ),
    tokenizer=dataclasses.replace(ROBERTA_TOKENIZER, write=_write_tokenizer),
)


SENTENCE_PIECE_FILE = "sentencepiece.bpe.model"


def _read_tokenizer(
    snapshot: Snapshot, config: EncoderConfig, content: Mapping[str, Any]
) -> SubwordTokenizer:
    if not any(map(snapshot.has, ROBERTA_TOKENIZER.vocabularies[:1])):
        raise ValueError(
            f"{snapshot.directory} has the tokenizer of an XLM-RoBERTa, a unigram model of "
            "SentencePiece, which is not supported: its weights open with a byte-level BPE "
            f"vocabulary beside them ({ROBERTA_TOKENIZER.vocabularies[0]}), which they must have "
            "been trained with."
        )
    return ROBERTA_TOKENIZER.read(snapshot, config, content)


# The body is RoBERTa's, and what is saved is one.
XLM_ROBERTA = dataclasses.replace(
    ROBERTA,
    name="XLM-RoBERTa",
    model_types=("xlm-roberta",),
    class_prefix="XLMRoberta",
    classes=HubClasses.of("XLMRoberta"),
    tokenizer=dataclasses.replace(
        ROBERTA.tokenizer,
        vocabularies=(*ROBERTA_TOKENIZER.vocabularies, SENTENCE_PIECE_FILE),
        read=_read_tokenizer,
    ),
)
