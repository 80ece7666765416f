"""What is said of a directory that holds no model, or one of another family."""

import json

import pytest

import keras_bert as kb


def write(folder, **files):
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(
            content if isinstance(content, str) else json.dumps(content)
        )


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("bert-base-uncased", "google-bert/bert-base-uncased --local-dir bert-base-uncased"),
        ("google-bert/bert-large-cased", "google-bert/bert-large-cased --local-dir bert-large-"),
        ("intfloat/e5-base", "intfloat/e5-base --local-dir e5-base"),
        ("nowhere", "OWNER/NAME --local-dir NAME"),
        ("a/b/c", "OWNER/NAME --local-dir NAME"),
        ("./bert", "OWNER/NAME --local-dir NAME"),
        ("../bert", "OWNER/NAME --local-dir NAME"),
    ],
)
def test_a_name_on_the_hub_is_no_directory(tmp_path, monkeypatch, name, command):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"nothing is downloaded: .*`hf download {command}"):
        kb.load(name)


def test_a_file_is_no_directory(tmp_path):
    write(tmp_path, model__safetensors="")
    with pytest.raises(ValueError, match="model.safetensors is a file: name the directory"):
        kb.load(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("files", "family"),
    [
        (
            {"config__json": {"model_type": "deberta"}, "vocab__json": {}, "merges__txt": ""},
            "deberta",
        ),
        ({"config__json": {"model_type": "albert", "hidden_size": 768}}, "albert"),
        ({"config__json": {"model_type": "t5"}, "pytorch_model__bin": ""}, "t5"),
        ({"config__json": {"architectures": ["DebertaModel"]}}, "DebertaModel"),
    ],
)
def test_another_family_is_told_before_any_file_is_missed(tmp_path, files, family):
    write(tmp_path, **files)
    with pytest.raises(ValueError, match=f"config.json must describe a BERT, .*, but .*{family}"):
        kb.load(tmp_path)


@pytest.mark.parametrize("binary", ["pretrain", "finetune"])
def test_the_directory_of_a_run_that_has_not_ended(tmp_path, binary):
    write(tmp_path, **{f"{binary}__flags": "", "vocab__txt": ""})
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(ValueError, match="has not ended.*run the same command again") as error:
        kb.load(tmp_path)
    assert f"keras-bert {binary} --flagfile={tmp_path / binary}.flags" in str(error.value)


def test_a_model_in_a_folder_below(tmp_path):
    (tmp_path / "checkpoint-500").mkdir()
    write(tmp_path / "checkpoint-500", model__safetensors="")
    with pytest.raises(ValueError, match="There are models in its folders checkpoint-500"):
        kb.load(tmp_path)
    write(tmp_path, modules__json=[{"path": "0_Transformer"}])
    with pytest.raises(ValueError, match="modules.json may say that the encoder is in a folder"):
        kb.load(tmp_path)


def test_an_empty_directory(tmp_path):
    with pytest.raises(ValueError, match="there is no .*model.safetensors: name the directory"):
        kb.load(tmp_path)


def test_a_pickle_beside_an_old_config(tmp_path):
    write(tmp_path, bert_config__json={}, pytorch_model__bin="")
    with pytest.raises(ValueError, match="pytorch_model.bin is not opened"):
        kb.load(tmp_path)
