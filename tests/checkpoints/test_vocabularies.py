"""Vocabularies of either kind, on their own: written, told apart, read."""

import pytest

import keras_bert as kb
from keras_bert.checkpoints.vocabularies import is_in, write_pieces


def test_word_pieces_are_read_from_a_file_or_its_folder(tmp_path, vocabulary):
    assert not is_in(tmp_path)
    write_pieces(tmp_path, kb.Tokenizer(vocabulary, lowercase=False))
    assert is_in(tmp_path)
    for path in (tmp_path, tmp_path / "vocab.txt"):
        assert kb.read_tokenizer(path).settings() == kb.Tokenizer(vocabulary).settings()
    assert not kb.read_tokenizer(tmp_path, lowercase=False).lowercase


@pytest.mark.parametrize("family", ["Roberta", "ModernBert"])
def test_byte_pairs_are_read_from_a_folder_or_a_file_of_it(family, tmp_path, byte_pairs_of):
    tokenizer = byte_pairs_of(family)
    write_pieces(tmp_path, tokenizer)
    assert is_in(tmp_path)
    for path in (tmp_path, *(tmp_path / name for name in ("vocab.json", "tokenizer.json"))):
        assert kb.read_tokenizer(str(path)).settings() == tokenizer.settings()
    with pytest.raises(ValueError, match="of text as it is, but .* lowercase True: leave this out"):
        kb.read_tokenizer(tmp_path, lowercase=True)


def test_what_is_not_there_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "vocab.txt", tmp_path / "none" / "vocab.json"):
        with pytest.raises(ValueError, match=str(tmp_path)):
            kb.read_tokenizer(path)
