"""A tokenizer as what `keras_bert.lite` reads of it: settings, and files of pieces and merges."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from keras_bert.lite.byte_pairs import MERGES_FILE
from keras_bert.lite.lite import TOKENIZERS
from keras_bert.lite.subwords import VOCABULARY_FILE
from keras_bert.text.byte_pairs import BytePairTokenizer
from keras_bert.text.subwords import SubwordTokenizer
from keras_bert.text.tokenizer import Tokenizer
from keras_bert.text.vocabulary import SPECIAL_TOKENS


@functools.singledispatch
def described(tokenizer: SubwordTokenizer) -> dict[str, Any]:
    """What `litert.json` says of a tokenizer: its class and its settings, but for its files.

    Args:
        tokenizer: Tokenizer or BytePairTokenizer.

    Raises:
        ValueError: it is another one.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.exporting.lite_tokenizers import described, files_of
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> described(tokenizer)["class"], sorted(files_of(tokenizer))
    ('Tokenizer', ['vocab.txt'])
    """
    raise ValueError(
        f"Outside TensorFlow there are {', '.join(TOKENIZERS)}, but this model has a "
        f"{type(tokenizer).__name__}: export a SavedModel."
    )


@described.register
def _(tokenizer: Tokenizer) -> dict[str, Any]:
    tokens = _added_tokens(tokenizer)
    return {
        "class": Tokenizer.__name__,
        "normalization": dataclasses.asdict(tokenizer.normalization),
        "unmatched": tokenizer.unmatched,
        "added_tokens": [token for token in tokens if token["content"] not in SPECIAL_TOKENS],
    }


@described.register
def _(tokenizer: BytePairTokenizer) -> dict[str, Any]:
    starts = tokenizer.starts_word(tf.range(tokenizer.vocabulary_size)).numpy()
    bits = "".join("0" if one else "1" for one in reversed(starts))
    return {
        "class": BytePairTokenizer.__name__,
        "special_tokens": dataclasses.asdict(tokenizer.special_tokens),
        "added_tokens": _added_tokens(tokenizer),
        "add_prefix_space": tokenizer.add_prefix_space,
        "trim_offsets": tokenizer.trim_offsets,
        "compose": tokenizer.compose,
        "continues": f"{int(bits, 2):x}",
    }


def files_of(tokenizer: SubwordTokenizer) -> Mapping[str, str]:
    """The content of a tokenizer's files by their names: a piece, or a merge, on each line."""
    lines = {VOCABULARY_FILE: tokenizer.vocabulary}
    if isinstance(tokenizer, BytePairTokenizer):
        lines[MERGES_FILE] = tuple(map(" ".join, tokenizer.merges))
    return {name: "\n".join(some) for name, some in lines.items()}


def _added_tokens(tokenizer: Tokenizer | BytePairTokenizer) -> list[dict[str, Any]]:
    ids = {piece: id_ for id_, piece in enumerate(tokenizer.vocabulary)}
    return [
        {**dataclasses.asdict(token), "id": ids[token.content]} for token in tokenizer.added_tokens
    ]
