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


def test_flops_are_those_of_the_products():
    """Against a count of every product of a forward pass of mini, matrix by matrix."""
    config = kb.BertConfig.preset("mini")
    hidden, heads, length, predictions = 256, 4, 128, 20
    head, products = hidden // heads, []
    for positions in (length, length, length, predictions):  # those that a block is read in
        products += [(length, hidden, hidden)] * 2 + [(positions, hidden, hidden)] * 2
        products += [(positions, hidden, 1024), (positions, 1024, hidden)]
        products += [(positions, head, length), (positions, length, head)] * heads
    products += [(predictions, hidden, hidden), (predictions, hidden, config.vocabulary_size)]
    expected = 3 * sum(2 * m * k * n for m, k, n in products)
    assert kb.num_training_flops(config, length, predictions) == expected


def test_flops_are_those_of_the_families_own_products():
    """Against a count of every product of a forward pass, of tokens that are near where local."""
    length, predictions = 300, 7
    electra = kb.ElectraConfig(num_layers=1, vocabulary_size=97)
    products = [(length, 128, 256), *[(length, 256, 256)] * 2, *[(predictions, 256, 256)] * 2]
    products += [(predictions, 256, 1024), (predictions, 1024, 256)]
    products += [(predictions, 256, length), (predictions, length, 256)]  # of all heads together
    products += [(predictions, 256, 128), (predictions, 128, 97)]
    expected = 3 * sum(2 * m * k * n for m, k, n in products)
    assert kb.num_training_flops(electra, length, predictions) == expected
    modern = kb.ModernBertConfig(num_layers=2, vocabulary_size=97)
    products = []
    for positions, seen in ((length, length), (predictions, 129)):
        products += [(length, 768, 768)] * 2 + [(positions, 768, 768)] * 2
        products += [(positions, 768, 2 * 1152), (positions, 1152, 768)]
        products += [(positions, 768, seen), (positions, seen, 768)]
    products += [(predictions, 768, 768), (predictions, 768, 97)]
    expected = 3 * sum(2 * m * k * n for m, k, n in products)
    assert kb.num_training_flops(modern, length, predictions) == expected


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
