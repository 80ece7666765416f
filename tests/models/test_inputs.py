"""Segment ids that are left out are zeros, of every model that takes some."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.models.inputs import with_segments

IDS = np.array([[2, 7, 9, 3, 0], [2, 11, 3, 0, 0]], "int32")
GIVEN = {"token_ids": IDS, "padding_mask": (IDS > 0).astype("int32")}
FILLED = {**GIVEN, "segment_ids": 0 * IDS}


@pytest.fixture(scope="module")
def bert(encoder_of):
    return encoder_of("Bert", num_layers=1)


def same(one, other):
    keras.tree.map_structure(np.testing.assert_array_equal, one, other)


def test_what_is_given_stays():
    segments = {**GIVEN, "segment_ids": 1 + 0 * IDS}
    names = tuple(segments)
    assert with_segments(segments, names) is segments
    assert with_segments(GIVEN, tuple(GIVEN)) is GIVEN  # of a family without segments
    assert with_segments([IDS], names) == [IDS]
    same(with_segments({**GIVEN, "segment_ids": None}, names), FILLED)


@pytest.mark.parametrize("family", ["Bert", "Electra"])
def test_an_encoder_takes_segments_or_none(family, encoder_of, without_graphs):
    encoder = encoder_of(family, num_layers=1)
    same(encoder(GIVEN), encoder(FILLED))
    tensors = {name: tf.constant(value) for name, value in GIVEN.items()}
    same(encoder.pooled(tensors), encoder.pooled(FILLED))
    same(encoder.probe()(GIVEN), encoder.probe()(FILLED))


def test_what_stands_on_an_encoder_takes_none(bert, tokenizer, without_graphs):
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in GIVEN}
    own = keras.Model(inputs, bert(inputs)["sequence_output"])
    same(own(GIVEN), bert(FILLED)["sequence_output"])
    same(bert.predict(GIVEN, verbose=0)["sequence_output"], own(GIVEN).numpy())
    detector = kb.ReplacedTokenDetector(bert)
    same(detector(GIVEN), detector(FILLED))
    pretrainer, positions = kb.BertPretrainer(bert, None), {"mask_positions": np.array([[1], [1]])}
    same(pretrainer({**GIVEN, **positions}), pretrainer({**FILLED, **positions}))
    task = kb.TextClassifier(bert, kb.Packer(tokenizer, 9), ("a", "b"))
    same(task(GIVEN), task(FILLED))


def test_families_without_segments_are_as_they_are(encoder_of):
    encoder = encoder_of("DistilBert", num_layers=1)
    assert "segment_ids" not in encoder.INPUTS
    same(encoder(GIVEN), encoder({name: GIVEN[name] for name in encoder.INPUTS}))
