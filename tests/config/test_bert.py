import dataclasses

import pytest

import keras_bert as kb


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"norm_first": "no"}, "norm_first must be true or false, not 'no'"),
        ({"positions": "relative"}, "positions must be one of"),
        ({"positions": "rotary", "hidden_dim": 15, "num_heads": 3}, "even width for rotary"),
        ({"positions": "sinusoidal", "hidden_dim": 15, "num_heads": 3}, "hidden_dim must be even"),
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
