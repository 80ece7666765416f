"""Where a pretraining begins: what a checkpoint must agree in, and weights that are there."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from keras_bert.checkpoints.directory import Checkpoint
from keras_bert.checkpoints.hub import class_of
from keras_bert.checkpoints.transfer import take_heads
from keras_bert.data.pretraining.word_vectors import fit_word_vectors, read_word_vectors
from keras_bert.models.encoder import Encoder
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.text.subwords import SubwordTokenizer


def check_same(
    checkpoint: Checkpoint,
    wanted: Mapping[str, Any],
    source: str,
    vocabulary: Sequence[str] | None = None,
) -> None:
    """Refuses to go on from a checkpoint that is not what was asked for.

    Args:
        checkpoint: Checkpoint.
        wanted: dict of fields of its config, and `lowercase`; None asks for nothing.
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
    tokenizer = checkpoint.tokenizer.settings()
    found = {**dataclasses.asdict(checkpoint.config), "lowercase": tokenizer.get("lowercase")}
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


def take_known_heads(model: BertPretrainer, checkpoint: Checkpoint) -> str:
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
