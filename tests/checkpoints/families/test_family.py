"""Another family is one file, here this one, and one entry in the table."""

import json

import keras
import numpy as np
import pytest

import keras_bert as kb
from keras_bert.checkpoints import families, hub, names, settings, word_pieces
from keras_bert.checkpoints.families.family import (
    ConfigFile,
    Family,
    HubClasses,
    HubTensors,
)
from keras_bert.config import EncoderConfig
from keras_bert.layers.attention import AttentionBias, SelfAttention
from keras_bert.layers.norm import LayerNorm
from keras_bert.layers.transformer import TransformerBlock
from keras_bert.models.assembly import Parts
from keras_bert.models.encoder import Encoder

B, T = 2, 7


class ToyConfig(EncoderConfig):
    """There is nothing but what all encoders have."""


class ToyEmbeddings(keras.layers.Layer):
    """Pieces alone: there are neither positions nor segments."""

    def __init__(self, token):
        super().__init__(dtype=token.dtype_policy, name="embeddings")
        self.token = token

    def build(self, ids_shape):
        self.token.build(ids_shape)

    def call(self, ids):
        return self.token(ids)


class ToyEncoder(Encoder):
    """A pre-norm encoder without segments, positions and pooler."""

    INPUTS = ("token_ids", "padding_mask")

    @staticmethod
    def assemble(config, inputs, initializer, dtype):
        embeddings = ToyEmbeddings(
            keras.layers.Embedding(
                config.vocabulary_size, config.hidden_dim, initializer, dtype=dtype, name="token"
            )
        )
        blocks = [
            TransformerBlock(
                SelfAttention(
                    config.num_heads,
                    config.hidden_dim,
                    kernel_initializer=initializer,
                    dtype=dtype,
                    name="attention",
                ),
                keras.layers.Dense(config.intermediate_dim, "relu", dtype=dtype, name="wide"),
                keras.layers.Dense(config.hidden_dim, dtype=dtype, name="narrow"),
                norm_first=True,
                dtype=dtype,
                name=f"block_{i}",
            )
            for i in range(config.num_layers)
        ]
        return Parts(
            embeddings,
            embeddings(inputs["token_ids"]),
            blocks,
            [AttentionBias(dtype=dtype)(inputs["padding_mask"])] * config.num_layers,
            norm=LayerNorm(config.norm_epsilon, dtype=dtype, name="last"),
        )


KEYS = {
    "vocabulary_size": "n_words",
    "num_layers": "n_layers",
    "num_heads": "n_heads",
    "hidden_dim": "dim",
    "intermediate_dim": "ffn",
    "max_sequence_length": "n_positions",
}


def read_config(content, source):
    return settings.read_config(ToyConfig, content, KEYS, source, {})


def write_config(config):
    return {"model_type": "toy", **{theirs: getattr(config, ours) for ours, theirs in KEYS.items()}}


def weight_names(config):
    parts = {
        "attention/query": ("q", {}),
        "attention/key": ("k", {}),
        "attention/value": ("v", {}),
        "attention/output": ("o", {}),
        "wide": ("up", {"width_out": "intermediate_dim"}),
        "narrow": ("down", {"width_in": "intermediate_dim"}),
    }
    norms = {"attention_norm": "ln_1", "output_norm": "ln_2"}
    blocks = []
    for i in range(config.num_layers):
        for ours, (theirs, widths) in parts.items():
            blocks += names.dense(f"block_{i}/{ours}", f"toy.h.{i}.{theirs}", **widths)
        for ours, theirs in norms.items():
            blocks += names.norm(f"block_{i}/{ours}", f"toy.h.{i}.{theirs}")
    return names.Names(
        encoder=(
            names.table("embeddings/token", "toy.words.weight", "", "vocabulary_size"),
            *blocks,
            *names.norm("last", "toy.ln"),
        ),
        heads=(
            *names.dense("masked_lm/dense", "lm.dense"),
            *names.norm("masked_lm/norm", "lm.ln"),
            names.WeightName("masked_lm/bias", "lm.bias", shape=("vocabulary_size",)),
            *names.head("classifier", "score"),
        ),
    )


TOY = Family(
    name="Toy",
    encoder=ToyEncoder,
    model_types=("toy",),
    class_prefix="Toy",
    classes=HubClasses(
        encoder="ToyModel",
        masked_lm="ToyForMaskedLM",
        pretraining=None,
        tasks={"text_classification": "ToyForSequenceClassification"},
    ),
    config=ConfigFile(read_config, write_config),
    names=weight_names,
    tensors=HubTensors(
        prefix="toy.",
        present_name=lambda name: f"toy.{name}" if name.startswith(("words", "h.", "ln")) else name,
        copies={"lm.decoder.weight": "toy.words.weight"},
    ),
    tokenizer=word_pieces.FILES,
)


@pytest.fixture(autouse=True)
def table(monkeypatch):
    monkeypatch.setattr(families, "FAMILIES", (*families.FAMILIES, TOY))


@pytest.fixture
def encoder(drawn):
    config = ToyConfig(
        vocabulary_size=101, num_layers=2, num_heads=3, hidden_dim=18, intermediate_dim=31
    )
    return drawn(ToyEncoder(config))


