"""Checkpoints in the Hub's layout: safetensors in one file or in shards, with checksums of ours."""

from __future__ import annotations

import hashlib
import json
import math
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy

from keras_bert.checkpoints import settings
from keras_bert.config import BertConfig

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
VOCABULARY_FILE = "vocab.txt"
TOKENIZER_FILE = "tokenizer_config.json"
FAST_TOKENIZER_FILE = "tokenizer.json"
CHECKSUMS_FILE = "checksums.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack")

# The types of tensors that a BERT has; position_ids are integers.
DTYPES = {
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F64": np.float64,
    "I64": np.int64,
    "I32": np.int32,
}

# What transformers has no name for is kept under ours, in a model type that it does not open.
OWN_MODEL_TYPE = "keras_bert"
OWN_KEYS = ("norm_first", "positions")

# Copies of tied weights and a buffer, which older versions of transformers wrote besides.
REDUNDANT = (
    "bert.embeddings.position_ids",
    "cls.predictions.decoder.weight",
    "cls.predictions.decoder.bias",
)
_BARE = ("embeddings.", "encoder.", "pooler.")
_OLD_NORM = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}


class _Place(NamedTuple):
    """Where a tensor stands."""

    path: pathlib.Path
    dtype: np.dtype
    shape: tuple[int, ...]
    offset: int


class Tensors(Mapping):
    """The tensors of a checkpoint by their present names, read from the disk one at a time.

    A bare encoder's names get the prefix `bert.` that they have under a head; `LayerNorm.gamma` and
    `LayerNorm.beta` of old files become `LayerNorm.weight` and `LayerNorm.bias`.

    Args:
        directory: path with `model.safetensors`, or shards and their index.

    Raises:
        ValueError: there are no such files, or they are damaged or contradict each other.
    """

    def __init__(self, directory: pathlib.Path):
        self._places: dict[str, _Place] = {}
        for path, names in _shards(directory).items():
            places = _places(path)
            if names is not None and names != set(places):
                raise ValueError(
                    f"{path} must hold the tensors that {INDEX_FILE} says, but "
                    f"{sorted(names ^ set(places))[:5]} are in one of them only: restore both "
                    "files."
                )
            for name, place in places.items():
                if _present_name(name) not in REDUNDANT:
                    self._places[_present_name(name)] = place

    def __getitem__(self, name: str) -> np.ndarray:
        place = self._places[name]
        count = math.prod(place.shape)
        # Not through the library, which maps the file into memory beside the array.
        return np.fromfile(place.path, place.dtype, count, offset=place.offset).reshape(place.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._places))

    def __len__(self) -> int:
        return len(self._places)


def read_settings(directory: pathlib.Path) -> dict[str, Any]:
    """The content of config.json of a BERT.

    Raises:
        ValueError: it describes something else.
    """
    path = directory / CONFIG_FILE
    content = settings.read_json(path)
    model_type = content.get("model_type", "bert")
    if model_type not in ("bert", OWN_MODEL_TYPE):
        raise ValueError(f"{path} must describe a BERT, but its model_type is {model_type!r}.")
    positions = content.get("position_embedding_type", "absolute")
    if positions != "absolute":
        raise ValueError(
            f"{path}: position_embedding_type must be 'absolute', not {positions!r}: models with "
            "relative positions are not supported."
        )
    return content


def read_config(content: Mapping[str, Any], directory: pathlib.Path) -> BertConfig:
    """The config that the content of a directory's config.json says."""
    own_keys = OWN_KEYS if content.get("model_type") == OWN_MODEL_TYPE else ()
    return settings.read_config(
        content, settings.HUB_ACTIVATIONS, directory / CONFIG_FILE, own_keys
    )


def config_settings(config: BertConfig, architecture: str) -> dict[str, Any]:
    """The content of config.json.

    Args:
        config: BertConfig.
        architecture: name of transformers' class, such as "BertModel".
    """
    plain = not config.norm_first and config.positions == "learned"
    return {
        "architectures": [architecture],
        "model_type": "bert" if plain else OWN_MODEL_TYPE,
        **settings.config_settings(config, settings.HUB_ACTIVATIONS),
        **({} if plain else {key: getattr(config, key) for key in OWN_KEYS}),
        "pad_token_id": 0,
        "tie_word_embeddings": True,
    }


