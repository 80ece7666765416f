"""Added tokens, found in texts before these are cut: `text/added_tokens.py` in Python."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Mapping

from keras_bert.lite import characters
from keras_bert.lite.subwords import Piece

Cut = Callable[[str], list[Piece]]

_BESIDE = f"[{characters.BLANKS}]"
_AROUND = re.compile(f"^{_BESIDE}+|{_BESIDE}+\\Z")
_SPACE = re.compile(f"[{characters.SPACES}]")


class Finder:
    """Finds added tokens in texts; of two that begin at the same place the longer one.

    Args:
        ids: mapping of the tokens' spellings to their ids.
        single_words: those that count only where no letter, digit or mark stands beside them.
        any_space: bool, whether a space in a spelling is any kind of space in a text.
        apart: characters, as in a regular expression's [], that are words of their own.
        lstrip: those that take the spaces before them.
        rstrip: those that take the spaces after them.

    Example:

    >>> from keras_bert.lite.added_tokens import Finder
    >>> Finder({"<e>": 7}, lstrip=["<e>"]).around("a <e>b", lambda text: [])
    [Piece(id=7, start=1, end=5)]
    """

    def __init__(
        self,
        ids: Mapping[str, int],
        single_words: Collection[str] = (),
        any_space: bool = False,
        *,
        apart: str = "",
        lstrip: Collection[str] = (),
        rstrip: Collection[str] = (),
    ):
        self._ids = {_spaced(name): id_ for name, id_ in ids.items()}
        self._single_words = {_spaced(name) for name in single_words}
        space = f"[{characters.SPACES}]" if any_space else None
        either = pattern_of(ids, beside=_BESIDE, space=space, lstrip=lstrip, rstrip=rstrip)
        self._either = re.compile(either) if either else None
        self._apart = apart

    def around(self, text: str, cut: Cut) -> list[Piece]:
        """What `cut` makes of a text, but for the tokens in it, each of which is one piece."""
        if self._either is None:
            return cut(text)
        found: list[Piece] = []
        at = 0
        for match in self._either.finditer(text):
            name = self._name_of(match[0])
            if name in self._single_words and self._is_within(text, *match.span()):
                continue
            found += (piece.moved(at) for piece in cut(text[at : match.start()]))
            found.append(Piece(self._ids[name], *match.span()))
            at = match.end()
        return [*found, *(piece.moved(at) for piece in cut(text[at:]))]

    def _name_of(self, found: str) -> str:
        name = _spaced(found)
        return name if name in self._ids else _spaced(_AROUND.sub("", found))

    def _is_within(self, text: str, start: int, end: int) -> bool:
        beside = (text[start - 1 : start], text[end : end + 1])
        return any(_word(self._apart).match(character) for character in beside)


def longest_first(names: Collection[str]) -> list[str]:
    """Spellings in the order in which they are looked for.

    Example:

    >>> from keras_bert.lite.added_tokens import longest_first
    >>> longest_first(["<e>", "<e>s", "<d>"])
    ['<e>s', '<d>', '<e>']
    """
    return sorted(names, key=lambda name: (-len(name), name))


def pattern_of(
    names: Collection[str],
    *,
    beside: str,
    space: str | None = None,
    lstrip: Collection[str] = (),
    rstrip: Collection[str] = (),
) -> str:
    """The regular expression by which added tokens are found, in Python or in graph.

    Args:
        names: their spellings; of two that begin at the same place the longer one is found.
        beside: pattern of a space that belongs to a token which takes those beside it.
        space: pattern of what a space in a spelling stands for; None is a space.
        lstrip, rstrip: those that take the spaces before, or after them.

    Example:

    >>> from keras_bert.lite.added_tokens import pattern_of
    >>> pattern_of(["<e>", "<e>s"], beside=r"\\s", rstrip=["<e>"])
    '<e>s|<e>\\\\s*'
    """
    patterns = {
        name: re.escape(name) + (f"{beside}*" if name in rstrip else "")
        for name in longest_first(names)
    }
    # What begins right here comes before what only spaces stand before.
    behind = [f"{beside}+{patterns[name]}" for name in patterns if name in lstrip]
    either = "|".join((*patterns.values(), *behind))
    return either if space is None else either.replace("\\ ", space)


@functools.cache
def _word(apart: str) -> re.Pattern[str]:
    # Within Chinese every character is a word.
    return re.compile(f"(?![{apart}\\0])[{characters.WORD}]")


def _spaced(name: str) -> str:
    return _SPACE.sub(" ", name)
