"""Vocabularies of word pieces: learned from text, checked, and kept in `vocab.txt`."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

from absl import logging

from keras_bert import files

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


# How a piece begins that continues a word.
CONTINUATION = "##"


# What tensorflow-text's WordPiece can look up.
MAX_PIECE_BYTES = 256


def read_vocabulary(path: str | os.PathLike, max_size: int | None = None) -> tuple[str, ...]:
    r"""Reads a `vocab.txt`: UTF-8, one piece a line, the line's number (from 0) its id.

    Lines end with "\n" or "\r\n" and with nothing else: real vocabularies have pieces such as
    U+2028. The final line may lack its end, and empty lines after it are left out. An empty line
    before it keeps its id and stands for no word, and so does a piece that comes again further
    down, as in google-research/bert; the log says so.

    Args:
        path: the file.
        max_size: the most pieces to accept, or None.

    Returns:
        The pieces, in the order of their ids.

    Raises:
        ValueError: if the file cannot be read or is malformed; it names the line.

    Example:

    >>> import keras_bert as kb, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "vocab.txt")
    >>> kb.write_vocabulary(path, ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the"))
    >>> kb.read_vocabulary(path)[5]
    'the'
    """
    try:
        content = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise ValueError(
            f"A vocabulary must be a file that can be read; {files.reason(error)}"
        ) from error
    vocabulary = pieces_of(content, os.fspath(path), max_size)
    check_vocabulary(vocabulary, os.fspath(path), max_size)
    return vocabulary


def pieces_of(content: bytes, source: str, max_size: int | None = None) -> tuple[str, ...]:
    """The pieces in the content of a `vocab.txt`, special tokens or not.

    Args:
        content: the file's bytes.
        source: what to call the file in messages.
        max_size: the most pieces to accept, or None.

    Raises:
        ValueError: if it is malformed, or there are more pieces.
    """
    if content.startswith(b"\xef\xbb\xbf"):
        raise ValueError(
            f"A vocabulary must begin with its first piece; {source}:1 begins with a byte order "
            'mark. Save the file as "UTF-8 without BOM".'
        )
    content = content.rstrip(b"\r\n")
    _check_size(content.count(b"\n") + 1, source, max_size)  # before a flood of lines is cut
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"A vocabulary must be UTF-8; {source}:{line} is not ({error.reason}). "
            "Convert the file to UTF-8."
        ) from error
    vocabulary = tuple(line.removesuffix("\r") for line in lines)
    _check_pieces(vocabulary, source)
    for id_ in unused_ids(vocabulary):
        fault = "is again further down" if vocabulary[id_] else "is empty"
        logging.warning(
            "%s:%d %s: no text becomes the id %d.",
            *(source, id_ + 1, f"{vocabulary[id_]!r} {fault}".removeprefix("'' "), id_),
        )
    return vocabulary


def write_vocabulary(path: str | os.PathLike, vocabulary: Sequence[str]) -> None:
    """Writes a `vocab.txt` whole or not at all: a reader never sees half of it.

    Args:
        path: the file; it is replaced if there is one, and its directory is made if there is none.
        vocabulary: the pieces, in the order of their ids.

    Raises:
        ValueError: if the vocabulary is malformed; then nothing is written.

    Example:

    >>> import keras_bert as kb, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "vocab.txt")
    >>> kb.write_vocabulary(path, ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the"))
    >>> open(path).read().split()
    ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'the']
    """
    check_vocabulary(vocabulary)
    with files.whole_file(path) as staging:
        staging.write_bytes(content_of(vocabulary))


def content_of(vocabulary: Sequence[str]) -> bytes:
    """What a `vocab.txt` of some pieces holds."""
    return "".join(f"{piece}\n" for piece in vocabulary).encode()


def check_vocabulary(
    vocabulary: Sequence[str], source: str = "vocabulary", max_size: int | None = None
) -> None:
    """Checks that pieces can be a vocabulary, and be read again once written.

    Args:
        vocabulary: the pieces, in the order of their ids; empty and repeated ones stand for no
            word (`unused_ids`).
        source: what to call them in messages, usually their file.
        max_size: the most pieces to accept, or None.

    Raises:
        ValueError: if a special token is missing, there are more than `max_size` pieces, or a
            piece is too long, no text, or has a NUL or the end of a line in it.

    Example:

    >>> from keras_bert.text.vocabulary import check_vocabulary
    >>> check_vocabulary(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the"))
    """
    _check_size(len(vocabulary), source, max_size)
    _check_pieces(vocabulary, source)
    missing = [token for token in SPECIAL_TOKENS if token not in vocabulary]
    if missing:
        raise ValueError(
            f"A vocabulary must have the special tokens {' '.join(SPECIAL_TOKENS)}; "
            f"{source}:{max(1, len(vocabulary))} ends without {' '.join(missing)}. "
            "Take a vocabulary made for BERT, or add them where the model expects them."
        )


def unused_ids(vocabulary: Sequence[str]) -> list[int]:
    """The ids of pieces that no text becomes: empty ones, and those that come again further down.

    Published vocabularies have them. Of two equal lines google-research/bert, and all who follow
    it, take the later one.

    Example:

    >>> from keras_bert.text.vocabulary import unused_ids
    >>> unused_ids(("[PAD]", "the", "", "the"))
    [1, 2]
    """
    last = {piece: id_ for id_, piece in enumerate(vocabulary) if piece}
    return [id_ for id_, piece in enumerate(vocabulary) if last.get(piece) != id_]


def _check_size(size: int, source: str, max_size: int | None) -> None:
    if max_size is not None and size > max_size:
        raise ValueError(
            f"A vocabulary must have at most {max_size} pieces; {source}:{max_size + 1} is one "
            f"more ({size} in all). Take the vocabulary that belongs to the model."
        )


def _check_pieces(vocabulary: Sequence[str], source: str) -> None:
    for line, piece in enumerate(vocabulary, start=1):
        if fault := _fault(piece):
            raise ValueError(
                f"Each piece of a vocabulary must be a text of its own; {source}:{line} {fault}. "
                "Correct the line: to leave it out would shift the ids after it."
            )


def _fault(piece: str) -> str:
    """What is wrong with a piece by itself, or ""."""
    if not isinstance(piece, str):
        return f"is a {type(piece).__name__}"
    if "\0" in piece or "\n" in piece or piece.endswith("\r"):
        return f"has a NUL or the end of a line in it ({piece!r})"
    try:
        num_bytes = len(piece.removeprefix(CONTINUATION).encode())
    except UnicodeEncodeError:
        return f"has half a surrogate pair in it ({piece!r})"
    if num_bytes > MAX_PIECE_BYTES:
        return f"takes {num_bytes} bytes, which is more than {MAX_PIECE_BYTES}"
    return ""
