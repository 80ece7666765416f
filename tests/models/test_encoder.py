"""The contract of encoders, by BERT's and by one of another family."""

import keras
import numpy as np
import pytest

import keras_bert as kb
from keras_bert.config import EncoderConfig
from keras_bert.layers.attention import AttentionBias, SelfAttention
from keras_bert.layers.transformer import TransformerBlock
from keras_bert.models.assembly import Parts
from keras_bert.models.encoder import Encoder

B, T = 2, 7


def inputs(encoder=kb.BertEncoder):
    generator = np.random.default_rng(5)
    mask = np.ones([B, T], "int32")
    mask[1, 4:] = 0
    features = {
        "token_ids": generator.integers(5, 97, [B, T]).astype("int32"),
        "segment_ids": generator.integers(0, 2, [B, T]).astype("int32"),
        "padding_mask": mask,
    }
    return {name: features[name] for name in encoder.INPUTS}


class ToyEmbeddings(keras.layers.Layer):
    """Pieces alone: there are neither positions nor segments."""

    def __init__(self, token):
        super().__init__(dtype=token.dtype_policy, name="embeddings")
        self.token = token

    def build(self, ids_shape):
        self.token.build(ids_shape)

    def call(self, ids):
        return self.token(ids)


class ToyEncoder(Encoder):
    """A family without segments, and without a pooler."""

    INPUTS = ("token_ids", "padding_mask")

    @staticmethod
    def assemble(config, inputs, initializer, dtype):
        table = keras.layers.Embedding(
            config.vocabulary_size, config.hidden_dim, initializer, dtype=dtype, name="token"
        )
        embeddings = ToyEmbeddings(table)
        blocks = [
            TransformerBlock(
                SelfAttention(config.num_heads, config.hidden_dim, dtype=dtype, name="attention"),
                keras.layers.Dense(config.intermediate_dim, "relu", dtype=dtype, name="in"),
                keras.layers.Dense(config.hidden_dim, dtype=dtype, name="out"),
                norm_first=True,
                dtype=dtype,
                name=f"layer_{i}",
            )
            for i in range(config.num_layers)
        ]
        bias = AttentionBias(dtype=dtype)(inputs["padding_mask"])
        return Parts(embeddings, embeddings(inputs["token_ids"]), blocks, [bias] * len(blocks))


@pytest.fixture(params=[kb.BertEncoder, ToyEncoder])
def encoder(request, config):
    if request.param is kb.BertEncoder:
        return kb.BertEncoder(config)
    return ToyEncoder(
        EncoderConfig(
            vocabulary_size=101, num_layers=2, num_heads=3, hidden_dim=18, intermediate_dim=31
        )
    )


def test_states_at_positions_are_those_of_all(encoder):
    outputs = encoder(inputs(encoder))
    positions = np.array([[0, 5, 5, 6], [3, 0, 1, 2]])
    states = np.asarray(outputs["sequence_output"])
    expected = np.take_along_axis(states, positions[..., None], 1)
    # Features of other families may be among the inputs.
    found = encoder.states_at({**inputs(), "more": None}, positions)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    pooled = outputs.get("pooled_output", states[:, 0])
    np.testing.assert_allclose(encoder.pooled(inputs()), pooled, atol=1e-5)
    np.testing.assert_allclose(encoder.pool(states[:, 0]), pooled, atol=1e-5)


def test_fresh_inputs_build_a_model_on_an_encoder(encoder):
    assert list(encoder.new_inputs()) == list(encoder.INPUTS)
    rows = encoder.new_inputs(has_rows=True)
    assert [tensor.shape for tensor in rows.values()] == [(None, None, None)] * len(rows)
    taken = encoder.new_inputs()
    model = keras.Model(taken, encoder(taken)["sequence_output"])
    expected = encoder(inputs(encoder))["sequence_output"]
    np.testing.assert_array_equal(model(inputs(encoder)), expected)


def test_depths_are_all_weights_but_the_last_norm_and_the_pooler(encoder):
    names = [layer.name for layer in encoder.depths()]
    assert names == ["embeddings", "layer_0", "layer_1"]
    paths = [weight.path for layer in encoder.depths() for weight in layer.weights]
    besides = [weight.path for layer in encoder.pooling_layers for weight in layer.weights]
    assert sorted(paths + besides) == sorted(weight.path for weight in encoder.weights)


@pytest.mark.parametrize("objective", ["sentence_order", None])
@pytest.mark.parametrize("num_sequences", [1, 2])
def test_a_pretrainer_stands_on_every_encoder(encoder, objective, num_sequences):
    model = kb.BertPretrainer(encoder, objective, num_sequences=num_sequences)
    x = {**inputs(encoder), "mask_positions": np.array([[1, 4, 5], [2, 3, 0]], "int32")}
    logits = model(x)
    assert logits["masked_lm"].shape == (B, 3, 101)
    if objective:
        assert logits[objective].shape == ((B, 2) if num_sequences == 1 else (B, 2, 2))
    model.compile(kb.AdamW(1e-3), run_eagerly=True, **model.objective())
    y = {name: np.ones(value.shape[:-1], "int32") for name, value in logits.items()}
    before = np.array(encoder.token_embedding.embeddings)
    assert np.isfinite(model.train_on_batch(x, y, return_dict=True)["loss"])
    assert not np.array_equal(encoder.token_embedding.embeddings, before)
    taken = model.new_inputs()
    assert set(taken) == {*encoder.INPUTS, "mask_positions"}
    assert keras.Model(taken, model(taken)).count_params() == model.count_params()
    larger = kb.resize(model, vocabulary_size=107)
    assert type(larger.encoder) is type(encoder)
    np.testing.assert_allclose(larger(x)["masked_lm"][..., :101], model(x)["masked_lm"], atol=1e-5)


