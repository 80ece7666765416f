"""Text files to blocks of sentences: checked, sharded, seeded, bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging

from keras_bert.data.paths import matching_files
from keras_bert.data.pretraining.documents import DOCUMENTS, line_blocks, scan
from keras_bert.data.pretraining.order import SHUFFLED, UNSHUFFLED, Order
from keras_bert.data.pretraining.unchanged import as_it_was
from keras_bert.data.rows import Path
from keras_bert.text.subwords import SubwordTokenizer

# About this much text is read, shuffled and tokenized as one.
BLOCK_BYTES = 1 << 15

_BLANK = r"[\s\v\p{Z}\x{FEFF}]*"
# [.!?] ends a sentence where white space and then a capital, a digit or an opening quotation mark
# or bracket follow. That is not told from an abbreviation: "Mr. Smith" is two sentences. (Two
# patterns: one with both alternatives takes twice as long.)
_SENTENCE_END = r"""([.!?]+["'”’»)\]]*)[ \t]+([\p{Lu}0-9"'“‘«(\[])"""
# What follows must be on the line, and be none of what belongs to the end.
_CJK_SENTENCE_END = r"""((?:[。！？]|……)+["'”’」』）》]*)( ?)[ \t]*([^\s\v"'”’」』）》。！？…])"""
# What a line begins with is no space between sentences.
_INDENTATION = r"\n[ \t\v\f\r]+"


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


class TextCorpus:
    """Text files, scanned and checked when opened, then read as blocks of consecutive lines.

    Files are plain or compressed, in UTF-8. In JSON lines the text of every object (under `text`)
    is a document, in WikiExtractor's files every article is. Of other files, with
    `documents="files"`, each is one document, the lines of a paragraph (up to a blank line) are
    joined, and sentences are found by their punctuation. With `documents="blank_lines"` (the input
    format of google-research/bert) a blank line ends a document and the end of a line always ends a
    sentence. In all, a sentence ends after `.`, `!` or `?` when white space and a capital, a digit
    or a quotation mark follow, and after `。`, `！`, `？` and `……`. Abbreviations are not known. A
    sentence begins with the space that stands before it on its line, which is part of a byte-level
    tokenizer's pieces, and nothing to WordPiece.

    Args:
        pattern: A path, a glob, a folder (all files beneath it), several of these with commas
            between them, or a sequence of them.
        documents: "files" or "blank_lines".

    Raises:
        ValueError: if no file matches, all are empty, or `scan` refuses one: for invalid UTF-8, a
            line longer than 1 MiB, a carriage return inside a line, or since it is no text.

    Example:

    >>> import pathlib, tempfile
    >>> import keras_bert as kb
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "corpus.txt"
    >>> _ = path.write_text("A fine film. It is\\nnot long.\\n")
    >>> corpus = kb.TextCorpus(str(path))
    >>> corpus.num_documents, corpus.num_lines
    (1, 2)
    >>> for block in corpus.blocks(kb.Order(shuffle=False)).batch(1):
    ...     print(corpus.split(block).ids.numpy())
    [b'A fine film.' b' It is not long.']
    """

    def __init__(self, pattern: Path | Sequence[Path], documents: str = "files"):
        if documents not in DOCUMENTS:
            raise ValueError(
                f"documents must be one of {DOCUMENTS}, but is {documents!r}. Use 'files' where "
                "every file is one document, 'blank_lines' where blank lines separate documents."
            )
        self.documents = documents
        scanned = [scan(path, documents) for path in matching_files(pattern)]
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
        # TensorFlow reads the lines of plain files alone. Where there are others, all are read by
        # `line_blocks`, which gives documents between blank lines.
        self.is_plain = all(file.is_plain for file in self._files)
        self._has_blank_lines = documents == "blank_lines" or not self.is_plain
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

    def blocks(self, order: Order = SHUFFLED) -> tf.data.Dataset:
        """The blocks of one worker's files in one epoch, a pure function of the order.

        Args:
            order: Which files, and in which order.

        Returns:
            A dataset of dict(text: string [], document: int64 []): about 32 KiB of text, one
            paragraph a line, and the document it begins in. `split` and `read` take a batch.

        Raises:
            ValueError: if there are fewer files than workers.
        """
        own = order.of_files(self.num_files)
        line_bytes = np.array([file.num_bytes / max(1, file.num_lines) for file in self._files])
        files = tf.data.Dataset.from_tensor_slices(
            {
                "path": tf.gather(tf.constant(self.files), own),
                "compression": tf.gather([file.compression.upper() for file in self._files], own),
                "lines": tf.gather(np.int64(np.ceil(BLOCK_BYTES / line_bytes)), own),
                "num_lines": tf.gather([np.int64(file.num_lines) for file in self._files], own),
                "num_bytes": tf.gather(
                    [np.int64(file.num_line_bytes + 3 * file.has_bom) for file in self._files], own
                ),
                "document": tf.cast(own, tf.int64) * (1 << 32),
            }
        )
        return order.of_blocks(files, self._file_blocks)

    def split(self, blocks: dict[str, tf.Tensor]) -> Sentences:
        """The sentences of a batch of blocks.

        Args:
            blocks: dict(text: string [K], document: int64 [K]).

        Returns:
            Sentences(strings [S], documents int64 [S], blocks int32 [S]).
        """
        text = tf.strings.regex_replace(blocks["text"], _INDENTATION, "\n")
        text = tf.strings.regex_replace(text, _SENTENCE_END, "\\1\n \\2")
        text = tf.strings.regex_replace(text, _CJK_SENTENCE_END, "\\1\n\\2\\3")
        found = tf.strings.split(text, "\n")  # [K, (sentences)]
        sentences = tf.strings.strip(found.flat_values)
        has_space = tf.strings.substr(found.flat_values, 0, 1) == " "
        block = tf.cast(found.value_rowids(), tf.int32)
        documents = tf.gather(blocks["document"], block)
        filled = sentences != ""
        if self._has_blank_lines:
            # Blank lines are still there, as empty sentences: each ends a document.
            ended = tf.cumsum(tf.cast(~filled, tf.int64))
            before = tf.gather(tf.concat([[0], ended], axis=0), found.row_starts())
            documents += ended - tf.gather(before, block)
        # A block begins with a line.
        is_first = tf.concat([[True], block[1:] != block[:-1]], axis=0)
        space = tf.where(has_space & ~is_first, " ", "")
        sentences = tf.strings.join([space, sentences])
        return Sentences(*(tf.boolean_mask(x, filled) for x in (sentences, documents, block)))

    def read(self, blocks: dict[str, tf.Tensor], tokenizer: SubwordTokenizer) -> Sentences:
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
        return self.blocks(UNSHUFFLED).batch(8).map(lambda blocks: self.split(blocks).ids)

    def _file_blocks(self, file: dict[str, tf.Tensor]) -> tf.data.Dataset:
        if self.is_plain:
            lines = tf.data.TextLineDataset(file["path"], file["compression"]).batch(file["lines"])
            lines = as_it_was(lines, file["path"], file["num_lines"], file["num_bytes"])
        else:
            lines = tf.data.Dataset.from_generator(
                self._line_blocks,
                output_signature=tf.TensorSpec([None], tf.string),
                args=(file["path"],),
            )
        if not self._has_blank_lines:
            blocks = lines.map(lambda x: {"text": _joined(x), "document": file["document"]})
        else:
            blocks = lines.scan(file["document"], _counted)
        if self.is_plain and any(file.has_bom for file in self._files):
            blocks = blocks.map(_without_bom)
        return blocks

    def _line_blocks(self, path: bytes) -> Iterator[np.ndarray]:
        [file] = (one for one in self._files if one.path == path.decode("utf-8"))
        return line_blocks(file, self.documents, BLOCK_BYTES)


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
