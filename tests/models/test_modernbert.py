import numpy as np
import pytest

import keras_bert as kb


def test_parameters_of_the_published_model():
    """ModernBertModel of ModernBERT-base; the pooler is of tasks' heads."""
    encoder = kb.ModernBertEncoder(kb.ModernBertConfig.preset("base"), initializer="zeros")
    assert encoder.count_params() - encoder.pooler.count_params() == 149_014_272


def test_local_blocks_see_near_tokens_alone(encoder_of):
    scores = np.asarray(_probe(encoder_of("ModernBert"))["attention_scores"])
    places = np.arange(11)
    is_near = np.abs(places[:, None] - places[None]) <= 2
    assert (scores[0] > 0).all()
    for layer in (1, 2):
        assert (scores[layer][..., is_near] > 0).all()
        assert (scores[layer][..., ~is_near] == 0).all()


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_texts_are_read_from_the_first_token_or_from_all(encoder_of, pooling):
    encoder = encoder_of("ModernBert", pooling=pooling)
    x = _inputs()
    x["padding_mask"][:, 7:] = 0
    states = np.asarray(encoder(x)["sequence_output"])
    of_text = states[:, 0] if pooling == "cls" else states[:, :7].mean(axis=1)
    np.testing.assert_allclose(encoder.pooled(x), encoder.pool(of_text), atol=1e-5)


def test_there_are_no_biases_but_that_of_logits(encoder_of):
    model = kb.BertPretrainer(encoder_of("ModernBert"), None)
    names = {weight.path.rsplit("/", 1)[-1] for weight in model.encoder.weights}
    assert names == {"embeddings", "gamma", "kernel"}
    assert "masked_lm/bias" in {weight.path for weight in model.weights}
    assert "layer_0/attention_norm/gamma" not in {weight.path for weight in model.weights}


def _inputs():
    ids = np.random.default_rng(3).integers(5, 97, [2, 11]).astype("int32")
    return {"token_ids": ids, "padding_mask": np.ones_like(ids)}


def _probe(encoder):
    return encoder.probe()(_inputs())
