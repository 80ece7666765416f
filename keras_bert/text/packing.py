"""Packer: one or two segments to rows of fixed length, [CLS] a [SEP] b [SEP]."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from keras_bert.text.tokenizer import Tokenizer

Segment = tf.RaggedTensor | tf.Tensor | Sequence[str]


class Packer:
    """Packs segments as BERT does: `[CLS] first [SEP]` or `[CLS] first [SEP] second [SEP]`.

    What is too long is cut longest first, from the end, token by token (`_truncate_seq_pair` of
    google-research/bert: of two segments of equal length the second gives way). The result of
    that loop is computed in closed form, for all rows at once.
    https://arxiv.org/abs/1810.04805, section 3

    Args:
        tokenizer: Turns strings into ids and knows the ids of the special tokens.
        sequence_length: Length T of every row, at least 3, or 5 for two segments.
            None pads to the longest row of the batch and cuts nothing.

    Raises:
        ValueError: if `sequence_length` is smaller than 3.

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

    def __init__(self, tokenizer: Tokenizer, sequence_length: int | None = 128):
        if sequence_length is not None and sequence_length < 3:
            raise ValueError(
                "sequence_length must be at least 3 ([CLS], a token, [SEP]) or None, but is "
                f"{sequence_length}. Use the length the model is run with, such as 128."
            )
        self.tokenizer = tokenizer
        self.sequence_length = sequence_length

    def __call__(self, first: Segment, second: Segment | None = None) -> dict[str, tf.Tensor]:
        """Packs a batch.

        Args:
            first: Strings [B] or ragged ids [B, (pieces)].
            second: The same for the second segment, or None.

        Returns:
            dict(token_ids, segment_ids, padding_mask), each int32 [B, T].

        Raises:
            ValueError: if a segment is neither strings [B] nor ragged ids, or if two segments
                are to fit into a `sequence_length` smaller than 5.
        """
        first = self._ids(first, "first")
        starts, lengths = _ranges(first)
        if second is None:
            if self.sequence_length is not None:
                lengths = tf.minimum(lengths, self.sequence_length - 2)
            return self.pack_ranges(first.flat_values, starts, lengths)
        second = self._ids(second, "second")
        second_starts, second_lengths = _ranges(second)
        lengths, second_lengths = self._truncated(lengths, second_lengths)
        ids = tf.concat([first.flat_values, second.flat_values], axis=0)
        second_starts += tf.size(first.flat_values)
        return self.pack_ranges(ids, starts, lengths, second_starts, second_lengths)

    def pack_ranges(
        self,
        ids: tf.Tensor,
        starts: tf.Tensor,
        lengths: tf.Tensor,
        second_starts: tf.Tensor | None = None,
        second_lengths: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Packs ranges of one flat array of ids; the ranges must fit, nothing is cut.

        Args:
            ids: int32 [N].
            starts: int32 [B], where each row's first segment starts in `ids`.
            lengths: int32 [B].
            second_starts: int32 [B], or None for rows of one segment.
            second_lengths: int32 [B], or None.

        Returns:
            dict(token_ids, segment_ids, padding_mask), each int32 [B, T].
        """
        tokenizer = self.tokenizer
        # The special tokens are appended to the ids, so that one gather fills the rows.
        size = tf.size(ids)
        cls, sep, pad = size, size + 1, size + 2
        ids = tf.concat([ids, [tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id]], axis=0)
        first_sep = lengths[:, None] + 1  # [B, 1]
        last = first_sep if second_starts is None else first_sep + second_lengths[:, None] + 1
        position = tf.range(self._length_of(last))[None, :]  # [1, T]
        source = tf.where(position < first_sep, starts[:, None] + position - 1, sep)
        if second_starts is not None:
            second_source = second_starts[:, None] + position - first_sep - 1
            within = (position > first_sep) & (position < last)
            source = tf.where(within, second_source, source)
        source = tf.where(position > last, pad, source)
        source = tf.where(position == 0, cls, source)
        padding_mask = tf.cast(position <= last, tf.int32)
        return {
            "token_ids": tf.gather(ids, source),
            "segment_ids": tf.cast(position > first_sep, tf.int32) * padding_mask,
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
        opens = orbit(tf.minimum(fitting, index + num_sequences), index == 0)
        first = tf.boolean_mask(index, opens)
        sizes = tf.concat([first[1:], tf.shape(index)], axis=0) - first  # [R]
        number = index - tf.repeat(first, sizes) + 1  # [B], of each row within its new one
        values = {
            "token_ids": tf.boolean_mask(rows["token_ids"], held),
            "segment_ids": tf.boolean_mask(rows["segment_ids"], held),
            "padding_mask": tf.repeat(number, lengths),
        }
        padding = {"token_ids": self.tokenizer.pad_id, "segment_ids": 0, "padding_mask": 0}
        joined = tf.reduce_sum(tf.RaggedTensor.from_row_lengths(lengths, sizes), axis=1)  # [R]
        return {
            name: _rectangle(value, joined, self.sequence_length, padding[name])
            for name, value in values.items()
        }, _rectangle(index, sizes, num_sequences, -1)

    def _ids(self, segment: Segment, name: str) -> tf.RaggedTensor:
        if not isinstance(segment, tf.RaggedTensor):
            segment = tf.convert_to_tensor(segment)
            if segment.dtype != tf.string or segment.shape.rank not in (None, 1):
                raise ValueError(
                    f"The {name} segment must be strings [B] or ragged ids [B, (pieces)], but is "
                    f"{segment.dtype.name} {segment.shape}. Pass a batch of strings, or what "
                    "tokenizer.tokenize gives."
                )
            segment = self.tokenizer.tokenize(segment)
        elif segment.shape.rank != 2 or not segment.dtype.is_integer:
            raise ValueError(
                f"The {name} segment must be strings [B] or ragged ids [B, (pieces)], but is "
                f"ragged {segment.dtype.name} {segment.shape}. Merge its inner dimensions first."
            )
        return tf.cast(segment, tf.int32)

    def _truncated(self, first: tf.Tensor, second: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The lengths that `_truncate_seq_pair` leaves: the longer one shrinks to what the other
        leaves free, but once they are equal they take turns, the second one first."""
        if self.sequence_length is None:
            return first, second
        if self.sequence_length < 5:
            raise ValueError(
                "sequence_length must be at least 5 for two segments ([CLS] a [SEP] b [SEP]), but "
                f"is {self.sequence_length}. Use a greater one, or pack one segment."
            )
        room = self.sequence_length - 3
        return (
            tf.minimum(first, tf.maximum(room - second, room - room // 2)),
            tf.minimum(second, tf.maximum(room - first, room // 2)),
        )

    def _length_of(self, last: tf.Tensor) -> tf.Tensor | int:
        if self.sequence_length is not None:
            return self.sequence_length
        return tf.reduce_max(tf.concat([tf.reshape(last, [-1]), [-1]], axis=0)) + 1


def _ranges(ids: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.cast(ids.row_starts(), tf.int32), tf.cast(ids.row_lengths(), tf.int32)


def _rectangle(values: tf.Tensor, lengths: tf.Tensor, width: int, padding: int) -> tf.Tensor:
    """Consecutive parts of [N], of lengths [R], as the rows of [R, width]."""
    parts = tf.RaggedTensor.from_row_lengths(values, lengths)
    return parts.to_tensor(padding, shape=[None, width])


def orbit(following: tf.Tensor, opens: tf.Tensor) -> tf.Tensor:
    """Which places are reached from those that open a run by going to the following one.

    By pointer doubling: after k rounds, all that are less than 2**k steps away.

    Args:
        following: int32 [S], greater than the index.
        opens: bool [S].

    Returns:
        bool [S].

    Example:

    >>> from keras_bert.text.packing import orbit
    >>> orbit([2, 3, 4, 4], [True, False, False, False]).numpy().tolist()
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
