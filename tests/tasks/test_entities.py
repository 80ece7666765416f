"""Entities by the labels of words, and their texts."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.tasks.entities import entities_of, scheme_of, substrings

IOB2 = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (IOB2, True),
        (("B", "I", "O"), True),
        (("S", "E", "O"), True),
        (("O", "S-LOC"), True),
        (("DET", "NOUN"), False),
        (("O", "DET"), False),
        (("I-", "DET"), False),
    ],
)
def test_labels_are_of_entities_where_they_have_their_prefixes(labels, expected):
    scheme = scheme_of(labels)
    assert scheme.is_of_entities == expected
    # A word without a piece is outside, or of the first class.
    assert scheme.names[-1] == ("O" if expected else labels[0])


def test_entities_are_spans_of_words_of_their_own_text():
    labels = [["B-PER", "I-PER", "I-LOC"], ["I-LOC", "O", "B-LOC", "B-LOC"]]
    ids = tf.ragged.constant([[IOB2.index(name) for name in row] for row in labels], tf.int32)
    probability = tf.constant([0.5, 0.25, 1.0, 0.125, 9.0, 0.5, 0.75])
    first, last, mean = scheme_of(IOB2).spans(ids, probability)
    assert first.numpy().tolist() == [0, 2, 3, 5, 6]
    assert last.numpy().tolist() == [1, 2, 3, 5, 6]
    np.testing.assert_allclose(mean, [0.375, 1.0, 0.125, 0.5, 0.75])


def test_entities_of_a_text_have_their_characters():
    words = {
        "text": tf.constant(["Ann Lee in Rome", "so"]),
        "word_starts": tf.ragged.constant([[0, 4, 8, 11], [0]], tf.int32),
        "word_ends": tf.ragged.constant([[3, 7, 10, 15], [2]], tf.int32),
    }
    label = tf.ragged.constant([[1, 2, 0, 3], [0]], tf.int32)
    found = scheme_of(IOB2).entities(label, tf.ones(5), words)
    assert found["num_entities"].numpy().tolist() == [2, 0]
    first = {name: value.numpy()[0].tolist() for name, value in found.items()}
    assert entities_of(first) == [
        {"label": b"PER", "start": 0, "end": 7, "text": b"Ann Lee", "probability": 1.0},
        {"label": b"LOC", "start": 11, "end": 15, "text": b"Rome", "probability": 1.0},
    ]
    assert found["entity_texts"].numpy()[1].tolist() == [b"", b""]


def test_substrings_are_of_characters_not_bytes():
    texts = tf.constant(["\U0001f600 Café", b"a\xff fox"])
    cut = substrings(texts, [0, 1, 0], [2, 0, 0], [6, 3, 1]).numpy().tolist()
    assert [one.decode() for one in cut] == ["Café", "a f", "\U0001f600"]