def test_what_is_asked_of_a_models_encoder_may_be_asked_of_one_alone(encoder):
    assert encoder.encoder is encoder
    assert encoder.on(encoder) is encoder


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_an_encoder_has_a_precision_of_its_own(encoder, policy):
    """And so has what stands on it: neither looks at the policy of the process."""
    assert encoder.dtype_policy.name == "float32"
    encoder.blocks[0].trainable = False
    encoder.recompute = True
    copy = encoder.copy(policy)
    assert type(copy) is type(encoder) and copy.name == encoder.name and copy.recompute
    assert copy.dtype_policy.name == policy
    assert {layer.dtype_policy.name for layer in copy.depths()} == {policy}
    assert len(copy.trainable_weights) == len(encoder.trainable_weights)
    for ours, own in zip(copy.weights, encoder.weights, strict=True):
        np.testing.assert_allclose(np.asarray(ours, "float32"), own, rtol=0.01)
    states, exact = (one(inputs(encoder))["sequence_output"] for one in (copy, encoder))
    assert keras.backend.standardize_dtype(states.dtype) == "bfloat16"
    assert np.abs(np.asarray(states, "float32") - np.asarray(exact)).mean() < 0.05
    model = kb.BertPretrainer(copy)
    assert model.dtype_policy.name == policy
    logits = model({**inputs(encoder), "mask_positions": np.zeros([B, 1], "int32")})
    of_variables = "float32" if policy == "mixed_bfloat16" else "bfloat16"
    assert {keras.backend.standardize_dtype(v.dtype) for v in logits.values()} == {of_variables}
    assert {weight.dtype for weight in model.weights} == {of_variables}


def test_a_copy_is_the_same_and_apart(encoder):
    copy = encoder.copy()
    expected = np.asarray(encoder(inputs(encoder))["sequence_output"])
    np.testing.assert_array_equal(copy(inputs(encoder))["sequence_output"], expected)
    for variable in copy.weights:
        variable.assign(0 * variable)
    np.testing.assert_array_equal(encoder(inputs(encoder))["sequence_output"], expected)


def test_vectors_are_put_in_the_place_of_pieces(encoder):
    before = np.array(encoder.token_embedding.embeddings)
    encoder.set_token_vectors([5, 2], np.array([[7.0] * 18, [9.0] * 18]))
    after = np.array(encoder.token_embedding.embeddings)
    assert (after[5] == 7).all() and (after[2] == 9).all()
    others = [i for i in range(101) if i not in (2, 5)]
    np.testing.assert_array_equal(after[others], before[others])


def test_a_family_says_what_its_encoder_is_made_of(config):
    class Unfinished(Encoder):
        INPUTS = ("token_ids", "padding_mask")

    with pytest.raises(NotImplementedError):
        Unfinished(config)


def test_a_probe_looks_into_every_encoder(encoder):
    inside = encoder.probe()(inputs(encoder))
    assert inside["hidden_states"].shape == (3, B, T, 18)
    np.testing.assert_allclose(np.sum(inside["attention_scores"], -1), 1, atol=1e-5)


def test_recomputing_is_a_setting_of_all_blocks(config):
    encoder = kb.BertEncoder(config)
    assert encoder.recompute is False
    encoder.recompute = True
    assert encoder.recompute is True and all(block.recompute for block in encoder.blocks)


def test_parts_of_an_encoder_are_made_once(config, monkeypatch):
    """Two towers are one model, and a call makes no new one."""
    encoder = kb.BertEncoder(config)
    paths = [variable.path for variable in encoder.variables]
    towers = [{n: keras.Input((None,), dtype="int32") for n in inputs()} for _ in range(2)]
    positions = keras.Input((None,), dtype="int32")
    both = keras.Model(
        [towers, positions],
        [encoder.pooled(tower) for tower in towers]
        + [encoder.states_at(tower, positions) for tower in towers],
    )
    assert [variable.path for variable in both.variables] == paths
    assert [variable.path for variable in encoder.variables] == paths

    def none_more(*_, **__):
        raise AssertionError("a model was made")

    monkeypatch.setattr(keras, "Model", none_more)
    rows, at = [inputs(), {name: value[::-1] for name, value in inputs().items()}], [[1, 3], [2, 0]]
    outputs = both([rows, np.array(at)])
    expected = [encoder(some) for some in rows]
    for i, some in enumerate(expected):
        np.testing.assert_allclose(outputs[i], some["pooled_output"], atol=1e-5)
        states = np.take_along_axis(np.asarray(some["sequence_output"]), np.array(at)[..., None], 1)
        np.testing.assert_allclose(outputs[2 + i], states, atol=1e-5)
    np.testing.assert_allclose(encoder.pooled(rows[0]), outputs[0], atol=1e-5)


@pytest.mark.parametrize("kind", ["encoder", "pretrainer"])
def test_a_call_takes_no_word_that_it_does_not_know(kind, config):
    model = kb.BertEncoder(config)
    model = model if kind == "encoder" else kb.BertPretrainer(model)
    with pytest.raises(ValueError, match=r"not output_hidden_states: .* encoder.s probe\(\)"):
        model(inputs(), output_hidden_states=True)
