"""WordPiece in Python: the ids that `keras_bert.Tokenizer` gives, and where they come from."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from keras_bert.lite import characters
from keras_bert.lite.added_tokens import Finder
from keras_bert.lite.normalization import (
    MAX_WORD_CHARACTERS,
    Normalization,
    normalize,
    original_spans,
    words_of,
)
from keras_bert.lite.subwords import VOCABULARY_FILE, Piece, SubwordTokenizer, read_lines, whole

_CONTINUATION = "##"


class Tokenizer(SubwordTokenizer):
    """Cuts texts into BERT's word pieces.

    Args:
        vocabulary: sequence of str, the pieces in the order of their ids.
        how: Normalization.
        unmatched: the ids of pieces that no text becomes.
        added_tokens: sequence of dict, as `AddedToken` has their fields, with the `id` of each.

    Example:

    >>> from keras_bert.lite.tokenizer import Tokenizer
    >>> tokenizer = Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##aff", "!"))
    >>> tokenizer.tokenize("Unaff!"), tokenizer.tokenize("unable")
    ([5, 6, 7], [1])
    >>> tokenizer.tokenize_with_offsets("Una\u0301ff!")[1]
    Piece(id=6, start=2, end=6)
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
        # Of two equal pieces the later one is the token.
        self.id_of = dict(zip(self.vocabulary, range(len(self.vocabulary)), strict=True))
        self.unknown = self.id_of["[UNK]"]
        self._ids = self.id_of
        if unmatched:
            never = frozenset(unmatched)
            self._ids = {p: id_ for id_, p in enumerate(self.vocabulary) if id_ not in never}
        self._longest = max(map(len, self.vocabulary), default=0)
        self._how = how
        raw = [token for token in added_tokens if not token["normalized"]]
        rest = [token for token in added_tokens if token["normalized"]]
        self._raw = {token["content"]: token["id"] for token in raw}
        self._single = {token["content"] for token in raw if token["single_word"]}
        self._in_texts = Finder(self._raw, self._single)
        spelled = {normalize(token["content"], how): token for token in rest}
        self._in_normalized = Finder(
            {spelling: token["id"] for spelling, token in spelled.items()},
            {spelling for spelling, token in spelled.items() if token["single_word"]},
            any_space=True,
            apart=characters.CJK if how.split_cjk else "",
        )

    @classmethod
    def read(cls, directory: pathlib.Path, settings: Mapping[str, Any]) -> Tokenizer:
        how = Normalization(**settings["normalization"])
        vocabulary = read_lines(directory / VOCABULARY_FILE)
        return cls(vocabulary, how, settings["unmatched"], settings["added_tokens"])

    def tokenize(self, text: str, special_tokens: Sequence[str] = ()) -> list[int]:
        finder = self._in_texts
        if special_tokens:
            own = {token: self.id_of[token] for token in special_tokens}
            finder = Finder(self._raw | own, self._single)
        return [piece.id for piece in finder.around(whole(text), self._normalized_pieces)]

    def tokenize_with_offsets(self, text: str) -> list[Piece]:
        return self._in_texts.around(whole(text), self._pieces_with_offsets)

    def starts_word(self, id_: int) -> bool:
        """Whether a piece starts a word: all do but those that begin with "##"."""
        piece = self.vocabulary[id_]
        return not (piece.startswith(_CONTINUATION) and self._ids.get(piece) == id_)

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
        unknown = [Piece(self.unknown, start, end)]
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
