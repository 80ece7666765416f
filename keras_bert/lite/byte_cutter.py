"""Texts cut into byte-level pieces: GPT-2's words, and the merges within each of them."""

from __future__ import annotations

import functools
import heapq
import re
from collections.abc import Mapping, Sequence

from keras_bert.lite import characters

# Of so many words the pieces are kept.
_NUM_KEPT = 1 << 14
# Bytes that Latin-1 prints stand for themselves, the others for what follows U+00FF.
_PRINTED = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_OTHERS = [byte for byte in range(256) if byte not in _PRINTED]
_SPELLED = {byte: 0x100 + place for place, byte in enumerate(_OTHERS)}
SPACE = chr(_SPELLED[ord(" ")])


class ByteCutter:
    """Cuts texts as GPT-2 does: into words, and their bytes into pieces by merges.

    Args:
        merges: sequence of str, two pieces in GPT-2's byte alphabet with a space between, the first
            merged first.

    Example:

    >>> from keras_bert.lite.byte_cutter import ByteCutter
    >>> ByteCutter(["i n", "in e", "Ġ f"]).cut("a fine é")
    ['a', 'Ġf', 'ine', 'Ġ', 'Ã', '©']
    """

    def __init__(self, merges: Sequence[str]):
        self._ranks = dict(zip(merges, range(len(merges)), strict=True))
        self._pieces_of = functools.lru_cache(_NUM_KEPT)(self._merged)

    def cut(self, text: str) -> list[str]:
        """The pieces of a text, each a character of the byte alphabet for every byte."""
        return [piece for word in split_words(text) for piece in self._pieces_of(word)]

    def _merged(self, word: str) -> list[str]:
        return merged(word.encode().decode("latin-1").translate(_SPELLED), self._ranks)


def split_words(text: str) -> list[str]:
    """Splits a text as GPT-2's regular expression does; nothing is lost.

    Example:

    >>> from keras_bert.lite.byte_cutter import split_words
    >>> split_words("It's  5 films!")
    ['It', "'s", ' ', ' 5', ' films', '!']
    """
    return _words(text.isascii()).findall(text)


def merged(word: str, ranks: Mapping[str, int]) -> list[str]:
    """Merges the pair of the lowest rank in a word until there is none, of equals the first one.

    Args:
        word: str.
        ranks: mapping of pairs, with a space between, to their ranks.

    Example:

    >>> from keras_bert.lite.byte_cutter import merged
    >>> merged("aaab", {"a a": 0, "a b": 1})
    ['aa', 'ab']
    """
    parts, number = list(word), len(word)
    # Where the parts before and behind each one begin.
    before, behind = list(range(-1, number - 1)), list(range(1, number + 1))
    heap: list[tuple[int, int]] = []

    def rank_at(i: int) -> int | None:
        return ranks.get(f"{parts[i]} {parts[behind[i]]}") if behind[i] < number else None

    def offer(i: int) -> None:
        rank = rank_at(i)
        if rank is not None:
            heapq.heappush(heap, (rank, i))

    for i in range(number):
        offer(i)
    while heap:
        rank, i = heapq.heappop(heap)
        # Of pairs that are no more one has been merged with its other neighbour.
        if not parts[i] or rank_at(i) != rank:
            continue
        gone = behind[i]
        parts[i], parts[gone], behind[i] = parts[i] + parts[gone], "", behind[gone]
        if behind[i] < number:
            before[behind[i]] = i
        offer(i)
        if before[i] >= 0:
            offer(before[i])
    return [part for part in parts if part]


@functools.cache
def _words(is_ascii: bool) -> re.Pattern[str]:
    # The classes of all characters take long to compile; few texts of ASCII meet another one.
    blanks, letters, numbers = r"\t-\r ", "A-Za-z", "0-9"
    if not is_ascii:
        blanks, letters, numbers = characters.BLANKS, characters.LETTERS, characters.NUMBERS
    return re.compile(
        f"'s|'t|'re|'ve|'m|'ll|'d| ?[{letters}]+| ?[{numbers}]+| ?[^{blanks}{letters}{numbers}]+"
        f"|[{blanks}]+(?![^{blanks}])|[{blanks}]+"
    )
