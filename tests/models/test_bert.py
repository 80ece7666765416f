import dataclasses
import itertools
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_bert as kb

B, T = 2, 7


def equal_matrices(*models):
    """Pairs of paths of matrices of one shape that are equal."""
    matrices = {id(w): w for model in models for w in model.weights if len(w.shape) > 1}.values()
    pairs = itertools.combinations([(w.path, w.numpy()) for w in matrices], 2)
    return [(a, b) for (a, x), (b, y) in pairs if x.shape == y.shape and np.array_equal(x, y)]


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
    [
        {},
        {"norm_first": True},
        {"positions": "sinusoidal"},
        {"positions": "rotary"},
        {"activation": "gelu_tanh"},
    ],
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
    positions = np.array([[0, 5, 5, 6], [3, 0, 1, 2]])
    expected = np.take_along_axis(np.asarray(outputs["sequence_output"]), positions[..., None], 1)
    np.testing.assert_allclose(encoder.states_at(inputs(), positions), expected, atol=1e-5)
    np.testing.assert_allclose(encoder.pooled(inputs()), outputs["pooled_output"], atol=1e-5)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_sequences_of_a_row_are_as_if_alone(positions, config):
    encoder = kb.BertEncoder(dataclasses.replace(config, positions=positions))
    row = inputs(9)
    row["padding_mask"][0] = [1, 1, 1, 1, 2, 2, 3, 3, 0]
    together = np.asarray(encoder(row)["sequence_output"])
    for start, end in [(0, 4), (4, 6), (6, 8)]:
        alone = {name: value[:1, start:end] for name, value in row.items()}
        alone["padding_mask"] = np.ones([1, end - start], "int32")
        states = encoder(alone)["sequence_output"]
        np.testing.assert_allclose(together[:1, start:end], states, atol=1e-5)


INITIALIZERS = {
    "BERT's": lambda: None,
    "by name": lambda: "glorot_uniform",
    "unseeded": lambda: keras.initializers.RandomNormal(stddev=0.02),
    "seeded": lambda: keras.initializers.TruncatedNormal(stddev=0.02, seed=7),
    "a generator": lambda: keras.initializers.RandomNormal(seed=keras.random.SeedGenerator(3)),
}


@pytest.mark.parametrize("name", INITIALIZERS)
def test_fresh_matrices_are_independent_draws(name, config):
    encoders, initializers = [], [INITIALIZERS[name]() for _ in range(2)]
    for initializer in initializers:
        keras.utils.set_random_seed(5)
        encoders.append(kb.BertEncoder(config, initializer))
    assert equal_matrices(encoders[0]) == []
    # The same under a seed, the initializer's or the global one; others without.
    for ours, same in zip(*(encoder.get_weights() for encoder in encoders), strict=True):
        np.testing.assert_array_equal(ours, same)
    keras.utils.set_random_seed(6)
    other = kb.BertEncoder(config, INITIALIZERS[name]())
    is_seeded = name in ("seeded", "a generator")
    assert len(equal_matrices(encoders[0], other)) == (16 if is_seeded else 0)
    spreads = [np.std(matrix) for matrix in other.get_weights() if matrix.ndim > 1]
    assert min(spreads) > 0.01


def test_models_that_share_an_initializer_are_independent(config):
    shared = keras.initializers.TruncatedNormal(stddev=0.02)
    encoder, other = kb.BertEncoder(config, shared), kb.BertEncoder(config, shared)
    pretrainers = [
        kb.BertPretrainer(encoder, objective, initializer=shared)
        for objective in ("next_sentence", "sentence_order", None)
    ]
    assert equal_matrices(other, *pretrainers) == []
    # By one seed too, which makes each of them again.
    seeded = keras.initializers.TruncatedNormal(stddev=0.02, seed=3)
    model = kb.BertPretrainer(kb.BertEncoder(config, seeded), initializer=seeded)
    assert equal_matrices(model) == []


JAX_PROGRAM = """
import json, sys
import jax, numpy as np
import keras_bert as kb
config = kb.BertConfig(**json.loads(sys.argv[1]))
encoder = kb.BertEncoder(config)
arrays = np.load(sys.argv[2])
encoder.set_weights([arrays[f"weight_{i}"] for i in range(len(encoder.get_weights()))])
inputs = {name: arrays[name] for name in ("token_ids", "segment_ids", "padding_mask")}

def loss(trainable, rest, training):
    outputs, _ = encoder.stateless_call(trainable, rest, inputs, training=training)
    return (outputs["sequence_output"] ** 3).sum(), outputs

trainable = [variable.value for variable in encoder.trainable_variables]
rest = [variable.value for variable in encoder.non_trainable_variables]
gradient = jax.value_and_grad(loss, has_aux=True)
(_, outputs), gradients = gradient(trainable, rest, False)
encoder.recompute = True
(dropped, _), _ = gradient(trainable, rest, True)
assert np.isfinite(dropped)
np.savez(sys.argv[3], *gradients, **outputs)
"""


@pytest.mark.reference("jax")
def test_jax_gives_the_same_outputs_and_gradients(config, tmp_path):
    import tensorflow as tf

    encoder = kb.BertEncoder(config)
    weights = {f"weight_{i}": w for i, w in enumerate(encoder.get_weights())}
    np.savez(tmp_path / "in.npz", **weights, **inputs())
    subprocess.run(
        [sys.executable, "-c", JAX_PROGRAM, json.dumps(dataclasses.asdict(config))]
        + [tmp_path / "in.npz", tmp_path / "out.npz"],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        check=True,
    )
    results = np.load(tmp_path / "out.npz")
    with tf.GradientTape() as tape:
        outputs = encoder(inputs())
        loss = tf.reduce_sum(outputs["sequence_output"] ** 3)
    for name, value in outputs.items():
        np.testing.assert_allclose(results[name], value, atol=1e-5)
    gradients = tape.gradient(loss, [v.value for v in encoder.trainable_variables])
    for i, expected in enumerate(gradients):
        if expected is not None:  # the pooler's
            expected = np.asarray(tf.convert_to_tensor(expected))
            atol = 1e-5 * max(1, np.abs(expected).max())
            np.testing.assert_allclose(results[f"arr_{i}"], expected, atol=atol)


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

    from keras_bert.checkpoints.families.bert import weight_names

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
    names = weight_names(encoder.config).all()
    for variable in encoder.weights:
        variable.assign(reader.get_tensor(names[variable.path].google))
    features = {name: expected[name] for name in ("token_ids", "segment_ids", "padding_mask")}
    hidden_states = encoder.probe()(features)["hidden_states"]
    layers = ("embedding_output", "layer_0", "layer_1", "layer_2")
    for state, layer in zip(hidden_states, layers, strict=True):
        np.testing.assert_allclose(state, expected[layer], atol=1e-5)
    np.testing.assert_allclose(
        encoder(features)["pooled_output"], expected["pooled_output"], atol=1e-5
    )
