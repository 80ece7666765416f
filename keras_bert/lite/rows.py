"""Rows of pieces with special tokens around them, and windows over long texts, in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Row(NamedTuple):
    """What a model reads at a time, without padding: two lists of int of the same length."""

    token_ids: list[int]
    segment_ids: list[int]


class Window(NamedTuple):
    """A row of a text that may have several.

    Args:
        row: Row.
        start: int, the first piece of the text that the row holds.
        length: int, how many pieces of the text it holds.
        offset: int, where in the row they stand.
    """

    row: Row
    start: int
    length: int
    offset: int

    def context(self, piece: int) -> int:
        """How much context a piece of the text has in the row, in hundredths; -1 if it has none."""
        fewer = min(piece - self.start, self.start + self.length - 1 - piece)
        return 100 * fewer + self.length if fewer >= 0 else -1


class Packer:
    """Packs one or two segments into rows, as `keras_bert.Packer` does.

    Args:
        template: mapping of the ids that stand `before`, `between` and `after` segments, and the
            pair of `segment_ids`, as of `keras_bert.text.template`.
        sequence_length: int, how long a row is at most.

    Example:

    >>> from keras_bert.lite.rows import Packer
    >>> bert = {"before": [2], "between": [3], "after": [3], "segment_ids": [0, 1]}
    >>> Packer(bert, 7)([5, 6, 7], [8, 9])
    Row(token_ids=[2, 5, 6, 3, 8, 9, 3], segment_ids=[0, 0, 0, 0, 1, 1, 1])
    """

    def __init__(self, template: Mapping[str, Any], sequence_length: int):
        self._before, self._between, self._after = (
            list(template[name]) for name in ("before", "between", "after")
        )
        self._segments = template["segment_ids"]
        self.sequence_length = sequence_length

    def room(self, num_segments: int = 1) -> int:
        """How many pieces of text fit into a row, those of all its segments together."""
        special = len(self._before) + (num_segments - 1) * len(self._between) + len(self._after)
        return self.sequence_length - special

    def __call__(self, first: Sequence[int], second: Sequence[int] | None = None) -> Row:
        """Packs segments; what is too long is cut, the longer one first."""
        if second is None:
            return self._row(first[: self.room()])
        room, one, other = self.room(2), len(first), len(second)
        lengths = (
            min(one, max(room - other, room - room // 2)),
            min(other, max(room - one, room // 2)),
        )
        return self._row(first[: lengths[0]], second[: lengths[1]])

    def windows(
        self, text: Sequence[int], stride: int, front: Sequence[int] | None = None
    ) -> list[Window]:
        """Rows that begin `stride` pieces after each other; the last one ends where the text does.

        Args:
            text: sequence of int.
            stride: int, from 1 to the pieces that a row has room for.
            front: sequence of int, the first segment of every row, cut where it leaves the text
                no room for `stride` pieces; None has rows of one segment.

        Example:

        >>> from keras_bert.lite.rows import Packer
        >>> bert = {"before": [2], "between": [3], "after": [3], "segment_ids": [0, 1]}
        >>> [window.row.token_ids for window in Packer(bert, 5).windows([5, 6, 7, 5, 6], 2)]
        [[2, 5, 6, 7, 3], [2, 7, 5, 6, 3]]
        """
        room, offset = self.room(1 if front is None else 2), len(self._before)
        if front is not None:
            front = front[: room - stride]
            room -= len(front)
            offset += len(front) + len(self._between)
        found = []
        for start in range(0, 1 + stride * max(0, -(-(len(text) - room) // stride)), stride):
            held = text[start : start + room]
            row = self._row(held) if front is None else self._row(front, held)
            found.append(Window(row, start, len(held), offset))
        return found

    def _row(self, first: Sequence[int], second: Sequence[int] | None = None) -> Row:
        segment, later = self._segments
        ids = [*self._before, *first]
        segments = [segment] * len(ids)
        if second is not None:
            ids += [*self._between, *second]
            segments += [segment] * len(self._between) + [later] * len(second)
        ids += self._after
        return Row(ids, segments + [segment if second is None else later] * len(self._after))


def with_most_context(windows: Sequence[Window], num_pieces: int) -> list[int]:
    """Which window has the most context around each piece of their text; of equals the first one.

    Example:

    >>> from keras_bert.lite.rows import Packer, with_most_context
    >>> bert = {"before": [2], "between": [3], "after": [3], "segment_ids": [0, 1]}
    >>> with_most_context(Packer(bert, 5).windows([5, 6, 7, 5, 6], 2), 5)
    [0, 0, 0, 1, 1]
    """
    numbers = range(len(windows))
    return [max(numbers, key=lambda i: windows[i].context(piece)) for piece in range(num_pieces)]
