"""Loading: the task that a checkpoint directory holds, as it is to be asked."""

from __future__ import annotations

import os
from collections.abc import Sequence

from keras_bert.checkpoints.directory import Checkpoint, load
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.tasks.fill_mask import FillMask
from keras_bert.tasks.sentence_embedding import SentenceEmbedder
from keras_bert.tasks.setting import settings_of
from keras_bert.tasks.task import Task
from keras_bert.text.packing import Packer


def load_task(
    directory: str | os.PathLike,
    *,
    text_keys: Sequence[str] | None = None,
    label_key: str | None = None,
    top_k: int | None = None,
    sequence_length: int | None = None,
    dimensions: int | None = None,
) -> Task:
    """The task in a checkpoint directory, with the settings that are given.

    Args:
        directory: path of the directory.
        text_keys: sequence of str, the columns that a classifier reads; other tasks have names of
            their own, and the files' columns are renamed.
        label_key: str, the column with its label, likewise.
        top_k: int, the number of candidates for a blank.
        sequence_length: int, of rows, up to the model's positions; None has what it was made with.
        dimensions: int, to which the vectors of sentence embeddings are cut; None keeps all.

    Raises:
        ValueError: there is no head, rows are longer than the model's positions, `top_k` is given
            and there are no blanks to fill, or what `load` raises.
    """
    task = task_of(load(directory), directory)
    own = settings_of(task)
    if top_k is not None and "top_k" not in own:
        raise ValueError(
            f"--top_k is for models that fill blanks, but {os.fspath(directory)} holds another "
            "one: leave it out."
        )
    if dimensions is not None:
        if not isinstance(task, SentenceEmbedder):
            raise ValueError(
                f"--dimensions is for sentence embeddings, but {os.fspath(directory)} holds "
                "another model: leave it out."
            )
        task = task.cut(dimensions)
    given = {"text_keys": text_keys, "label_key": label_key, "top_k": top_k}
    for name, value in given.items():
        if name in own and value is not None:
            setattr(task, name, value)
    if sequence_length is not None:
        task.packer = Packer(task.tokenizer, sequence_length, task.packer.template)
    return task


def task_of(checkpoint: Checkpoint, directory: str | os.PathLike) -> Task:
    """The task that a checkpoint was trained for; a pretrained model fills blanks.

    Args:
        checkpoint: Checkpoint.
        directory: path of its directory, for errors.

    Raises:
        ValueError: it holds no head.
    """
    model = checkpoint.model
    if isinstance(model, BertPretrainer):
        return FillMask(model, Packer(checkpoint.tokenizer, checkpoint.config.max_sequence_length))
    if not isinstance(model, Task):
        raise ValueError(
            f"{os.fspath(directory)} must hold a model with a head, but holds a bare encoder: name "
            "a pretrained or a fine-tuned checkpoint, or fine-tune this one."
        )
    return model
