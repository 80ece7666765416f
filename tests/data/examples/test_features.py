import json
import logging

import pytest

from keras_bert.data.examples.features import read_tag_names, with_names
from keras_bert.data.rows import Row

LABEL = {"names": ["neg", "pos"], "_type": "ClassLabel"}
TAGS = {"names": ["O", "B-PER"], "_type": "ClassLabel"}
FEATURES = {"text": {"dtype": "string", "_type": "Value"}, "label": LABEL}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "dataset_info.json",
            {"features": {**FEATURES, "tags": {"feature": TAGS, "_type": "L"}}},
        ),
        ("dataset_info.json", {"features": {**FEATURES, "tags": [TAGS]}}),
        ("dataset_infos.json", {"default": {"features": {**FEATURES, "tags": {"feature": TAGS}}}}),
    ],
)
@pytest.mark.parametrize("folder", ["", "data"])
def test_numbers_of_classes_become_names(tmp_path, caplog, name, content, folder):
    (tmp_path / name).write_text(json.dumps(content))
    rows = [
        Row({"text": "1", "label": 1, "tags": [1, 0]}, "a:1"),
        Row({"text": "0", "label": -1, "tags": "[0, 1]"}, "a:2"),
        Row({"label": "pos"}, "a:3"),
    ]
    with caplog.at_level(logging.INFO, logger="absl"):
        found = with_names(rows, tmp_path / folder / "a.jsonl")
    assert found == [
        {"text": "1", "label": "pos", "tags": ["B-PER", "O"]},
        {"text": "0", "label": None, "tags": ["O", "B-PER"]},
        {"label": "pos"},
    ]
    assert [row.source for row in found] == ["a:1", "a:2", "a:3"]
    assert f"the classes of label, tags are named by {tmp_path / name}" in caplog.text
    assert with_names(rows[:1], tmp_path / "b" / "a.jsonl") == rows[:1]


def test_numbers_of_no_class_are_refused(tmp_path):
    (tmp_path / "dataset_info.json").write_text(json.dumps({"features": FEATURES}))
    with pytest.raises(ValueError, match="a:1: a class must be a number below 2, .*pos, but is 2"):
        with_names([Row({"label": 2}, "a:1")], tmp_path / "a.csv")
    for content in ("[]", '{"features": []}', '{"features": {"label": 7}}'):
        (tmp_path / "dataset_info.json").write_text(content)
        assert with_names([Row({"label": 2}, "a:1")], tmp_path / "a.csv") == [{"label": 2}]


@pytest.mark.parametrize("content", ["7", '{"O": 1}', "[1]", "{}"])
def test_tag_names_of_another_form_are_refused(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    if content == "{}":
        assert read_tag_names(tmp_path / "a.json") == []
        return
    with pytest.raises(ValueError, match=r"a\.json must name classes by numbers from 0"):
        read_tag_names(tmp_path / "a.json")
