"""Checkpoints of google-research/bert: TF1 files, read without TF1 and written back."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Iterator, Mapping

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from keras_bert import files
from keras_bert.checkpoints import settings, weights
from keras_bert.checkpoints.families import family_of_model
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.text.subwords import SubwordTokenizer
from keras_bert.text.tokenizer import Tokenizer
from keras_bert.text.vocabulary import write_vocabulary

CONFIG_FILE = "bert_config.json"
VOCABULARY_FILE = "vocab.txt"
WEIGHTS_PREFIX = "bert_model.ckpt"
INDEX = ".index"
# Names the newest checkpoint of a training.
STATE_FILE = "checkpoint"
# What training left behind and a model does not need: Adam's slots and the step counter.
TRAINING_STATE = ("/adam_m", "/adam_v", "global_step")
# What reading a damaged checkpoint raises: TensorFlow's reader has no error of its own for it.
DAMAGE = (tf.errors.OpError, IndexError, RuntimeError, ValueError)


class Tensors(Mapping[str, np.ndarray]):
    """The weights in a TF1 checkpoint by name, read from the disk one at a time.

    Args:
        prefix: path of the checkpoint without `.index`.

    Raises:
        ValueError: there is no such checkpoint, or it is damaged.
    """

    # Google's code writes no weight twice.
    copies: frozenset[str] = frozenset()

    def __init__(self, prefix: pathlib.Path):
        self.prefix = prefix
        try:
            self._reader = tf.train.load_checkpoint(str(prefix))
        except DAMAGE as error:
            raise ValueError(
                f"{prefix}.index and .data-* must be a whole checkpoint, but {error}: copy all "
                "files of the model again."
            ) from error
        shapes = self._reader.get_variable_to_shape_map()
        self._shapes = {
            name: tuple(shape)
            for name, shape in shapes.items()
            if not name.endswith(TRAINING_STATE)
        }

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, which is not read for it."""
        return self._shapes[name]

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._shapes:
            raise KeyError(name)
        try:
            return self._reader.get_tensor(name)
        except DAMAGE as error:
            raise ValueError(
                f"{self.prefix}: {name} must be readable, but {error}: copy the files again."
            ) from error

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._shapes))

    def __len__(self) -> int:
        return len(self._shapes)


def indices(directory: pathlib.Path) -> list[str]:
    """The names of the TF1 checkpoints in a directory, without `.index`."""
    names = (path.name for path in directory.glob(f"*{INDEX}") if path.is_file())
    return sorted(name.removesuffix(INDEX) for name in names)


def prefix_of(snapshot: Snapshot) -> str:
    """The name of the checkpoint that a directory holds, without `.index`.

    Google's releases call it `bert_model.ckpt`, its trainings `model.ckpt-STEP`, and these say in
    the file `checkpoint` which is the newest.

    Raises:
        ValueError: there are several, and nothing tells which is meant.
    """
    names = indices(snapshot.directory)
    newest = _newest(snapshot)
    chosen = newest if newest in names else WEIGHTS_PREFIX
    if chosen not in names and len(names) == 1:
        [chosen] = names
    if chosen not in names and names:
        raise ValueError(
            f"{snapshot.directory} must hold one checkpoint, but holds "
            f"{', '.join(f'{name}{INDEX}' for name in names)}: rename the files of one of them to "
            f"{WEIGHTS_PREFIX}{INDEX} and {WEIGHTS_PREFIX}.data-*."
        )
    if names and chosen != WEIGHTS_PREFIX:
        logging.info("Of %s the checkpoint %s is opened.", snapshot.directory, chosen)
    return chosen


def _newest(snapshot: Snapshot) -> str | None:
    """The checkpoint that a training's state file names, which may have stood elsewhere then."""
    if not snapshot.has(STATE_FILE):
        return None
    said = re.search(rb'^model_checkpoint_path: "(.*)"$', snapshot.read(STATE_FILE), re.MULTILINE)
    return pathlib.PurePath(os.fsdecode(said[1])).name if said else None


def save_google(
    model: keras.Model, directory: str | os.PathLike, tokenizer: SubwordTokenizer
) -> None:
    """Writes a model as google-research/bert does.

    The files are `bert_config.json`, `vocab.txt` and the TF1 checkpoint `bert_model.ckpt.*`, with
    Google's names, shapes and values. That text is not lower-cased is nowhere in them: Google says
    it by the directory's name.

    Args:
        model: an encoder, a pretrainer or a task; labels are nowhere in Google's files.
        directory: path of a directory that is empty or not there.
        tokenizer: Tokenizer.

    Raises:
        ValueError: Google's code has no such model, the tokenizer is of another kind, or the
            directory is not empty.
    """
    family = family_of_model(model)
    if family.google is None:
        raise ValueError(
            f"Google's code has no {family.name}, the family of this model: save it in the Hub's "
            "layout."
        )
    if not isinstance(tokenizer, Tokenizer):
        raise ValueError(
            f"Google's code has a Tokenizer's word pieces, but this is a "
            f"{type(tokenizer).__name__}: save it in the Hub's layout."
        )
    content = family.google.write(model.encoder.config)
    directory = pathlib.Path(directory)
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise ValueError(f"{directory} must be empty, but holds files: choose another directory.")
    if tokenizer.num_word_pieces < tokenizer.vocabulary_size:
        logging.warning(
            "Google's code has no added tokens: %s are pieces of %s, which no text becomes.",
            *(tokenizer.vocabulary[tokenizer.num_word_pieces :], directory / VOCABULARY_FILE),
        )
    with files.whole_folder(directory) as staging:
        write_vocabulary(staging / VOCABULARY_FILE, tokenizer.vocabulary)
        _write_tensors(weights.tensors_of(model, "google"), staging / WEIGHTS_PREFIX)
        settings.write_json(staging / CONFIG_FILE, content)


def _write_tensors(tensors: Mapping[str, np.ndarray], prefix: pathlib.Path) -> None:
    with files.system_errors(prefix):
        tf.raw_ops.SaveV2(
            prefix=str(prefix),
            tensor_names=list(tensors),
            shape_and_slices=[""] * len(tensors),
            tensors=list(tensors.values()),
        )
