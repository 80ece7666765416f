import dataclasses

import pytest

import keras_bert as kb
from keras_bert.config.encoder import ACTIVATIONS, is_number, sizes
from keras_bert.layers import activations


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
        ({"activation": "swish"}, "activation must be one of"),
        ({"layer_heads": (12, 3)}, "layer_heads must be 12 whole numbers from 1 to 12"),
        ({"num_layers": 1, "layer_heads": (13,)}, r"from 1 to 12, one of each .*\(13,\)"),
        ({"num_layers": 1, "layer_intermediate_dims": (0,)}, "layer_intermediate_dims must be 1 "),
    ],
)
def test_config_names_what_is_wrong(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(kb.BertConfig(), **change)


def test_preset_must_exist():
    with pytest.raises(ValueError, match="'huge'"):
        kb.BertConfig.preset("huge")


@pytest.mark.parametrize(
    "kind", [kb.BertConfig, kb.RobertaConfig, kb.DistilBertConfig, kb.ElectraConfig]
)
def test_blocks_may_have_sizes_of_their_own(kind):
    sizes = {"num_layers": 3, "num_heads": 12, "hidden_dim": 48, "intermediate_dim": 11}
    config = kind(layer_heads=[12, 5, 1], layer_intermediate_dims=[7, 8, 9], **sizes)
    assert config.is_pruned and not kind(**sizes).is_pruned
    assert [config.heads_of(layer) for layer in range(3)] == [12, 5, 1]
    some = config.of_layers([2, 0])
    assert (some.num_layers, some.layer_heads, some.layer_intermediate_dims) == (2, (1, 12), (9, 7))
    assert kind(**sizes).of_layers(range(2)).num_layers == 2
    assert kind(**sizes).intermediate_dim_of(2) == 11


def test_every_activation_that_a_config_may_name_is_there():
    assert set(ACTIVATIONS) == set(activations.ACTIVATIONS)


def test_sizes_are_fields():
    assert kb.BertConfig(**sizes(3, 2, 6, 11, vocabulary_size=97)).vocabulary_size == 97
    assert is_number(1.5) and not is_number(True) and not is_number("1")
