import dataclasses

import keras
import numpy as np
import pytest

import keras_bert as kb

B, T = 2, 7


def inputs(length=T):
    generator = np.random.default_rng(5)
    mask = np.ones([B, length], "int32")
    mask[1, 4:] = 0
    return {
        "token_ids": generator.integers(5, 97, [B, length]).astype("int32"),
        "segment_ids": generator.integers(0, 2, [B, length]).astype("int32"),
        "padding_mask": mask,
    }


@pytest.mark.parametrize(
    "change",
    [{}, {"norm_first": True}, {"positions": "sinusoidal"}, {"activation": "gelu_tanh"}],
    ids=lambda change: str(change),
)
def test_encoder_of_every_kind(change, config):
    encoder = kb.BertEncoder(dataclasses.replace(config, **change))
    outputs = encoder(inputs())
    assert outputs["sequence_output"].shape == (B, T, 18)
    assert outputs["pooled_output"].shape == (B, 18)
    # Rows do not see each other, and padding does not count: a shorter row gives the same.
    short = {name: value[1:, :4] for name, value in inputs().items()}
    np.testing.assert_allclose(
        encoder(short)["sequence_output"][0], outputs["sequence_output"][1, :4], atol=1e-5
    )
    assert np.isfinite(outputs["sequence_output"]).all()


def test_pre_norm_ends_with_a_norm(config):
    states = kb.BertEncoder(dataclasses.replace(config, norm_first=True))(inputs())
    np.testing.assert_allclose(np.std(states["sequence_output"], axis=-1), 1, atol=1e-3)


def test_probe_shows_what_happens_inside(config):
    encoder = kb.BertEncoder(config)
    inside, outputs = encoder.probe()(inputs()), encoder(inputs())
    assert inside["hidden_states"].shape == (3, B, T, 18)
    assert inside["attention_scores"].shape == (2, B, 3, T, T)
    np.testing.assert_allclose(inside["hidden_states"][-1], outputs["sequence_output"], atol=1e-6)
    np.testing.assert_allclose(np.sum(inside["attention_scores"], -1), 1, atol=1e-5)
    assert (np.asarray(inside["attention_scores"])[:, 1, :, :, 4:] == 0).all()


@pytest.mark.parametrize(
    ("preset", "parameters"), [("tiny", 4_385_920), ("base", 109_482_240), ("large", 335_141_888)]
)
def test_parameters_of_the_published_models(preset, parameters):
    """BertModel of bert-base-uncased and bert-large-uncased; tiny from Turc et al. 2019 (4.4 M)."""
    encoder = kb.BertEncoder(kb.BertConfig.preset(preset), initializer="zeros")
    assert encoder.count_params() == parameters


def test_bfloat16_stays_near_float32(config):
    keras.utils.set_random_seed(1)
    exact = kb.BertEncoder(config)
    rounded = kb.BertEncoder(config, dtype="mixed_bfloat16")
    rounded.set_weights(exact.get_weights())
    output = rounded(inputs())["sequence_output"]
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
    difference = np.asarray(output, "float32") - np.asarray(exact(inputs())["sequence_output"])
    # Post-norm states have deviation 1; bfloat16 keeps 8 bits, over two layers.
    assert np.abs(difference).max() < 0.06


def test_state_of_dropout_has_one_name_in_every_model(config):
    paths = [
        [v.path for v in kb.BertEncoder(config).variables if "seed" in v.path] for _ in range(2)
    ]
    assert paths[0] == paths[1] and len(set(paths[0])) == 5


def test_google_layer_by_layer(shared):
    """Every layer of google-research/bert's own code, from its own checkpoint, to 1e-5."""
    import tensorflow as tf

    from keras_bert.checkpoints.names import encoder_names

    folder = shared / "golden" / "google_bert_3x48"
    expected = np.load(folder / "expected.npz")
    reader = tf.train.load_checkpoint(str(folder / "bert_model.ckpt"))
    encoder = kb.BertEncoder(
        kb.BertConfig(
            vocabulary_size=211,
            num_layers=3,
            num_heads=6,
            hidden_dim=48,
            intermediate_dim=112,
            max_sequence_length=40,
            activation="gelu_tanh",
        )
    )
    names = {name.ours: name.google for name in encoder_names(3)}
    for variable in encoder.weights:
        variable.assign(reader.get_tensor(names[variable.path]))
    features = {name: expected[name] for name in ("token_ids", "segment_ids", "padding_mask")}
    hidden_states = encoder.probe()(features)["hidden_states"]
    layers = ("embedding_output", "layer_0", "layer_1", "layer_2")
    for state, layer in zip(hidden_states, layers, strict=True):
        np.testing.assert_allclose(state, expected[layer], atol=1e-5)
    np.testing.assert_allclose(
        encoder(features)["pooled_output"], expected["pooled_output"], atol=1e-5
    )
