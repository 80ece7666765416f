"""Byte pairs are learned by `tokenizers`: every byte, then pairs, the same of the same text."""

import importlib.util
import sys

import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.text.byte_alphabet import BYTES

LINES = ["a fine film, a fine dog", "a finer film", "é é é"]


def dataset(*lines):
    return tf.data.Dataset.from_tensor_slices(list(lines)).batch(2)


@pytest.mark.reference("tokenizers")
def test_frequent_pairs_are_merged():
    tokenizer = kb.learn_byte_pairs(dataset(*LINES), 290)
    assert tokenizer.vocabulary[:5] == ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    assert set(tokenizer.vocabulary[5:261]) == set(BYTES)
    assert tokenizer.vocabulary[261:] == tuple(left + right for left, right in tokenizer.merges)
    assert "Ġfine" in tokenizer.vocabulary and "ĠÃ©" in tokenizer.vocabulary
    ids = tokenizer.tokenize(LINES)
    assert [text.decode() for text in tokenizer.detokenize(ids).numpy()] == LINES
    assert kb.learn_byte_pairs(dataset(*LINES), 290).settings() == tokenizer.settings()


@pytest.mark.reference("tokenizers")
def test_rare_pairs_are_not_merged():
    assert kb.learn_byte_pairs(dataset("abcd"), 300).merges == ()
    assert kb.learn_byte_pairs(dataset("abcd"), 300, min_frequency=1).merges


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (tf.data.Dataset.from_tensor_slices(["a"]), {}, "string batches"),
        (["a"], {}, "string batches"),
        (dataset("a"), {"vocabulary_size": 261}, "vocabulary_size must be at least 262; got 261"),
        (dataset("a"), {"min_frequency": 0}, "min_frequency must be at least 1; got 0"),
    ],
    ids=["unbatched", "list", "size", "frequency"],
)
def test_what_teaches_nothing_is_refused(lines, options, message):
    with pytest.raises(ValueError, match=message):
        kb.learn_byte_pairs(lines, **options)


def test_without_tokenizers_it_says_what_to_install(monkeypatch):
    if importlib.util.find_spec("tokenizers"):
        monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ValueError, match=r"pip install 'kerasbert\[byte_pairs\]'"):
        kb.learn_byte_pairs(dataset("a"))
