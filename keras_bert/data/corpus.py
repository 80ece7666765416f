"""Text files, or a tokenized corpus, to blocks of sentences: checked, sharded, seeded, bounded."""

from __future__ import annotations

import dataclasses
import enum
import gzip
import hashlib
import json
import os
import pathlib
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging

from keras_bert.data.paths import matching_files
from keras_bert.text.tokenizer import Tokenizer

DOCUMENTS = ("files", "blank_lines")
MAX_LINE_BYTES = 1 << 20
# About this much text is read, shuffled and tokenized as one.
BLOCK_BYTES = 1 << 15
# Files read in turns, and blocks shuffled among each other.
FILES_AT_ONCE = 16
SHUFFLED_BLOCKS = 256

_BLANK = r"[\s\v\p{Z}\x{FEFF}]*"
# [.!?] ends a sentence where white space and then a capital, a digit or an opening quotation mark
# or bracket follow. That is not told from an abbreviation: "Mr. Smith" is two sentences. (Two
# patterns: one with both alternatives takes twice as long.)
_SENTENCE_END = r"""([.!?]+["'”’»)\]]*)[ \t]+([\p{Lu}0-9"'“‘«(\[])"""
# What follows must be on the line, and be none of what belongs to the end.
_CJK_SENTENCE_END = r"""((?:[。！？]|……)+["'”’」』）》]*)[ \t]*([^\s\v"'”’」』）》。！？…])"""


class Stream(enum.IntEnum):
    """What random numbers are for; each purpose has a stream of its own."""

    FILES = 1
    BLOCKS = 2
    ROWS = 3
    MASKS = 4


def stream_key(seed: int, stream: Stream, *path: int | tf.Tensor) -> tf.Tensor:
    """The key, int64 [2], of stateless random numbers: a pure function of its arguments.

    Args:
        seed: That of the run.
        stream: What the numbers are for.
        path: Where they are used, such as the epoch and an index, int64 [] each.
    """
    key = tf.constant([seed, stream], tf.int64)
    for step in path:
        key = tf.random.fold_in(key, tf.cast(step, tf.int64))
    return key


class Sentences(NamedTuple):
    """The sentences of some blocks, in order.

    Args:
        ids: ragged int32 [S, (pieces)] (or strings [S], before tokenization).
        documents: int64 [S], the document each belongs to; unique over the corpus.
        blocks: int32 [S], the index of the block each came in.
    """

    ids: tf.RaggedTensor | tf.Tensor
    documents: tf.Tensor
    blocks: tf.Tensor


@dataclasses.dataclass(frozen=True)
class _File:
    """What the scan found in one file."""

    path: str
    compression: str
    num_lines: int
    num_bytes: int
    num_documents: int
    num_nuls: int
    has_bom: bool


