import pathlib

import pytest

from keras_bert.checkpoints.families import FAMILIES
from keras_bert.checkpoints.families.hub_config import ConfigKeys, check_plain
from keras_bert.config import BertConfig

SOURCE = pathlib.Path("config.json")
KEYS = ConfigKeys(
    "BERT", BertConfig, {"num_layers": "depth"}, {"rectified": "relu"}, "act", needed=("depth",)
)


def test_a_config_comes_back_by_its_keys():
    config = BertConfig(num_layers=7, activation="relu")
    content = KEYS.write(config)
    assert content == {"act": "rectified", "depth": 7}
    assert KEYS.read(content, SOURCE, {}) == config
    assert KEYS.read(content, SOURCE, {"norm_first": True}).norm_first
    with pytest.raises(ValueError, match="config of a BERT, but does not say depth: restore"):
        KEYS.read({}, SOURCE, {})
    with pytest.raises(ValueError, match=r"act must be one of \('rectified',\), not 'gelu'"):
        KEYS.read({"depth": 7, "act": "gelu"}, SOURCE, {})


def test_what_changes_the_numbers_is_refused():
    check_plain({"is_decoder": False, "other": 1}, SOURCE, "BERT")
    with pytest.raises(ValueError, match="is_decoder is true, but must be false: .* left only"):
        check_plain({"is_decoder": True}, SOURCE, "BERT")
    with pytest.raises(ValueError, match='way is 7, but must be "mine": the model does not comp'):
        check_plain({"way": 7}, SOURCE, "BERT", {"way": (None, "mine")})


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_familys_published_configs_come_back(family):
    kind = family.encoder.__annotations__["config"]
    import keras_bert as kb

    for preset in getattr(kb, kind).PRESETS:
        config = getattr(kb, kind).preset(preset)
        assert family.config.read(family.config.write(config), SOURCE) == config


def test_what_transformers_has_no_name_for_has_a_type_of_ours():
    keys = ConfigKeys("BERT", BertConfig, {"num_layers": "depth"}, model_type="toy", needed=())
    assert keys.model_types == ("toy", "keras_bert_toy") and KEYS.model_types == ()
    assert keys.write(BertConfig())["model_type"] == "toy"
    pruned = BertConfig(num_layers=2, layer_heads=(12, 3))
    content = keys.write(pruned)
    assert (content["model_type"], content["layer_heads"]) == ("keras_bert_toy", (12, 3))
    assert "layer_intermediate_dims" not in content
    assert keys.read(content, SOURCE, {}) == pruned
    # Of another type it is a key that nobody knows.
    assert not keys.read({**content, "model_type": "toy"}, SOURCE, {}).is_pruned
