"""safetensors of every version and size, whole or damaged."""

import json
import struct

import numpy as np
import pytest
import safetensors.numpy

import keras_bert as kb
from keras_bert.checkpoints import tensor_files
from keras_bert.checkpoints.families.bert import BERT
from keras_bert.checkpoints.families.family import HubTensors
from keras_bert.checkpoints.snapshot import Snapshot

PLAIN = HubTensors(prefix="", present_name=str)


def same_weights(folder, model):
    loaded = kb.load(folder).model
    for ours, theirs in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def shard(folder):
    """Cuts the weights into three files with an index, as transformers does with large models."""
    tensors = safetensors.numpy.load_file(folder / tensor_files.WEIGHTS_FILE)
    (folder / tensor_files.WEIGHTS_FILE).unlink()
    places = {}
    for i in range(3):
        file = f"model-{i + 1:05}-of-00003.safetensors"
        part = {name: tensors[name] for name in sorted(tensors)[i::3]}
        safetensors.numpy.save_file(part, folder / file)
        places.update(dict.fromkeys(part, file))
    (folder / tensor_files.INDEX_FILE).write_text(
        json.dumps({"metadata": {}, "weight_map": places})
    )
    return places


def test_shards(changeable):
    model, folder = changeable
    shard(folder)
    same_weights(folder, model)


def test_a_shard_that_is_not_there(changeable):
    _, folder = changeable
    shard(folder)
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(ValueError, match="model-00002-of-00003.safetensors"):
        kb.load(folder)


def test_an_index_that_contradicts_its_shards(changeable):
    _, folder = changeable
    places = shard(folder)
    name = next(iter(places))
    places[name] = "model-00003-of-00003.safetensors"
    (folder / tensor_files.INDEX_FILE).write_text(json.dumps({"weight_map": places}))
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        kb.load(folder)


def test_old_names_and_copies_of_tied_weights(changeable, rewrite):
    model, folder = changeable

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


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", BERT.tensors.copies)
def test_a_decoder_of_its_own_is_refused_and_a_copy_is_not(changeable, rewrite, name, tied):
    model, folder = changeable
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "tie_word_embeddings": tied}))
    original = safetensors.numpy.load_file(folder / tensor_files.WEIGHTS_FILE)
    decoder = {copy: original[of].copy() for copy, of in BERT.tensors.copies.items()}
    rewrite(folder, lambda tensors: {**tensors, **decoder})
    same_weights(folder, model)
    decoder[name][3] += 1
    rewrite(folder, lambda tensors: {**tensors, **decoder})
    with pytest.raises(ValueError, match=f"{name} must be a copy of .*, but differs"):
        kb.load(folder)


def test_a_copy_that_only_the_index_names(changeable):
    model, folder = changeable
    places = {**shard(folder), "cls.predictions.decoder.weight": "model-00001-of-00003.safetensors"}
    (folder / tensor_files.INDEX_FILE).write_text(json.dumps({"weight_map": places}))
    same_weights(folder, model)


def test_positions_that_do_not_count_are_refused(changeable, rewrite):
    _, folder = changeable
    ids = np.arange(11)[None, ::-1].copy()
    rewrite(folder, lambda tensors: {**tensors, "bert.embeddings.position_ids": ids})
    with pytest.raises(ValueError, match="position_ids must count 0, 1, 2"):
        kb.load(folder)


@pytest.mark.parametrize("places", [[5], {"a": 5}, None])
def test_an_index_that_is_none(changeable, places):
    _, folder = changeable
    shard(folder)
    (folder / tensor_files.INDEX_FILE).write_text(json.dumps({"weight_map": places}))
    with pytest.raises(ValueError, match="weight_map must give the file of every tensor"):
        kb.load(folder)


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
def test_a_header_that_lies(changeable, lie):
    _, folder = changeable
    header, body = header_of(folder / tensor_files.WEIGHTS_FILE)
    header["cls.predictions.bias"] = lie(header["cls.predictions.bias"])
    set_header(folder / tensor_files.WEIGHTS_FILE, header, body)
    with pytest.raises(ValueError, match="model.safetensors must be a whole safetensors file"):
        kb.load(folder)


@pytest.mark.parametrize("content", [b"", b"\x00" * 7, struct.pack("<Q", 10**15) + b"{}"])
def test_a_file_that_is_none(changeable, content):
    _, folder = changeable
    (folder / tensor_files.WEIGHTS_FILE).write_bytes(content)
    with pytest.raises(ValueError, match="model.safetensors must be a whole safetensors file"):
        kb.load(folder)


def test_what_is_written_is_what_the_library_reads(tmp_path):
    generator = np.random.default_rng(3)
    tensors = {name: generator.normal(size=[5, 7]).astype("float32").T for name in ("b", "a")}
    tensor_files.write(tensors, tmp_path / tensor_files.WEIGHTS_FILE)
    theirs = safetensors.numpy.load_file(tmp_path / tensor_files.WEIGHTS_FILE)
    with Snapshot(tmp_path) as snapshot:
        ours = tensor_files.Tensors(snapshot, PLAIN)
        assert list(ours) == ["a", "b"] and len(ours) == 2 and ours.shape("a") == (7, 5)
        for name, value in tensors.items():
            np.testing.assert_array_equal(ours[name], value)
            np.testing.assert_array_equal(theirs[name], value)


def test_a_copy_stands_for_what_is_not_there(tmp_path):
    """Of tensors that share their memory the library writes one alone."""
    values = np.arange(6, dtype="float32").reshape(2, 3)
    tensor_files.write({"copy": values}, tmp_path / tensor_files.WEIGHTS_FILE)
    special = HubTensors(prefix="", present_name=str, copies={"copy": "original", "other": "else"})
    with Snapshot(tmp_path) as snapshot:
        tensors = tensor_files.Tensors(snapshot, special)
        assert list(tensors) == ["original"] and tensors.copies == {"copy"}
        np.testing.assert_array_equal(tensors["original"], values)
