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


def test_products_are_those_of_the_heads_and_columns_that_are_there():
    sizes = {"num_layers": 2, "num_heads": 3, "hidden_dim": 12, "intermediate_dim": 10}
    config = kb.ModernBertConfig(**sizes, layer_heads=(1, 3), layer_intermediate_dims=(7, 10))
    # Of 4 dimensions a head; the second block sees 65 tokens to each side.
    assert config.block_flops(0, 512) == (4 * 12 * 4, 4 * 12 * 4 + 6 * 12 * 7 + 4 * 512 * 4)
    assert config.block_flops(1, 512) == (4 * 12**2, 4 * 12**2 + 6 * 12 * 10 + 4 * 129 * 12)
