"""SubwordTokenizer: the contract is enough for packing, masking and windows of another family."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.text.subwords import SpecialIds, SubwordTokenizer, batch_of, ids_of
from keras_bert.text.template import Template
from keras_bert.text.windows import windows


class Characters(SubwordTokenizer):
    """A family of another kind: a character is a piece, and a space before it starts a word.

    It has RoBERTa's special tokens, and one that stands between documents alone.
    """

    def __init__(self, letters):
        self.vocabulary = ("<s>", "<pad>", "</s>", "<unk>", "<doc>", "<mask>", *letters)
        self.special = SpecialIds(pad=1, unknown=3, begin=0, separator=4, end=2, mask=5)
        self.mask_token = "<mask>"
        self.template = Template(before=(0,), between=(2, 2), after=(2,), segment_ids=(0, 0))
        self._spaces = tf.constant([piece[:1] == " " for piece in self.vocabulary])
        self._pieces = tf.constant(self.vocabulary)

    def tokenize(self, texts, special_tokens=()):
        texts, is_one = batch_of(texts)
        ids = [[self._id_of(piece) for piece in self._cut(text.decode())] for text in texts.numpy()]
        ids = tf.ragged.constant(ids, tf.int32, ragged_rank=1)
        return ids[0] if is_one else ids

    def _cut(self, text):
        words = text.split()
        return [("" if i else " ") + letter for word in words for i, letter in enumerate(word)]

    def _id_of(self, piece):
        return self.vocabulary.index(piece) if piece in self.vocabulary else self.special.unknown

    def tokenize_with_offsets(self, texts):
        raise NotImplementedError

    def tokens(self, ids):
        return tf.gather(self._pieces, ids_of(ids))

    def detokenize(self, ids):
        raise NotImplementedError

    def starts_word(self, ids):
        return tf.gather(self._spaces, ids_of(ids))

    def settings(self):
        return {"letters": list(self.vocabulary[6:])}

    @classmethod
    def from_settings(cls, settings):
        return cls(settings["letters"])


@pytest.fixture(scope="module")
def characters():
    """Letters with and without a space before them, from id 6 on: " a", " b", ..., "a", "b", ..."""
    letters = "abcdefghij"
    return Characters([*(f" {letter}" for letter in letters), *letters])


def test_rows_of_another_family(characters):
    row = kb.Packer(characters, 13)(["ab c"], ["d"])
    assert row["token_ids"].numpy().tolist() == [[0, 6, 17, 8, 2, 2, 9, 2, 1, 1, 1, 1, 1]]
    assert not row["segment_ids"].numpy().any()
    assert row["padding_mask"].numpy().tolist() == [[1] * 8 + [0] * 5]


def test_windows_of_another_family(characters):
    ids = characters.tokenize(["abcdefg"])
    found = windows(kb.Packer(characters, 9), ids, 2, characters.tokenize(["j"]))
    assert found.rows["token_ids"].numpy().tolist() == [
        [0, 15, 2, 2, 6, 17, 18, 19, 2],
        [0, 15, 2, 2, 18, 19, 20, 21, 2],
        [0, 15, 2, 2, 20, 21, 22, 2, 1],
    ]
    assert found.offsets.numpy().tolist() == [4, 4, 4]


def test_whole_words_of_another_family_are_masked(characters):
    row = kb.Packer(characters, 29)(["abc de f", "ghij", "x a"])["token_ids"].numpy()
    masker = kb.Masker(characters, "word", 0.5, 9, mask_share=1.0, random_share=0.0)
    words = [[[1, 2, 3], [4, 5], [6]], [[1, 2, 3, 4]], [[1], [2]]]
    for seed in range(20):
        outputs = masker(row, [seed, 1])
        hidden = outputs["token_ids"].numpy() == characters.special.mask
        assert (hidden.sum(axis=1) == [3, 2, 1]).all()  # half of the tokens; a long word is cut
        for one, of_row in zip(hidden[[0, 2]], (words[0], words[2]), strict=True):
            assert all(one[word].all() or not one[word].any() for word in of_row)
        assert hidden[1].nonzero()[0].tolist() == [1, 2]


def test_random_pieces_are_none_of_the_special_ones(characters):
    row = kb.Packer(characters, 29)(["abcdefghij"] * 211)["token_ids"]
    masker = kb.Masker(characters, "token", 1.0, 10, mask_share=0.0, random_share=1.0)
    drawn = masker(row, [1, 2])["token_ids"].numpy()[:, 1:11]
    assert np.unique(drawn).tolist() == list(range(6, 26))


def test_a_tokenizer_is_called_and_says_what_it_is(characters, tokenizer):
    assert characters(["ab"]).to_list() == characters.tokenize(["ab"]).to_list()
    assert tokenizer("[MASK]", ["[MASK]"]).numpy().tolist() == [tokenizer.mask_id]
    assert repr(characters) == "<Characters: 26 pieces>"
    assert repr(tokenizer).startswith("<Tokenizer: 97 pieces, lowercase=True, strip_accents=True")


def test_settings_make_it_anew(characters):
    again = Characters.from_settings(characters.settings())
    assert again.settings() == characters.settings()
    assert again.vocabulary_size == characters.vocabulary_size == 26


def test_a_contract_is_not_a_tokenizer():
    with pytest.raises(TypeError, match="abstract"):
        SubwordTokenizer()
    assert issubclass(kb.Tokenizer, SubwordTokenizer)


def test_special_ids_are_a_value():
    special = SpecialIds(1, 3, begin=0, separator=2, end=2, mask=4)
    assert special == dataclasses.replace(special) and len({special}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        special.pad = 7


def test_lists_of_ids_become_tensors():
    assert ids_of([[1, 2], []]).to_list() == [[1, 2], []]
    assert ids_of([1, 2]).numpy().tolist() == [1, 2]
    assert ids_of(np.array([[1]], np.int64)).dtype == tf.int64
