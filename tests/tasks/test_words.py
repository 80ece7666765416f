"""Words, where their first pieces stand, and what is said there."""

import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.tasks.words import labels_at, word_positions, words_of_texts
from keras_bert.text.windows import windows


def test_words_of_texts_are_cut_from_them(tokenizer):
    text = "Unaffable \u200b Café, un-fox"
    pieces, starts, ends = words_of_texts(tokenizer, tf.constant([text, ""]))
    found = [text[a:b] for a, b in zip(starts.to_list()[0], ends.to_list()[0], strict=True)]
    assert found == ["Unaffable", "Café", ",", "un", "-", "fox"]
    assert pieces.nested_row_lengths()[1].numpy().tolist() == [5, 4, 1, 1, 1, 1]
    assert pieces.to_list()[1] == []


@pytest.mark.parametrize("length", [5, 9, 29])
def test_a_word_is_where_its_first_piece_has_most_context(tokenizer, length):
    packer = kb.Packer(tokenizer, length)
    texts = tf.ragged.constant([["fox", "unaffable", "", "dog", "film"], [], ["the"]])
    words = texts.with_values(tokenizer.tokenize(texts.values))
    found = windows(packer, words.merge_dims(1, 2), stride=2)
    positions = word_positions(words, found.has_most_context())
    flat = found.rows["token_ids"].numpy().ravel()
    said = [
        [tokenizer.vocabulary[flat[i]] if i >= 0 else None for i in row]
        for row in positions.to_list()
    ]
    assert said == [["fox", "un", None, "dog", "film"], [], ["the"]]


def test_labels_at_positions_and_none_for_words_without_a_piece():
    logits = np.log(np.array([[[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]], [[0.2, 0.6, 0.2]] * 2]))
    positions = tf.ragged.constant([[1, -1], [], [2]], tf.int64)
    labels, probability = labels_at(logits, positions, 3)
    assert labels.to_list() == [[2, 3], [], [1]]
    np.testing.assert_allclose(probability, [0.7, 0.0, 0.6], rtol=1e-6)
