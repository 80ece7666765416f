"""safetensors files, one or in shards: read one tensor at a time, and written."""

from __future__ import annotations

import json
import math
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import ml_dtypes
import numpy as np

from keras_bert.checkpoints.families.family import HubTensors
from keras_bert.checkpoints.snapshot import Snapshot

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"

# The types of tensors that an encoder has; counters are integers.
DTYPES = {
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F64": np.float64,
    "I64": np.int64,
    "I32": np.int32,
}
# Bytes a number takes, of all types that a safetensors file may have.
WIDTHS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64"), 8),
}
MAX_HEADER_BYTES = 100_000_000  # as in the library


class _Place(NamedTuple):
    """Where a tensor stands."""

    file: BinaryIO
    dtype: np.dtype
    shape: tuple[int, ...]
    offset: int


class Tensors(Mapping[str, np.ndarray]):
    """The tensors of a checkpoint by their present names, read from the disk one at a time.

    Copies of tied weights are left out once they have been compared; where the weight itself is not
    there, its copy stands for it.

    Args:
        snapshot: a directory with `model.safetensors`, or shards and their index; it must stay
            open as long as tensors are read.
        special: what is special about the tensors of the family.

    Attributes:
        source: str, what an error calls the file.
        copies: frozenset of the names of copies that were there.

    Raises:
        ValueError: there are no such files, or they are damaged or contradict each other.
    """

    def __init__(self, snapshot: Snapshot, special: HubTensors):
        self._places: dict[str, _Place] = {}
        self.source = str(snapshot.path(WEIGHTS_FILE))
        redundant = {*special.copies, *special.counters}
        for file_name, names in _shards(snapshot).items():
            places = _places(snapshot, file_name)
            if names is not None and names - set(places) - redundant | set(places) - names:
                raise ValueError(
                    f"{snapshot.path(file_name)} must hold the tensors that {INDEX_FILE} says, but "
                    f"{sorted(names ^ set(places))[:5]} are in one of them only: restore both "
                    "files."
                )
            self._places.update({special.present_name(name): at for name, at in places.items()})
        self.copies = frozenset(name for name in special.copies if name in self)
        self._take_out_copies(special.copies)
        self._take_out_counters(special.counters)

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

    def _take_out_copies(self, copies: Mapping[str, str]) -> None:
        for copy, original in copies.items():
            place = self._places.get(copy)
            if place is None:
                continue
            if original in self and not self._are_equal(copy, original):
                raise ValueError(
                    f"{self.source}: {copy} must be a copy of {original}, but differs: models "
                    "whose decoder is not tied to the embeddings are not supported. Remove the "
                    "tensor to open the encoder with a tied decoder."
                )
            self._places.setdefault(original, place)
            del self._places[copy]

    def _take_out_counters(self, counters: tuple[str, ...]) -> None:
        for name in counters:
            if name not in self:
                continue
            ids = self[name].ravel()
            if not np.array_equal(ids, np.arange(len(ids))):
                raise ValueError(
                    f"{self.source}: {name} must count 0, 1, 2, ..., but is {ids[:5]}...: "
                    "models with other positions are not supported."
                )
            del self._places[name]

    def _are_equal(self, one: str, other: str) -> bool:
        return self.shape(one) == self.shape(other) and np.array_equal(self[one], self[other])


def write(tensors: Mapping[str, np.ndarray], path: pathlib.Path) -> None:
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


def _shards(snapshot: Snapshot) -> Mapping[str, set[str] | None]:
    """The files with tensors, and the names that the index says each has (None: no index)."""
    if snapshot.has(WEIGHTS_FILE):
        return {WEIGHTS_FILE: None}
    places = snapshot.json(INDEX_FILE).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(f, str) for f in places.values()):
        raise ValueError(
            f"{snapshot.path(INDEX_FILE)}: weight_map must give the file of every tensor, not "
            f"{places!r:.80}: restore the file."
        )
    shards: dict[str, set[str]] = {}
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
