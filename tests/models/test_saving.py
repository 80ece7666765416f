"""Keras' own files: encoders and what is pretrained, alone and in models of one's own."""

import keras
import numpy as np
import pytest

import keras_bert as kb

FAMILIES = ("Bert", "DistilBert", "Electra", "Roberta", "ModernBert")


@pytest.fixture
def ids():
    draw = np.random.default_rng(0).integers
    rows = draw(5, 90, [3, 11]).astype("int32")
    positions = draw(0, 11, [3, 2]).astype("int32")
    return {
        "token_ids": rows,
        "segment_ids": 0 * rows,
        "padding_mask": rows // rows,
        "mask_positions": positions,
    }


def of(model, ids):
    return {tensor.name: ids[tensor.name] for tensor in keras.tree.flatten(model.inputs)}


def opened(model, folder):
    model.save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras")


def assert_same(one, other, ids):
    for value, same in zip(
        keras.tree.flatten(one(of(one, ids))),
        keras.tree.flatten(other(of(other, ids))),
        strict=True,
    ):
        np.testing.assert_array_equal(value, same)
    assert [w.path for w in one.weights] == [w.path for w in other.weights]
    assert [w.trainable for w in one.weights] == [w.trainable for w in other.weights]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_is_opened_again(family, encoder_of, drawn, ids, tmp_path):
    encoder = drawn(encoder_of(family))
    encoder.blocks[0].trainable = False
    encoder.recompute = True
    again = opened(encoder, tmp_path)
    assert type(again) is type(encoder) and again.config == encoder.config and again.recompute
    assert_same(encoder, again, ids)
    inputs = of(encoder, ids)
    np.testing.assert_array_equal(encoder.pooled(inputs), again.pooled(inputs))


def test_an_encoder_stands_in_a_model_of_ones_own_and_is_cloned(
    encoder_of, drawn, ids, tmp_path, without_graphs
):
    encoder = drawn(encoder_of("Bert"))
    inputs = encoder.new_inputs()
    share = keras.layers.Dense(1)(encoder(inputs)["pooled_output"])
    model = keras.Model(inputs, share)
    model.compile(kb.AdamW(1e-2), "mse")
    options = {"verbose": 0, "batch_size": 3, "shuffle": False}
    model.fit(of(model, ids), np.ones([3, 1]), **options)
    again = opened(model, tmp_path)
    assert_same(model, again, ids)
    for one in (model, again):  # the states of optimizer and dropout are there
        one.fit(of(model, ids), np.ones([3, 1]), **options)
    for value, same in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(value, same, atol=1e-6)
    clone = keras.models.clone_model(model)
    assert not {id(w) for w in clone.weights} & {id(w) for w in model.weights}
    clone.set_weights(model.get_weights())
    assert_same(model, clone, ids)


@pytest.mark.parametrize("objective", ["next_sentence", pytest.param(None, marks=pytest.mark.slow)])
def test_a_pretrainer_goes_on(objective, encoder_of, ids, tmp_path, without_graphs):
    encoder = encoder_of("Bert", num_layers=1, dropout=0.0, attention_dropout=0.0)
    model = kb.BertPretrainer(encoder, objective)
    model.compile(kb.Lamb(kb.Schedule(1e-2, 9)), **model.objective(0.5), num_micro_batches=3)
    y = {"masked_lm": ids["mask_positions"]}
    if objective:
        y[objective] = np.zeros([3], "int32")
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss")
    model.fit(of(model, ids), y, batch_size=3, verbose=0, callbacks=[checkpoint])
    again = keras.models.load_model(tmp_path / "best.keras")
    assert (again.sentence_objective, again.num_micro_batches) == (objective, 3)
    assert_same(model, again, ids)
    for one in (model, again):
        one.fit(of(model, ids), y, batch_size=3, verbose=0)
    assert int(again.optimizer.iterations) == 2
    for value, same in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(value, same, atol=1e-6)


def test_a_detector_is_opened_again_in_its_precision(encoder_of, ids, tmp_path):
    encoder = encoder_of("Electra").copy("mixed_bfloat16")
    again = opened(kb.ReplacedTokenDetector(encoder), tmp_path)
    assert again.dtype_policy.name == again.encoder.dtype_policy.name == "mixed_bfloat16"
    assert again(of(again, ids))["replaced_tokens"].dtype == "float32"


def test_a_detector_and_its_generator_are_opened_on_one_table(encoder_of, drawn, ids, tmp_path):
    encoder = encoder_of("Electra", num_layers=1)
    config = kb.generator_config(encoder.config, 0.5)
    model = drawn(kb.ReplacedTokenPretrainer(kb.ReplacedTokenDetector(encoder), config))
    model.generator.encoder.blocks[0].trainable = False
    again = opened(model, tmp_path)
    assert again.generator.encoder.config == config
    assert again.generator.encoder.token_embedding is again.encoder.token_embedding
    draws = np.random.default_rng(1).uniform(size=[3, 2, 2]).astype("float32")
    assert_same(model, again, {**ids, "original_ids": ids["token_ids"], "draws": draws})


def test_two_models_on_one_encoder_are_opened_with_one(encoder_of, ids, tmp_path):
    encoder = encoder_of("Bert")
    inputs = encoder.new_inputs()
    pretrainers = [kb.ReplacedTokenDetector(encoder, name=name) for name in ("one", "other")]
    model = keras.Model(inputs, [one(inputs)["replaced_tokens"] for one in pretrainers])
    again = opened(model, tmp_path)
    assert_same(model, again, ids)
    ones = [layer for layer in again.layers if isinstance(layer, kb.ReplacedTokenDetector)]
    assert ones[0].encoder is ones[1].encoder
