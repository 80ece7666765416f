"""What the files of tokenizers of all families have in common, and how far rows may go."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from absl import logging

from keras_bert.checkpoints import settings
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.config import EncoderConfig
from keras_bert.text.subwords import SubwordTokenizer

TOKENIZER_FILE = "tokenizer_config.json"
FAST_TOKENIZER_FILE = "tokenizer.json"
ADDED_TOKENS_FILE = "added_tokens.json"
SPECIAL_TOKENS_FILE = "special_tokens_map.json"

# The spare rows of a table that is padded to a multiple of 64; more are worth a warning.
USUAL_UNUSED_ROWS = 63


@dataclasses.dataclass(frozen=True)
class TokenizerFiles:
    """How a directory says the tokenizer of a family.

    Args:
        vocabularies: names of the files that may hold a vocabulary; a directory has one of them.
        read: from the directory, the model's config and the content of config.json to the
            tokenizer; a ValueError where it is none of the family's.
        write: writes the files of a tokenizer for a model of a config into a folder.
        kinds: classes of the tokenizers that `write` has files for.
    """

    vocabularies: tuple[str, ...]
    read: Callable[[Snapshot, EncoderConfig, Mapping[str, Any]], SubwordTokenizer]
    write: Callable[[pathlib.Path, Any, EncoderConfig], None]
    kinds: tuple[type[SubwordTokenizer], ...]

    def check_kind(self, tokenizer: SubwordTokenizer, family: str) -> None:
        """Refuses a tokenizer that the family's checkpoints have no files for.

        Args:
            tokenizer: SubwordTokenizer.
            family: str, what the message calls the model, such as "a BERT".

        Raises:
            ValueError: it is of another kind.
        """
        if not isinstance(tokenizer, self.kinds):
            kinds = " or a ".join(kind.__name__ for kind in self.kinds)
            raise ValueError(
                f"The checkpoint of {family} holds a {kinds}, but the tokenizer is a "
                f"{type(tokenizer).__name__}, which transformers would not open beside it: build "
                "the model for a tokenizer of its family, or another model for this one."
            )


def max_length(snapshot: Snapshot, config: EncoderConfig) -> int:
    """The longest row that tokenizer_config.json, if it is there, and the positions allow."""
    content, path = snapshot.json_if_there(TOKENIZER_FILE), snapshot.path(TOKENIZER_FILE)
    key = "max_len" if "max_len" in content else "model_max_length"  # the former in 2019
    length = settings.number(content, key, None, path)
    if length is not None and length < 1:
        raise ValueError(f"{path}: {key} must be at least 1, not {length!r}: correct it.")
    return min(int(length or config.max_sequence_length), config.max_sequence_length)


def check_size(tokenizer: SubwordTokenizer, config: EncoderConfig, source: object) -> None:
    """Compares a vocabulary with the table of embeddings.

    Raises:
        ValueError: there are more pieces than rows.
    """
    unused = config.vocabulary_size - tokenizer.vocabulary_size
    if unused < 0:
        raise ValueError(
            f"{source}: the vocabulary may have at most the config's vocabulary_size="
            f"{config.vocabulary_size} pieces, but has {tokenizer.vocabulary_size}: take the "
            "vocabulary that belongs to the model, or build the model for this one."
        )
    if unused:
        log = logging.info if unused <= USUAL_UNUSED_ROWS else logging.warning
        log(
            "%s: the vocabulary has %d pieces, the model %d embeddings: the last %d stand for "
            "none, if the vocabulary is the model's.",
            *(source, tokenizer.vocabulary_size, config.vocabulary_size, unused),
        )
