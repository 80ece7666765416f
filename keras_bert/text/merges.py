"""Byte-pair merges: checked, and the pieces that texts can become by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keras_bert.text.byte_alphabet import BYTES

# The rank of what no merge makes: of a single byte.
_BYTE = -1


def ranks_of(
    ids: Mapping[str, int], merges: Sequence[tuple[str, str]], source: str = "merges", line: int = 1
) -> dict[int, int]:
    """The ids that texts can become, and which merge makes each; -1 of the single bytes.

    Byte-pair encoding merges the pair of the lowest rank first, the leftmost one of equals. A
    piece is made by one merge at most, and comes whole wherever its bytes stand between two pieces:
    of several merges with its spelling only that one counts. A piece with none never occurs.

    Args:
        ids: mapping of pieces in the byte alphabet to their ids.
        merges: pairs of pieces, the first merged first.
        source: what to call the merges in messages, usually their file.
        line: the number of the first one there.

    Raises:
        ValueError: a byte is missing, or a merge is malformed; it names the line.

    Example:

    >>> from keras_bert.text.byte_alphabet import BYTES
    >>> from keras_bert.text.merges import ranks_of
    >>> ids = {piece: id_ for id_, piece in enumerate((*BYTES, "ab", "bc", "abc"))}
    >>> ranks = ranks_of(ids, [("a", "b"), ("b", "c"), ("a", "bc"), ("ab", "c")])
    >>> ranks[ids["abc"]]
    3
    """
    missing = [byte for byte in BYTES if byte not in ids]
    if missing:
        raise ValueError(
            "A byte-level vocabulary must have a piece for every byte; "
            f"{len(missing)} are missing, {missing[0]!r} first. Take one that was learned from "
            "bytes."
        )
    made = _Made(ids)
    for rank, pair in enumerate(merges):
        if fault := made.add(rank, pair):
            raise ValueError(
                "A merge must be two pieces whose spelling together is a piece, each pair once, "
                f"behind those that make its parts; {source}:{line + rank} {fault}. Restore the "
                "file, or take the merges and the vocabulary of one model."
            )
    return made.ranks


class _Made:
    """The pieces that the merges so far make of bytes.

    Args:
        ids: mapping of pieces to their ids.
    """

    def __init__(self, ids: Mapping[str, int]):
        self.ids = ids
        self.ranks = {ids[byte]: _BYTE for byte in BYTES}
        self._parts: dict[int, tuple[int, int]] = {}
        self._pairs: dict[tuple[int, int], int] = {}
        self._unmade: dict[int, int] = {}

    def add(self, rank: int, pair: tuple[str, str]) -> str:
        """Adds a merge, and says what is wrong with it, or ""."""
        left, right = pair
        for piece in (left, right, left + right):
            if piece not in self.ids:
                return f"merges {left!r} and {right!r}, but {piece!r} is not in the vocabulary"
        parts = self.ids[left], self.ids[right]
        if parts in self._pairs:
            return f"merges {left!r} and {right!r} again"
        self._pairs[parts] = rank
        whole = self.ids[left + right]
        if whole in self._unmade:
            return (
                f"merges {left!r} and {right!r} to what the merge {self._unmade[whole] + 1} needs"
            )
        if not all(part in self.ranks for part in parts):
            self._unmade.update({part: rank for part in parts if part not in self.ranks})
        elif whole not in self.ranks and self._stay_apart(*parts, rank):
            self.ranks[whole], self._parts[whole] = rank, parts
        return ""

    def _stay_apart(self, left: int, right: int, rank: int) -> bool:
        """Whether no earlier merge joins what lies on both sides of two pieces' border.

        The merges that made the pieces are taken back, the last one first: at any time, the pair
        at the border must not be merged before one of the two is merged with what is beyond it.
        """
        # Twice the rank of that merge, and 1 more to the right, as of equals the left one is first.
        limit = 2 * rank
        while True:
            if 2 * self._pairs.get((left, right), rank) < limit:
                return False
            last_left, last_right = self.ranks[left], self.ranks[right]
            if max(last_left, last_right) == _BYTE:
                return True
            if last_left > last_right:
                limit, left = 2 * last_left, self._parts[left][1]
            else:
                limit, right = 2 * last_right + 1, self._parts[right][0]