def inputs(**more):
    ids = np.random.default_rng(5).integers(5, 97, [B, T]).astype("int32")
    return {"token_ids": ids, "padding_mask": np.ones_like(ids), **more}


def test_an_encoder_is_saved_and_opened(tmp_path, tokenizer, encoder):
    kb.save(encoder, tmp_path, tokenizer)
    checkpoint = kb.load(tmp_path)
    assert type(checkpoint.encoder) is ToyEncoder and checkpoint.model is None
    assert checkpoint.config == encoder.config and type(checkpoint.config) is ToyConfig
    for ours, theirs in zip(encoder.weights, checkpoint.encoder.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    content = json.loads((tmp_path / "config.json").read_text())
    assert content["architectures"] == ["ToyModel"] and content["n_words"] == 101


def test_a_pretrainer_is_saved_and_opened(tmp_path, tokenizer, encoder, drawn):
    model = drawn(kb.BertPretrainer(encoder, None))
    kb.save(model, tmp_path, tokenizer)
    loaded = kb.load(tmp_path).model
    x = inputs(mask_positions=np.array([[1, 4], [2, 0]], "int32"))
    np.testing.assert_array_equal(loaded(x)["masked_lm"], model(x)["masked_lm"])
    blanks = kb.FillMask(loaded, kb.Packer(tokenizer, 9), top_k=3)(["the [MASK]"])
    assert len(blanks[0][0]) == 3


def test_tasks_stand_on_it_as_on_any(tmp_path, tokenizer, encoder, drawn):
    """One that transformers has a class for in the family, and one that it has none for."""
    packer = kb.Packer(tokenizer, 9)
    classifier = drawn(kb.TextClassifier(encoder, packer, ("no", "yes")))
    assert "segment_ids" not in classifier.input_names
    embedder = kb.SentenceEmbedder(encoder, packer)
    for task, architecture in (
        (classifier, "ToyForSequenceClassification"),
        (embedder, "ToyModel"),
    ):
        folder = tmp_path / architecture
        kb.save(task, folder)
        content = json.loads((folder / "config.json").read_text())
        assert content["architectures"] == [architecture]
        loaded = kb.load(folder).model
        assert type(loaded) is type(task) and loaded.settings() == task.settings()
        columns = dict.fromkeys(task.example_spec, ["the fox", "a lazy dog"])
        again = loaded.outputs_of(loaded.features(columns))
        for name, value in task.outputs_of(task.features(columns)).items():
            np.testing.assert_array_equal(again[name], value)
        assert loaded.copy("bfloat16").encoder.dtype_policy.name == "bfloat16"


def test_both_families_stand_beside_each_other(tmp_path, tokenizer, encoder, config):
    for _ in range(2):  # in one directory too
        for one, kind in ((encoder, ToyEncoder), (kb.BertEncoder(config), kb.BertEncoder)):
            kb.save(one, tmp_path, tokenizer)
            assert type(kb.load(tmp_path).encoder) is kind


def test_what_a_family_has_not_is_told_by_its_name(tmp_path, tokenizer, encoder):
    with pytest.raises(ValueError, match="no class for a BertPretrainer with a sentence"):
        kb.save(kb.BertPretrainer(encoder), tmp_path / "hub", tokenizer)
    with pytest.raises(ValueError, match="Google's code has no Toy"):
        kb.save_google(encoder, tmp_path / "google", tokenizer)
    kb.save(encoder, tmp_path, tokenizer)
    (tmp_path / "checksums.json").unlink()
    content = json.loads((tmp_path / "config.json").read_text())
    for change, message in (
        (
            {"n_layers": 3},
            "tensors of a Toy of its config, but toy.h.2.*one whole Toy and the conf",
        ),
        ({"dim": "18"}, "dim must be a number, not '18'"),
        ({"model_type": "t5"}, "must describe a BERT, .* or a Toy, but its model_type is 't5'"),
    ):
        (tmp_path / "config.json").write_text(json.dumps({**content, **change}))
        with pytest.raises(ValueError, match=message):
            kb.load(tmp_path)


def test_without_its_entry_a_family_is_told(tmp_path, tokenizer, encoder, monkeypatch):
    kb.save(encoder, tmp_path / "saved", tokenizer)
    monkeypatch.setattr(families, "FAMILIES", families.FAMILIES[:1])
    with pytest.raises(ValueError, match="this one's encoder is a ToyEncoder: give its family a"):
        kb.save(encoder, tmp_path, tokenizer)
    with pytest.raises(ValueError, match="must describe a BERT, but its model_type is 'toy'"):
        kb.load(tmp_path / "saved")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"model_type": "toy"}, "Toy"),
        ({"model_type": "keras_bert", "architectures": ["ToyModel"]}, "BERT"),
        ({"architectures": ["ToyModel"]}, "Toy"),
        ({"architectures": ["BertModel"]}, "BERT"),
        ({}, "BERT"),
    ],
)
def test_a_family_is_told_by_its_type_or_else_by_its_class(tmp_path, content, name):
    assert families.family_of(content, tmp_path).name == name


def test_a_task_finds_the_class_of_its_family(encoder):
    assert hub.class_of(encoder) == "ToyModel"
    assert hub.task_of("ToyForSequenceClassification", TOY.classes) == "text_classification"
    assert hub.task_of("BertForSequenceClassification", TOY.classes) is None
