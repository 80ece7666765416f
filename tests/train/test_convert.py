import dataclasses

import numpy as np
import pytest

import keras_bert as kb


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer, config):
    """A folder with a pretrained model of the Hub's formula of gelu, and one of Google's."""
    folder = tmp_path_factory.mktemp("convert")
    for name in ("gelu", "gelu_tanh"):
        small = dataclasses.replace(config, num_layers=1, activation=name)
        kb.save(kb.BertPretrainer(kb.BertEncoder(small)), folder / name, tokenizer)
    return folder


@pytest.mark.parametrize(("source", "form"), [("gelu", "hub"), ("gelu_tanh", "google")])
def test_a_checkpoint_is_converted(folder, tmp_path, call, source, form):
    flags = (f"--source={folder}/{source}", f"--output_dir={tmp_path}/new", f"--format={form}")
    printed = call("convert", *flags)
    before, after = kb.load(folder / source), kb.load(tmp_path / "new")
    count = f"{before.model.count_params():,} parameters in {form} form"
    assert f"{tmp_path}/new: a BertPretrainer with {count}" in printed
    assert after.config == before.config
    assert after.tokenizer.vocabulary == before.tokenizer.vocabulary
    for one, other in zip(before.model.get_weights(), after.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_a_form_cannot_hold_is_refused(folder, tmp_path, refused):
    flags = (f"--source={folder}/gelu", f"--output_dir={tmp_path}/new", "--format=google")
    assert "gelu by its tanh formula" in refused("convert", *flags)
    assert "/nowhere" in refused("convert", "--source=/nowhere", f"--output_dir={tmp_path}/new")
    assert not (tmp_path / "new").exists()
