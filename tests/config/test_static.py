import pytest

from keras_bert.config import StaticConfig


def test_a_table_of_blocks_is_none():
    with pytest.raises(ValueError, match="num_layers of a table of vectors must be 0, not 1"):
        StaticConfig(num_layers=1)
    with pytest.raises(ValueError, match="vocabulary_size must be a whole number of at least 1"):
        StaticConfig(vocabulary_size=0)
