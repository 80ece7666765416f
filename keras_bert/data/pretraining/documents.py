"""Files of documents: scanned and checked, and read as lines whatever they are written as."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from absl import logging

from keras_bert.data.compression import FAULTS, compression_of, damaged, opened, plain_name

DOCUMENTS = ("files", "blank_lines")
MAX_LINE_BYTES = 1 << 20
# The key of the text in a JSON object.
TEXT_KEY = "text"

_HEAD_BYTES = 1 << 16
_MARK = b"\xef\xbb\xbf"
_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
_OTHER_SUFFIXES = {
    ".csv": "a table",
    ".tsv": "a table",
    ".conll": "a table",
    ".conllu": "a table",
    ".md5": "no text",
    ".sha256": "no text",
}
# WikiExtractor's files: an element around each article, with its attributes.
_ARTICLE, _ARTICLE_END = re.compile(r"<doc( [^>]*)?>\s*"), "</doc>"


@dataclasses.dataclass(frozen=True)
class TextFile:
    """What the scan found in one file.

    Args:
        path: path of the file.
        form: "text", "json" (an object on every line) or "articles" (WikiExtractor's).
        compression: how it is compressed, "" if it is not.
        num_lines, num_bytes: of the text in it.
        num_line_bytes: of its lines, without what ends them, or a byte order mark.
        num_documents: documents that are not empty.
        num_nuls: NUL characters.
        has_bom: whether it begins with a byte order mark.
    """

    path: str
    form: str
    compression: str
    num_lines: int
    num_bytes: int
    num_line_bytes: int
    num_documents: int
    num_nuls: int
    has_bom: bool

    @property
    def is_plain(self) -> bool:
        """Whether TensorFlow reads its lines as they are."""
        return self.form == "text" and self.compression in ("", "gzip")


def scan(path: str, documents: str) -> TextFile:
    """Reads a file once and checks it.

    Args:
        path: path of the file, plain or compressed.
        documents: one of `DOCUMENTS`, of a text; in the other forms each object, or each article,
            is a document.

    Raises:
        ValueError: it is no text, or is damaged; it is a table, a web page or XML; it holds invalid
            UTF-8, a line longer than 1 MiB or a carriage return inside a line; a line of JSON is no
            object with a text under `TEXT_KEY`.
    """
    with open(path, "rb") as file:
        compression = compression_of(file.read(16))
    with opened(path) as file:
        try:
            head = file.read(_HEAD_BYTES)
        except FAULTS as error:
            raise damaged(path, error) from error
    form = _form_of(path, head)
    num_lines = size = ends = texts = nuls = 0
    after_blank = True
    for lines, num_bytes, num_ends, num_nuls in _counted(path, form):
        num_lines, size, nuls = num_lines + len(lines), size + num_bytes, nuls + num_nuls
        ends += num_ends
        for line in lines:
            blank = not line or line.isspace()
            texts += after_blank and not blank
            after_blank = blank
    if form == "text" and documents == "files":
        texts = min(texts, 1)
    has_bom = head.startswith(_MARK)
    if has_bom and form == "text":
        ends += len(_MARK)
    return TextFile(path, form, compression, num_lines, size, size - ends, texts, nuls, has_bom)


def line_blocks(file: TextFile, documents: str, block_bytes: int) -> Iterator[np.ndarray]:
    """The lines of a file that TensorFlow does not read, in blocks.

    Whatever its form, a line is a paragraph, and an empty line ends a document.

    Args:
        file: what the scan found.
        documents: as of `scan`.
        block_bytes: about so many bytes are a block.

    Yields:
        Arrays of bytes [lines].

    Raises:
        ValueError: the file is not what the scan found.
    """
    lines = _as_scanned(file)
    if file.form == "text" and documents == "files":
        lines = _paragraphs(lines, block_bytes)
    block: list[bytes] = []
    size = 0
    for line in lines:
        block.append(line.encode("utf-8"))
        size += len(block[-1]) + 1
        if size >= block_bytes:
            yield np.array(block, object)
            block, size = [], 0
    if block:
        yield np.array(block, object)


def _as_scanned(file: TextFile) -> Iterator[str]:
    """The lines of a file, which must be as many, and as long, as they were."""
    number = size = 0
    for line in _lines_of(file.path, file.form):
        number, size = number + 1, size + len(line.encode("utf-8"))
        yield line
    if (number, size) != (file.num_lines, file.num_line_bytes):
        raise ValueError(
            f"{file.path} must be as it was when it was opened, with {file.num_line_bytes} bytes "
            f"in {file.num_lines} parts, but now has {size} in {number}. Put the file back, and "
            "run the same command again."
        )


def _form_of(path: str, head: bytes) -> str:
    """What a file with this name and beginning is; refuses what must not be learned as prose."""
    suffix = os.path.splitext(plain_name(path))[1].lower()
    start = head.removeprefix(_MARK).lstrip()
    if suffix in _OTHER_SUFFIXES:
        raise ValueError(
            f"A corpus must be text, but {path} is {_OTHER_SUFFIXES[suffix]}, by its name: leave "
            "it out of the pattern, or write its texts to a text file, or as JSON lines such as "
            f'{{"{TEXT_KEY}": "..."}}.'
        )
    if start.startswith((b"<?xml", b"<mediawiki")):
        raise ValueError(
            f"A corpus must be text, but {path} is XML: write its texts to a text file, those of "
            "Wikipedia with WikiExtractor, whose files can be read."
        )
    if _ARTICLE.match(start[:_HEAD_BYTES].split(b"\n", 1)[0].decode("utf-8", "replace")):
        return "articles"
    if suffix in _JSON_SUFFIXES or (start.startswith(b"{") and _is_object(start.split(b"\n")[0])):
        return "json"
    return "text"


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _counted(path: str, form: str) -> Iterator[tuple[list[str], int, int, int]]:
    """Lines of a file in parts; their bytes, those of them that end lines, and NULs."""
    if form == "text":
        for chunk, lines in _chunks(path):
            yield lines, len(chunk), chunk.count(b"\n") + chunk.count(b"\r"), chunk.count(0)
        return
    for line in _lines_of(path, form):
        size = len(line.encode("utf-8")) + 1
        if size > MAX_LINE_BYTES:
            raise ValueError(
                f"A line must not be longer than {MAX_LINE_BYTES} bytes, but in {path} the one "
                f"that begins with {line[:50]!r} is. Break the text into lines, at paragraphs."
            )
        yield [line], size, 1, line.count("\0")


def _lines_of(path: str, form: str) -> Iterator[str]:
    """Lines of a file; of JSON and articles paragraphs, and an empty line after each document."""
    lines = (line.removesuffix("\r") for _, lines in _chunks(path, form) for line in lines)
    if form == "json":
        return _of_objects(path, lines)
    return _of_articles(lines) if form == "articles" else lines


def _chunks(path: str, form: str = "text") -> Iterator[tuple[bytes, list[str]]]:
    """The file in chunks of whole lines, checked, each with its lines."""
    num_before = size = 0
    with opened(path) as file:
        for chunk in _whole_lines(file, path, form):
            _check_lines(chunk, path, num_before, form)
            text = _decoded(chunk, path, num_before, size)
            if not size:
                text = text.removeprefix("\ufeff")
            lines = text.removesuffix("\n").split("\n")
            yield chunk, lines
            size += len(chunk)
            num_before += len(lines)


def _of_objects(path: str, lines: Iterator[str]) -> Iterator[str]:
    num_empty = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        text = _text_of(line, f"{path}:{number}")
        if text.strip():
            yield from (part for part in re.split("\r\n|\n|\r", text) if part.strip())
            yield ""
        else:
            num_empty += 1
    if num_empty:
        logging.info("%s: %d objects have an empty text.", path, num_empty)


def _text_of(line: str, place: str) -> str:
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{place}: a line must be a JSON object, as the file's name or its first line says, "
            f"but is none ({error}): write an object on every line, with `jq -c .` or "
            "`jq -c '.[]'`."
        ) from error
    if not isinstance(value, dict) or not isinstance(value.get(TEXT_KEY), str):
        there = f"has {', '.join(value)}" if isinstance(value, dict) else f"is {line!r:.100}"
        if isinstance(value, dict) and TEXT_KEY in value:
            there = f"has {value[TEXT_KEY]!r:.100}"
        raise ValueError(
            f"{place}: a JSON object of a corpus must have its text under {TEXT_KEY!r}, but this "
            f"one {there:.300}: rename the key, for example with "
            f"`jq -c '{{{TEXT_KEY}: .content}}'`."
        )
    # Half a surrogate pair is no text.
    return value[TEXT_KEY].encode("utf-8", "replace").decode("utf-8")


def _of_articles(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line.strip() == _ARTICLE_END:
            yield ""
        elif line.strip() and not _ARTICLE.fullmatch(line):
            yield line


def _paragraphs(lines: Iterator[str], block_bytes: int) -> Iterator[str]:
    """Lines of paragraphs joined, as long ones as a block at most."""
    joined: list[str] = []
    size = 0
    for line in lines:
        blank = not line or line.isspace()
        if not blank:
            joined.append(line)
            size += len(line) + 1
        if joined and (blank or size >= block_bytes):
            yield " ".join(joined)
            joined, size = [], 0
    if joined:
        yield " ".join(joined)


def _whole_lines(file: BinaryIO, path: str, form: str) -> Iterator[bytes]:
    """The file in chunks of whole lines."""
    # At most one byte too many, so that a file without line feeds is not read as a whole; a JSON
    # object is one line, however long its text.
    rest = MAX_LINE_BYTES + 1 if form == "text" else -1
    try:
        while chunk := file.read(MAX_LINE_BYTES):
            yield chunk + file.readline(rest)
    except FAULTS as error:
        raise damaged(path, error) from error


def _decoded(chunk: bytes, path: str, num_before: int, size: int) -> str:
    try:
        return chunk.decode("utf-8")
    except UnicodeDecodeError as error:
        line = num_before + chunk.count(b"\n", 0, error.start) + 1
        encoding = "utf-16" if chunk.startswith((b"\xff\xfe", b"\xfe\xff")) else "cp1252"
        raise ValueError(
            f"Text must be UTF-8, but {path}:{line} is not: byte {chunk[error.start]:#04x} at "
            f"offset {size + error.start}. Convert the file from the encoding that it has, for "
            f"example with `iconv -f {encoding} -t utf-8`."
        ) from error


def _check_lines(chunk: bytes, path: str, num_before: int, form: str) -> None:
    if chunk.count(b"\r") != chunk.count(b"\r\n"):
        before, _ = re.split(rb"\r(?!\n)", chunk, maxsplit=1)
        number = num_before + before.count(b"\n") + 1
        raise ValueError(
            f"Lines must end in a line feed, but {path}:{number} holds a carriage return inside a "
            "line. Convert the file, for example with `tr '\\r' '\\n'`."
        )
    if len(chunk) > MAX_LINE_BYTES and form == "text":
        for number, line in enumerate(chunk.split(b"\n"), num_before + 1):
            if len(line) > MAX_LINE_BYTES:
                raise ValueError(
                    f"A line must not be longer than {MAX_LINE_BYTES} bytes, but {path}:{number} "
                    "is. Break the text into lines, at paragraphs or sentences."
                )