def write_tensors(tensors: Mapping[str, np.ndarray], path: pathlib.Path) -> None:
    """Writes a safetensors file as transformers does, which refuses one that has no format."""
    safetensors.numpy.save_file(dict(tensors), path, metadata={"format": "pt"})


def flush(*paths: pathlib.Path) -> None:
    """Waits until files, or the lists of names that directories are, are on the disk."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def checksums(directory: pathlib.Path) -> dict[str, str]:
    """SHA-256 of every file beneath a directory, by its path there."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): _sha256(path) for path in files}


def check_sums(directory: pathlib.Path) -> None:
    """Compares the files of a directory with its checksums, if it has some.

    Raises:
        ValueError: a file is not the one that was saved.
    """
    if not (directory / CHECKSUMS_FILE).is_file():
        return
    for name, expected in settings.read_json(directory / CHECKSUMS_FILE).items():
        path = directory / name
        if not path.is_file() or _sha256(path) != expected:
            raise ValueError(
                f"{path} must be the file that was saved, but it is "
                f"{'damaged or changed' if path.is_file() else 'not there'} (its SHA-256 is in "
                f"{CHECKSUMS_FILE}): copy it again, or delete {CHECKSUMS_FILE} if you changed it."
            )


def _shards(directory: pathlib.Path) -> dict[pathlib.Path, set[str] | None]:
    """The files with tensors, and the names that the index says each has (None: no index)."""
    if (directory / WEIGHTS_FILE).is_file():
        return {directory / WEIGHTS_FILE: None}
    if (directory / INDEX_FILE).is_file():
        places = settings.read_json(directory / INDEX_FILE).get("weight_map", {})
        files: dict[pathlib.Path, set[str] | None] = {}
        for name, file in places.items():
            # Not a path: an index from elsewhere must not reach out of its directory.
            files.setdefault(directory / pathlib.PurePath(file).name, set()).add(name)
        return files
    for name in PICKLES:
        if (directory / name).is_file():
            raise ValueError(
                f"{directory / name} is not opened, as such a file can run code or is not the "
                f"Hub's present form: convert it to {WEIGHTS_FILE} where you trust it, with "
                f"transformers: AutoModel.from_pretrained({str(directory)!r})"
                f".save_pretrained({str(directory)!r})."
            )
    raise ValueError(
        f"A checkpoint is a directory with {CONFIG_FILE}, {WEIGHTS_FILE} and {VOCABULARY_FILE}, or "
        f"Google's with bert_config.json, but there is no {directory / WEIGHTS_FILE}: name the "
        "directory that save() or save_pretrained() wrote."
    )


def _places(path: pathlib.Path) -> dict[str, _Place]:
    """The places of a file's tensors, by name, from its header (8 bytes of length, then JSON)."""
    try:
        with safetensors.safe_open(path, framework="numpy"):
            pass  # The library has seen to it that the header is right.
    except (safetensors.SafetensorError, OSError) as error:
        raise ValueError(
            f"{path} must be a whole safetensors file, but {error}: copy it again."
        ) from error
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    unknown = {entry["dtype"] for entry in header.values()} - set(DTYPES)
    if unknown:
        raise ValueError(
            f"{path} must hold tensors of {', '.join(DTYPES)}, but has {', '.join(unknown)}: save "
            "the model in one of these."
        )
    return {
        name: _Place(
            path,
            np.dtype(DTYPES[entry["dtype"]]),
            tuple(entry["shape"]),
            8 + length + entry["data_offsets"][0],
        )
        for name, entry in header.items()
    }


def _present_name(name: str) -> str:
    for old, present in _OLD_NORM.items():
        name = re.sub(rf"{re.escape(old)}$", present, name)
    return f"bert.{name}" if name.startswith(_BARE) else name


def _sha256(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
