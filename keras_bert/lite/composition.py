"""Unicode's normal form C as tensorflow-text has it, and where in a text its characters were."""

from __future__ import annotations

import bisect
import functools
import itertools
import re
import unicodedata
from collections.abc import Sequence

from keras_bert.lite import characters


def compose(text: str) -> str:
    r"""A text whose characters are composed with their marks.

    Example:

    >>> from keras_bert.lite.composition import compose
    >>> len(compose("e\u0301"))
    1
    """
    if text.isascii() or not _newer().search(text):
        return unicodedata.normalize("NFC", text)
    return "".join(_composed(_in_order("".join(map(_decomposed, text)))))


def original_spans(
    text: str, composed: str, spans: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    r"""The characters of a text that spans of the composed one came from.

    As in Hugging Face's `tokenizers` a character came from the first of those that it was composed
    of, and what a character was taken apart to came from it.

    Args:
        text: str.
        composed: `compose(text)`.
        spans: where they start and end in `composed`; none is empty.

    Example:

    >>> from keras_bert.lite.composition import compose, original_spans
    >>> text = "e\u0301a"
    >>> original_spans(text, compose(text), [(0, 1), (1, 2)])
    [(0, 1), (2, 3)]
    """
    # Where the parts of the original characters begin, and those of the composed ones end.
    lengths = [len(_decomposed(character)) for character in text]
    begins = list(itertools.accumulate(lengths, initial=0))[:-1]
    of, stop = [], 0
    for character in composed:
        first = bisect.bisect_left(begins, stop)
        stop += len(_decomposed(character))
        of.append(first if bisect.bisect_left(begins, stop) > first else first - 1)
    return [(of[start], of[end - 1] + 1) for start, end in spans]


@functools.lru_cache(maxsize=1 << 16)
def _decomposed(character: str) -> str:
    return unicodedata.normalize("NFD", character.translate(characters.DECOMPOSED))


def _in_order(decomposed: str) -> list[str]:
    """The characters, with the marks on each one ordered by their classes."""
    found: list[str] = []
    for _, run in itertools.groupby(decomposed, lambda one: _class_of(one) > 0):
        found += sorted(run, key=_class_of)
    return found


def _composed(ordered: Sequence[str]) -> list[str]:
    """Canonical composition (Unicode 16, D117)."""
    found: list[str] = []
    starter, last = -1, 0
    for character in ordered:
        own = _class_of(character)
        is_next = starter == len(found) - 1
        if starter >= 0 and (is_next or 0 < last < own):
            one = _pair(found[starter] + character)
            if one:
                found[starter] = one
                continue
        if own == 0:
            starter = len(found)
        last = own
        found.append(character)
    return found


@functools.lru_cache(maxsize=1 << 12)
def _pair(characters_: str) -> str | None:
    """What two characters compose to."""
    one = _younger_pairs().get(characters_) or unicodedata.normalize("NFC", characters_)
    return one if len(one) == 1 else None


def _class_of(character: str) -> int:
    return _classes().get(character) or unicodedata.combining(character)


@functools.cache
def _newer() -> re.Pattern[str]:
    """What Python's Unicode may be too old for."""
    younger = {*_classes(), *map(chr, characters.DECOMPOSED), *"".join(_younger_pairs())}
    return re.compile("[" + "".join(f"\\U{ord(one):08X}" for one in sorted(younger)) + "]")


@functools.cache
def _classes() -> dict[str, int]:
    """The combining classes of marks that are younger than version 13."""
    return {
        chr(code): class_
        for class_, ranges in characters.CLASSES.items()
        for first, _, last in (one.partition("-") for one in ranges.split(","))
        for code in range(int(first, 16), int(last or first, 16) + 1)
    }


@functools.cache
def _younger_pairs() -> dict[str, str]:
    """What is composed since version 16, by the two that it is composed of."""
    found: dict[str, str] = {}
    for code, whole in sorted(characters.DECOMPOSED.items(), key=lambda item: len(item[1])):
        found[found.get(whole[:-1], whole[:-1]) + whole[-1]] = chr(code)
    return found
