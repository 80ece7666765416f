"""A checkpoint with new weights: of which family and size, and with which kind of pieces."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from keras_bert.checkpoints.directory import Checkpoint
from keras_bert.config import (
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    EncoderConfig,
    ModernBertConfig,
    RobertaConfig,
)
from keras_bert.models.bert import BertEncoder
from keras_bert.models.distilbert import DistilBertEncoder
from keras_bert.models.electra import ElectraEncoder
from keras_bert.models.encoder import Encoder
from keras_bert.models.modernbert import ModernBertEncoder
from keras_bert.models.roberta import RobertaEncoder
from keras_bert.text.byte_pairs import BytePairTokenizer
from keras_bert.text.subwords import SubwordTokenizer

# The families of new models, by what stands before the size in a preset.
FAMILIES: Mapping[str, tuple[type[EncoderConfig], type[Encoder]]] = {
    "": (BertConfig, BertEncoder),
    "distilbert": (DistilBertConfig, DistilBertEncoder),
    "electra": (ElectraConfig, ElectraEncoder),
    "roberta": (RobertaConfig, RobertaEncoder),
    "modernbert": (ModernBertConfig, ModernBertEncoder),
}
# Those whose pieces may be bytes, and must be.
MAY_BE_BYTES, MUST_BE_BYTES = ("roberta_", "modernbert_"), ("roberta_",)


def preset_of(name: str) -> EncoderConfig:
    """The config of a family and a size: "roberta_base", or "base", that of BERT.

    Raises:
        ValueError: there is no such family, or no such size.

    Example:

    >>> from keras_bert.checkpoints.fresh import preset_of
    >>> preset_of("roberta_base").num_layers, type(preset_of("tiny")).__name__
    (12, 'BertConfig')
    """
    config, _ = _family_of(name)
    return config.preset(name.rpartition("_")[2])


def fresh(
    tokenizer: SubwordTokenizer,
    preset: str | None = None,
    changes: Mapping[str, Any] | None = None,
    dropout: float | None = None,
) -> Checkpoint:
    """A checkpoint with fresh weights.

    Args:
        tokenizer: SubwordTokenizer.
        preset: str, family and size as of `preset_of`; None is base of BERT, or for byte pairs of
            RoBERTa.
        changes: mapping of the fields of the config that are others.
        dropout: float, of hidden states and attention; None has the preset's.

    Raises:
        ValueError: there is no such preset, or the family has no such tokenizer, or no such field.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.checkpoints.fresh import fresh
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> fresh(tokenizer, "tiny", {"norm_first": True}).config.vocabulary_size
    7
    """
    has_bytes = isinstance(tokenizer, BytePairTokenizer)
    preset = preset or ("roberta_base" if has_bytes else "base")
    config = preset_of(preset).with_dropout(dropout)
    if not preset.startswith(MAY_BE_BYTES) if has_bytes else preset.startswith(MUST_BE_BYTES):
        kinds = ("word pieces", "byte pairs")
        raise ValueError(
            f"The vocabulary of {preset} must be of {kinds[not has_bytes]}, but is of "
            f"{kinds[has_bytes]}: choose another preset, or learn-vocabulary with another --kind."
        )
    fields = {**(changes or {}), "vocabulary_size": tokenizer.vocabulary_size}
    for name in fields:
        if not hasattr(config, name):
            raise ValueError(f"{name} is of BERT alone, {preset} has none: leave it out.")
    if hasattr(config, "padding_id"):
        fields["padding_id"] = tokenizer.special.pad
    config = dataclasses.replace(config, **fields)
    _, encoder = _family_of(preset)
    return Checkpoint(config, tokenizer, encoder(config), None)


def _family_of(preset: str) -> tuple[type[EncoderConfig], type[Encoder]]:
    family = preset.rpartition("_")[0]
    if family not in FAMILIES:
        others = ", ".join(filter(None, FAMILIES))
        raise ValueError(
            f"A preset is a size of BERT, such as 'tiny', or one of {others} and a size, "
            f"such as 'roberta_tiny', not {preset!r}."
        )
    return FAMILIES[family]
