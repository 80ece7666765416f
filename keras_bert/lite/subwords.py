"""SubwordTokenizer: what a task knows of its tokenizer, and what a tokenizer reads of an export."""

from __future__ import annotations

import abc
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

VOCABULARY_FILE = "vocab.txt"


class Piece(NamedTuple):
    """A piece of a text.

    Args:
        id: int.
        start: int, the character where it begins.
        end: int, the one behind its last.
    """

    id: int
    start: int
    end: int

    def moved(self, by: int) -> Piece:
        """The piece of a text that has so many characters before this one's."""
        return Piece(self.id, self.start + by, self.end + by)


class SubwordTokenizer(abc.ABC):
    """Cuts texts into the pieces that a tokenizer of `keras_bert.text` gives.

    Attributes:
        vocabulary: tuple of str, the pieces in the order of their ids.
        id_of: dict of the pieces' ids.
        mask_token: str, how a text spells a blank.
        unknown: int, the id of what has no spelling.
    """

    vocabulary: tuple[str, ...]
    id_of: Mapping[str, int]
    mask_token: str
    unknown: int

    @classmethod
    @abc.abstractmethod
    def read(cls, directory: pathlib.Path, settings: Mapping[str, Any]) -> SubwordTokenizer:
        """The tokenizer of an export.

        Args:
            directory: path of the export.
            settings: mapping, what its `litert.json` says of the tokenizer.
        """

    @abc.abstractmethod
    def tokenize(self, text: str, special_tokens: Sequence[str] = ()) -> list[int]:
        """The ids of a text's pieces.

        Args:
            text: str.
            special_tokens: pieces that stay whole where the text spells them.
        """

    @abc.abstractmethod
    def tokenize_with_offsets(self, text: str) -> list[Piece]:
        """The pieces of a text, with the characters that they come from."""

    @abc.abstractmethod
    def starts_word(self, id_: int) -> bool:
        """Whether a piece starts a word, and does not go on with one."""


def read_lines(path: pathlib.Path) -> list[str]:
    """The lines of a file as an export has them: nothing but a newline ends one."""
    return path.read_bytes().decode("utf-8").split("\n")


def whole(text: str) -> str:
    r"""A text without halves of characters, which JSON may hold.

    Example:

    >>> from keras_bert.lite.subwords import whole
    >>> whole("a \ud800")
    'a ?'
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
