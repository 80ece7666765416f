import os

import pytest

from keras_bert.serving.wire.models_config import add_model, read_config

ENTRY = """  config {
    name: "sst2"
    base_path: "/models/sst2"
    model_platform: "tensorflow"
  }
"""
TAGGER = """# What is served here.
model_config_list {
  # Both versions for now.
  config {
    name: "tagger" base_path: "/srv/tagger" model_version_policy { all {} }
    version_labels { key: "stable" value: 3 }
  }
}
# The end.
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, f"model_config_list {{\n{ENTRY}}}\n"),
        ("", f"model_config_list {{\n{ENTRY}}}\n"),
        ("# No model yet.\n", f"# No model yet.\nmodel_config_list {{\n{ENTRY}}}\n"),
        ("model_config_list {\n}\n", f"model_config_list {{\n{ENTRY}}}\n"),
    ],
)
def test_the_first_model(tmp_path, before, after):
    path = tmp_path / "models.config"
    if before is not None:
        path.write_text(before)
    add_model(path, "sst2")
    assert path.read_text() == after
    assert os.listdir(tmp_path) == ["models.config"]


def test_another_model_stands_beside_those_that_are_there(tmp_path):
    path = tmp_path / "models.config"
    path.write_text(TAGGER)
    add_model(path, "sst2")
    entry = ENTRY.replace("/models", "/srv")
    assert path.read_text() == TAGGER.replace("}\n# The end", f"{entry}}}\n# The end")
    models = read_config(path)
    assert models["tagger"].version_labels == {"stable": 3}
    assert models["sst2"].base_path == "/srv/sst2"


def test_a_model_that_is_there_stays(tmp_path):
    path = tmp_path / "models.config"
    path.write_text(TAGGER)
    add_model(path, "tagger")
    assert path.read_text() == TAGGER


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TAGGER + "# }\n", "must end with the bracket that closes model_config_list"),
        (TAGGER + "custom_model_config {}\n", "models.config"),
        ("model_config_list {", "must be a ModelServerConfig in text form"),
    ],
)
def test_a_file_that_cannot_be_added_to_stays(tmp_path, text, message):
    path = tmp_path / "models.config"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        add_model(path, "sst2")
    assert path.read_text() == text and os.listdir(tmp_path) == ["models.config"]
