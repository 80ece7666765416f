"""Normalization and splitting by themselves; their agreement with BERT's is in test_tokenizer."""

import sys
import unicodedata

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text as tf_text
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert.text import normalization
from keras_bert.text.normalization import Normalization


def normalize(text: str | bytes, **how: bool) -> str:
    return normalization.normalize([text], Normalization(**how)).numpy()[0].decode()


def test_accents_go_as_the_capitals_do_unless_it_is_said():
    assert Normalization.of(True, None, True) == Normalization()
    assert Normalization.of(False, None, True) == Normalization(False, False, True)
    assert Normalization.of(False, True, False) == Normalization(False, True, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("A\tB\r\nC", "a\tb\r\nc"),
        ("A\x00B\x0b\x0c\x1f\x7f\x85C\ufffd\ufeff\u200d", "abc"),
        ("Ünïcödé Ｆｕｌｌ", "unicode ｆｕｌｌ"),
        ("İIıK", "iiık"),
        ("ΟΔΟΣ ΟΔΟΣ!", "οδος οδος!"),
        ("½ ™ … ß ﬁ", "½ ™ … ß ﬁ"),
        ("각", unicodedata.normalize("NFD", "각")),
        (b"a\xff\xc3(\xe2\x82b\xf0\x9f\x98", "a(b"),
        ("\u0301\u0344a", "a"),
    ],
    ids=ascii,
)
def test_cleans_lowers_and_strips(text, expected):
    assert normalize(text) == expected


@pytest.mark.parametrize("text", ["İIıÌÍĨĮJ\u0301", "ÀÉ한 Σ'Σ", "I\u0307"], ids=ascii)
def test_lower_casing_alone_is_pythons(text):
    assert normalize(text, strip_accents=False) == text.lower()


def test_stripping_alone_keeps_the_case():
    assert normalize("ÀÉa\u0301 ΣΑΣ", lowercase=False) == "AEa ΣΑΣ"
    assert normalize("ÀÉ\u200ba\u0301\0", lowercase=False, strip_accents=False) == "ÀÉa\u0301"


def test_every_row_is_normalized_by_itself():
    texts = ["Ascii", "É", "", "\x01", "More ASCII", b"\xff", "Ñ É"]
    together = normalization.normalize(texts, Normalization()).numpy().tolist()
    assert together == [b"ascii", b"e", b"", b"", b"more ascii", b"", b"n e"]
    assert normalization.normalize(tf.zeros([0], tf.string), Normalization()).shape == (0,)


def test_every_character_that_ordering_moves_is_known():
    """A newer tensorflow-text may move newer characters; then they belong into the table."""
    characters = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000]
    decomposed = tf_text.normalize_utf8(characters, "NFD")
    # U+0345 has the highest class: what goes before it has a lower one, above zero.
    after = tf_text.normalize_utf8(["\u0345" + c for c in characters], "NFD")
    moved = (after != tf.strings.join(["\u0345", decomposed])).numpy()
    marks = tf.strings.regex_full_match(characters, r"\p{Mn}").numpy()
    known = tf.strings.regex_full_match(characters, f"[{normalization._MOVABLE}]").numpy()
    assert [
        ascii(c) for c, wrong in zip(characters, (moved & ~marks) != known, strict=True) if wrong
    ] == []
    assert np.sum(known) == 38


@pytest.mark.parametrize("length", [2, 199, 200])
def test_ordering_is_whole_within_a_word_that_counts(length):
    text = ("\U0001d16d\U0001d165" * length)[:length]
    assert normalize(f"a {text}") == unicodedata.normalize("NFD", f"a {text}")


def test_runs_are_cut_without_loss():
    text = "\U0001d16d\U0001d165" * 5000
    got = normalize(text)
    assert sorted(got) == sorted(text)


@pytest.mark.parametrize(
    ("text", "split_cjk", "expected"),
    [
        ("", True, []),
        (" \t\n\u3000\u2028", True, []),
        ("don't  stop", True, ["don", "'", "t", "stop"]),
        ("a_b$c+d", True, ["a", "_", "b", "$", "c", "+", "d"]),
        ("a中国b", True, ["a", "中", "国", "b"]),
        ("a中国b。", False, ["a中国b", "。"]),
        ("x\u2029y\xa0z", True, ["x", "y", "z"]),
    ],
    ids=ascii,
)
def test_splits_words(text, split_cjk, expected):
    words, starts, ends = normalization.split_words([text], Normalization(split_cjk=split_cjk))
    assert [word.decode() for word in words.to_list()[0]] == expected
    spans = zip(starts.to_list()[0], ends.to_list()[0], strict=True)
    assert [text.encode()[start:end].decode() for start, end in spans] == expected


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.text(max_size=20) | st.binary(max_size=20), max_size=4),
    st.builds(Normalization, st.booleans(), st.booleans()),
)
def test_what_is_normalized_is_unicode_and_stays_as_it_is(texts, how):
    texts = tf.constant([tf.compat.as_bytes(text) for text in texts], tf.string)
    once = normalization.normalize(texts, how)
    for text in once.numpy():
        assert not set(text.decode("utf-8")) & {"\0", "\ufffd", "\u200b", "\x1f"}
    np.testing.assert_array_equal(normalization.normalize(once, how), once)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.text(max_size=40), st.booleans())
def test_words_are_all_of_the_text_but_its_spaces(text, split_cjk):
    how = Normalization(split_cjk=split_cjk)
    [text] = normalization.normalize([text], how).numpy()
    words, starts, ends = (x.to_list()[0] for x in normalization.split_words([text], how))
    assert all(words) and [text[a:b] for a, b in zip(starts, ends, strict=True)] == words
    between = zip([0, *ends], [*starts, len(text)], strict=True)
    assert not b"".join(text[a:b] for a, b in between).decode().strip("\t\n\r").strip()
