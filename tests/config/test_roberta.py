import pytest

import keras_bert as kb


def test_positions_count_from_behind_the_id_of_padding():
    with pytest.raises(ValueError, match=r"padding_id must be a whole .* at least 0"):
        kb.RobertaConfig(padding_id=-1)
    config = kb.RobertaConfig(padding_id=3)
    assert (config.first_position, config.num_position_rows) == (4, 516)
