"""Datasets of texts as Keras has them: in batches or not, read anew in every epoch."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.tasks import streams

TEXTS, LABELS = ["the fine film", "a fox", "over the lazy dog"], ["no", "yes", "yes"]
ROWS = [{"sentence": text, "label": label} for text, label in zip(TEXTS, LABELS, strict=True)]
NAMES = ("token_ids", "segment_ids", "padding_mask")
sliced = tf.data.Dataset.from_tensor_slices


@pytest.fixture(scope="module")
def encoder(config):
    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1))
    encoder.trainable = False
    return encoder


@pytest.fixture(scope="module")
def packer(tokenizer):
    return kb.Packer(tokenizer, 9)


@pytest.fixture(scope="module")
def classifier(encoder, packer):
    return kb.TextClassifier(encoder, packer, ("no", "yes"))


def same(dataset, other):
    pairs = zip(dataset.as_numpy_iterator(), other.as_numpy_iterator(), strict=True)
    for one, another in pairs:
        keras.tree.map_structure(np.testing.assert_array_equal, one, another)


def test_batches_are_those_of_texts(classifier):
    made = streams.streamed(classifier, sliced((TEXTS, LABELS)), 2, [])
    same(made, classifier.dataset(ROWS, 2))
    assert int(made.cardinality()) == 2
    numbers = [{**row, "label": i} for row, i in zip(ROWS, (0, 1, 1), strict=True)]
    assert classifier.as_examples(sliced((TEXTS, [0, 1, 1])).batch(2)) == numbers
    assert classifier.as_examples(sliced(({"sentence": TEXTS}, LABELS))) == ROWS
    assert classifier.as_examples(sliced({"sentence": TEXTS, "label": LABELS}).batch(2)) == ROWS


def test_rows_of_words_and_weights(encoder, packer):
    task = kb.TokenClassifier(encoder, packer, ("A", "B"))
    rows = [{"words": ["a"] * 9, "labels": ["A"] * 9}, {"words": ["fox", "b"], "labels": ["B"] * 2}]
    words, labels = (tf.ragged.constant([row[name] for row in rows]) for name in rows[0])
    dataset = sliced((words, labels, [2.0, 0.5]))
    full, last = streams.streamed(task, dataset, 2, []).as_numpy_iterator()
    assert [len(batch[0]["token_ids"]) for batch in (full, last)] == [2, 1]
    learned = sum(
        (y["logits"] * w["logits"][..., None]).sum(axis=(0, 1)) for _, y, w in (full, last)
    )
    assert learned.tolist() == [9 * 2.0, 2 * 0.5]
    examples, weights = streams.examples_of(dataset.ragged_batch(2), task.reads, "labels")
    assert examples == rows and weights.tolist() == [2.0, 0.5]


def test_what_is_wrong_later_on_is_told_in_our_words(classifier, without_graphs):
    dataset = sliced((TEXTS, ["no", "yes", "perhaps"])).batch(1)
    with pytest.raises(ValueError, match="a label must be one of 'no', 'yes', but is 'perhaps'"):
        classifier.evaluate(dataset, verbose=0)


def test_a_stream_may_go_on_for_ever_and_change(classifier, without_graphs):
    dataset = sliced((TEXTS, LABELS)).shuffle(3).repeat().batch(2)
    history = classifier.fit(dataset, steps_per_epoch=1, epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2
    for read in (classifier.as_examples, classifier.predict):
        with pytest.raises(ValueError, match="repeats for ever: leave"):
            read(dataset)
    assert len(classifier.predict(dataset, steps=2, verbose=0)["label"]) == 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda task: task.fit(sliced(TEXTS), LABELS), "y was given beside it"),
        (
            lambda task: task.fit(sliced((TEXTS, LABELS)), sample_weight=[1]),
            "sample_weight was giv",
        ),
        (lambda task: task.fit(sliced((TEXTS, LABELS)).take(0)), "the dataset is empty"),
        (lambda task: task.fit(sliced(TEXTS)), "a column 'label', but there is 'sentence'"),
    ],
)
def test_what_is_no_stream_of_examples(classifier, call, message):
    with pytest.raises(ValueError, match=message):
        call(classifier)


def test_features_are_known_by_their_names():
    ids = {name: np.ones([1, 3], "int32") for name in NAMES}
    without_segments = {name: ids[name] for name in ("token_ids", "padding_mask")}
    for features in (ids, without_segments, sliced((ids, [0])), (x for x in ())):
        assert not streams.holds_texts(features, NAMES)
    for texts in (
        TEXTS,
        np.array(TEXTS),
        {"sentence": TEXTS},
        sliced(TEXTS),
        sliced((TEXTS, [1] * 3)),
    ):
        assert streams.holds_texts(texts, NAMES)
    with pytest.raises(ValueError, match="must be token_ids, .* only token_ids"):
        streams.are_features({"token_ids": 1}, NAMES)
