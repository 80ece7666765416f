"""Template: the special tokens of a row, before, between and after its segments."""

from __future__ import annotations

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Template:
    """How a family of models packs one or two segments into a row, all as ids of its vocabulary.

    BERT's is `[CLS] first [SEP]` and `[CLS] first [SEP] second [SEP]`, RoBERTa's `<s> first </s>`
    and `<s> first </s></s> second </s>` with segment ids of 0 alone.

    Args:
        before: tuple of int, what stands before the first segment.
        between: tuple of int, what stands between two segments.
        after: tuple of int, what stands after the last segment.
        segment_ids: pair of int, the segment id of the first segment, of what stands before it
            and between the two, and that of the second one and of what stands after it. A row of
            one segment has the first one alone.

    Example:

    >>> from keras_bert.text.template import Template
    >>> bert = Template(before=(101,), between=(102,), after=(102,))
    >>> bert.num_special(1), bert.num_special(2)
    (2, 3)
    >>> roberta = Template(before=(0,), between=(2, 2), after=(2,), segment_ids=(0, 0))
    >>> roberta.length_of(5, 7), roberta.offset_of(5)
    (16, 8)
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    segment_ids: tuple[int, int] = (0, 1)

    def num_special(self, num_segments: int = 1) -> int:
        """How many special tokens a row of one or two segments has.

        Raises:
            ValueError: if there are neither one nor two.
        """
        if num_segments not in (1, 2):
            raise ValueError(
                f"A row must have one or two segments, but has {num_segments}: pack no others."
            )
        return len(self.before) + (num_segments - 1) * len(self.between) + len(self.after)

    def length_of(self, *lengths: int | tf.Tensor) -> int | tf.Tensor:
        """The length of a row whose segments have some lengths, int each, or an array of any shape.

        Raises:
            ValueError: if these are not the lengths of one or two segments.
        """
        return sum(lengths, self.num_special(len(lengths)))

    def offset_of(self, *lengths: int | tf.Tensor) -> int | tf.Tensor:
        """Where in a row the segment begins that follows segments of some lengths, none or one."""
        return sum(lengths, len(self.before) + len(lengths) * len(self.between))
