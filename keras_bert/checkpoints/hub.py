"""Checkpoints in the Hub's layout: safetensors in one file or in shards, with checksums of ours."""

from __future__ import annotations

import json
import math
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import ml_dtypes
import numpy as np

from keras_bert.checkpoints import settings
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.config import BertConfig

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
# pytorch-pretrained-bert's name of the config, which some keep beside, or in place of, the other.
OLD_CONFIG_FILE = "bert_config.json"
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

# Bytes a number takes, of all types that a safetensors file may have.
WIDTHS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64"), 8),
}
MAX_HEADER_BYTES = 100_000_000  # as in the library

# Values of a config's keys that change nothing; any other changes what a BERT computes.
PLAIN = {
    "is_decoder": (None, False),
    "add_cross_attention": (None, False),
    "is_encoder_decoder": (None, False),
    "position_embedding_type": (None, "absolute"),
    "pruned_heads": (None, {}),
    "quantization_config": (None, {}),
    "directionality": (None, "bidi"),
    "feed_forward_type": (None, "original"),
    "use_bias": (None, True),
    "auto_map": (None, {}),
}

WHY = {
    "is_decoder": "the model attends to the left only",
    "add_cross_attention": "the model attends to another one's states",
    "position_embedding_type": "the model has relative positions",
    "quantization_config": "the weights are quantized",
    "auto_map": "the model comes with code of its own",
}

# The types of a task's own settings; of a list, those of its elements.
OWN_SETTINGS = {
    **dict.fromkeys(("sequence_length", "stride", "num_best"), int),
    **dict.fromkeys(("max_question_tokens", "max_answer_tokens"), int),
    **dict.fromkeys(("pooling", "combine", "problem", "label_key"), str),
    "no_answer_threshold": (int, float),
    "normalize": bool,
    "text_keys": [str],
    "layers": [int],
    "label_range": [(int, float)],
}

# Copies of tied weights and a buffer, which older versions of transformers wrote besides, by what
# they are copies of.
TABLE, LM_BIAS = "bert.embeddings.word_embeddings.weight", "cls.predictions.bias"
DECODER = "cls.predictions.decoder.weight"
COPIES = {DECODER: TABLE, "cls.predictions.decoder.bias": LM_BIAS}
POSITION_IDS = "bert.embeddings.position_ids"
REDUNDANT = (*COPIES, POSITION_IDS)
_BARE = ("embeddings.", "encoder.", "pooler.")
_OLD_NORM = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}


class _Place(NamedTuple):
    """Where a tensor stands."""

    file: BinaryIO
    dtype: np.dtype
    shape: tuple[int, ...]
    offset: int


