import dataclasses

import pytest

import keras_bert as kb


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"norm_first": "no"}, "norm_first must be true or false, not 'no'"),
        ({"positions": "rotary"}, "positions must be one of"),
        ({"positions": "sinusoidal", "hidden_dim": 15, "num_heads": 3}, "hidden_dim must be even"),
        ({"layer_heads": (12, 3)}, "layer_heads must be 12 whole numbers from 1 to 12"),
        ({"num_layers": 1, "layer_heads": (13,)}, r"from 1 to 12, one of each .*\(13,\)"),
        ({"num_layers": 1, "layer_intermediate_dims": (0,)}, "layer_intermediate_dims must be 1 "),
    ],
)
def test_config_names_what_is_wrong(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(kb.BertConfig(), **change)


def test_presets_are_the_published_sizes():
    sizes = {
        name: (c.num_layers, c.hidden_dim, c.num_heads, c.intermediate_dim)
        for name in kb.BertConfig.PRESETS
        for c in [kb.BertConfig.preset(name)]
    }
    assert sizes == {
        "tiny": (2, 128, 2, 512),
        "mini": (4, 256, 4, 1024),
        "small": (4, 512, 8, 2048),
        "medium": (8, 512, 8, 2048),
        "base": (12, 768, 12, 3072),
        "large": (24, 1024, 16, 4096),
    }


def test_blocks_may_have_sizes_of_their_own():
    config = kb.BertConfig(num_layers=3, layer_heads=[12, 5, 1], layer_intermediate_dims=[7, 8, 9])
    assert config.is_pruned and not kb.BertConfig().is_pruned
    assert [config.heads_of(layer) for layer in range(3)] == [12, 5, 1]
    some = config.of_layers([2, 0])
    assert (some.num_layers, some.layer_heads, some.layer_intermediate_dims) == (2, (1, 12), (9, 7))
    assert kb.BertConfig().of_layers(range(5)).num_layers == 5
    assert kb.BertConfig().intermediate_dim_of(3) == 3072
