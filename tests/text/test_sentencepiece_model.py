"""The model that is written by hand is one that SentencePiece reads, and it merges by rank."""

import tensorflow_text as tf_text

from keras_bert.text.sentencepiece_model import model_of

PIECES = [b"<pad>", b"<unk>", b"a", b"b", b"\xff", b" ", b"\0", b"bb", b"ab", b"abb"]
RANKS = {**dict.fromkeys(range(2, 7), -1), 7: 0, 8: 1}


def cut(text):
    tokenizer = tf_text.SentencepieceTokenizer(model_of(PIECES, RANKS, unknown=1))
    return tokenizer.tokenize([text]).to_list()[0]


def test_the_lowest_rank_is_merged_first_and_the_leftmost_of_equals():
    assert cut("abb") == [2, 7]
    assert cut("bbb") == [7, 3]
    assert cut("abab") == [8, 8]


def test_nothing_is_added_dropped_or_escaped():
    assert cut(" a  \0ÿ") == [5, 2, 5, 5, 6, 4]


def test_what_cannot_occur_is_no_piece():
    assert cut("<pad>")[-1] == 1  # no letters of its own
    assert 9 not in cut("abbabb")
