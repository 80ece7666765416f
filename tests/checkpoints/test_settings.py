import math
import pathlib

import pytest

import keras_bert as kb
from keras_bert.checkpoints import settings

SOURCE = pathlib.Path("mine", "config.json")


@pytest.mark.parametrize(
    ("read", "right", "wrong", "what"),
    [
        (settings.switch, [True, False], [None, 1, "yes", []], "true or false"),
        (settings.number, [0, -1, 2.5], [None, True, "1", math.nan, math.inf], "a number"),
        (settings.text, ["", "a"], [None, 5, ["a"]], "a text"),
    ],
)
def test_a_setting_has_its_type(read, right, wrong, what):
    default = right[0]
    for value in right:
        assert read({"key": value}, "key", default, SOURCE) == value
    for value in wrong:
        with pytest.raises(ValueError, match=f"mine/config.json: key must be {what}"):
            read({"key": value}, "key", default, SOURCE)
    assert read({}, "key", default, SOURCE) == default
    # Only where the default is null may a file say null.
    assert read({"key": None}, "key", None, SOURCE) is read({}, "key", None, SOURCE) is None


def test_one_of_some_names():
    choices = {"gelu": "gelu", "silu": "swish"}
    assert settings.one_of({"act": "silu"}, "act", "gelu", choices, SOURCE) == "silu"
    assert settings.one_of({}, "act", "gelu", choices, SOURCE) == "gelu"
    with pytest.raises(ValueError, match=r"act must be one of \('gelu', 'silu'\), not 'relu'"):
        settings.one_of({"act": "relu"}, "act", "gelu", choices, SOURCE)


@pytest.mark.parametrize(
    ("content", "expected"),
    [({}, None), ({"architectures": []}, None), ({"architectures": ["A", "B"]}, "A")],
)
def test_the_class_that_a_config_names(content, expected):
    assert settings.architecture_of(content, SOURCE) == expected


@pytest.mark.parametrize("names", [5, "A", [5], {"A": 1}])
def test_classes_that_are_none(names):
    with pytest.raises(ValueError, match="architectures must be a list of names"):
        settings.architecture_of({"architectures": names}, SOURCE)


def test_a_config_is_read_under_the_files_own_keys():
    keys = {"num_layers": "n_layers", "dropout": "drop", "hidden_dim": "dim"}
    content = {"n_layers": 3, "drop": 0.25, "more": "x"}
    config = settings.read_config(kb.BertConfig, content, keys, SOURCE, {"activation": "relu"})
    assert config == kb.BertConfig(num_layers=3, dropout=0.25, activation="relu")
    for change, message in (
        ({"n_layers": 0}, r"num_layers must be .* \(num_layers is n_layers there\.\)"),
        ({"drop": "0.1"}, "drop must be a number, not '0.1'"),
    ):
        with pytest.raises(ValueError, match=f"mine/config.json: {message}"):
            settings.read_config(kb.BertConfig, {**content, **change}, keys, SOURCE, {})


def test_json_that_is_none(tmp_path):
    path = tmp_path / "a.json"
    for content, message in (
        (b"{", "must be JSON, but"),
        (b"[5]", "must be a JSON object, not list"),
        (b"[" * 100_000, "must be JSON, but is nested too deeply"),
        (b"\xff", "must be JSON, but"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"a.json {message}"):
            settings.read_json(path)
    settings.write_json(path, {"a": "\u00e9"})
    assert settings.read_json(path) == {"a": "\u00e9"}
