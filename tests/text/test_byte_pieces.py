"""What pieces are: their bytes, their spaces, and whether a word begins with them."""

import pytest

from keras_bert.text.byte_pieces import (
    SpecialTokens,
    content_of,
    ids_of_pieces,
    num_blanks,
    special_ids,
    starts_word,
)
from keras_bert.text.subwords import SpecialIds

NEW = [" a", " ", "\n", ",", "'s", "...", "漢字", "あ", "ア", "\u3000", "—"]
LATER = ["a", "ing", "5", "é", "\u0301", "д", "", "한"]


@pytest.mark.parametrize("text", NEW)
def test_spaces_punctuation_and_ideographs_start_words(text):
    assert starts_word(text.encode())


@pytest.mark.parametrize("text", LATER)
def test_letters_digits_and_marks_go_on(text):
    assert not starts_word(text.encode())


def test_parts_of_characters():
    assert starts_word("漢".encode()[:2]) and not starts_word("漢".encode()[1:])
    assert not starts_word("é".encode()[:1]) and starts_word(b" " + "é".encode()[:1])


def test_spaces_are_counted_on_both_sides():
    assert [num_blanks(piece) for piece in ("Ġa", "aĠ", "ĠĠ", "  ", "a")] == [
        *((1, 0), (0, 1), (2, 2), (2, 2), (0, 0))
    ]


def test_contents():
    assert content_of("Ġé"[:1] + "Ã©", is_mark=False) == " é".encode()
    assert content_of("é </s>", is_mark=True) == "é </s>".encode()


def test_special_tokens_have_ids_by_role():
    ids = ids_of_pieces(("<s>", "<pad>", "</s>", "", "<unk>", "<mask>", ""))
    assert special_ids(SpecialTokens(), ids) == SpecialIds(1, 4, 0, 2, 2, 5)


def test_what_is_missing_or_there_twice_is_refused():
    with pytest.raises(ValueError, match=r"lacks \['<mask>', '<pad>'\]"):
        special_ids(SpecialTokens(), {"<s>": 0, "</s>": 1, "<unk>": 2})
    with pytest.raises(ValueError, match="'a' has the ids 0 and 2"):
        ids_of_pieces(("a", "b", "a"))
