import numpy as np
import pytest

import keras_bert as kb


def test_a_detector_says_of_every_token_whether_it_was_replaced(encoder_of):
    encoder = encoder_of("Electra", num_layers=1)
    model = kb.ReplacedTokenDetector(encoder)
    ids = np.full([2, 7], 9, "int32")
    x = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": np.ones_like(ids)}
    states = np.asarray(encoder(x)["sequence_output"])
    dense, last = (model.get_layer(f"replaced_tokens{part}") for part in ("_dense", ""))
    expected = np.asarray(last(dense(states)))[..., 0]
    np.testing.assert_allclose(model(x)["replaced_tokens"], expected, atol=1e-5)
    assert model.idle_layers == (encoder.pooler,)
    larger = kb.resize(model, vocabulary_size=107)
    np.testing.assert_allclose(larger(x)["replaced_tokens"], expected, atol=1e-5)
    with pytest.raises(ValueError, match="not output_attentions: leave that out"):
        model(x, output_attentions=True)
    with pytest.raises(ValueError, match="there is a ReplacedTokenDetector: take a checkpoint"):
        kb.FillMask(model, None)
