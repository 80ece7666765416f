import dataclasses

import numpy as np
import pytest

import keras_bert as kb


@pytest.mark.parametrize(("preset", "parameters"), [("small", 13_483_008), ("base", 108_891_648)])
def test_parameters_of_the_published_models(preset, parameters):
    """ElectraModel of electra-small- and electra-base-discriminator."""
    encoder = kb.ElectraEncoder(kb.ElectraConfig.preset(preset), initializer="zeros")
    assert encoder.count_params() - encoder.pooler.count_params() == parameters


@pytest.mark.parametrize("embedding_dim", [11, 18])
def test_narrow_embeddings_are_projected(encoder_of, embedding_dim):
    encoder = encoder_of("Electra", embedding_dim=embedding_dim)
    assert (encoder.embeddings.projection is None) == (embedding_dim == 18)
    assert encoder.token_embedding.output_dim == embedding_dim
    model = kb.BertPretrainer(encoder, None)
    ids = np.full([2, 7], 9, "int32")
    x = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": np.ones_like(ids)}
    logits = model({**x, "mask_positions": ids[:, :3] - 6})
    assert logits["masked_lm"].shape == (2, 3, 101)
    assert encoder.limits()["segment_ids"] == 2


def test_the_head_of_a_generator_has_gelu_whatever_the_blocks_have(encoder_of):
    assert encoder_of("Electra", activation="relu").masked_lm_options()["activation"] == "gelu"


@pytest.mark.parametrize(
    ("size", "hidden", "heads", "intermediate"),
    [("small", 64, 1, 256), ("base", 256, 4, 1024), ("large", 256, 4, 1024)],
)
def test_generators_are_those_of_the_paper(size, hidden, heads, intermediate):
    """And google-research/electra's, `get_generator_config`; of embeddings they have all."""
    config = kb.ElectraConfig.preset(size)
    generator = kb.generator_config(config)
    changes = {"hidden_dim": hidden, "num_heads": heads, "intermediate_dim": intermediate}
    assert generator == dataclasses.replace(config, **changes)


def test_a_generator_of_any_width_has_heads_that_divide_it():
    config = kb.ElectraConfig(hidden_dim=90, num_heads=9, intermediate_dim=31)
    for share in (0.01, 0.37, 1.0):
        generator = kb.generator_config(config, share)
        assert generator.hidden_dim == max(1, round(90 * share))
        assert generator.hidden_dim % generator.num_heads == 0
    assert kb.generator_config(config, 1.0) == config
    for share in (0.0, 1.1):
        with pytest.raises(ValueError, match=f"above 0 and at most 1, not {share}: the paper's"):
            kb.generator_config(config, share)


def test_two_encoders_on_one_table(encoder_of):
    one = encoder_of("Electra", num_layers=1)
    config = kb.generator_config(one.config, 0.5)
    other = kb.ElectraEncoder(config, embeddings=one.embeddings)
    shared = {id(weight) for weight in one.weights} & {id(weight) for weight in other.weights}
    assert len(shared) == 5 and other.token_embedding is one.token_embedding
    ids = np.arange(5, 19, dtype="int32").reshape(2, 7)
    inputs = {"token_ids": ids, "segment_ids": ids % 2, "padding_mask": ids // ids}
    copy = other.copy()
    assert not shared & {id(weight) for weight in copy.weights}
    states = (np.asarray(encoder(inputs)["sequence_output"]) for encoder in (other, copy))
    np.testing.assert_allclose(*states, atol=1e-6)
