import random

import tensorflow as tf

from keras_bert.lite.byte_cutter import SPACE, ByteCutter, merged, split_words
from keras_bert.text import byte_cutter
from keras_bert.text.byte_alphabet import BYTES, spelled

PARTS = [
    *"aZ\u00e9\u4e2d5\u0664 \t\n\x0b\x85\u3000\x1f.'\u20ac\u0301\U00011f04",
    *("'s", "'re", "  "),
]


def test_the_alphabet_is_gpt_2_s():
    assert BYTES[ord(" ")] == SPACE
    text = "na\u00efve \0\n\x7f"
    assert "".join(ByteCutter([]).cut(text)) == spelled(text.encode())


def test_words_are_those_of_the_graph():
    generator = random.Random(5)
    texts = ["".join(generator.choices(PARTS, k=generator.randint(0, 9))) for _ in range(400)]
    words = byte_cutter.split_words(tf.constant(texts)).to_list()
    for text, wanted in zip(texts, words, strict=True):
        assert split_words(text) == [word.decode() for word in wanted if word], text


def merged_in_turn(word, merges):
    """What OpenAI's encoder.py does: all pairs of a merge, then those of the next one."""
    parts = list(word)
    while True:
        pairs = [f"{a} {b}" for a, b in zip(parts, parts[1:], strict=False)]
        best = min((merges.index(pair) for pair in pairs if pair in merges), default=None)
        if best is None:
            return parts
        at = pairs.index(merges[best])
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def test_merges_go_by_rank_and_from_the_left():
    merges = ["a a", "b a", "aa b", "a b", "ba aa", "aab a"]
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    generator = random.Random(7)
    words = ["".join(generator.choices("abc", k=generator.randint(0, 12))) for _ in range(300)]
    for word in words:
        assert merged(word, ranks) == merged_in_turn(word, merges), word


def test_a_word_without_an_end_takes_no_square_of_its_length():
    ranks = {"a a": 0, "aa aa": 1}
    assert merged("a" * 30_003, ranks) == ["aaaa"] * 7_500 + ["aa", "a"]