class Tensors(Mapping):
    """The tensors of a checkpoint by their present names, read from the disk one at a time.

    A bare encoder's names get the prefix `bert.` that they have under a head; `LayerNorm.gamma` and
    `LayerNorm.beta` of old files become `LayerNorm.weight` and `LayerNorm.bias`. Copies of tied
    weights are left out once they have been compared.

    Args:
        snapshot: a directory with `model.safetensors`, or shards and their index; it must stay
            open as long as tensors are read.

    Raises:
        ValueError: there are no such files, or they are damaged or contradict each other.
    """

    def __init__(self, snapshot: Snapshot):
        self._places: dict[str, _Place] = {}
        self.source = str(snapshot.path(WEIGHTS_FILE))
        for file_name, names in _shards(snapshot).items():
            places = _places(snapshot, file_name)
            if names is not None and names - set(places) - set(REDUNDANT) | set(places) - names:
                raise ValueError(
                    f"{snapshot.path(file_name)} must hold the tensors that {INDEX_FILE} says, but "
                    f"{sorted(names ^ set(places))[:5]} are in one of them only: restore both "
                    "files."
                )
            self._places.update({_present_name(name): place for name, place in places.items()})
        self._take_out_copies()

    def __getitem__(self, name: str) -> np.ndarray:
        place = self._places[name]
        place.file.seek(place.offset)
        # Not through the library, which maps the file into memory beside the array.
        return np.fromfile(place.file, place.dtype, math.prod(place.shape)).reshape(place.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._places))

    def __len__(self) -> int:
        return len(self._places)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, which is not read for it."""
        return self._places[name].shape

    def _take_out_copies(self) -> None:
        self.has_decoder = DECODER in self
        if LM_BIAS not in self and (bias := self._places.get("cls.predictions.decoder.bias")):
            self._places[LM_BIAS] = bias
        for copy, original in COPIES.items():
            if copy in self and original in self and not self._are_equal(copy, original):
                raise ValueError(
                    f"{self.source}: {copy} must be a copy of {original}, but differs: models "
                    "whose decoder is not tied to the embeddings are not supported. Remove the "
                    "tensor to open the encoder with a tied decoder."
                )
        if POSITION_IDS in self:
            ids = self[POSITION_IDS].ravel()
            if not np.array_equal(ids, np.arange(len(ids))):
                raise ValueError(
                    f"{self.source}: {POSITION_IDS} must count 0, 1, 2, ..., but is {ids[:5]}...: "
                    "models with other positions are not supported."
                )
        for name in REDUNDANT:
            self._places.pop(name, None)

    def _are_equal(self, one: str, other: str) -> bool:
        return self.shape(one) == self.shape(other) and np.array_equal(self[one], self[other])


def config_file(snapshot: Snapshot) -> str:
    """The file that is the config: config.json, or the one that stands for it."""
    stands = not snapshot.has(CONFIG_FILE) and snapshot.has(OLD_CONFIG_FILE)
    return OLD_CONFIG_FILE if stands else CONFIG_FILE


def check_family(content: Mapping[str, Any], source: pathlib.Path) -> None:
    """Refuses the config of another family of models.

    Args:
        content: of config.json.
        source: the file, for errors.

    Raises:
        ValueError: it is no BERT's.
    """
    model_type = settings.text(content, "model_type", None, source)
    architecture = architecture_of(content, source)
    if model_type in ("bert", OWN_MODEL_TYPE) or (
        model_type is None and (architecture or "Bert").lower().startswith("bert")
    ):
        return
    said = f"its model_type is {model_type!r}" if model_type else f"it is of a {architecture}"
    raise ValueError(
        f"{source} must describe a BERT, but {said}: models of other families are not supported."
    )


def architecture_of(content: Mapping[str, Any], source: pathlib.Path) -> str | None:
    """The class of transformers that a config names."""
    names = content.get("architectures") or [None]
    if not isinstance(names, list) or not isinstance(names[0], str | None):
        raise ValueError(
            f"{source}: architectures must be a list of names, not {names!r:.80}: correct it."
        )
    return names[0]


def read_settings(snapshot: Snapshot) -> dict[str, Any]:
    """The content of config.json of a BERT.

    Raises:
        ValueError: it describes something else, or a BERT that computes something else.
    """
    name = config_file(snapshot)
    content, path = snapshot.json(name), snapshot.path(name)
    check_family(content, path)
    hidden = content.get("hidden_size")
    for key, values in {**PLAIN, "embedding_size": (None, hidden)}.items():
        if content.get(key) not in values:
            why = WHY.get(key, "the model does not compute what BERT does")
            raise ValueError(
                f"{path}: {key} is {json.dumps(content[key])[:200]}, but must be "
                f"{json.dumps(values[-1])}: {why}, which is not supported."
            )
    _check_head(content, path)
    return content


def _check_head(content: Mapping[str, Any], path: pathlib.Path) -> None:
    """Checks the types of what a config says of a head."""
    settings.number(content, "classifier_dropout", None, path)
    settings.text(content, "problem_type", None, path)
    settings.switch(content, "tie_word_embeddings", True, path)
    own = content.get("keras_bert", {})
    if not isinstance(own, dict):
        raise ValueError(f"{path}: keras_bert must be an object, not {own!r:.80}: correct it.")
    for key, kind in OWN_SETTINGS.items():
        value = own.get(key)
        values = value if isinstance(kind, list) else [value]
        if value is not None and not (
            isinstance(values, list) and all(_is_a(one, kind) for one in values)
        ):
            raise ValueError(
                f"{path}: {key} of keras_bert cannot be {value!r:.80}: restore the file."
            )


def _is_a(value: Any, kind: Any) -> bool:
    [kind] = kind if isinstance(kind, list) else [kind]
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def labels_of(content: Mapping[str, Any], num_labels: int, source: pathlib.Path) -> dict[str, str]:
    """The names of a head's labels by their numbers, as transformers says `id2label`.

    Args:
        content: of config.json; it may have names, or only their number, or nothing.
        num_labels: how many the weights have.
        source: the file, for errors.

    Raises:
        ValueError: names are malformed, or there are as many in neither of them.
    """
    names = content.get("id2label")
    if isinstance(names, list):
        names = {str(i): name for i, name in enumerate(names)}
    if names is not None and not _are_labels(names):
        raise ValueError(
            f"{source}: id2label must name the labels 0, 1, 2, ..., not {names!r:.200}: correct it."
        )
    if names and len(names) == num_labels:
        return {str(int(i)): str(name) for i, name in names.items()}
    said = settings.number(content, "num_labels", num_labels if not names else None, source)
    if said != num_labels:
        raise ValueError(
            f"{source}: there must be names for the {num_labels} labels of the weights, but "
            f"id2label has {len(names or ())} and num_labels is {said}: correct them."
        )
    return {str(i): f"LABEL_{i}" for i in range(num_labels)}


def _are_labels(names: Any) -> bool:
    return (
        isinstance(names, dict)
        and all(isinstance(name, str | int) for name in names.values())
        and sorted(names, key=lambda i: (len(i), i)) == [str(i) for i in range(len(names))]
    )


def read_config(content: Mapping[str, Any], source: pathlib.Path) -> BertConfig:
    """The config that the content of a directory's config.json says."""
    own_keys = OWN_KEYS if content.get("model_type") == OWN_MODEL_TYPE else ()
    return settings.read_config(content, settings.HUB_ACTIVATIONS, source, own_keys)


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
    """Writes a safetensors file as transformers does, which refuses one that has no format.

    Not by the library, whose files others may not read, and whose errors do not say which of the
    disk's it was.

    Args:
        tensors: mapping of names to float32 arrays.
        path: path of the file.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(tensor, "<f4").data)


def _shards(snapshot: Snapshot) -> dict[str, set[str] | None]:
    """The files with tensors, and the names that the index says each has (None: no index)."""
    if snapshot.has(WEIGHTS_FILE):
        return {WEIGHTS_FILE: None}
    places = snapshot.json(INDEX_FILE).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(f, str) for f in places.values()):
        raise ValueError(
            f"{snapshot.path(INDEX_FILE)}: weight_map must give the file of every tensor, not "
            f"{places!r:.80}: restore the file."
        )
    shards: dict[str, set[str] | None] = {}
    for name, file in places.items():
        # Not a path: an index from elsewhere must not reach out of its directory.
        shards.setdefault(pathlib.PurePath(file).name, set()).add(name)
    return shards


def _places(snapshot: Snapshot, name: str) -> dict[str, _Place]:
    """The places of a file's tensors, by name, from its header."""
    path, file = snapshot.path(name), snapshot.open(name)
    if file is None:
        raise ValueError(f"{path} must be there, as {INDEX_FILE} says: copy it again.")
    try:
        header, start = _header(file)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path} must be a whole safetensors file, but {error!r:.200} stands against it: copy "
            "it again."
        ) from error
    unknown = {entry["dtype"] for entry in header.values()} - set(DTYPES)
    if unknown:
        raise ValueError(
            f"{path} must hold tensors of {', '.join(DTYPES)}, but has {', '.join(unknown)}: save "
            "the model in one of these."
        )
    return {
        name: _Place(
            file,
            np.dtype(DTYPES[entry["dtype"]]).newbyteorder("<"),
            tuple(entry["shape"]),
            start + entry["data_offsets"][0],
        )
        for name, entry in header.items()
    }


