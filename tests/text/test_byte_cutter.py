"""ByteCutter: words as GPT-2's regular expression has them, pieces as byte-pair encoding has."""

import itertools

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert.text.byte_alphabet import BYTES, bytes_of, spelled
from keras_bert.text.byte_cutter import ByteCutter, split_words
from keras_bert.text.merges import ranks_of

MERGES = [*(("Ġ", "a"), ("Ġa", "b"), ("b", "a"), ("ba", "a"), ("'", "s"), ("Ġ", "Ġ"), ("Ã", "©"))]
PIECES = ("<unk>", *BYTES, *(left + right for left, right in MERGES))


@pytest.fixture(scope="module")
def cutter():
    ids = {piece: id_ for id_, piece in enumerate(PIECES)}
    contents = [b"<unk>", *(bytes_of(piece) for piece in PIECES[1:])]
    return ByteCutter(contents, ranks_of(ids, MERGES), unknown=0)


def words_of(text):
    return [word.decode() for word in split_words([text]).values.numpy() if word]


def merged(word):
    """Byte-pair encoding, restated: the lowest rank first, then the leftmost."""
    symbols, rank = list(spelled(word.encode())), {pair: rank for rank, pair in enumerate(MERGES)}
    while True:
        pairs = enumerate(itertools.pairwise(symbols))
        found = [(rank[pair], at) for at, pair in pairs if pair in rank]
        if not found:
            return symbols
        _, at = min(found)
        symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]


# As tokenizers' ByteLevel splits them.
WORDS = [
    ["It", "'s", " ", " 5", " films", "!"],
    ["a", " \n", " b"],
    ["a", "  "],
    [" \n\n", " '", "s"],
    ["x", "1", "y", "2"],
    ["I", "'", "LL", " we", "'ll"],
    ["\u3000", "\u3000", "a", "\u3000", "b"],
    ["a", "\x85", "\xa0", "b"],
    ["\x0b", "\x0b", "z"],
    ["'s", "'s"],
    ["1½Ⅷ"],
    ["a", "\u0301", "b"],
    ["don", "'t", "!!!", " ..."],
    ["你好", " 你"],
    ["\0\0", "a"],
    # Letters of Unicode 16 and 15.
    ["\U0001399f", "'s"],
    ["\U00011f04", "'s"],
]


@pytest.mark.parametrize("words", WORDS, ids=ascii)
def test_words_are_those_of_gpt2(words):
    assert words_of("".join(words)) == words


@settings(max_examples=6)
@given(st.lists(st.text(st.sampled_from("aabb  '\"sé\n\x11\0\ufffd1")), min_size=9))
def test_pieces_are_those_of_byte_pair_encoding(cutter, texts):
    words = split_words(texts).to_list()
    expected = [[piece for word in row for piece in merged(word.decode())] for row in words]
    assert [[PIECES[id_] for id_ in row] for row in cutter.cut(texts).to_list()] == expected


@pytest.mark.parametrize("word", ["\x11", "\0", "\ufffd", "\ufffd\ufffd", "\ufffd0", 99 * "ba"])
def test_words_that_a_trie_cannot_hold(cutter, word):
    """The first of these ends the process if it is a word of FastWordpieceTokenizer."""
    pieces = [piece for part in words_of(word) for piece in merged(part)]
    assert [PIECES[id_] for id_ in cutter.cut(tf.constant([word])).values.numpy()] == pieces


def test_rows_stay_rows(cutter):
    rows = cutter.cut(tf.constant(["", "ab", "", " ab", ""])).to_list()
    assert [len(row) for row in rows] == [0, 2, 0, 1, 0]
    assert cutter.cut(tf.constant([], tf.string)).to_list() == []
