import dataclasses

import pytest

import keras_bert as kb
from keras_bert import config as config_module
from keras_bert.layers.activations import ACTIVATIONS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_dim": 770}, "hidden_dim must be a multiple of num_heads, but 770"),
        ({"num_layers": 0}, "num_layers must be a whole number of at least 1, not 0"),
        ({"vocabulary_size": 97.0}, "vocabulary_size must be a whole number"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), not 1.0"),
        ({"dropout": "0.1"}, r"dropout must lie in \[0, 1\), not '0.1'"),
        ({"attention_dropout": None}, r"attention_dropout must lie in \[0, 1\), not None"),
        ({"dropout": float("nan")}, r"dropout must lie in \[0, 1\), not nan"),
        (
            {"norm_epsilon": -1},
            "norm_epsilon must .*, not -1: the published models have 1e-12",
        ),
        ({"norm_epsilon": float("nan")}, "norm_epsilon must be a positive number, not nan"),
        ({"initializer_range": float("inf")}, "initializer_range must be a positive number"),
        ({"num_layers": True}, "num_layers must be a whole number of at least 1, not True"),
        ({"norm_first": "no"}, "norm_first must be true or false, not 'no'"),
        ({"activation": "swish"}, "activation must be one of"),
        ({"positions": "rotary"}, "positions must be one of"),
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


def test_preset_must_exist():
    with pytest.raises(ValueError, match="'huge'"):
        kb.BertConfig.preset("huge")


def test_every_activation_that_a_config_may_name_is_there():
    assert set(config_module.ACTIVATIONS) == set(ACTIVATIONS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kb.ElectraConfig(embedding_dim=0), "embedding_dim must be a whole number"),
        (lambda: kb.RobertaConfig(padding_id=-1), "padding_id must be a whole .* at least 0"),
        (lambda: kb.ModernBertConfig(pooling="max"), "pooling must be one of"),
        (lambda: kb.ModernBertConfig(local_base=1), "local_base must be a number above 1"),
        (lambda: kb.ModernBertConfig(hidden_dim=15, num_heads=3), "even width for rotary"),
        (lambda: kb.ModernBertConfig.preset("tiny"), r"one of \('base', 'large'\), not 'tiny'"),
    ],
)
def test_configs_of_families_name_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()
