import numpy as np

import keras_bert as kb


def test_parameters_of_the_published_model():
    """DistilBertModel of distilbert-base-uncased has 66,362,880; the pooler is of tasks' heads."""
    encoder = kb.DistilBertEncoder(kb.DistilBertConfig.preset("base"), initializer="zeros")
    assert encoder.count_params() - encoder.pooler.count_params() == 66_362_880


def test_texts_are_read_through_a_dense_layer_with_relu(encoder_of):
    encoder = encoder_of("DistilBert")
    ids = np.full([2, 7], 9, "int32")
    x = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
    assert list(encoder(x)) == ["sequence_output"]
    pooled = np.asarray(encoder.pooled(x))
    kernel, bias = encoder.pooler.dense.get_weights()
    first = np.asarray(encoder(x)["sequence_output"][:, 0])
    np.testing.assert_allclose(pooled, np.maximum(first @ kernel + bias, 0), atol=1e-5)
