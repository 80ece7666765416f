"""The model on paper counts as the package does, and its tables are those of the documentation."""

import pathlib

import pytest

import keras_bert as kb
from benchmarks import scaling_model

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_documentation_has_its_tables():
    text = (ROOT / "docs" / "distributed.md").read_text()
    name = "benchmarks/scaling_model.py"
    [shown] = text.split(f"<!-- begin: {name} -->\n")[1:]
    lines = shown.split(f"<!-- end: {name} -->")[0].strip().split("\n")
    assert lines == list(scaling_model.tables())


def test_parameters_are_those_of_a_model(config):
    model = kb.BertPretrainer(kb.BertEncoder(config))
    assert scaling_model.num_parameters(config) == model.count_params()


def test_a_ring_of_two_sends_all_gradients_once(config):
    size = scaling_model.GRADIENT_BYTES * scaling_model.num_parameters(config)
    two = scaling_model.reduce_s(config, 2, out_of_node=1.0)
    assert two == pytest.approx(size / scaling_model.WITHIN_NODE)
    many = scaling_model.reduce_s(config, 16, out_of_node=2.0)
    assert many == pytest.approx(2 * 15 / 16 * size / 2.0)
