"""A tokenizer without a model: a vocab.txt, or the files of byte-level pieces in a folder."""

from __future__ import annotations

import os
import pathlib

from keras_bert.checkpoints import byte_pair_files, word_pieces
from keras_bert.checkpoints.tokenizer_files import FAST_TOKENIZER_FILE
from keras_bert.text.byte_pairs import BytePairTokenizer
from keras_bert.text.subwords import SubwordTokenizer
from keras_bert.text.tokenizer import Tokenizer
from keras_bert.text.vocabulary import read_vocabulary, write_vocabulary

WORD_PIECES = word_pieces.VOCABULARY_FILE
BYTE_PAIRS = (byte_pair_files.VOCABULARY_FILE, FAST_TOKENIZER_FILE)


def read_tokenizer(path: str | os.PathLike, lowercase: bool | None = None) -> SubwordTokenizer:
    """The tokenizer of a vocabulary of either kind, as `learn-vocabulary` writes them.

    Args:
        path: a vocab.txt, a folder with one, or one with vocab.json and merges.txt or
            tokenizer.json, or one of these two.
        lowercase: bool, whether word pieces are of lower-cased text without accents; None is true.

    Returns:
        Tokenizer or BytePairTokenizer.

    Raises:
        ValueError: a file is missing or malformed, or `lowercase` is said of byte-level pieces.

    Example:

    >>> import os, tempfile
    >>> import keras_bert as kb
    >>> path = os.path.join(tempfile.mkdtemp(), "vocab.txt")
    >>> kb.write_vocabulary(path, ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the"))
    >>> kb.read_tokenizer(path).vocabulary_size
    6
    """
    path = pathlib.Path(path)
    folder = path if path.is_dir() else path.parent
    if path.is_dir() and (path / WORD_PIECES).is_file():
        path = path / WORD_PIECES
    elif path.name in BYTE_PAIRS or any((path / name).is_file() for name in BYTE_PAIRS):
        if lowercase is not None:
            raise ValueError(
                f"Byte-level pieces are of text as it is, but {path} is to be read with lowercase "
                f"{lowercase}: leave this out."
            )
        return byte_pair_files.read_alone(folder)
    return Tokenizer(read_vocabulary(path), lowercase=lowercase is not False)


def is_in(folder: pathlib.Path) -> bool:
    """Whether a folder has a vocabulary of either kind."""
    return any((folder / name).is_file() for name in (WORD_PIECES, *BYTE_PAIRS))


def write_pieces(folder: pathlib.Path, tokenizer: SubwordTokenizer) -> None:
    """Writes the pieces of a tokenizer as `read_tokenizer` reads them.

    Args:
        folder: path of the folder, which is there.
        tokenizer: Tokenizer or BytePairTokenizer.

    Example:

    >>> import pathlib, tempfile
    >>> import keras_bert as kb
    >>> from keras_bert.checkpoints.vocabularies import write_pieces
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> pieces = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the")
    >>> write_pieces(folder, kb.Tokenizer(pieces))
    >>> kb.read_tokenizer(folder).vocabulary == pieces
    True
    """
    if isinstance(tokenizer, BytePairTokenizer):
        byte_pair_files.write_tables(folder, tokenizer)
    else:
        write_vocabulary(folder / WORD_PIECES, tokenizer.settings()["vocabulary"])
