"""A corpus that is tokenized once and for all: written as shards, checked, read as blocks."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from keras_bert import files
from keras_bert.data.pretraining.corpus import Sentences, TextCorpus
from keras_bert.data.pretraining.order import SHUFFLED, UNSHUFFLED, Order
from keras_bert.data.pretraining.unchanged import UNKNOWN, as_it_was, fingerprint
from keras_bert.text.subwords import SubwordTokenizer

_FORMAT = "keras_bert token corpus 1"
_MANIFEST = "manifest.json"
_ADVICE = "Copy the directory again, or write the token corpus again."
_COUNTS = (("num_documents", int), ("num_sentences", int), ("num_tokens", int))
_VOCABULARY = (("vocabulary_size", int), ("vocabulary_sha256", str))
_SHARD = (
    *(("name", str), ("num_bytes", int), ("sha256", str)),
    *(("num_documents", int), ("num_records", int)),
)
# The checksum of all else in a manifest, which manifests of before do not have.
_CHECKSUM = "manifest_sha256"
# Of a shard's records, which shards of before do not have either.
_FINGERPRINT = "fingerprint"
# What a TFRecord file has before and behind a record: its length, and two checksums.
_FRAME_BYTES = 16


def write_token_corpus(
    corpus: TextCorpus,
    tokenizer: SubwordTokenizer,
    directory: str | os.PathLike,
    num_shards: int = 16,
) -> None:
    """Tokenizes a corpus once and for all, for `TokenCorpus`.

    Writes TFRecord shards of blocks and a `manifest.json` with counts, sizes and SHA-256 sums.
    The directory appears whole or not at all.

    Args:
        corpus: The text.
        tokenizer: Turns it into ids.
        directory: Where to write; must not exist.
        num_shards: Most shards to write; a run has at most as many workers.

    Raises:
        ValueError: if the directory exists already, or `num_shards` is smaller than 1.

    Example:

    >>> import pathlib, tempfile
    >>> import keras_bert as kb
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "corpus.txt").write_text("A fine film. It is not long.")
    >>> tokenizer = kb.Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"])
    >>> kb.write_token_corpus(kb.TextCorpus(str(folder / "*.txt")), tokenizer, folder / "tokens")
    >>> kb.TokenCorpus(folder / "tokens").num_tokens
    9
    """
    directory = pathlib.Path(directory)
    if directory.exists():
        raise ValueError(
            f"The directory of a token corpus must be new, but {directory} exists. Choose another "
            "name or remove it."
        )
    if num_shards < 1:
        raise ValueError(
            f"num_shards must be at least 1, but is {num_shards}. Use as many as there will be "
            "workers, or more."
        )
    with files.whole_folder(directory) as whole:
        shards = _write_shards(corpus, tokenizer, whole, num_shards)
        manifest = {"format": _FORMAT, **_tokenizer_record(tokenizer)}
        manifest["num_documents"] = corpus.num_documents
        for count in ("records", "sentences", "tokens"):
            manifest[f"num_{count}"] = sum(shard[f"num_{count}"] for shard in shards)
        manifest["shards"] = shards
        manifest[_CHECKSUM] = _checksum(manifest)
        (whole / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


class TokenCorpus:
    """A corpus that `write_token_corpus` has written; gives the same rows as its text.

    Args:
        directory: Where it was written.

    Raises:
        ValueError: if the manifest or a shard is missing or damaged.

    Example:

    >>> import keras_bert as kb
    >>> kb.TokenCorpus("nowhere")
    Traceback (most recent call last):
    ...
    ValueError: A token corpus must hold manifest.json, but nowhere does not...
    """

    def __init__(self, directory: str | os.PathLike):
        self.directory = pathlib.Path(directory)
        manifest = _read_manifest(self.directory)
        self._manifest = manifest
        self._shards = manifest["shards"]
        for shard in self._shards:
            _check_shard(self.directory / shard["name"], shard)
        self.files = tuple(str(self.directory / shard["name"]) for shard in self._shards)
        self.num_files = len(self.files)
        self.num_documents = manifest["num_documents"]
        self.num_tokens = manifest["num_tokens"]
        self._id_type = tf.uint16 if manifest["vocabulary_size"] <= 1 << 16 else tf.int32

    @staticmethod
    def is_in(directory: str | os.PathLike) -> bool:
        """Whether a directory says that it is a token corpus."""
        return (pathlib.Path(directory) / _MANIFEST).is_file()

    def summary(self) -> str:
        """One line that says what the manifest holds."""
        return (
            f"{self.num_files} shards, {self.num_documents} documents, "
            f"{self._manifest['num_sentences']} sentences, {self.num_tokens} tokens"
        )

    def min_documents(self, num_shards: int) -> int:
        """Fewest documents that one of `num_shards` workers may be given in an epoch."""
        smallest = sorted(shard["num_documents"] for shard in self._shards)
        # The same document may be in two shards, so only the greatest of a worker's is certain.
        own = smallest[: self.num_files // num_shards]
        return self.num_documents if num_shards == 1 else max(own, default=0)

    def blocks(self, order: Order = SHUFFLED) -> tf.data.Dataset:
        """The blocks of one worker's shards in one epoch, as of `TextCorpus.blocks`.

        Returns:
            A dataset of dict(record: string []), for `read`.
        """
        own = order.of_files(self.num_files, "shards")
        number = [shard["num_records"] for shard in self._shards]
        sizes = [shard["num_bytes"] for shard in self._shards]
        content = [shard.get(_FINGERPRINT, UNKNOWN) for shard in self._shards]
        counts = (tf.constant(values, tf.int64) for values in (number, sizes, content))
        files = tf.data.Dataset.from_tensor_slices(
            tuple(tf.gather(values, own) for values in (tf.constant(self.files), *counts))
        )

        def file_blocks(
            path: tf.Tensor, number: tf.Tensor, size: tf.Tensor, content: tf.Tensor
        ) -> tf.data.Dataset:
            records = tf.data.TFRecordDataset(path)
            records = as_it_was(records, path, number, size - number * _FRAME_BYTES, content)
            return records.map(lambda record: {"record": record})

        return order.of_blocks(files, file_blocks)

    def read(self, blocks: dict[str, tf.Tensor], tokenizer: SubwordTokenizer) -> Sentences:
        """The sentences of a batch of blocks as ids.

        Args:
            blocks: dict(record: string [K]).
            tokenizer: The one the corpus was written with; others are refused.

        Returns:
            Sentences(ragged int32 [S, (pieces)], documents int64 [S], blocks int32 [S]).

        Raises:
            ValueError: if the tokenizer is not the one of the manifest.
        """
        self._check_tokenizer(tokenizer)
        feature = tf.io.FixedLenFeature([], tf.string)
        names = ("ids", "lengths", "documents")
        records = tf.io.parse_example(blocks["record"], dict.fromkeys(names, feature))
        ids, lengths, documents = (
            tf.io.decode_raw(tf.strings.reduce_join(records[name]), dtype)
            for name, dtype in zip(names, (self._id_type, tf.int32, tf.int64), strict=True)
        )
        count = tf.strings.length(records["lengths"]) // tf.int32.size
        ids = tf.RaggedTensor.from_row_lengths(tf.cast(ids, tf.int32), tf.cast(lengths, tf.int64))
        return Sentences(ids, documents, tf.repeat(tf.range(tf.size(count)), count))

    def _check_tokenizer(self, tokenizer: SubwordTokenizer) -> None:
        for name, value in _tokenizer_record(tokenizer).items():
            if value != self._manifest.get(name):
                raise ValueError(
                    f"The tokenizer must be the one of {self.directory / _MANIFEST}, but its "
                    f"{name} is {value}, there {self._manifest.get(name)}. Use that vocabulary and "
                    "those settings, or write the token corpus again."
                )


def _tokenizer_record(tokenizer: SubwordTokenizer) -> dict[str, Any]:
    """What a manifest says of a tokenizer: a checksum of its pieces, and its switches."""
    pieces = "\n".join(tokenizer.vocabulary).encode("utf-8")
    switches = {k: v for k, v in tokenizer.settings().items() if isinstance(v, bool)}
    return {
        "vocabulary_size": tokenizer.vocabulary_size,
        "vocabulary_sha256": hashlib.sha256(pieces).hexdigest(),
        **switches,
    }


def _write_shards(
    corpus: TextCorpus, tokenizer: SubwordTokenizer, folder: pathlib.Path, num_shards: int
) -> list[dict[str, Any]]:
    """Consecutive blocks to shards of about equal size, in the order of the corpus."""
    blocks = corpus.blocks(UNSHUFFLED).batch(1)
    blocks = blocks.map(
        lambda block: (corpus.read(block, tokenizer), tf.strings.length(block["text"][0]))
    )
    id_type = np.uint16 if tokenizer.vocabulary_size <= 1 << 16 else np.int32
    shards: list[_ShardWriter] = []
    written = 0
    for sentences, size in blocks.prefetch(4):
        # Blocks are not exactly as long as what they were read from, so the last shard may differ.
        full = shards and written * num_shards >= len(shards) * corpus.num_bytes
        if not shards or (full and len(shards) < num_shards):
            if shards:
                shards[-1].close()
            shards.append(_ShardWriter(folder / f"shard-{len(shards):05d}.tfrecord", id_type))
        shards[-1].write(sentences)
        written += int(size)
    shards[-1].close()
    return [shard.record() for shard in shards]


class _ShardWriter:
    """Writes one shard and counts what is in it."""

    def __init__(self, path: pathlib.Path, id_type: type):
        self._path = path
        self._id_type = id_type
        self._writer = tf.io.TFRecordWriter(str(path))
        self._last_document = -1
        self._counts = dict.fromkeys(
            ("num_records", "num_sentences", "num_tokens", "num_documents", _FINGERPRINT), 0
        )

    def write(self, sentences: Sentences) -> None:
        """Writes the sentences of one block as a record."""
        arrays = {
            "ids": sentences.ids.flat_values.numpy().astype(self._id_type),
            "lengths": sentences.ids.row_lengths().numpy().astype(np.int32),
            "documents": sentences.documents.numpy(),
        }
        feature = {
            name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[array.tobytes()]))
            for name, array in arrays.items()
        }
        example = tf.train.Example(features=tf.train.Features(feature=feature))
        record = example.SerializeToString(deterministic=True)
        with files.system_errors(self._path):
            self._writer.write(record)
        documents = np.append(self._last_document, arrays["documents"])
        self._last_document = documents[-1]
        self._counts[_FINGERPRINT] += int(fingerprint(record))
        self._counts["num_records"] += 1
        self._counts["num_sentences"] += arrays["lengths"].size
        self._counts["num_tokens"] += arrays["ids"].size
        self._counts["num_documents"] += int((np.diff(documents) != 0).sum())

    def close(self) -> None:
        """Ends the shard; what was written may reach the disk only now."""
        with files.system_errors(self._path):
            self._writer.close()

    def record(self) -> dict[str, Any]:
        """What the manifest says of the shard."""
        size, checksum = self._path.stat().st_size, files.sha256(self._path)
        return {"name": self._path.name, "num_bytes": size, "sha256": checksum, **self._counts}


def _read_manifest(directory: pathlib.Path) -> dict[str, Any]:
    path = directory / _MANIFEST
    if not path.is_file():
        raise ValueError(
            f"A token corpus must hold {_MANIFEST}, but {directory} does not. Write it with "
            "write_token_corpus, or give the directory that it wrote."
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"A manifest must be JSON, but {path} is not ({error}). {_ADVICE}"
        ) from error
    found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
    if found != _FORMAT:
        raise ValueError(
            f"A manifest must have the format {_FORMAT!r}, but that of {path} is {found!r}. Write "
            "the token corpus again with this version."
        )
    _check_record(manifest, _COUNTS + _VOCABULARY, f"{path}")
    if not isinstance(manifest.get("shards"), list) or not manifest["shards"]:
        raise ValueError(f"A manifest must have shards, but {path} has none. {_ADVICE}")
    for index, shard in enumerate(manifest["shards"]):
        _check_record(shard, _SHARD, f"shard {index} of {path}")
    if manifest.get(_CHECKSUM, _checksum(manifest)) != _checksum(manifest):
        raise ValueError(
            f"A manifest must be the one that was written, but {path} is damaged or changed (its "
            f"SHA-256 is its {_CHECKSUM!r}). {_ADVICE}"
        )
    return manifest


def _checksum(manifest: dict[str, Any]) -> str:
    """The SHA-256 of all that a manifest says, but for the checksum itself."""
    content = {name: value for name, value in manifest.items() if name != _CHECKSUM}
    return hashlib.sha256(json.dumps(content).encode("utf-8")).hexdigest()


def _check_record(record: Any, kinds: tuple[tuple[str, type], ...], what: str) -> None:
    """Checks that a JSON object has values of their kinds, none of them below 0."""
    for name, kind in kinds:
        value: Any = record.get(name) if isinstance(record, dict) else None
        is_count = type(value) is int and value >= 0
        if not (is_count if kind is int else isinstance(value, kind)):
            raise ValueError(
                f"A manifest must have a {kind.__name__} {name!r}, but in {what} it is "
                f"{value!r:.100}. {_ADVICE}"
            )
        if name == "name" and os.path.basename(value) != value:
            raise ValueError(f"A shard must be beside its manifest, but {what} is {value!r}.")


def _check_shard(path: pathlib.Path, shard: dict[str, Any]) -> None:
    if not path.is_file():
        raise ValueError(f"Every shard of the manifest must exist, but {path} does not. {_ADVICE}")
    size = path.stat().st_size
    if size != shard["num_bytes"]:
        raise ValueError(
            f"{path} must have the manifest's {shard['num_bytes']} bytes, but has {size}. {_ADVICE}"
        )
    checksum = files.sha256(path)
    if checksum != shard["sha256"]:
        raise ValueError(
            f"{path} must have the manifest's SHA-256 {shard['sha256']}, but has {checksum}. "
            f"{_ADVICE}"
        )
