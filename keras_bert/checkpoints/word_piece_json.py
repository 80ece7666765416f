"""tokenizer.json of word pieces, where a family's models are opened by it and not by vocab.txt."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from keras_bert.checkpoints import word_pieces
from keras_bert.checkpoints.tokenizer_files import FAST_TOKENIZER_FILE
from keras_bert.config import EncoderConfig
from keras_bert.text.tokenizer import Tokenizer
from keras_bert.text.vocabulary import CONTINUATION

# Characters of a word, above which tokenizers takes it for unknown: the tokenizer's own limit.
MOST_CHARACTERS = 200


def write_of_vectors(folder: pathlib.Path, tokenizer: Tokenizer, config: EncoderConfig) -> None:
    """As `word_pieces.write`, and tokenizer.json, which cuts texts and puts nothing around them.

    Args:
        folder: path of the folder.
        tokenizer: Tokenizer.
        config: EncoderConfig of the model beside it.
    """
    word_pieces.write(folder, tokenizer, config)
    _write_json(folder, content_of(tokenizer))


def write_of_rows(folder: pathlib.Path, tokenizer: Tokenizer, config: EncoderConfig) -> None:
    """As `word_pieces.write`, for a family whose tokenizers transformers makes of tokenizer.json.

    Args:
        folder: path of the folder.
        tokenizer: Tokenizer.
        config: EncoderConfig of the model beside it.
    """
    word_pieces.write(folder, tokenizer, config, as_class=word_pieces.GENERIC_CLASSES[0])
    begin, end = ({"SpecialToken": {"id": token, "type_id": 0}} for token in ("[CLS]", "[SEP]"))
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    content = content_of(tokenizer)
    ids = content["model"]["vocab"]
    rows = {
        "type": "TemplateProcessing",
        "single": [begin, first, end],
        "pair": [begin, first, end, second, end],
        "special_tokens": {
            token: {"id": token, "ids": [ids[token]], "tokens": [token]}
            for token in ("[CLS]", "[SEP]")
        },
    }
    _write_json(folder, {**content, "post_processor": rows})


def content_of(tokenizer: Tokenizer) -> dict[str, Any]:
    """The content of tokenizer.json, by which `tokenizers` cuts texts into the same pieces.

    Args:
        tokenizer: Tokenizer.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.checkpoints.word_piece_json import content_of
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film"))
    >>> content_of(tokenizer)["model"]["vocab"]["film"]
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


def _write_json(folder: pathlib.Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, ensure_ascii=False) + "\n"
    (folder / FAST_TOKENIZER_FILE).write_text(text, encoding="utf-8")
