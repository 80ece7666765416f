"""BERT's config and weights under the names of both forms."""

import dataclasses

import pytest

import keras_bert as kb
from keras_bert.checkpoints.families.bert import BERT, weight_names

CONFIGS = {
    "decoder": ({"is_decoder": True}, "is_decoder is true, but must be false: .* left only"),
    "cross": ({"add_cross_attention": True}, "add_cross_attention is true, but must be false"),
    "positions": ({"position_embedding_type": "alibi"}, 'position_embedding_type is "alibi"'),
    "pruned": ({"pruned_heads": {"0": [1]}}, "pruned_heads is .* but must be {}"),
    "narrow": ({"embedding_size": 12}, "embedding_size is 12, but must be 18"),
    "quantized": ({"quantization_config": {"bits": 4}}, "quantization_config is .*quantized"),
    "code": ({"auto_map": {"AutoModel": "a.B"}}, "auto_map is .*code of its own"),
    "gated": ({"feed_forward_type": "geglu"}, 'feed_forward_type is "geglu"'),
    "family": ({"model_type": "t5"}, "must describe a BERT, .* but its model_type is 't5'"),
    "class": ({"model_type": None, "architectures": ["DebertaModel"]}, "it is of a DebertaModel"),
    "activation": ({"hidden_act": {}}, "hidden_act must be a text, not {}"),
    "size by a word": ({"hidden_size": "18"}, "hidden_size must be a number, not '18'"),
    "size by a fraction": ({"vocab_size": 101.0}, r"must be a whole .* \(vocabulary_size is voc"),
    "dropout by a word": ({"hidden_dropout_prob": "0.1"}, "hidden_dropout_prob must be a number"),
    "no dropout": ({"attention_probs_dropout_prob": None}, "attention_probs_dropout_prob must be"),
    "nan": ({"initializer_range": float("nan")}, "initializer_range must be a number, not nan"),
    "epsilon": (
        {"layer_norm_eps": -1},
        r"norm_epsilon must be .* \(norm_epsilon is layer_norm_eps",
    ),
    "layers": ({"num_hidden_layers": 10**6}, "encoder.layer.2.attention.*are missing"),
    "positions' number": ({"max_position_embeddings": 10**7}, r"\(10000000, 18\) that the config"),
    "width": ({"intermediate_size": 10**7}, r"\(18, 10000000\) that the config says"),
    "pieces": ({"vocab_size": 10**12}, r"\(1000000000000, 18\) that the config says"),
    "sines": (
        {"model_type": "keras_bert", "positions": "sinusoidal", "max_position_embeddings": 10**9},
        "1000000000 sinusoidal positions of 18 numbers are too many",
    ),
    "pre-norm": ({"model_type": "keras_bert", "norm_first": 1}, "norm_first must be true or false"),
}


@pytest.mark.parametrize(("change", "message"), CONFIGS.values(), ids=CONFIGS)
def test_a_config_that_no_bert_has(with_config, change, message):
    folder = with_config(change)
    with pytest.raises(ValueError, match=message) as error:
        kb.load(folder)
    assert str(folder) in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"norm_first": True},
        {"positions": "sinusoidal"},
        {"positions": "rotary"},
        {"activation": "gelu_tanh"},
    ],
    ids=str,
)
def test_a_config_comes_back(tmp_path, change, config):
    config = dataclasses.replace(config, num_segments=3, norm_epsilon=1e-6, **change)
    content = BERT.config.write(config)
    assert BERT.config.read(content, tmp_path / "config.json") == config
    is_bert = "activation" in change or not change
    assert content["model_type"] == ("bert" if is_bert else "keras_bert")
    assert {"norm_first", "positions"} & content.keys() == (
        set() if is_bert else {"norm_first", "positions"}
    )


@pytest.mark.parametrize("change", [{"norm_first": True}, {"positions": "sinusoidal"}, {}], ids=str)
def test_the_table_has_every_weight_and_its_shape(change, config):
    config = dataclasses.replace(config, **change)
    names = weight_names(config)
    for objective in ("next_sentence", "sentence_order"):
        model = kb.BertPretrainer(kb.BertEncoder(config), objective)
        paths = {weight.path for weight in model.weights}
        assert {name.ours for name in (*names.encoder, *names.pooler)} <= paths <= set(names.all())
        for weight in model.weights:
            sizes = names.all()[weight.path].shape
            shape = [getattr(config, s) if isinstance(s, str) else s for s in sizes]
            assert tuple(shape) == tuple(weight.shape), weight.path


@pytest.mark.parametrize("form", ["ours", "google", "hub"])
def test_every_weight_of_a_model_has_one_name(form, config):
    names = [
        getattr(name, form)
        for name in weight_names(config).all().values()
        if not name.ours.startswith("sentence_order/")
    ]
    assert len(set(names)) == len(names)


def test_googles_names_are_those_of_its_checkpoints(shared):
    import tensorflow as tf

    folder = shared / "golden" / "google_bert_3x48"
    theirs = {name for name, _ in tf.train.list_variables(str(folder / "bert_model.ckpt"))}
    names = weight_names(kb.BertConfig(num_layers=3))
    tasks = ("classifier/", "span/")
    ours = {name.google for name in names.all().values() if not name.ours.startswith(tasks)}
    slots = {name for name in theirs if name.endswith(("adam_m", "adam_v"))}
    assert ours == theirs - slots - {"global_step"}


@pytest.mark.parametrize(
    ("name", "present"),
    [
        ("bert.embeddings.LayerNorm.gamma", "bert.embeddings.LayerNorm.weight"),
        ("embeddings.LayerNorm.beta", "bert.embeddings.LayerNorm.bias"),
        ("encoder.layer.0.output.dense.bias", "bert.encoder.layer.0.output.dense.bias"),
        ("pooler.dense.weight", "bert.pooler.dense.weight"),
        ("classifier.weight", "classifier.weight"),
        ("cls.predictions.bias", "cls.predictions.bias"),
    ],
)
def test_names_of_every_version_are_present_ones(name, present):
    assert BERT.tensors.present_name(name) == present
