"""Configured: layers are made anew by what they were made with."""

import json

import keras
import numpy as np
import pytest

from keras_bert.layers.attention import AttentionBias, SelfAttention
from keras_bert.layers.dropout import Dropout
from keras_bert.layers.heads import MaskedLMHead
from keras_bert.layers.norm import LayerNorm
from keras_bert.layers.transformer import TransformerBlock


def block(**options):
    return TransformerBlock(
        SelfAttention(3, 15, 0.25, keras.initializers.RandomNormal(stddev=0.5), name="attention"),
        keras.layers.Dense(31, "relu", name="intermediate"),
        keras.layers.Dense(15, name="output"),
        norm_first=True,
        **options,
    )


def paths(layer):
    return [(weight.path, tuple(weight.shape), weight.dtype) for weight in layer.weights]


def test_a_layer_with_parts_is_made_anew_and_its_weights_are_named_after_it():
    norms = (LayerNorm(1e-3, center=False, name="a"), keras.layers.Identity(name="b"))
    one = block(norms=norms, dtype="mixed_bfloat16", name="mine")
    one.build((None, 7, 15))
    one.trainable = False
    config = keras.saving.serialize_keras_object(one)
    again = keras.saving.deserialize_keras_object(config)
    assert paths(again) == paths(one) and paths(one)[0][0] == "mine/attention/query/kernel"
    assert again.attention.dropout.rate == 0.25 and again.attention_norm.epsilon == 1e-3
    assert again.norm_first and not again.trainable
    assert again.dtype_policy.name == "mixed_bfloat16"
    assert json.dumps(again.get_config()) == json.dumps(one.get_config())
    kernels = [layer.attention.query.kernel.numpy() for layer in (one, again)]
    assert not np.array_equal(*kernels)  # drawn, as widely
    assert kernels[1].std() == pytest.approx(0.5, rel=0.2)


def test_layers_stand_in_a_model_of_ones_own(tmp_path):
    x = keras.Input((7, 15))
    mask = keras.Input((7,), dtype="int32")
    states = Dropout(0.1)(block()(x, AttentionBias(window=2)(mask)))
    model = keras.Model([x, mask], states)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    data = [np.random.default_rng(0).normal(size=(2, 7, 15)), np.ones((2, 7), "int32")]
    np.testing.assert_array_equal(again(data), model(data))
    clone = keras.models.clone_model(model)
    assert not {id(weight) for weight in clone.weights} & {id(weight) for weight in model.weights}
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(data), model(data))


def test_a_subclass_of_ones_own_is_as_any_layer_of_ones_own():
    @keras.saving.register_keras_serializable("mine")
    class Louder(Dropout):
        def __init__(self, rate, times, name=None):
            super().__init__(rate, name=name)
            self.times = times

    again = Louder.from_config(Louder(0.5, times=3, name="loud").get_config())
    assert (again.rate, again.times, again.name) == (0.5, 3, "loud")
    with pytest.raises(TypeError):
        Louder(0.5)


def test_what_shares_weights_is_refused_when_it_is_saved(tmp_path):
    embedding = keras.layers.Embedding(7, 5)
    states = embedding(keras.Input((3,)))
    model = keras.Model(states._keras_history[0].input, MaskedLMHead(embedding)(states))
    with pytest.raises(ValueError, match="shares the table .* save a BertPretrainer"):
        model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"model.on\(model.encoder.anew"):
        keras.models.clone_model(model)
