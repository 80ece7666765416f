"""A model's weights under the names of a form, there and back."""

import dataclasses

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.checkpoints import weights
from keras_bert.checkpoints.families.bert import BERT


def without_pooler(tensors):
    return {name: value for name, value in tensors.items() if "pooler" not in name}


def test_an_encoder_may_have_no_pooler(tmp_path, tokenizer, config, rewrite):
    kb.save(kb.BertEncoder(config), tmp_path, tokenizer)
    (tmp_path / "checksums.json").unlink()
    rewrite(tmp_path, without_pooler)
    kernel = np.asarray(kb.load(tmp_path).encoder.pooler.dense.kernel)
    assert 0.01 < kernel.std() < 0.03


def test_a_head_on_the_pooler_needs_it(changeable, rewrite):
    _, folder = changeable
    rewrite(folder, without_pooler)
    with pytest.raises(ValueError, match=r"bert.pooler.dense.bias.* missing"):
        kb.load(folder)


@pytest.mark.parametrize("block_bytes", [1 << 25, 100])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_precisions_become_float32(changeable, rewrite, dtype, block_bytes, monkeypatch):
    """Tables of more than a block are assigned some rows at a time."""
    import ml_dtypes

    monkeypatch.setattr(weights, "BLOCK_BYTES", block_bytes)
    model, folder = changeable
    kinds = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float64": np.float64}
    kind = kinds[dtype]
    rewrite(folder, lambda tensors: {name: t.astype(kind) for name, t in tensors.items()})
    for ours, theirs in zip(model.weights, kb.load(folder).model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(ours).astype(kind).astype("float32"), theirs)


class Arrays(dict):
    """Tensors in memory as those of a file."""

    def shape(self, name):
        return self[name].shape


@pytest.mark.parametrize("form", ["hub", "google"])
def test_there_and_back_every_weight_is_the_same(form, config, drawn):
    model, other = (drawn(kb.BertPretrainer(kb.BertEncoder(config))) for _ in range(2))
    for weight in other.weights:
        weight.assign(0 * weight)
    tensors = Arrays(weights.tensors_of(model, form))
    weights.check_shapes(tensors, BERT, config, form, "a file")
    assert weights.assign(other, tensors, form, "a file") == []
    for ours, theirs in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_matrices_are_stored_as_a_form_has_them(config):
    encoder = kb.BertEncoder(config)
    kernel = np.asarray(encoder.blocks[0].intermediate.kernel)
    hub, google = (weights.tensors_of(encoder, form) for form in ("hub", "google"))
    np.testing.assert_array_equal(hub["bert.encoder.layer.0.intermediate.dense.weight"], kernel.T)
    np.testing.assert_array_equal(google["bert/encoder/layer_0/intermediate/dense/kernel"], kernel)


def test_the_pooler_is_left_out_where_no_head_uses_it(config, tokenizer):
    encoder, packer = kb.BertEncoder(config), kb.Packer(tokenizer, 9)
    pooler = {"pooler/dense/kernel", "pooler/dense/bias"}
    models = {
        "alone": encoder,
        "sentences": kb.BertPretrainer(encoder),
        "words": kb.BertPretrainer(encoder, None),
        "spans": kb.QuestionAnswerer(encoder, packer),
        "texts": kb.TextClassifier(encoder, packer, ("a", "b")),
    }
    idle = {name for name, model in models.items() if weights.pooler_of(model) == pooler}
    assert idle == {"alone", "words", "spans"}
    for name, model in models.items():
        has_pooler = "bert.pooler.dense.weight" in weights.tensors_of(model, "hub")
        assert has_pooler == (name in ("alone", "sentences", "texts"))
        assert "bert/pooler/dense/kernel" in weights.tensors_of(model, "google")


def test_names_are_those_of_the_models_weights(config):
    model = kb.BertPretrainer(kb.BertEncoder(config), "sentence_order")
    names = weights.names_of(model)
    assert names.keys() == {weight.path for weight in model.weights}
    assert names["sentence_order/kernel"].hub == "cls.seq_relationship.weight"
    for form in ("hub", "google"):
        assert len({getattr(name, form) for name in names.values()}) == len(names)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("bert.encoder.layer.1.output.dense.bias"), "output.dense.bias are missi"),
        (lambda t: t.update({"more": np.zeros(3)}), "none are missing and more are not known"),
        (
            lambda t: t.update({"cls.predictions.bias": np.zeros(7, "float32")}),
            r"cls.predictions.bias must have the shape \(101,\) .* has \(7,\)",
        ),
    ],
)
def test_what_does_not_fit_is_named(change, message, config):
    model = kb.BertPretrainer(kb.BertEncoder(config))
    tensors = Arrays(weights.tensors_of(model, "hub"))
    change(tensors)
    with pytest.raises(ValueError, match=f"a file.*{message}"):
        weights.assign(model, tensors, "hub", "a file")


def test_shapes_are_compared_before_anything_is_built(config):
    tensors = Arrays(weights.tensors_of(kb.BertEncoder(config), "hub"))
    for change, message in (
        ({"num_layers": 10**6}, "encoder.layer.2.attention.*and .* more are missing"),
        ({"vocabulary_size": 10**9}, r"must have the shape \(1000000000, 18\)"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong = dataclasses.replace(config, **change)
            weights.check_shapes(tensors, BERT, wrong, "hub", "a file")
