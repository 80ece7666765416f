"""Packer: one or two segments to rows of fixed length, with special tokens around them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import tensorflow as tf

from keras_bert.text.subwords import SubwordTokenizer
from keras_bert.text.template import Template

Segment: TypeAlias = tf.RaggedTensor | tf.Tensor | Sequence[str]


class Ranges(NamedTuple):
    """Consecutive parts of one flat array, one a row.

    Args:
        starts: int32 [B], where they start in the array.
        lengths: int32 [B].
    """

    starts: tf.Tensor
    lengths: tf.Tensor


class Packer:
    """Packs one or two segments as a template says, BERT's `[CLS] first [SEP] second [SEP]` say.

    What is too long is cut longest first, from the end, token by token (`_truncate_seq_pair` of
    google-research/bert: of two segments of equal length the second gives way). The result of
    that loop is computed in closed form, for all rows at once.
    https://arxiv.org/abs/1810.04805, section 3

    Args:
        tokenizer: Turns strings into ids.
        sequence_length: Length T of every row; with BERT's template at least 3, or 5 for two
            segments. None pads to the longest row of the batch and cuts nothing.
        template: Template; None: the tokenizer's.

    Raises:
        ValueError: if `sequence_length` leaves no room for a token.

    Example:

    >>> import keras_bert as kb
    >>> vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "fine", "film"]
    >>> packer = kb.Packer(kb.Tokenizer(vocabulary), sequence_length=7)
    >>> row = packer(["a fine film"], ["a film"])
    >>> row["token_ids"].numpy().tolist()
    [[2, 5, 6, 3, 5, 7, 3]]
    >>> row["segment_ids"].numpy().tolist()
    [[0, 0, 0, 0, 1, 1, 1]]
    >>> packer(["a film"])["padding_mask"].numpy().tolist()
    [[1, 1, 1, 1, 0, 0, 0]]
    """

    def __init__(
        self,
        tokenizer: SubwordTokenizer,
        sequence_length: int | None = 128,
        template: Template | None = None,
    ):
        self.tokenizer = tokenizer
        self.sequence_length = sequence_length
        self.template = tokenizer.template if template is None else template
        room = self.room()
        if room is not None and room < 1:
            num_special = self.template.num_special()
            raise ValueError(
                f"sequence_length must be at least {num_special + 1} (a token and {num_special} "
                f"special ones around it) or None, but is {sequence_length}. Use the length the "
                "model is run with, such as 128."
            )

    def __repr__(self) -> str:
        return f"<Packer: rows of {self.sequence_length or 'any length'}, {self.tokenizer!r}>"

    def room(self, num_segments: int = 1) -> int | None:
        """How many tokens of text fit into a row, those of all its segments together.

        Args:
            num_segments: int, 1 or 2.

        Returns:
            int, or None where rows are as long as their texts.

        Example:

        >>> import keras_bert as kb
        >>> tokenizer = kb.Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film"])
        >>> kb.Packer(tokenizer, 128).room(), kb.Packer(tokenizer, 128).room(num_segments=2)
        (126, 125)
        """
        if self.sequence_length is None:
            return None
        return self.sequence_length - self.template.num_special(num_segments)

    def length_of(self, *lengths: int | tf.Tensor) -> int | tf.Tensor:
        """The length of a row of one or two segments of some lengths, if nothing is cut.

        Args:
            lengths: int each, or arrays of any shape.

        Returns:
            The same.

        Example:

        >>> import keras_bert as kb
        >>> tokenizer = kb.Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film"])
        >>> kb.Packer(tokenizer).length_of(5), kb.Packer(tokenizer).length_of(5, 7)
        (7, 15)
        """
        return self.template.length_of(*lengths)

    def __call__(self, first: Segment, second: Segment | None = None) -> dict[str, tf.Tensor]:
        """Packs a batch.

        Args:
            first: Strings [B] or ragged ids [B, (pieces)].
            second: The same for the second segment, or None.

        Returns:
            dict(token_ids, segment_ids, padding_mask), each int32 [B, T].

        Raises:
            ValueError: if a segment is neither strings [B] nor ragged ids, or if a row has no room
                for a token of each of two segments.
        """
        ids = self._ids(first, "first")
        one = _ranges(ids)
        if second is None:
            room = self.room()
            if room is not None:
                one = one._replace(lengths=tf.minimum(one.lengths, room))
            return self.pack_ranges(ids.flat_values, one)
        others = self._ids(second, "second")
        other = _ranges(others)
        lengths, second_lengths = self._truncated(one.lengths, other.lengths)
        return self.pack_ranges(
            tf.concat([ids.flat_values, others.flat_values], axis=0),
            Ranges(one.starts, lengths),
            Ranges(other.starts + tf.size(ids.flat_values), second_lengths),
        )

    def pack_ranges(
        self, ids: tf.Tensor, first: Ranges, second: Ranges | None = None
    ) -> dict[str, tf.Tensor]:
        """Packs ranges of one flat array of ids; the ranges must fit, nothing is cut.

        Args:
            ids: int32 [N].
            first: Each row's first segment in `ids`.
            second: Its second one, or None for rows of one segment.

        Returns:
            dict(token_ids, segment_ids, padding_mask), each int32 [B, T].
        """
        template = self.template
        # The special tokens are appended to the ids, so that one gather fills the rows.
        special = (*template.before, *template.between, *template.after, self.tokenizer.special.pad)
        before = tf.size(ids)
        between = before + len(template.before)
        after = between + len(template.between)
        pad = after + len(template.after)
        parts = [_Part(before, len(template.before)), _Part.of(first)]
        if second is not None:
            parts += [_Part(between, len(template.between)), _Part.of(second)]
        parts.append(_Part(after, len(template.after)))
        ends = list(itertools.accumulate(part.length for part in parts))
        length = ends[-1]  # [B, 1]
        position = tf.range(self._width_of(length))[None, :]  # [1, T]
        held = position < length
        source = tf.where(held, position + _shift(parts, ends, position), pad)
        padding_mask = tf.cast(held, tf.int32)
        segment, later = template.segment_ids
        if second is not None:
            segment = tf.where(position < ends[2], segment, later)
        return {
            "token_ids": tf.gather(tf.concat([ids, special], axis=0), source),
            "segment_ids": segment * padding_mask,
            "padding_mask": padding_mask,
        }

    def join(
        self, rows: dict[str, tf.Tensor], num_sequences: int
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Puts short rows behind each other, one after the other as long as they fit.

        An encoder keeps them apart by `padding_mask`, so that what it says of each is the same as
        before, with less padding to compute (packing without cross-contamination, Krell et al.
        2021, arXiv:2107.02027).

        Args:
            rows: dict(token_ids, segment_ids, padding_mask), int32 [B, T], as made here.
            num_sequences: how many rows K one may hold at most.

        Returns:
            dict(token_ids, segment_ids, padding_mask), int32 [R, T], where the mask numbers the
            rows within each: 1, 2, ...; and int32 [R, K], which rows they were, -1 for none.

        Raises:
            ValueError: if rows have no fixed length, or `num_sequences` is smaller than 1.

        Example:

        >>> import keras_bert as kb
        >>> vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "fine", "film"]
        >>> packer = kb.Packer(kb.Tokenizer(vocabulary), sequence_length=8)
        >>> rows, members = packer.join(packer(["a film", "fine", "a fine film"]), num_sequences=2)
        >>> rows["padding_mask"].numpy().tolist(), members.numpy().tolist()
        ([[1, 1, 1, 1, 2, 2, 2, 0], [1, 1, 1, 1, 1, 0, 0, 0]], [[0, 1], [2, -1]])
        """
        if self.sequence_length is None or num_sequences < 1:
            raise ValueError(
                "Rows are joined up to a sequence_length, at least 1 to each, but the packer's is "
                f"{self.sequence_length} and num_sequences is {num_sequences}. Use a packer with "
                "the length the model is run with, such as 128."
            )
        held = rows["padding_mask"] > 0
        lengths = tf.reduce_sum(tf.cast(held, tf.int32), axis=1)  # [B]
        ends = tf.cumsum(lengths)
        index = tf.range(tf.size(lengths))
        fitting = tf.searchsorted(ends, ends - lengths + self.sequence_length, side="right")
        opens = reachable(tf.minimum(fitting, index + num_sequences), index == 0)
        first = tf.boolean_mask(index, opens)
        sizes = tf.concat([first[1:], tf.shape(index)], axis=0) - first  # [R]
        number = index - tf.repeat(first, sizes) + 1  # [B], of each row within its new one
        values = {
            "token_ids": tf.boolean_mask(rows["token_ids"], held),
            "segment_ids": tf.boolean_mask(rows["segment_ids"], held),
            "padding_mask": tf.repeat(number, lengths),
        }
        padding = {"token_ids": self.tokenizer.special.pad, "segment_ids": 0, "padding_mask": 0}
        joined = tf.reduce_sum(tf.RaggedTensor.from_row_lengths(lengths, sizes), axis=1)  # [R]
        return {
            name: _rectangle(value, joined, self.sequence_length, padding[name])
            for name, value in values.items()
        }, _rectangle(index, sizes, num_sequences, -1)

    def _ids(self, segment: Segment, name: str) -> tf.RaggedTensor:
        if not isinstance(segment, tf.RaggedTensor):
            texts = tf.convert_to_tensor(segment)
            if texts.dtype != tf.string or texts.shape.rank not in (None, 1):
                raise ValueError(
                    f"The {name} segment must be strings [B] or ragged ids [B, (pieces)], but is "
                    f"{texts.dtype.name} {texts.shape}. Pass a batch of strings, or what "
                    "tokenizer.tokenize gives."
                )
            segment = self.tokenizer.tokenize(texts)
        elif segment.shape.rank != 2 or not segment.dtype.is_integer:
            raise ValueError(
                f"The {name} segment must be strings [B] or ragged ids [B, (pieces)], but is "
                f"ragged {segment.dtype.name} {segment.shape}. Merge its inner dimensions first."
            )
        return tf.cast(segment, tf.int32)

    def _truncated(self, first: tf.Tensor, second: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The lengths that `_truncate_seq_pair` leaves: the longer one shrinks to what the other
        leaves free, but once they are equal they take turns, the second one first."""
        room = self.room(num_segments=2)
        if room is None:
            return first, second
        if room < 2:
            raise ValueError(
                f"sequence_length must be at least {self.length_of(1, 1)} for two segments (a "
                "token of each and the special ones around them), but is "
                f"{self.sequence_length}. Use a greater one, or pack one segment."
            )
        return (
            tf.minimum(first, tf.maximum(room - second, room - room // 2)),
            tf.minimum(second, tf.maximum(room - first, room // 2)),
        )

    def _width_of(self, length: tf.Tensor) -> tf.Tensor | int:
        if self.sequence_length is not None:
            return self.sequence_length
        return tf.reduce_max(tf.concat([tf.reshape(length, [-1]), [0]], axis=0))


class _Part(NamedTuple):
    """What stands one behind the other in each row: special tokens, the same in all, or a segment.

    Args:
        start: int32 [], or [B, 1] of a segment, where it starts in the array of ids.
        length: the same, or int.
    """

    start: tf.Tensor
    length: tf.Tensor | int

    @classmethod
    def of(cls, ranges: Ranges) -> _Part:
        return cls(ranges.starts[:, None], ranges.lengths[:, None])


def _shift(parts: Sequence[_Part], ends: Sequence[tf.Tensor], position: tf.Tensor) -> tf.Tensor:
    """How far behind each position of a row the id stands that belongs there, int32 [B, T].

    Args:
        parts: the parts of the rows.
        ends: where they end in the rows, [B, 1] or int each.
        position: int32 [1, T].
    """
    begins = (0, *ends)
    shift = parts[-1].start - begins[len(parts) - 1]
    for part, begin, end in reversed(list(zip(parts, begins, ends, strict=False))[:-1]):
        shift = tf.where(position < end, part.start - begin, shift)
    return shift


def _ranges(ids: tf.RaggedTensor) -> Ranges:
    return Ranges(tf.cast(ids.row_starts(), tf.int32), tf.cast(ids.row_lengths(), tf.int32))


def _rectangle(values: tf.Tensor, lengths: tf.Tensor, width: int, padding: int) -> tf.Tensor:
    """Consecutive parts of [N], of lengths [R], as the rows of [R, width]."""
    parts = tf.RaggedTensor.from_row_lengths(values, lengths)
    return parts.to_tensor(padding, shape=[None, width])


def reachable(following: tf.Tensor, opens: tf.Tensor) -> tf.Tensor:
    """Which indices are reached from those that open a run by going to the following one.

    By pointer doubling: after k rounds, all that are less than 2**k steps away.

    Args:
        following: int32 [S], greater than the index.
        opens: bool [S].

    Returns:
        bool [S].

    Example:

    >>> from keras_bert.text.packing import reachable
    >>> reachable([2, 3, 4, 4], [True, False, False, False]).numpy().tolist()
    [True, False, True, False]
    """
    count = tf.size(following)

    def double(reached: tf.Tensor, jump: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, ...]:
        landed = tf.boolean_mask(jump, reached > 0)
        landed = tf.scatter_nd(landed[:, None], tf.ones_like(landed), [count + 1])
        more = tf.minimum(reached + landed, 1)
        return more, tf.gather(jump, jump), tf.reduce_any(more != reached)

    reached = tf.concat([tf.cast(opens, tf.int32), [0]], axis=0)
    jump = tf.concat([following, [count]], axis=0)
    reached, _, _ = tf.while_loop(
        lambda reached, jump, changed: changed, double, (reached, jump, tf.constant(True))
    )
    return reached[:-1] > 0