class TextCorpus:
    """Text files, scanned and checked when opened, then read as blocks of consecutive lines.

    Files are plain or gzip, in UTF-8. With `documents="files"` every file is one document, the
    lines of a paragraph (up to a blank line) are joined, and sentences are found by their
    punctuation. With `documents="blank_lines"` (the input format of google-research/bert) a blank
    line ends a document and the end of a line always ends a sentence. In both, a sentence ends
    after `.`, `!` or `?` when white space and a capital, a digit or a quotation mark follow, and
    after `。`, `！`, `？` and `……`. Abbreviations are not recognized.

    Args:
        pattern: A glob, several with commas between them, or a sequence of globs.
        documents: "files" or "blank_lines".

    Raises:
        ValueError: if no file matches, all are empty, or a file holds invalid UTF-8, a line
            longer than 1 MiB, or a carriage return inside a line.

    Example:

    >>> import pathlib, tempfile
    >>> import keras_bert as kb
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "corpus.txt"
    >>> _ = path.write_text("A fine film. It is\\nnot long.\\n")
    >>> corpus = kb.TextCorpus(str(path))
    >>> corpus.num_documents, corpus.num_lines
    (1, 2)
    >>> for block in corpus.blocks(shuffle=False).batch(1):
    ...     print(corpus.split(block).ids.numpy())
    [b'A fine film.' b'It is not long.']
    """

    def __init__(self, pattern: str | Sequence[str], documents: str = "files"):
        if documents not in DOCUMENTS:
            raise ValueError(
                f"documents must be one of {DOCUMENTS}, but is {documents!r}. Use 'files' where "
                "every file is one document, 'blank_lines' where blank lines separate documents."
            )
        self.documents = documents
        scanned = [_scan(path, documents) for path in matching_files(pattern)]
        self._files = tuple(file for file in scanned if file.num_documents)
        self.empty_files = tuple(file.path for file in scanned if not file.num_documents)
        if not self._files:
            raise ValueError(
                f"A corpus must hold text, but all {len(scanned)} files that match {pattern!r} are "
                f"empty, {scanned[0].path} for one. Point the pattern at files with text."
            )
        if self.empty_files:
            logging.warning(
                "%d empty files are left out: %s",
                len(self.empty_files),
                ", ".join(self.empty_files[:10]) + ("" if len(self.empty_files) <= 10 else ", ..."),
            )
        self.files = tuple(file.path for file in self._files)
        self.num_files = len(self._files)
        self.num_documents = sum(file.num_documents for file in self._files)
        self.num_lines = sum(file.num_lines for file in self._files)
        self.num_bytes = sum(file.num_bytes for file in self._files)

    def summary(self) -> str:
        """One line that says what the scan found."""
        nuls = sum(file.num_nuls for file in self._files)
        boms = sum(file.has_bom for file in self._files)
        notes = [f"{len(self.empty_files)} empty files left out"] if self.empty_files else []
        notes += [f"{boms} byte order marks dropped"] if boms else []
        notes += [f"{nuls} NUL characters, which the tokenizer drops"] if nuls else []
        return (
            f"{self.num_files} files, {self.num_documents} documents, {self.num_lines} lines, "
            f"{self.num_bytes} bytes" + "".join(f"; {note}" for note in notes)
        )

    def min_documents(self, num_shards: int) -> int:
        """Fewest documents that one of `num_shards` workers may be given in an epoch."""
        smallest = sorted(file.num_documents for file in self._files)
        return sum(smallest[: self.num_files // num_shards])

    def blocks(
        self,
        seed: int = 0,
        epoch: int | tf.Tensor = 0,
        shard: tuple[int, int] = (0, 1),
        shuffle: bool = True,
    ) -> tf.data.Dataset:
        """The blocks of one worker's files in one epoch, a pure function of the arguments.

        Args:
            seed: With `epoch`, determines the order.
            epoch: Every epoch has an order, and a distribution of files to workers, of its own.
            shard: (index, number) of the worker; every file goes to one worker.
            shuffle: False reads file after file in the order of `files`.

        Returns:
            A dataset of dict(text: string [], document: int64 []): about 32 KiB of text, one
            paragraph a line, and the document it begins in. `split` and `read` take a batch.

        Raises:
            ValueError: if there are fewer files than workers.
        """
        order = _file_order(self.num_files, "files", seed, epoch, shard, shuffle)
        line_bytes = np.array([file.num_bytes / max(1, file.num_lines) for file in self._files])
        files = tf.data.Dataset.from_tensor_slices(
            {
                "path": tf.gather(tf.constant(self.files), order),
                "compression": tf.gather([file.compression for file in self._files], order),
                "lines": tf.gather(np.int64(np.ceil(BLOCK_BYTES / line_bytes)), order),
                "document": tf.cast(order, tf.int64) * (1 << 32),
            }
        )
        return _shuffled(files, self._file_blocks, seed, epoch, shuffle)

    def split(self, blocks: dict[str, tf.Tensor]) -> Sentences:
        """The sentences of a batch of blocks.

        Args:
            blocks: dict(text: string [K], document: int64 [K]).

        Returns:
            Sentences(strings [S], documents int64 [S], blocks int32 [S]).
        """
        text = tf.strings.regex_replace(blocks["text"], _SENTENCE_END, "\\1\n\\2")
        text = tf.strings.regex_replace(text, _CJK_SENTENCE_END, "\\1\n\\2")
        found = tf.strings.split(text, "\n")  # [K, (sentences)]
        sentences = tf.strings.strip(found.flat_values)
        row = tf.cast(found.value_rowids(), tf.int32)
        documents = tf.gather(blocks["document"], row)
        filled = sentences != ""
        if self.documents == "blank_lines":
            # Blank lines are still there, as empty sentences: each ends a document.
            ended = tf.cumsum(tf.cast(~filled, tf.int64))
            before = tf.gather(tf.concat([[0], ended], axis=0), found.row_starts())
            documents += ended - tf.gather(before, row)
        return Sentences(*(tf.boolean_mask(x, filled) for x in (sentences, documents, row)))

    def read(self, blocks: dict[str, tf.Tensor], tokenizer: Tokenizer) -> Sentences:
        """The sentences of a batch of blocks as ids.

        Args:
            blocks: dict(text: string [K], document: int64 [K]).
            tokenizer: Turns sentences into ids.

        Returns:
            Sentences(ragged int32 [S, (pieces)], documents int64 [S], blocks int32 [S]).
        """
        sentences = self.split(blocks)
        return sentences._replace(ids=tokenizer.tokenize(sentences.ids))

    def lines(self) -> tf.data.Dataset:
        """All sentences in batches of strings [N], for learning a vocabulary."""
        return self.blocks(shuffle=False).batch(8).map(lambda blocks: self.split(blocks).ids)

    def _file_blocks(self, file: dict[str, tf.Tensor]) -> tf.data.Dataset:
        lines = tf.data.TextLineDataset(file["path"], file["compression"]).batch(file["lines"])
        if self.documents == "files":
            blocks = lines.map(lambda x: {"text": _joined(x), "document": file["document"]})
        else:
            blocks = lines.scan(file["document"], _counted)
        if any(file.has_bom for file in self._files):
            blocks = blocks.map(_without_bom)
        return blocks


def _joined(lines: tf.Tensor) -> tf.Tensor:
    """One string of the lines: a space within a paragraph, a line feed at its end."""
    lines = tf.where(_is_blank(lines), "\n", lines)
    return tf.strings.reduce_join(lines, separator=" ")


def _counted(document: tf.Tensor, lines: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """A block whose blank lines end documents, and the document that the next one begins in."""
    blank = _is_blank(lines)
    text = tf.strings.reduce_join(tf.where(blank, "", lines), separator="\n")
    block = {"text": text, "document": document}
    return document + tf.reduce_sum(tf.cast(blank, tf.int64)), block


def _is_blank(lines: tf.Tensor) -> tf.Tensor:
    return tf.strings.regex_full_match(lines, _BLANK)


def _without_bom(block: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {**block, "text": tf.strings.regex_replace(block["text"], r"^\x{FEFF}", "")}


def _file_order(
    num_files: int,
    name: str,
    seed: int,
    epoch: int | tf.Tensor,
    shard: tuple[int, int],
    shuffle: bool,
) -> tf.Tensor:
    """Indices of one worker's files, int32."""
    index, number = shard
    if not 0 <= index < number:
        raise ValueError(
            f"shard must be (index, number) with 0 <= index < number, but is {shard}. Count the "
            "workers from 0."
        )
    if num_files < number:
        raise ValueError(
            f"There must be at least as many {name} as workers, but there are {num_files} {name} "
            f"for {number} workers. Split the text into more files."
        )
    order = tf.range(num_files)
    if shuffle:
        order = tf.random.experimental.stateless_shuffle(
            order, stream_key(seed, Stream.FILES, epoch)
        )
    return order[index::number]


# Nothing here needs AutoGraph, whose conversion of every function takes long.
@tf.autograph.experimental.do_not_convert
def _shuffled(
    files: tf.data.Dataset,
    file_blocks: Callable[..., tf.data.Dataset],
    seed: int,
    epoch: int | tf.Tensor,
    shuffle: bool,
) -> tf.data.Dataset:
    """The blocks of the files: file after file, or in turns and shuffled in a bounded buffer."""
    if not shuffle:
        return files.flat_map(file_blocks)

    # Not Dataset.shuffle: its order also depends on tf.random.set_seed.
    def permute(index: tf.Tensor, blocks: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        indices = tf.range(tf.shape(tf.nest.flatten(blocks)[0])[0])
        key = stream_key(seed, Stream.BLOCKS, epoch, index)
        order = tf.random.experimental.stateless_shuffle(indices, key)
        return {name: tf.gather(values, order) for name, values in blocks.items()}

    blocks = files.interleave(file_blocks, cycle_length=FILES_AT_ONCE)
    return blocks.batch(SHUFFLED_BLOCKS).enumerate().map(permute).unbatch()


def _scan(path: str, documents: str) -> _File:
    """Reads a file once and checks it."""
    lines = size = texts = nuls = 0
    has_bom, after_blank = False, True
    with open(path, "rb") as raw:
        compression = "GZIP" if raw.read(2) == b"\x1f\x8b" else ""
    with gzip.open(path) if compression else open(path, "rb") as file:
        for chunk in _whole_lines(file, path):
            _check_lines(chunk, path, lines)
            text = _decoded(chunk, path, lines, size)
            has_bom = has_bom or (size == 0 and text.startswith("\ufeff"))
            size += len(chunk)
            nuls += chunk.count(0)
            rows = text.removesuffix("\n").split("\n")
            lines += len(rows)
            for row in rows:
                blank = not row or row.isspace()
                texts += after_blank and not blank
                after_blank = blank
    if documents == "files":
        texts = min(texts, 1)
    return _File(path, compression, lines, size, texts, nuls, has_bom)


def _whole_lines(file: BinaryIO, path: str) -> Iterator[bytes]:
    """The file in chunks of whole lines."""
    try:
        while chunk := file.read(MAX_LINE_BYTES):
            # At most one byte too many, so that a file without line feeds is not read as a whole.
            yield chunk + file.readline(MAX_LINE_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(
            f"A file that begins like gzip must be gzip, but {path} is not a whole gzip file "
            f"({error}). Compress or copy it again."
        ) from error


def _decoded(chunk: bytes, path: str, lines: int, size: int) -> str:
    try:
        return chunk.decode("utf-8")
    except UnicodeDecodeError as error:
        line = lines + chunk.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"Text must be UTF-8, but {path}:{line} is not: byte {chunk[error.start]:#04x} at "
            f"offset {size + error.start}. Convert the file, for example with "
            f"`iconv -f latin1 -t utf-8`."
        ) from error


def _check_lines(chunk: bytes, path: str, lines: int) -> None:
    if chunk.count(b"\r") != chunk.count(b"\r\n"):
        line = lines + chunk.count(b"\n", 0, re.search(rb"\r(?!\n)", chunk).start()) + 1
        raise ValueError(
            f"Lines must end in a line feed, but {path}:{line} holds a carriage return inside a "
            "line. Convert the file, for example with `tr '\\r' '\\n'`."
        )
    if len(chunk) > MAX_LINE_BYTES:
        for number, line in enumerate(chunk.split(b"\n"), lines + 1):
            if len(line) > MAX_LINE_BYTES:
                raise ValueError(
                    f"A line must not be longer than {MAX_LINE_BYTES} bytes, but {path}:{number} "
                    "is. Break the text into lines, at paragraphs or sentences."
                )


_FORMAT = "keras_bert token corpus 1"
_MANIFEST = "manifest.json"


def write_token_corpus(
    corpus: TextCorpus, tokenizer: Tokenizer, directory: str | os.PathLike, num_shards: int = 16
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
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{directory.name}.") as folder:
        whole = pathlib.Path(folder) / directory.name
        whole.mkdir()
        shards = _write_shards(corpus, tokenizer, whole, num_shards)
        manifest = {"format": _FORMAT, **_tokenizer_record(tokenizer)}
        manifest["num_documents"] = corpus.num_documents
        for count in ("records", "sentences", "tokens"):
            manifest[f"num_{count}"] = sum(shard[f"num_{count}"] for shard in shards)
        manifest["shards"] = shards
        (whole / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        os.replace(whole, directory)


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

    def blocks(
        self,
        seed: int = 0,
        epoch: int | tf.Tensor = 0,
        shard: tuple[int, int] = (0, 1),
        shuffle: bool = True,
    ) -> tf.data.Dataset:
        """The blocks of one worker's shards in one epoch; arguments as of `TextCorpus.blocks`.

        Returns:
            A dataset of dict(record: string []), for `read`.
        """
        order = _file_order(self.num_files, "shards", seed, epoch, shard, shuffle)
        files = tf.data.Dataset.from_tensor_slices(tf.gather(tf.constant(self.files), order))

        def file_blocks(path: tf.Tensor) -> tf.data.Dataset:
            return tf.data.TFRecordDataset(path).map(lambda record: {"record": record})

        return _shuffled(files, file_blocks, seed, epoch, shuffle)

    def read(self, blocks: dict[str, tf.Tensor], tokenizer: Tokenizer) -> Sentences:
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

    def _check_tokenizer(self, tokenizer: Tokenizer) -> None:
        for name, value in _tokenizer_record(tokenizer).items():
            if value != self._manifest[name]:
                raise ValueError(
                    f"The tokenizer must be the one of {self.directory / _MANIFEST}, but its "
                    f"{name} is {value}, there {self._manifest[name]}. Use that vocabulary and "
                    "those settings, or write the token corpus again."
                )


def _tokenizer_record(tokenizer: Tokenizer) -> dict[str, object]:
    pieces = "\n".join(tokenizer.vocabulary).encode("utf-8")
    return {
        "vocabulary_size": tokenizer.vocabulary_size,
        "vocabulary_sha256": hashlib.sha256(pieces).hexdigest(),
        "lowercase": tokenizer.lowercase,
        "strip_accents": tokenizer.strip_accents,
        "split_cjk": tokenizer.split_cjk,
    }


def _write_shards(
    corpus: TextCorpus, tokenizer: Tokenizer, folder: pathlib.Path, num_shards: int
) -> list[dict[str, object]]:
    """Consecutive blocks to shards of about equal size, in the order of the corpus."""
    blocks = corpus.blocks(shuffle=False).batch(1)
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
            ("num_records", "num_sentences", "num_tokens", "num_documents"), 0
        )

    def write(self, sentences: Sentences) -> None:
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
        self._writer.write(example.SerializeToString())
        documents = np.append(self._last_document, arrays["documents"])
        self._last_document = documents[-1]
        self._counts["num_records"] += 1
        self._counts["num_sentences"] += arrays["lengths"].size
        self._counts["num_tokens"] += arrays["ids"].size
        self._counts["num_documents"] += int((np.diff(documents) != 0).sum())

    def close(self) -> None:
        self._writer.close()

    def record(self) -> dict[str, object]:
        size, checksum = self._path.stat().st_size, _sha256(self._path)
        return {"name": self._path.name, "num_bytes": size, "sha256": checksum, **self._counts}


def _sha256(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _read_manifest(directory: pathlib.Path) -> dict:
    path = directory / _MANIFEST
    if not path.is_file():
        raise ValueError(
            f"A token corpus must hold {_MANIFEST}, but {directory} does not. Write it with "
            "write_token_corpus, or give the directory that it wrote."
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"A manifest must be JSON, but {path} is not ({error}). Write the token corpus again."
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise ValueError(
            f"A manifest must have the format {_FORMAT!r}, but that of {path} is {found!r}. Write "
            "the token corpus again with this version."
        )
    return manifest


def _check_shard(path: pathlib.Path, shard: dict) -> None:
    advice = "Copy the directory again, or write the token corpus again."
    if not path.is_file():
        raise ValueError(f"Every shard of the manifest must exist, but {path} does not. {advice}")
    size = path.stat().st_size
    if size != shard["num_bytes"]:
        raise ValueError(
            f"{path} must have the manifest's {shard['num_bytes']} bytes, but has {size}. {advice}"
        )
    checksum = _sha256(path)
    if checksum != shard["sha256"]:
        raise ValueError(
            f"{path} must have the manifest's SHA-256 {shard['sha256']}, but has {checksum}. "
            f"{advice}"
        )
