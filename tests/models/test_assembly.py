"""What encoders of all families have alike, each with its own parts."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.layers.transformer import TransformerBlock, skipped_padding
from keras_bert.models import assembly

B, T = 2, 11
FAMILIES = ("DistilBert", "Electra", "Roberta", "ModernBert")


def inputs_of(encoder, mask=None):
    generator = np.random.default_rng(5)
    mask = np.array([[1] * T, [1] * 6 + [0] * 5] if mask is None else mask, "int32")
    features = {
        "token_ids": generator.integers(5, 97, mask.shape).astype("int32"),
        "segment_ids": generator.integers(0, 2, mask.shape).astype("int32"),
        "padding_mask": mask,
    }
    return {name: features[name] for name in encoder.INPUTS}


@pytest.fixture(scope="module", params=FAMILIES)
def encoder(request, encoder_of, drawn):
    return drawn(encoder_of(request.param))


def test_states_are_those_of_tokens_alone_wherever_they_are_read(encoder):
    x = inputs_of(encoder)
    states = np.asarray(encoder(x)["sequence_output"])
    short = {name: value[1:, :6] for name, value in x.items()}
    np.testing.assert_allclose(encoder(short)["sequence_output"][0], states[1, :6], atol=1e-5)
    positions = np.array([[0, 5, 10], [3, 0, 2]])
    expected = np.take_along_axis(states, positions[..., None], 1)
    np.testing.assert_allclose(encoder.states_at(x, positions), expected, atol=1e-5)
    np.testing.assert_allclose(encoder.pooled(x), encoder.pool(states[:, 0]), atol=1e-5)
    of_tokens = encoder.pool(states) if encoder.POOLS_TOKENS else states
    np.testing.assert_allclose(encoder.token_states(x), of_tokens, atol=1e-5)


def test_sequences_of_a_row_are_as_if_alone(encoder):
    row = inputs_of(encoder, [[1] * 6 + [2] * 3 + [3] + [0]])
    together = np.asarray(encoder(row)["sequence_output"])
    for start, end in [(0, 6), (6, 9), (9, 10)]:
        alone = {name: value[:, start:end] for name, value in row.items()}
        alone["padding_mask"] = np.ones([1, end - start], "int32")
        states = encoder(alone)["sequence_output"]
        np.testing.assert_allclose(together[:, start:end], states, atol=1e-5)


def test_layers_by_depth_are_all_weights_but_the_last_norm_and_the_pooler(encoder):
    names = [layer.name for layer in encoder.depths()]
    assert names == ["embeddings", "layer_0", "layer_1", "layer_2"]
    others = [layer for layer in (encoder.norm, encoder.pooler) if layer is not None]
    layers = [*encoder.depths(), *others]
    paths = [weight.path for layer in layers for weight in layer.weights]
    assert sorted(paths) == sorted(weight.path for weight in encoder.weights)
    assert ("pooled_output" in encoder.output) == encoder.GIVES_POOLED


def gradients_of(model, x, y, weights):
    with tf.GradientTape() as tape:
        logits = model(x, training=True)["masked_lm"]
        loss = tf.reduce_sum(tf.keras.losses.sparse_categorical_crossentropy(y, logits, True))
    return [loss, *map(tf.convert_to_tensor, tape.gradient(loss, weights))]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_saves_memory_or_time_changes_no_gradient(family, encoder_of):
    encoder = encoder_of(family, num_layers=2, dropout=0.0, attention_dropout=0.0)
    model = kb.BertPretrainer(encoder, None)
    x = {**inputs_of(encoder), "mask_positions": np.array([[1, 4, 9], [2, 3, 0]], "int32")}
    y = np.array([[7, 8, 9], [3, 4, 5]])
    idle = [weight for layer in model.idle_layers for weight in layer.weights]
    weights = [w.value for w in model.trainable_weights if all(w is not one for one in idle)]
    expected = gradients_of(model, x, y, weights)
    with skipped_padding():
        found = [gradients_of(model, x, y, weights)]
    encoder.recompute = True
    found.append(gradients_of(model, x, y, weights))
    for gradients in found:
        for value, wanted in zip(gradients, expected, strict=True):
            np.testing.assert_allclose(value, wanted, atol=1e-4)


def test_larger_tables_keep_the_numbers(encoder):
    x = inputs_of(encoder)
    larger = kb.resize(encoder, vocabulary_size=107, max_sequence_length=47)
    assert type(larger) is type(encoder) and larger.config.max_sequence_length == 47
    states = encoder(x)["sequence_output"]
    np.testing.assert_allclose(larger(x)["sequence_output"], states, atol=1e-5)
    position, first = encoder.embeddings.position, encoder.embeddings.first_position
    if position is not None:
        old, new = (np.array(e.embeddings.position.embeddings) for e in (encoder, larger))
        np.testing.assert_array_equal(new[: len(old)], old)
        np.testing.assert_array_equal(new[len(old) : len(old) + 5], old[first : first + 5])


def test_a_copy_in_bfloat16_is_near(encoder):
    copy = encoder.copy("mixed_bfloat16")
    x = inputs_of(encoder)
    states, exact = (one(x)["sequence_output"] for one in (copy, encoder))
    assert keras.backend.standardize_dtype(states.dtype) == "bfloat16"
    assert np.abs(np.asarray(states, "float32") - np.asarray(exact)).mean() < 0.05


def test_parts_are_of_the_sizes_that_a_config_says():
    config = kb.DistilBertConfig(num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31)
    policy = keras.dtype_policies.get("float32")
    table = assembly.table("token", 7, 15, "zeros", policy)
    assert (table.input_dim, table.output_dim, table.name) == (7, 15, "token")
    made = assembly.blocks(config, keras.initializers.get("ones"), policy, norm_first=True)
    assert [block.name for block in made] == ["layer_0", "layer_1"]
    assert all(isinstance(block, TransformerBlock) and block.norm_first for block in made)
    assert tuple(made[0](np.zeros([2, 7, 15]), np.zeros([2, 1, 7, 7])).shape) == (2, 7, 15)
    assert not assembly.block(config, "ones", policy, "one").norm_first
