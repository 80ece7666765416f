import numpy as np
import pytest

from keras_bert.config import StaticConfig
from keras_bert.models.static import StaticEncoder


def test_a_table_has_no_blocks_and_gives_the_same_everywhere():
    encoder = StaticEncoder(StaticConfig(vocabulary_size=11, hidden_dim=5))
    assert [weight.path for weight in encoder.weights] == ["embeddings/token/embeddings"]
    ids = np.array([[3, 7, 9], [7, 0, 0]], "int32")
    inputs = {"token_ids": ids, "padding_mask": (ids > 0).astype("int32")}
    table = np.array(encoder.token_embedding.embeddings)
    np.testing.assert_array_equal(encoder(inputs)["sequence_output"], table[ids])
    positions = np.array([[2, 0], [0, 1]], "int32")
    found = encoder.states_at(inputs, positions)
    np.testing.assert_array_equal(found, table[np.take_along_axis(ids, positions, axis=1)])
    # [CLS] has no vector of its own: all of a text stand for it.
    means = [table[row[row > 0]].mean(axis=0) for row in ids]
    np.testing.assert_allclose(encoder.pooled(inputs), means, atol=1e-6)


def test_a_table_has_nothing_to_look_into():
    with pytest.raises(ValueError, match="no blocks"):
        StaticEncoder(StaticConfig(vocabulary_size=11, hidden_dim=5)).probe()
