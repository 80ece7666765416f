"""The embedder of a checkpoint, whose vectors of alike texts are near each other."""

from __future__ import annotations

import os

from absl import logging

from keras_bert.checkpoints.directory import load
from keras_bert.tasks.fill_mask import FillMask
from keras_bert.tasks.sentence_embedding import SentenceEmbedder
from keras_bert.tasks.task import Task
from keras_bert.text.packing import Packer


def embedder_of(
    directory: str | os.PathLike,
    sequence_length: int | None = None,
    *,
    dimensions: int | None = None,
) -> SentenceEmbedder:
    """The model of sentence embeddings in a checkpoint directory.

    A pretrained model is none, but has states, of which the mean is taken, and a warning says so:
    the mean of BERT's tells alike texts worse than that of GloVe's vectors of words does (Reimers
    and Gurevych 2019, arXiv:1908.10084, table 1).

    Args:
        directory: path of the directory.
        sequence_length: int, the most pieces of a row; None is what it was made with, or all
            positions of a pretrained model.
        dimensions: int, the first of each vector, to which it is cut; None has them all.

    Raises:
        ValueError: it holds another task, or vectors of tokens alone; or what `load` raises.
    """
    checkpoint = load(directory)
    model, path = checkpoint.model, os.fspath(directory)
    if isinstance(model, Task) and not isinstance(model, FillMask | SentenceEmbedder):
        raise ValueError(
            f"Texts are searched by sentence embeddings, but {path} holds a "
            f"{type(model).__name__}: name a checkpoint of sentence-transformers, or one that "
            "`keras-bert finetune --task=sentence_embedding` has made."
        )
    if isinstance(model, SentenceEmbedder):
        embedder = model
    else:
        logging.warning(
            "%s is pretrained, but not for sentence embeddings: the mean of its states is taken, "
            "which tells alike texts badly. Better is a checkpoint of sentence-transformers, or "
            "this one after `keras-bert finetune --task=sentence_embedding`.",
            path,
        )
        length = checkpoint.config.max_sequence_length
        embedder = SentenceEmbedder(checkpoint.encoder, Packer(checkpoint.tokenizer, length))
    if embedder.pooling == "none":
        raise ValueError(
            f"Texts are searched by a vector each, but {path} has one for every token (pooling is "
            "none): name a checkpoint with another pooling."
        )
    if sequence_length is not None:
        packer = embedder.packer
        embedder.packer = Packer(packer.tokenizer, sequence_length, packer.template)
    return embedder if dimensions is None else embedder.cut(dimensions)
