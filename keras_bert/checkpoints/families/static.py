"""Tables of vectors, as this package and sentence-transformers' StaticEmbedding have them."""

from __future__ import annotations

import dataclasses
import json
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
from keras_bert.checkpoints.names import Names, head
from keras_bert.checkpoints.tokenizer_files import FAST_TOKENIZER_FILE
from keras_bert.config import EncoderConfig, StaticConfig
from keras_bert.models.static import StaticEncoder
from keras_bert.text.tokenizer import Tokenizer
from keras_bert.text.vocabulary import CONTINUATION

KEYS = {
    "vocabulary_size": "vocab_size",
    "hidden_dim": "hidden_size",
    "max_sequence_length": "max_position_embeddings",
}
# transformers has no such model, and opens nothing of this name.
MODEL_TYPE = "keras_bert_static"
# Characters of a word, above which tokenizers takes it for unknown: the tokenizer's own limit.
MOST_CHARACTERS = 200


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


def write_tokenizer(folder: pathlib.Path, tokenizer: Tokenizer, config: EncoderConfig) -> None:
    """As `word_pieces.write`, and tokenizer.json, which StaticEmbedding reads.

    Args:
        folder: path of the folder.
        tokenizer: Tokenizer.
        config: EncoderConfig of the model beside it.
    """
    word_pieces.write(folder, tokenizer, config)
    content = fast_tokenizer(tokenizer)
    text = json.dumps(content, ensure_ascii=False) + "\n"
    (folder / FAST_TOKENIZER_FILE).write_text(text, encoding="utf-8")


def fast_tokenizer(tokenizer: Tokenizer) -> dict[str, Any]:
    """The content of tokenizer.json, by which `tokenizers` cuts texts into the same pieces.

    Args:
        tokenizer: Tokenizer.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.checkpoints.families.static import fast_tokenizer
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film"))
    >>> fast_tokenizer(tokenizer)["model"]["vocab"]["film"]
    5
    """
    ids = {piece: id_ for id_, piece in enumerate(tokenizer.vocabulary)}
    added = [
        {"id": ids[token.content], **vars(token)}
        for token in sorted(tokenizer.added_tokens, key=lambda token: ids[token.content])
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": tokenizer.split_cjk,
            "strip_accents": tokenizer.strip_accents,
            "lowercase": tokenizer.lowercase,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "decoder": {"type": "WordPiece", "prefix": CONTINUATION, "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": CONTINUATION,
            "max_input_chars_per_word": MOST_CHARACTERS,
            "vocab": {p: ids[p] for p in tokenizer.vocabulary[: tokenizer.num_word_pieces]},
        },
    }


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
    tokenizer=dataclasses.replace(word_pieces.FILES, write=write_tokenizer),
)
