"""Segment ids that are left out are zeros, of every model that takes some."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.models.inputs import with_segments

IDS = np.array([[2, 7, 9, 3, 0], [2, 11, 3, 0, 0]], "int32")
GIVEN = {"token_ids": IDS, "padding_mask": (IDS > 0).astype("int32")}
FILLED = {**GIVEN, "segment_ids": 0 * IDS}


@pytest.fixture(scope="module", params=["Bert", "Electra"])
def encoder(request, encoder_of):
    return encoder_of(request.param)


def same(one, other):
    keras.tree.map_structure(np.testing.assert_array_equal, one, other)


def test_what_is_given_stays():
    segments = {**GIVEN, "segment_ids": 1 + 0 * IDS}
    names = tuple(segments)
    assert with_segments(segments, names) is segments
    assert with_segments(GIVEN, tuple(GIVEN)) is GIVEN  # of a family without segments
    assert with_segments([IDS], names) == [IDS]
    same(with_segments({**GIVEN, "segment_ids": None}, names), FILLED)


def test_an_encoder_takes_segments_or_none(encoder, without_graphs):
    outputs = encoder(FILLED)
    same(encoder(GIVEN), outputs)
    same(encoder(inputs=GIVEN), outputs)
    tensors = {name: tf.constant(value) for name, value in GIVEN.items()}
    same(encoder.pooled(tensors), encoder.pooled(FILLED))
    same(encoder.probe()(GIVEN), encoder.probe()(FILLED))
    same(encoder.predict(GIVEN, verbose=0), {n: x.numpy() for n, x in outputs.items()})


def test_what_stands_on_an_encoder_takes_none(encoder, tokenizer, without_graphs):
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in GIVEN}
    own = keras.Model(inputs, encoder(inputs)["sequence_output"])
    same(own(GIVEN), encoder(FILLED)["sequence_output"])
    pretrainer = kb.BertPretrainer(encoder, None)
    positions = {"mask_positions": np.array([[1], [1]])}
    same(pretrainer({**GIVEN, **positions}), pretrainer({**FILLED, **positions}))
    detector = kb.ReplacedTokenDetector(encoder)
    same(detector(GIVEN), detector(FILLED))
    task = kb.TextClassifier(encoder, kb.Packer(tokenizer, 9), ("a", "b"))
    same(task(GIVEN), task(FILLED))
    same(task.predict(GIVEN, verbose=0), task.predict(FILLED, verbose=0))


def test_families_without_segments_are_as_they_are(encoder_of):
    encoder = encoder_of("DistilBert")
    same(encoder(GIVEN), encoder({name: GIVEN[name] for name in encoder.INPUTS}))
    assert dataclasses.asdict(encoder.config) and "segment_ids" not in encoder.INPUTS
