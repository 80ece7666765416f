"""Saved models whose files a test may change."""

import json

import pytest
import safetensors.numpy

import keras_bert as kb


@pytest.fixture
def changeable(tmp_path, tokenizer, config):
    """A model and its directory without checksums."""
    model = kb.BertPretrainer(kb.BertEncoder(config))
    kb.save(model, tmp_path / "bert", tokenizer)
    (tmp_path / "bert" / "checksums.json").unlink()
    return model, tmp_path / "bert"


@pytest.fixture(scope="session")
def rewrite():
    """Changes the tensors of a directory: a function of it and of one from tensors to tensors."""

    def write(folder, change):
        path = folder / "model.safetensors"
        safetensors.numpy.save_file(change(safetensors.numpy.load_file(path)), path)

    return write


@pytest.fixture(scope="session")
def whole(tmp_path_factory, tokenizer, config):
    """The directory of a model, without checksums, which stays as it is."""
    folder = tmp_path_factory.mktemp("whole")
    kb.save(kb.BertPretrainer(kb.BertEncoder(config)), folder, tokenizer)
    (folder / "checksums.json").unlink()
    return folder


@pytest.fixture
def with_config(whole, tmp_path):
    """A directory with that model and a config that says something else."""

    def make(change):
        for path in whole.iterdir():
            (tmp_path / path.name).symlink_to(path)
        content = json.loads((whole / "config.json").read_text())
        (tmp_path / "config.json").unlink()
        (tmp_path / "config.json").write_text(json.dumps({**content, **change}))
        return tmp_path

    return make
