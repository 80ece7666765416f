"""Windows: a long text as several overlapping rows, of which each has the same text in front."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from keras_bert.text.packing import Packer, Ranges


class Windows(NamedTuple):
    """Rows over long texts, all rows of the first text first.

    Args:
        rows: dict(token_ids, segment_ids, padding_mask), int32 [W, T] each.
        texts: int32 [W], the text that each row is of.
        starts: int32 [W], the first piece of the text that the row holds.
        lengths: int32 [W], how many pieces of the text it holds.
        offsets: int32 [W], where in the row they stand.
    """

    rows: dict[str, tf.Tensor]
    texts: tf.Tensor
    starts: tf.Tensor
    lengths: tf.Tensor
    offsets: tf.Tensor

    def pieces(self) -> tf.Tensor:
        """Which piece of its text stands at each position, int32 [W, T]; -1 where none does."""
        position = tf.range(tf.shape(self.rows["token_ids"])[1]) - self.offsets[:, None]
        there = (position >= 0) & (position < self.lengths[:, None])
        return tf.where(there, position + self.starts[:, None], -1)

    def has_most_context(self) -> tf.Tensor:
        """Where a row is the one, of those with a piece, that has most context around it.

        That is, the most pieces on the side that has fewer, and a hundredth of the row's length; of
        equal rows the first one. (`_check_is_max_context` of `run_squad.py` in
        google-research/bert.)

        Returns:
            bool [W, T]; a piece has most context in one row.
        """
        pieces = self.pieces()
        context = _context(pieces, self.starts, self.lengths)
        follows = self.texts[1:] == self.texts[:-1]
        # From row to row context grows and then shrinks: who beats the neighbors beats them all.
        earlier = _context(pieces[1:], self.starts[:-1], self.lengths[:-1])
        later = _context(pieces[:-1], self.starts[1:], self.lengths[1:])
        beats_earlier = (context[1:] > earlier) | ~follows[:, None]
        beats_later = (context[:-1] >= later) | ~follows[:, None]
        ones = tf.ones_like(context[:1], tf.bool)
        beats_earlier = tf.concat([ones, beats_earlier], axis=0)
        beats_later = tf.concat([beats_later, ones], axis=0)
        return (pieces >= 0) & beats_earlier & beats_later


def windows(
    packer: Packer, texts: tf.RaggedTensor, stride: int, fronts: tf.RaggedTensor | None = None
) -> Windows:
    """Cuts texts into rows that begin `stride` pieces after each other.

    Rows have one segment, the text, or two, the front and the text. A text that fits is one row;
    the last row of a longer one ends where the text does. A front leaves the text room for at
    least `stride` pieces, and is cut at its end where it would not. (`convert_examples_to_features`
    of `run_squad.py` in google-research/bert.)

    Args:
        packer: Packer with a `sequence_length`.
        texts: ragged int32 [B, (pieces)].
        stride: int, pieces between the beginnings of a text's rows.
        fronts: ragged int32 [B, (pieces)], such as questions; None has rows of one segment.

    Returns:
        Windows.

    Raises:
        ValueError: the packer has no `sequence_length`, or a row has no room for `stride` pieces.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.text.windows import windows
    >>> vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "fine", "film"]
    >>> packer = kb.Packer(kb.Tokenizer(vocabulary), sequence_length=5)
    >>> found = windows(packer, packer.tokenizer.tokenize(["a fine film a fine"]), stride=2)
    >>> found.rows["token_ids"].numpy().tolist()
    [[2, 5, 6, 7, 3], [2, 7, 5, 6, 3]]
    >>> found.starts.numpy().tolist(), found.lengths.numpy().tolist()
    ([0, 2], [3, 3])
    """
    room = _checked_room(packer, stride, num_segments=1 if fronts is None else 2)
    lengths = tf.cast(texts.row_lengths(), tf.int32)
    front_lengths = tf.zeros_like(lengths)
    if fronts is not None:
        front_lengths = tf.minimum(tf.cast(fronts.row_lengths(), tf.int32), room - stride)
    row_room = room - front_lengths
    text, number = _numbered(1 + tf.maximum(0, lengths - row_room + stride - 1) // stride)
    starts = number * stride
    row_lengths = tf.minimum(tf.gather(lengths, text) - starts, tf.gather(row_room, text))
    held = Ranges(starts + tf.gather(tf.cast(texts.row_starts(), tf.int32), text), row_lengths)
    ids, template = tf.cast(texts.flat_values, tf.int32), packer.template
    if fronts is None:
        offsets = tf.fill(tf.shape(text), template.offset_of())
        return Windows(packer.pack_ranges(ids, held), text, starts, row_lengths, offsets)
    front_starts = tf.cast(fronts.row_starts(), tf.int32) + tf.size(ids)
    ids = tf.concat([ids, tf.cast(fronts.flat_values, tf.int32)], axis=0)
    front = Ranges(*(tf.gather(values, text) for values in (front_starts, front_lengths)))
    rows = packer.pack_ranges(ids, front, held)
    return Windows(rows, text, starts, row_lengths, template.offset_of(front.lengths))


def _numbered(counts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """For counts [B] of rows: which text each row is of, and its number there, [W] each."""
    text = tf.repeat(tf.range(tf.size(counts)), counts)
    first = tf.gather(tf.cumsum(counts, exclusive=True), text)
    return text, tf.range(tf.size(text)) - first


def _context(pieces: tf.Tensor, starts: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """How much context pieces [W, T] have in rows of `starts` and `lengths` [W], in hundredths."""
    starts, lengths = starts[:, None], lengths[:, None]
    left, right = pieces - starts, starts + lengths - 1 - pieces
    fewer = tf.minimum(left, right)
    # Whole numbers, so that what is equal is not told apart by rounding.
    return tf.where(fewer >= 0, 100 * fewer + lengths, -1)


def _checked_room(packer: Packer, stride: int, num_segments: int) -> int:
    """How many tokens of text a row has room for."""
    room = packer.room(num_segments)
    if room is None:
        raise ValueError(
            "Windows must have a length, but the packer's sequence_length is None: give it one."
        )
    if not 1 <= stride <= room:
        raise ValueError(
            f"stride must lie between 1 and the {room} pieces that a row of "
            f"{packer.sequence_length} has room for, but is {stride}: choose another one."
        )
    return room
