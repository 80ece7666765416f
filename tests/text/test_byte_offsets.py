"""Offsets: characters for bytes, and the originals of composed characters, as in tokenizers."""

import pytest
import tensorflow as tf

from keras_bert.text.byte_offsets import characters_of, compose, original_of


def ragged(*rows):
    return tf.cast(tf.ragged.constant(rows, ragged_rank=1), tf.int64)


def test_a_character_is_whole_in_each_of_its_bytes():
    texts = tf.constant(["aé你", "", "\U0001f600b"])
    starts, ends = ragged([0, 1, 2, 3, 5], [], [0, 3, 4]), ragged([1, 2, 3, 5, 6], [], [3, 5, 5])
    starts, ends = characters_of(texts, starts, ends)
    assert starts.to_list() == [[0, 1, 1, 2, 2], [], [0, 0, 1]]
    assert ends.to_list() == [[1, 2, 2, 3, 3], [], [1, 2, 2]]


# Texts, and the span of each composed character in them, as tokenizers' NFC has it.
COMPOSED = {
    "xe\u0301y": [(0, 1), (1, 2), (3, 4)],
    "xe\u0327\u0301y": [(0, 1), (1, 2), (3, 4), (4, 5)],
    "xe\u0301\u0327y": [(0, 1), (1, 2), (3, 4), (4, 5)],
    "\u212bx": [(0, 1), (1, 2)],
    "x\u0958y": [(0, 1), (1, 2), (1, 2), (2, 3)],
    "\u0344y": [(0, 1), (0, 1), (1, 2)],
    "x\u1112\u1161\u11aby": [(0, 1), (1, 2), (4, 5)],
    "q\u0301\u0327y": [(0, 1), (1, 2), (2, 3), (3, 4)],
    "": [],
}


@pytest.mark.parametrize("first", ["", "e\u0301"], ids=["alone", "behind another"])
def test_composed_characters_came_from_the_first_of_theirs(first):
    texts = tf.constant([first, *COMPOSED])
    composed = compose(texts)
    lengths = [len(text.decode()) for text in composed.numpy()]
    starts = ragged(*(list(range(length)) for length in lengths))
    starts, ends = original_of(texts, composed, starts, starts + 1)
    found = zip(starts.to_list()[1:], ends.to_list()[1:], strict=True)
    assert [list(zip(*spans, strict=True)) for spans in found] == list(COMPOSED.values())


def test_a_span_ends_with_its_last_character():
    texts = tf.constant(["ae\u0301b"])
    starts, ends = original_of(texts, compose(texts), ragged([0]), ragged([2]))
    assert (starts.to_list(), ends.to_list()) == ([[0]], [[2]])
