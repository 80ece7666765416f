"""WordPiece in Python: the ids that `keras_bert.Tokenizer` gives, and where they come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from keras_bert.lite import characters
from keras_bert.lite.normalization import (
    MAX_WORD_CHARACTERS,
    Normalization,
    normalize,
    original_spans,
    words_of,
)

_CONTINUATION = "##"


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


class Tokenizer:
    """Cuts texts into BERT's word pieces.

    Args:
        vocabulary: sequence of str, the pieces in the order of their ids.
        how: Normalization.
        unmatched: the ids of pieces that no text becomes.
        added_tokens: sequence of dict, as `AddedToken` has their fields, with the `id` of each.

    Attributes:
        vocabulary: tuple of str.
        id_of: dict of the pieces' ids.

    Example:

    >>> from keras_bert.lite.tokenizer import Tokenizer
    >>> tokenizer = Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##aff", "!"))
    >>> tokenizer.tokenize("Unaff!"), tokenizer.tokenize("unable")
    ([5, 6, 7], [1])
    """

    mask_token = "[MASK]"

    def __init__(
        self,
        vocabulary: Sequence[str],
        how: Normalization = Normalization(),  # noqa: B008, which nothing changes
        unmatched: Sequence[int] = (),
        added_tokens: Sequence[Mapping[str, Any]] = (),
    ):
        self.vocabulary = tuple(vocabulary)
        never = frozenset(unmatched)
        self._ids = {piece: id_ for id_, piece in enumerate(vocabulary) if id_ not in never}
        self._longest = max(map(len, self._ids), default=0)
        self._how = how
        # Of two equal pieces the later one is the token.
        self.id_of = {piece: id_ for id_, piece in enumerate(vocabulary)}
        self._unknown = self.id_of["[UNK]"]
        self._continues = [
            piece.startswith(_CONTINUATION) and self._ids.get(piece) == id_
            for id_, piece in enumerate(vocabulary)
        ]
        raw = [token for token in added_tokens if not token["normalized"]]
        rest = [token for token in added_tokens if token["normalized"]]
        self._raw = {token["content"]: token["id"] for token in raw}
        self._single = {token["content"] for token in raw if token["single_word"]}
        self._in_texts = _Finder(self._raw, self._single)
        spelled = {normalize(token["content"], how): token for token in rest}
        self._in_normalized = _Finder(
            {spelling: token["id"] for spelling, token in spelled.items()},
            {spelling for spelling, token in spelled.items() if token["single_word"]},
            any_space=True,
            apart=characters.CJK if how.split_cjk else "",
        )

    def tokenize(self, text: str, special_tokens: Sequence[str] = ()) -> list[int]:
        """The ids of a text's pieces.

        Args:
            text: str.
            special_tokens: pieces that stay whole where the text spells them.
        """
        finder = self._in_texts
        if special_tokens:
            own = {token: self.id_of[token] for token in special_tokens}
            finder = _Finder(self._raw | own, self._single)
        return [piece.id for piece in finder.around(_whole(text), self._normalized_pieces)]

    def tokenize_with_offsets(self, text: str) -> list[Piece]:
        """The pieces of a text, with the characters that they come from.

        Example:

        >>> from keras_bert.lite.tokenizer import Tokenizer
        >>> Tokenizer(("[UNK]", "cafe", "!")).tokenize_with_offsets("Cafe\u0301!")
        [Piece(id=1, start=0, end=5), Piece(id=2, start=5, end=6)]
        """
        return self._in_texts.around(_whole(text), self._pieces_with_offsets)

    def starts_word(self, id_: int) -> bool:
        """Whether a piece starts a word: all do but those that begin with "##"."""
        return not self._continues[id_]

    def _pieces_with_offsets(self, text: str) -> list[Piece]:
        found = self._normalized_pieces(text)
        spans = original_spans(text, [(piece.start, piece.end) for piece in found], self._how)
        return [Piece(piece.id, *span) for piece, span in zip(found, spans, strict=True)]

    def _normalized_pieces(self, text: str) -> list[Piece]:
        """The pieces of a text, by the characters of the normalized one."""
        return self._in_normalized.around(normalize(text, self._how), self._cut)

    def _cut(self, normalized: str) -> list[Piece]:
        return [
            piece
            for start, end in words_of(normalized, self._how)
            for piece in self._pieces_of(normalized, start, end)
        ]

    def _pieces_of(self, text: str, start: int, end: int) -> list[Piece]:
        """The longest pieces of one word, from its beginning on; [UNK] where it has no spelling."""
        unknown = [Piece(self._unknown, start, end)]
        if end - start > MAX_WORD_CHARACTERS:
            return unknown
        found, at, before = [], start, ""
        while at < end:
            for to in range(min(end, at + self._longest), at, -1):
                id_ = self._ids.get(before + text[at:to])
                if id_ is not None:
                    found.append(Piece(id_, at, to))
                    at, before = to, _CONTINUATION
                    break
            else:
                return unknown
        return found


class _Finder:
    """Finds added tokens in texts; of two that begin at the same place the longer one.

    Args:
        ids: mapping of the tokens' spellings to their ids.
        single_words: those that count only where no letter, digit or mark stands beside them.
        any_space: bool, whether a space in a spelling is any kind of space in a text.
        apart: characters, as in a regular expression's [], that are words of their own.
    """

    def __init__(
        self,
        ids: Mapping[str, int],
        single_words: set[str],
        any_space: bool = False,
        *,
        apart: str = "",
    ):
        names = sorted(ids, key=lambda name: (-len(name), name))
        self._ids = {_spaced(name): id_ for name, id_ in ids.items()}
        self._single_words = {_spaced(name) for name in single_words}
        either = "|".join(map(re.escape, names))
        if any_space:
            either = either.replace("\\ ", f"[{characters.SPACES}]")
        self._either = re.compile(either) if names else None
        # Within Chinese every character is a word.
        self._word = re.compile(f"(?![{apart}\\0])[{characters.WORD}]")

    def around(self, text: str, cut: Callable[[str], list[Piece]]) -> list[Piece]:
        """What `cut` makes of a text, but for the tokens in it, each of which is one piece."""
        if self._either is None:
            return cut(text)
        found, at = [], 0
        for match in self._either.finditer(text):
            name = _spaced(match[0])
            if name in self._single_words and self._is_within(text, *match.span()):
                continue
            found += _moved(cut(text[at : match.start()]), at)
            found.append(Piece(self._ids[name], *match.span()))
            at = match.end()
        return [*found, *_moved(cut(text[at:]), at)]

    def _is_within(self, text: str, start: int, end: int) -> bool:
        beside = (text[start - 1 : start], text[end : end + 1])
        return any(self._word.match(character) for character in beside)


def _moved(pieces: list[Piece], by: int) -> list[Piece]:
    return [Piece(piece.id, piece.start + by, piece.end + by) for piece in pieces]


def _spaced(name: str) -> str:
    return re.sub(f"[{characters.SPACES}]", " ", name)


def _whole(text: str) -> str:
    """A text without halves of characters, which JSON may hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
