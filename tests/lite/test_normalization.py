import pytest
import tensorflow as tf

from keras_bert.lite import characters
from keras_bert.lite.normalization import Normalization, normalize, original_spans, words_of
from keras_bert.text import normalization as of_graph

EVERY = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c <= 0xDFFF]
# Of all planes, and all that has an entry of its own.
SOME = EVERY[::97] + [chr(c) for c in characters.DECOMPOSED]
SOME += [*"\u2c2f\ua7c0\ua7cbİΣß\u0130\u1b4e\u0ece\U00013440\U00010d50\U0001e4ec"]


def wrong_ones(texts, how):
    graph = of_graph.normalize(tf.constant(texts), of_graph.Normalization(*how)).numpy()
    return [
        text
        for text, wanted in zip(texts, graph, strict=True)
        if normalize(text, how) != wanted.decode()
    ]


@pytest.mark.parametrize("how", [(True, True), (True, False), (False, False)])
def test_characters_become_what_the_graph_makes_of_them(how):
    assert wrong_ones(SOME, Normalization(*how)) == []


@pytest.mark.slow
@pytest.mark.parametrize("how", [(True, True), (True, False), (False, True)])
def test_every_character_becomes_what_the_graph_makes_of_it(how):
    assert wrong_ones(EVERY, Normalization(*how)) == []


def test_a_sigma_at_the_end_of_a_word_is_another():
    texts = ["ΟΔΟΣ", "ΟΔΟΣ.", "ΣΑ", "Α\u0301Σ", "ΑΣ\u0301Α", "İΣ"]
    assert wrong_ones(texts, Normalization(True, False)) == []


def test_words_stand_between_spaces_and_around_punctuation():
    assert words_of("a\tb, 中c", Normalization()) == [(0, 1), (2, 3), (3, 4), (5, 6), (6, 7)]
    assert words_of("中c", Normalization(split_cjk=False)) == [(0, 2)]


def test_spans_end_behind_the_marks_that_were_stripped():
    text = "e\u0301\u200b\u0301x 각"
    assert normalize(text, Normalization()) == "ex \u1100\u1161\u11a8"
    spans = [(0, 1), (1, 2), (3, 4), (5, 6)]
    assert original_spans(text, spans, Normalization()) == [(0, 4), (4, 5), (6, 7), (6, 7)]
