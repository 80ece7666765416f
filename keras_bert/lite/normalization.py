"""Texts as BERT sees them, as `keras_bert.text.normalization` has them, but in Python."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from keras_bert.lite import characters

# A word of more characters is [UNK].
MAX_WORD_CHARACTERS = 200

# The classes of all characters take long to compile, and many texts meet nothing but ASCII.
_CONTROLS = re.compile(f"[{characters.ASCII_CONTROLS}]+")


class Normalization(NamedTuple):
    """What becomes of a text before its words are cut into pieces.

    Args:
        lowercase: whether to lower-case, in no locale.
        strip_accents: whether to decompose (NFD) and drop the nonspacing marks.
        split_cjk: whether every Chinese character is a word.
    """

    lowercase: bool = True
    strip_accents: bool = True
    split_cjk: bool = True


def normalize(text: str, how: Normalization) -> str:
    """Cleans a text as BERT's `BasicTokenizer` does before it splits it into words.

    Example:

    >>> from keras_bert.lite.normalization import Normalization, normalize
    >>> normalize("Cafe\u0301 \u200bNOIR", Normalization())
    'cafe noir'
    """
    if text.isascii():
        text = text if text.isprintable() else _CONTROLS.sub("", text)
        return text.lower() if how.lowercase else text
    text = _dropped(how).sub("", text)
    if how.lowercase:
        text = _lower(text)
    if how.strip_accents:
        text = unicodedata.normalize("NFD", text.translate(characters.DECOMPOSED))
        text = _marks("\ufffd").sub("", text)
    return text


def words_of(normalized: str, how: Normalization) -> list[tuple[int, int]]:
    """Where the words of a normalized text start and end: between spaces, and around punctuation.

    Example:

    >>> from keras_bert.lite.normalization import Normalization, words_of
    >>> words_of("don't", Normalization())
    [(0, 3), (3, 4), (4, 5)]
    """
    is_ascii = normalized.isascii()
    words = _words(is_ascii, how.split_cjk and not is_ascii)
    return [match.span() for match in words.finditer(normalized)]


def original_spans(
    text: str, spans: Sequence[tuple[int, int]], how: Normalization
) -> list[tuple[int, int]]:
    """The characters of a text that spans of the normalized one came from.

    A span ends after the stripped marks that follow its last character.

    Args:
        text: str.
        spans: where they start and end in `normalize(text, how)`; none is empty.
        how: Normalization.

    Example:

    >>> from keras_bert.lite.normalization import Normalization, original_spans
    >>> original_spans("Cafe\u0301!", [(0, 4), (4, 5)], Normalization())
    [(0, 5), (5, 6)]
    """
    # How many characters one becomes does not depend on its neighbours.
    widths = [_width(character, how) for character in text]
    of = list(itertools.chain.from_iterable([i] * width for i, width in enumerate(widths)))
    after, last = list(range(1, len(text) + 1)), -1
    for i, character in enumerate(text):
        if widths[i]:
            last = i
        elif last >= 0 and _marks("").match(character):
            after[last] = i + 1
    return [(of[start], after[of[end - 1]]) for start, end in spans]


def _lower(text: str) -> str:
    parts = _not_lowered().split(text)
    return "".join(part if i % 2 else part.lower() for i, part in enumerate(parts))


@functools.lru_cache(maxsize=1 << 16)
def _width(character: str, how: Normalization) -> int:
    return len(normalize(character, how))


@functools.cache
def _dropped(how: Normalization) -> re.Pattern[str]:
    marks = characters.MARKS if how.strip_accents else ""
    return re.compile(f"[{characters.DROPPED}{marks}]+")


@functools.cache
def _marks(others: str) -> re.Pattern[str]:
    return re.compile(f"[{characters.MARKS}{others}]+")


@functools.cache
def _not_lowered() -> re.Pattern[str]:
    return re.compile(f"([{characters.NOT_LOWERED}]+)")


@functools.cache
def _words(is_ascii: bool, split_cjk: bool) -> re.Pattern[str]:
    alone = characters.ASCII_PUNCTUATION if is_ascii else characters.PUNCTUATION
    if split_cjk:
        alone += characters.NEWER_PUNCTUATION + characters.CJK
    return re.compile(f"[{alone}]|[^{alone}{characters.SPACES}]+")
