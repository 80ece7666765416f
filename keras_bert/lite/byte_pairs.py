"""BytePairTokenizer: the ids and offsets of `keras_bert.BytePairTokenizer`, in Python."""

from __future__ import annotations

import itertools
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from keras_bert.lite import characters
from keras_bert.lite.added_tokens import Finder
from keras_bert.lite.byte_cutter import SPACE, ByteCutter
from keras_bert.lite.composition import compose, original_spans
from keras_bert.lite.subwords import VOCABULARY_FILE, Piece, SubwordTokenizer, read_lines, whole

MERGES_FILE = "merges.txt"

_FLAGS = ("single_word", "lstrip", "rstrip")
_LEADING, _TRAILING = (
    re.compile(spaces.format(f"[{characters.BLANKS}]+")) for spaces in ("^{}", r"{}\Z")
)


class BytePairTokenizer(SubwordTokenizer):
    """Cuts texts into byte-level pieces, those of RoBERTa and ModernBERT.

    Args:
        vocabulary: sequence of str, the pieces in GPT-2's byte alphabet, in the order of their ids,
            and the special and added tokens as they are spelled.
        merges: sequence of str, two pieces with a space between, the first merged first.
        special_tokens: mapping of roles to tokens, "mask" and "unknown" among them.
        added_tokens: sequence of dict, as `AddedToken` has their fields, with the `id` of each, the
            special ones among them.
        add_prefix_space: bool, as of `keras_bert.BytePairTokenizer`.
        trim_offsets: bool, the same.
        compose: bool, the same.
        continues: str, a hexadecimal number with a bit for each piece that goes on with a word, the
            lowest one of the id 0.

    Example:

    >>> from keras_bert.lite.byte_pairs import BytePairTokenizer
    >>> pieces = ("<unk>", "<mask>", "a", "f", "i", "n", "Ġ", "Ġf", "in")
    >>> special = {"unknown": "<unk>", "mask": "<mask>"}
    >>> tokenizer = BytePairTokenizer(pieces, ["Ġ f", "i n"], special)
    >>> tokenizer.tokenize("a fin")
    [2, 7, 8]
    >>> tokenizer.tokenize_with_offsets("a fin")[1]
    Piece(id=7, start=2, end=3)
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        merges: Sequence[str],
        special_tokens: Mapping[str, str],
        added_tokens: Sequence[Mapping[str, Any]] = (),
        *,
        add_prefix_space: bool = False,
        trim_offsets: bool = True,
        compose: bool = False,
        continues: str = "0",
    ):
        self.vocabulary = tuple(vocabulary)
        self.id_of = dict(zip(self.vocabulary, range(len(self.vocabulary)), strict=True))
        self.mask_token = special_tokens["mask"]
        self.unknown = self.id_of[special_tokens["unknown"]]
        self._cutter = ByteCutter(merges)
        self._has_prefix = add_prefix_space
        self._is_trimmed = trim_offsets
        self._is_composed = compose
        self._continues = int(continues, 16)
        self._known = {token["content"]: token for token in added_tokens}
        self._marks = {token["id"] for token in added_tokens}
        special = {*special_tokens.values()}
        rest = [token for token in added_tokens if token["content"] not in special]
        self._raw = {token["content"]: token for token in rest if not token["normalized"]}
        self._in_texts = _finder(self._raw)
        self._in_composed = _finder(
            {self._normal(token["content"]): token for token in rest if token["normalized"]}
        )

    @classmethod
    def read(cls, directory: pathlib.Path, settings: Mapping[str, Any]) -> BytePairTokenizer:
        vocabulary, merges = (read_lines(directory / n) for n in (VOCABULARY_FILE, MERGES_FILE))
        return cls(vocabulary, merges, **settings)

    def tokenize(self, text: str, special_tokens: Sequence[str] = ()) -> list[int]:
        found = self._with_special(special_tokens).around(whole(text), self._pieces)
        return [piece.id for piece in found]

    def tokenize_with_offsets(self, text: str, special_tokens: Sequence[str] = ()) -> list[Piece]:
        text = whole(text)
        found = self._with_special(special_tokens).around(text, self._original_pieces)
        return self._trimmed(text, found) if self._is_trimmed else found

    def starts_word(self, id_: int) -> bool:
        return not self._continues >> id_ & 1

    def _normal(self, text: str) -> str:
        return compose(text) if self._is_composed else text

    def _with_special(self, special_tokens: Sequence[str]) -> Finder:
        """What finds special tokens besides the added ones."""
        if not special_tokens:
            return self._in_texts
        asked = {
            token: self._known.get(token, {"id": self.id_of[token]}) for token in special_tokens
        }
        return _finder({**self._raw, **asked})

    def _original_pieces(self, text: str) -> list[Piece]:
        """Pieces by the characters of a text, which are others than those of the composed one."""
        found, composed = self._pieces(text), self._normal(text)
        if composed == text:
            return found
        spans = original_spans(text, composed, [(piece.start, piece.end) for piece in found])
        return [Piece(piece.id, *span) for piece, span in zip(found, spans, strict=True)]

    def _pieces(self, text: str) -> list[Piece]:
        """Pieces by the characters of the composed text."""
        return self._in_composed.around(self._normal(text), self._cut)

    def _cut(self, text: str) -> list[Piece]:
        put = int(self._has_prefix and bool(text) and text[0] != " ")
        prefixed = " " * put + text
        of = _characters_of(prefixed)
        found, at = [], 0
        for piece in self._cutter.cut(prefixed):
            end = at + len(piece)
            # The space that was put there came from the first character of the text.
            start, stop = max(of[at] - put, 0), max(of[end - 1] + 1 - put, 1)
            found.append(Piece(self.id_of[piece], start, stop))
            at = end
        return found

    def _trimmed(self, text: str, pieces: Sequence[Piece]) -> list[Piece]:
        """Pieces without the spaces that they begin and end with, as `tokenizers` trims them."""
        found = []
        for place, piece in enumerate(pieces):
            before, behind = self._num_blanks(text, piece)
            # One space at the beginning is taken for the one that was put there.
            if self._has_prefix and before == 1 and (place == 0 or piece.start == 0):
                before = 0
            start, end = min(piece.start + before, piece.end), piece.end
            if end >= behind:
                end = max(end - behind, start)
            found.append(Piece(piece.id, start, end))
        return found

    def _num_blanks(self, text: str, piece: Piece) -> tuple[int, int]:
        """How many spaces a piece begins with, and ends with."""
        if piece.id in self._marks:
            spelled = text[piece.start : piece.end]
            rest = [end.sub("", spelled) for end in (_LEADING, _TRAILING)]
        else:
            spelled = self.vocabulary[piece.id]
            rest = [spelled.lstrip(SPACE), spelled.rstrip(SPACE)]
        return len(spelled) - len(rest[0]), len(spelled) - len(rest[1])


def _characters_of(text: str) -> Sequence[int]:
    """The character that each byte of a text belongs to."""
    if text.isascii():
        return range(len(text))
    sizes = (len(character.encode()) for character in text)
    return [*itertools.chain.from_iterable([i] * size for i, size in enumerate(sizes))]


def _finder(tokens: Mapping[str, Mapping[str, Any]]) -> Finder:
    """Finds tokens by their spellings, as their flags say."""
    ids = {spelling: token["id"] for spelling, token in tokens.items()}
    single, left, right = (
        [spelling for spelling, token in tokens.items() if token.get(flag)] for flag in _FLAGS
    )
    return Finder(ids, single, lstrip=left, rstrip=right)
