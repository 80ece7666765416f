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
