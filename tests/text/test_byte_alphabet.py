"""The byte alphabet is GPT-2's: every byte, once, by a character that is printed."""

import pytest

from keras_bert.text.byte_alphabet import BYTES, bytes_of, spelled


def test_every_byte_has_a_character_of_its_own():
    assert len(set(BYTES)) == 256 and all(map(str.isprintable, BYTES))
    assert bytes_of("".join(BYTES)) == bytes(range(256))
    # As in OpenAI's vocabulary: the first of those that Latin-1 does not print is NUL.
    assert (BYTES[0], BYTES[10], BYTES[32], BYTES[127], BYTES[173]) == tuple("ĀĊĠġŃ")


def test_texts_are_spelled_and_come_back():
    assert spelled("é\n".encode()) == "Ã©Ċ"
    assert bytes_of("Ã©Ċ").decode() == "é\n"


def test_what_stands_for_no_byte_is_refused():
    with pytest.raises(ValueError, match="' ' in 'a b' stands for no byte"):
        bytes_of("a b")


@pytest.mark.reference("tokenizers")
def test_it_is_the_alphabet_of_tokenizers():
    from tokenizers.pre_tokenizers import ByteLevel

    assert set(BYTES) == set(ByteLevel.alphabet())
    [(piece, _)] = ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str("é \t\0")
    assert piece == spelled("é \t\0".encode())
