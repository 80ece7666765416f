"""Layers that stay float32: files between the two, and which of them a score needs."""

import dataclasses
import json

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.exporting import mixed_precision
from keras_bert.exporting.export import export
from keras_bert.exporting.mixed_precision import (
    Mixture,
    is_close,
    layer_of,
    layers_to_keep,
    rows_of,
)
from keras_bert.lite import Lite
from keras_bert.lite.model import Model
from keras_bert.lite.rows import Row

ROW = Row([2, 9, 12, 40, 3], [0] * 5)


@pytest.fixture(scope="module")
def mixture(lite_exports):
    return Mixture(*((path / "model.tflite").read_bytes() for path in lite_exports[1]))


def logits(tmp_path, content):
    (tmp_path / "model.tflite").write_bytes(content)
    return Model(tmp_path / "model.tflite", num_threads=1)(ROW)["logits"]


def test_between_two_files_any_layer_is_float(lite_exports, mixture, tmp_path):
    whole, small = (
        logits(tmp_path, (path / "model.tflite").read_bytes()) for path in lite_exports[1]
    )
    np.testing.assert_array_equal(logits(tmp_path, mixture.content(())), small)
    np.testing.assert_allclose(logits(tmp_path, mixture.content(mixture.layers)), whole, atol=1e-6)
    assert not np.array_equal(small, whole)
    # Smaller matrices than that of the pieces are float32 in any case.
    assert [layer_of(name).split("/")[-1].rstrip("_1") for name in mixture.layers] == ["token"]


def test_what_is_not_of_one_model_is_refused(mixture, lite_exports):
    small = (lite_exports[1][1] / "model.tflite").read_bytes()
    with pytest.raises(ValueError, match="Each matrix of an int8 file must be in the one in"):
        Mixture(small, small)


def test_the_most_damaging_layers_stay_and_no_more():
    damage = {"a": 0.1, "b": 0.4, "c": 0.2, "d": 0.3, "e": 0.0}
    asked = []

    def is_enough(kept):
        asked.append(list(kept))
        return {"b", "d", "c"} <= set(kept)

    assert layers_to_keep(tuple(damage), damage.get, is_enough) == ["b", "d", "c"]
    assert asked[0] == [] and ["b", "d"] in asked
    assert layers_to_keep(tuple(damage), damage.get, lambda kept: True) == []


def test_half_a_point_may_be_lost():
    assert is_close("f1", 0.8, 0.7951) and not is_close("f1", 0.8, 0.79)
    assert is_close("f1", 0.8, 0.9) and is_close("exact", 80.0, 79.7)
    assert not is_close("exact", 80.0, 79.0)
    assert is_close("mean_squared_error", 9.0, 1.0)
    assert not is_close("mean_squared_error", 1.0, 1.1)


def test_rows_are_as_long_as_they_are(config, tokenizer, without_graphs):
    encoder, packer = kb.BertEncoder(config), kb.Packer(tokenizer, 23)
    task = kb.FillMask(kb.BertPretrainer(encoder, None), packer, top_k=3)
    rows = rows_of(task, [{"text": "a [MASK] film"}, {"text": "[MASK]"}])
    mask = tokenizer.special.mask
    assert [len(row.token_ids) for row, _ in rows] == [5, 3]
    assert [row.token_ids[blanks[0]] for row, blanks in rows] == [mask, mask]
    choices = kb.MultipleChoice(encoder, packer)
    examples = [{"context": "a", "question": "b", "choices": ["c"] * n} for n in (1, 3)]
    assert len(rows_of(choices, examples)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("family", ["Bert", "ModernBert"])
def test_an_export_keeps_the_layers_that_its_score_needs(
    tokenizer, encoder_of, drawn, family, tmp_path, monkeypatch
):
    encoder = encoder_of(family, num_layers=1, hidden_dim=36, intermediate_dim=41)
    task = drawn(kb.SentenceEmbedder(encoder, kb.Packer(tokenizer, 23)))
    wanted, seen = task.embed(["a fine film"]), []

    def scores_of(task, lite, examples):
        off = float(np.abs(lite.embed(["a fine film"]) - wanted).max())
        seen.append(off)
        # Of all but a tenth of what int8 is off.
        return {task.score_names[0]: 1.0 if off < 0.1 * seen[0] else 0.0}

    monkeypatch.setattr(mixed_precision, "scores_of", scores_of)
    monkeypatch.setattr(type(task), "scores", lambda self, *_: {self.score_names[0]: 1.0})
    examples = [{"text": "a fine film", "positive": "film"}, {"text": "fox", "positive": "dog"}]
    path = export(task, tmp_path / "mine", "int8", format="litert", examples=examples)
    layers = json.loads((path / "litert.json").read_text())["float32_layers"]
    off = np.abs(Lite(path).embed(["a fine film"]) - wanted).max()
    assert layers and 0 < off < 0.1 * seen[0]


@pytest.mark.slow
def test_a_table_that_is_read_twice(config, tokenizer, drawn, tmp_path):
    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1))
    task = drawn(kb.FillMask(kb.BertPretrainer(encoder, None), kb.Packer(tokenizer, 23), top_k=3))
    paths = [export(task, tmp_path / "mine", p, format="litert") for p in ("float32", "int8")]
    mixed = Mixture(*((path / "model.tflite").read_bytes() for path in paths))
    assert all("/" in mixed.label(layer) for layer in mixed.layers)
    (paths[1] / "model.tflite").write_bytes(mixed.content(mixed.layers))
    [found], [wanted] = Lite(paths[1])(["a [MASK]"]), task(["a [MASK]"])
    assert [piece for piece, _ in found[0]] == [piece for piece, _ in wanted[0]]


def test_examples_are_for_int8(lite_exports, tmp_path):
    with pytest.raises(ValueError, match="Examples say which layers stay float32 in int8"):
        export(lite_exports[0], tmp_path / "mine", format="litert", examples=[])
