"""Composed characters are those of tensorflow-text, whatever Unicode Python has."""

import random
import unicodedata

import pytest
import tensorflow as tf

from keras_bert.lite import characters
from keras_bert.lite.composition import _classes, compose, original_spans
from keras_bert.text import byte_offsets

EVERY = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c <= 0xDFFF]
YOUNGER = [*map(chr, characters.DECOMPOSED), *_classes()]
SOME = [*EVERY[::97], *YOUNGER, *EVERY[0x2F0:0x380], *"\uac00\u1100\u1161\u11a8\u0344\ufb2c"]


def wrong_ones(texts):
    wanted = byte_offsets.compose(tf.constant(texts)).numpy()
    return [t for t, one in zip(texts, wanted, strict=True) if compose(t) != one.decode()]


def test_characters_and_their_marks_are_composed_as_in_the_graph():
    assert wrong_ones(SOME) == []
    # With a mark of another class before it, and one that composes behind it.
    assert wrong_ones([f"e{character}\u0323\u0301" for character in SOME]) == []
    assert wrong_ones(list(characters.DECOMPOSED.values())) == []


@pytest.mark.slow
@pytest.mark.parametrize("form", ["{}", "e{}\u0323\u0301", "\u0302{}a"])
def test_every_character_is_composed_as_in_the_graph(form):
    assert wrong_ones([form.format(character) for character in EVERY]) == []


def test_random_texts_come_from_where_they_do_in_the_graph():
    generator = random.Random(3)
    parts = [*"ae\u0301\u0323\u0302\u0344\u212b\ufb2c\uac01\u1100\u1161", *YOUNGER[::7]]
    texts = ["".join(generator.choices(parts, k=generator.randint(1, 8))) for _ in range(300)]
    assert wrong_ones(texts) == []
    composed = byte_offsets.compose(tf.constant(texts))
    each = tf.ragged.range(tf.strings.length(composed, "UTF8_CHAR"))
    each = tf.cast(each, tf.int64)
    starts, ends = byte_offsets.original_of(tf.constant(texts), composed, each, each + 1)
    for text, *spans in zip(texts, starts.to_list(), ends.to_list(), strict=True):
        whole = compose(text)
        found = original_spans(text, whole, [(i, i + 1) for i in range(len(whole))])
        assert found == [*zip(*spans, strict=True)], text


def test_what_is_plain_stays():
    assert compose("plain") == "plain"
    assert compose("e\u0301") == unicodedata.normalize("NFC", "e\u0301") == "\u00e9"
