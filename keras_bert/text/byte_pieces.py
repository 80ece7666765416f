"""What the pieces of a byte-level vocabulary are: ids, special tokens, bytes, first of words."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Mapping, Sequence

from keras_bert.text.byte_alphabet import BYTES, bytes_of
from keras_bert.text.subwords import SpecialIds

# How the first byte of a character of UTF-8 begins that may be an ideograph or kana.
_LEADS_OF_CJK = range(0xE3, 0xEA)
_CJK = ("CJK ", "HIRAGANA", "KATAKANA")


@dataclasses.dataclass(frozen=True)
class SpecialTokens:
    """How the tokens of `SpecialIds` are spelled; the names of RoBERTa's unless said otherwise."""

    pad: str = "<pad>"
    unknown: str = "<unk>"
    begin: str = "<s>"
    separator: str = "</s>"
    end: str = "</s>"
    mask: str = "<mask>"


def ids_of_pieces(vocabulary: Sequence[str]) -> dict[str, int]:
    """The ids of pieces; "" has none.

    Raises:
        ValueError: a piece is there twice.

    Example:

    >>> from keras_bert.text.byte_pieces import ids_of_pieces
    >>> ids_of_pieces(("a", "", "b"))
    {'a': 0, 'b': 2}
    """
    ids: dict[str, int] = {}
    for id_, piece in enumerate(vocabulary):
        if piece and ids.setdefault(piece, id_) != id_:
            raise ValueError(
                f"Each piece of a vocabulary must be there once, but {piece!r} has the ids "
                f"{ids[piece]} and {id_}: take the vocabulary that belongs to the model."
            )
    return ids


def special_ids(special: SpecialTokens, ids: Mapping[str, int]) -> SpecialIds:
    """The ids of special tokens.

    Raises:
        ValueError: the vocabulary lacks one.
    """
    missing = {token for token in dataclasses.astuple(special) if token not in ids}
    if missing:
        raise ValueError(
            f"A vocabulary must have the special tokens {dataclasses.astuple(special)}, but lacks "
            f"{sorted(missing)}: name those that it has, or add them where the model expects them."
        )
    return SpecialIds(**{role: ids[token] for role, token in vars(special).items()})


def content_of(piece: str, is_mark: bool) -> bytes:
    """What a piece stands for in a text: the bytes that it spells, or itself.

    Raises:
        ValueError: it is no mark, and has a character that stands for no byte.

    Example:

    >>> from keras_bert.text.byte_pieces import content_of
    >>> content_of("Ġthe", is_mark=False), content_of("<mask>", is_mark=True)
    (b' the', b'<mask>')
    """
    return piece.encode() if is_mark else bytes_of(piece)


def num_blanks(piece: str) -> tuple[int, int]:
    """How many spaces a piece begins with, and ends with.

    Example:

    >>> from keras_bert.text.byte_pieces import num_blanks
    >>> num_blanks("Ġthe"), num_blanks("ĠĠ")
    ((1, 0), (2, 2))
    """
    text = piece.replace(BYTES[ord(" ")], " ")
    return len(text) - len(text.lstrip()), len(text) - len(text.rstrip())


def starts_word(content: bytes) -> bool:
    """Whether what begins with these bytes is a new word, and none that goes on.

    Letters, digits and marks go on with what stands before them, and so do bytes within a
    character. Spaces and punctuation do not, nor do ideographs and kana, which are written without
    spaces.

    Example:

    >>> from keras_bert.text.byte_pieces import starts_word
    >>> [starts_word(piece.encode()) for piece in (" the", "the", ",", "'s", "5", "\u6f22")]
    [True, False, True, True, False, True]
    """
    if not content or content[0] in range(0x80, 0xC0):
        return False
    text = content.decode("utf-8", "ignore")
    # What is cut within its first character.
    if not text or not content.startswith(text[0].encode()):
        return content[0] in _LEADS_OF_CJK
    name = unicodedata.name(text[0], "")
    return unicodedata.category(text[0])[0] not in "LNM" or name.startswith(_CJK)
