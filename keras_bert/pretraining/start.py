"""Where a pretraining begins: what a checkpoint must agree in, and weights that are there."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from keras_bert.checkpoints.directory import Checkpoint
from keras_bert.checkpoints.families import family_of_model
from keras_bert.checkpoints.hub import class_of
from keras_bert.checkpoints.transfer import take_heads
from keras_bert.checkpoints.vocabularies import is_in, read_tokenizer
from keras_bert.config import EncoderConfig
from keras_bert.data.pretraining.word_vectors import fit_word_vectors, read_word_vectors
from keras_bert.data.text_files import filled_lines
from keras_bert.models.detector import ReplacedTokenDetector
from keras_bert.models.encoder import Encoder
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.models.resizing import resize
from keras_bert.text.extending import extend_vocabulary, learn_extension
from keras_bert.text.subwords import SubwordTokenizer


def family_name(config: EncoderConfig) -> str:
    """What errors call the family of a config: "Roberta"."""
    return type(config).__name__.removesuffix("Config")


def check_same(
    checkpoint: Checkpoint,
    wanted: Mapping[str, Any],
    source: str,
    vocabulary: Sequence[str] | None = None,
) -> None:
    """Refuses to go on from a checkpoint that is not what was asked for.

    Args:
        checkpoint: Checkpoint.
        wanted: dict of fields of its config, `family` and `lowercase`; None asks for nothing.
        source: str, the checkpoint's directory, for the error.
        vocabulary: sequence of str, the pieces that it must have, or None.

    Raises:
        ValueError: it differs; the message lists in what.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.pretraining import check_same
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=1, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> checkpoint = kb.Checkpoint(config, tokenizer, kb.BertEncoder(config), None)
    >>> check_same(checkpoint, {"num_layers": 1, "lowercase": True, "positions": None}, "mine")
    >>> check_same(checkpoint, {"num_layers": 2}, "mine")
    Traceback (most recent call last):
    ValueError: A run goes on from mine as it is, but num_layers is 1 there and 2 here: leave ...
    """
    tokenizer, config = checkpoint.tokenizer.settings(), checkpoint.config
    found = {
        "family": family_name(config),
        "lowercase": tokenizer.get("lowercase"),
        **dataclasses.asdict(config),
    }
    different = [
        f"{name} is {found.get(name)!r} there and {value!r} here"
        for name, value in wanted.items()
        if value is not None and value != found.get(name)
    ]
    if vocabulary is not None and list(vocabulary) != tokenizer["vocabulary"]:
        different.append("its vocabulary is another one")
    if different:
        raise ValueError(
            f"A run goes on from {source} as it is, but {'; '.join(different)}: leave this out."
        )


def check_pieces(folder: pathlib.Path, tokenizer: SubwordTokenizer) -> None:
    """Compares with the pieces that a run began with, in its folder: their files may have changed.

    Args:
        folder: path of the run's folder.
        tokenizer: SubwordTokenizer that the flags give now.

    Raises:
        ValueError: they are others.

    Example:

    >>> import pathlib, tempfile
    >>> import keras_bert as kb
    >>> from keras_bert.pretraining import check_pieces, write_pieces
    >>> special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> write_pieces(folder, kb.Tokenizer((*special, "a")))
    >>> check_pieces(folder, kb.Tokenizer((*special, "b")))
    Traceback (most recent call last):
    ValueError: A run goes on with the vocabulary it began with, ...
    """
    if not is_in(folder):
        return
    before, now = read_tokenizer(folder).settings(), tokenizer.settings()
    if any(before.get(key) != now.get(key) for key in ("vocabulary", "merges")):
        raise ValueError(
            f"A run goes on with the vocabulary it began with, which is in {folder}, but the flags "
            "now give another one: restore the files that they name, or choose another output "
            "directory."
        )


def extended(checkpoint: Checkpoint, source: str, lines: tf.data.Dataset | None) -> Checkpoint:
    """A checkpoint with more pieces, whose embeddings begin as the mean of those of their parts.

    Args:
        checkpoint: Checkpoint.
        source: str, how many pieces to learn from the text, or the path of a file with words to
            add, one a line, such as a vocab.txt.
        lines: a dataset of string batches [N], the text; None where there are only its tokens.

    Returns:
        Checkpoint, with a model of its own.

    Raises:
        ValueError: there is nothing to add, or nothing to learn from.

    Example:

    >>> import tensorflow as tf
    >>> import keras_bert as kb
    >>> from keras_bert.pretraining import extended
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fi", "##lm"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=1, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> checkpoint = kb.Checkpoint(config, tokenizer, kb.BertEncoder(config), None)
    >>> larger = extended(checkpoint, "5", tf.data.Dataset.from_tensors(["film", "a film"]))
    >>> larger.tokenizer.vocabulary[7:], larger.config.vocabulary_size
    (('film',), 8)
    """
    first = checkpoint.tokenizer.vocabulary_size
    if not source.isdecimal():
        words = [line.strip() for _, line in filled_lines(source)]
        extension = extend_vocabulary(checkpoint.tokenizer, words)
    elif lines is None:
        raise ValueError(
            "New pieces are learned from text, but there are only the tokens of one: give a file "
            "of words, with which the tokens were written, or the text."
        )
    else:
        extension = learn_extension(checkpoint.tokenizer, lines, int(source))
    if not extension.parts:
        raise ValueError(f"{source} has no piece that the vocabulary lacks: leave it out.")
    larger = resize(
        checkpoint.model or checkpoint.encoder,
        vocabulary_size=max(checkpoint.config.vocabulary_size, first + len(extension.parts)),
        parts=dict(enumerate(extension.parts, start=first)),
    )
    return dataclasses.replace(
        checkpoint,
        config=larger.encoder.config,
        tokenizer=extension.tokenizer,
        encoder=larger.encoder,
        model=larger if checkpoint.model else None,
    )


def sentence_objective(name: str | None, encoder: Encoder) -> str | None:
    """What a run learns of pairs of sentences: that of a name, "none", or what a family learns.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.pretraining import sentence_objective
    >>> encoder = kb.BertEncoder(kb.BertConfig.preset("tiny"))
    >>> sentence_objective(None, encoder), sentence_objective("none", encoder)
    ('next_sentence', None)
    """
    if name is None and family_of_model(encoder).classes.pretraining:
        return "next_sentence"
    return None if name == "none" else name


def take_known_heads(model: BertPretrainer | ReplacedTokenDetector, checkpoint: Checkpoint) -> str:
    """Takes over the weights of the heads that a checkpoint has too, and says which are new.

    Raises:
        ValueError: the model could not be saved, as its family has no such head.
    """
    class_of(model)
    new = take_heads(model, checkpoint).new
    if not new:
        return "All weights are the checkpoint's."
    heads = " and ".join(dict.fromkeys(path.split("/")[0] for path in new))
    return f"New weights: {heads}; all others are the checkpoint's."


def take_word_vectors(
    encoder: Encoder, tokenizer: SubwordTokenizer, path: str | os.PathLike
) -> str:
    """Lets the embeddings of known words start from vectors of a file, and says of how many.

    Args:
        encoder: Encoder.
        tokenizer: SubwordTokenizer.
        path: path of a GloVe or word2vec text file.
    """
    ids, vectors = read_word_vectors(path, tokenizer.vocabulary)
    width, spread = encoder.token_embedding.output_dim, encoder.config.initializer_range
    encoder.set_token_vectors(ids, fit_word_vectors(vectors, width, spread))
    return (
        f"{len(ids):,} of {tokenizer.vocabulary_size:,} pieces start from their vector in {path}, "
        "the others are drawn."
    )
