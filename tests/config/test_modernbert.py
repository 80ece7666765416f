import pytest

import keras_bert as kb


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kb.ModernBertConfig(pooling="max"), "pooling must be one of"),
        (lambda: kb.ModernBertConfig(local_base=1), "local_base must be a number above 1"),
        (lambda: kb.ModernBertConfig(hidden_dim=15, num_heads=3), "even width for rotary"),
        (lambda: kb.ModernBertConfig.preset("medium"), "A preset is one of .* not 'medium'"),
    ],
)
def test_config_names_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_blocks_differ_by_their_places():
    config = kb.ModernBertConfig(num_layers=4)
    assert config.of_layers(range(3)).num_layers == 3
    with pytest.raises(ValueError, match="leave out the last ones"):
        config.of_layers([1, 2])
