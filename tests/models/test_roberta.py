import numpy as np

import keras_bert as kb


def test_parameters_of_the_published_model():
    """RobertaModel of roberta-base, pooler included."""
    encoder = kb.RobertaEncoder(kb.RobertaConfig.preset("base"), initializer="zeros")
    assert encoder.count_params() == 124_645_632


def test_positions_begin_behind_that_of_padding(encoder_of, drawn):
    encoder = drawn(encoder_of("Roberta", num_layers=1))
    table = encoder.embeddings.position.embeddings
    assert table.shape == (23 + 2, 18)
    ids = np.full([1, 23], 9, "int32")
    x = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
    before = np.asarray(encoder(x)["sequence_output"])
    changed = np.array(table)
    changed[:2] += 1
    table.assign(changed)
    np.testing.assert_array_equal(encoder(x)["sequence_output"], before)
    assert encoder.masked_lm_options()["activation"] == "gelu"