def _header(file: BinaryIO) -> tuple[dict[str, Any], int]:
    """The entries of a safetensors file, which fill it without a gap, and where the data start.

    A file is 8 bytes with the header's length, the header in JSON, and the tensors' numbers.
    """
    size = file.seek(0, 2)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if not 0 < length <= min(MAX_HEADER_BYTES, size - 8):
        raise ValueError(f"its header has {length} bytes, of {size} in all")
    header = json.loads(file.read(length).decode("utf-8"))
    header.pop("__metadata__", None)
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        sizes, width = entry["shape"], WIDTHS[entry["dtype"]]
        if not all(type(n) is int and n >= 0 for n in (*sizes, *entry["data_offsets"])):
            raise ValueError(f"{name} has the shape {sizes}")
        if entry["data_offsets"] != [end, end + math.prod(sizes) * width]:
            raise ValueError(f"{name} stands at {entry['data_offsets']}")
        end = entry["data_offsets"][1]
    if 8 + length + end != size:
        raise ValueError(f"its tensors end at {8 + length + end}, of {size} bytes in all")
    return header, 8 + length


def _present_name(name: str) -> str:
    for old, present in _OLD_NORM.items():
        name = re.sub(rf"{re.escape(old)}$", present, name)
    return f"bert.{name}" if name.startswith(_BARE) else name
