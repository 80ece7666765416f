import pytest

import keras_bert as kb
from keras_bert.exporting.lite_tokenizers import described, files_of
from keras_bert.text.added_tokens import AddedToken
from keras_bert.text.subwords import SubwordTokenizer


def test_word_pieces(vocabulary):
    tokenizer = kb.Tokenizer(vocabulary, lowercase=False, added_tokens=[AddedToken("<e1>")])
    found = described(tokenizer)
    assert found["class"] == "Tokenizer" and not found["normalization"]["lowercase"]
    [token] = found["added_tokens"]
    assert (token["content"], token["id"]) == ("<e1>", len(vocabulary))
    assert files_of(tokenizer) == {"vocab.txt": "\n".join((*vocabulary, "<e1>"))}


def test_byte_level_pieces(byte_pairs_of):
    tokenizer = byte_pairs_of("Roberta")
    found, files = described(tokenizer), files_of(tokenizer)
    assert found["class"] == "BytePairTokenizer" and found["special_tokens"]["mask"] == "<mask>"
    assert {token["content"] for token in found["added_tokens"]} == set(
        found["special_tokens"].values()
    )
    assert files["merges.txt"] == "f o\nfo x"
    assert files["vocab.txt"].split("\n") == list(tokenizer.vocabulary)
    continues = int(found["continues"], 16)
    letter, comma = (tokenizer.vocabulary.index(piece) for piece in "a,")
    assert continues >> letter & 1 and not continues >> comma & 1


def test_others_are_refused():
    class Other(SubwordTokenizer):
        pass

    Other.__abstractmethods__ = frozenset()
    with pytest.raises(ValueError, match="BytePairTokenizer, but this model has a Other"):
        described(Other())
