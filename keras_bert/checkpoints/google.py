"""Checkpoints of google-research/bert: TF1 files, read without TF1 and written back."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert.checkpoints import settings, weights
from keras_bert.config import BertConfig
from keras_bert.text.tokenizer import Tokenizer
from keras_bert.text.vocabulary import write_vocabulary

CONFIG_FILE = "bert_config.json"
VOCABULARY_FILE = "vocab.txt"
WEIGHTS_PREFIX = "bert_model.ckpt"
# What training left behind and a model does not need: Adam's slots and the step counter.
TRAINING_STATE = ("/adam_m", "/adam_v", "global_step")
# What reading a damaged checkpoint raises: TensorFlow's reader has no error of its own for it.
DAMAGE = (tf.errors.OpError, IndexError, RuntimeError, ValueError)


class Tensors(Mapping):
    """The weights in a TF1 checkpoint by name, read from the disk one at a time.

    Args:
        prefix: path of the checkpoint without `.index`.

    Raises:
        ValueError: there is no such checkpoint, or it is damaged.
    """

    def __init__(self, prefix: pathlib.Path):
        self.prefix = prefix
        try:
            self._reader = tf.train.load_checkpoint(str(prefix))
        except DAMAGE as error:
            raise ValueError(
                f"{prefix}.index and .data-* must be a whole checkpoint, but {error}: copy all "
                "files of the model again."
            ) from error
        names = self._reader.get_variable_to_shape_map()
        self._names = frozenset(name for name in names if not name.endswith(TRAINING_STATE))

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        try:
            return self._reader.get_tensor(name)
        except DAMAGE as error:
            raise ValueError(
                f"{self.prefix}: {name} must be readable, but {error}: copy the files again."
            ) from error

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))

    def __len__(self) -> int:
        return len(self._names)


def is_here(directory: pathlib.Path) -> bool:
    """Whether a directory holds a model of Google's."""
    return (directory / CONFIG_FILE).is_file()


def read_settings(directory: pathlib.Path) -> dict[str, Any]:
    """The content of bert_config.json."""
    return settings.read_json(directory / CONFIG_FILE)


def read_config(content: Mapping[str, Any], directory: pathlib.Path) -> BertConfig:
    """The config that the content of a directory's bert_config.json says."""
    return settings.read_config(content, settings.GOOGLE_ACTIVATIONS, directory / CONFIG_FILE)


def write(model: keras.Model, directory: str | os.PathLike, tokenizer: Tokenizer) -> None:
    """Writes a model as google-research/bert does.

    The files are `bert_config.json`, `vocab.txt` and the TF1 checkpoint `bert_model.ckpt.*`, with
    Google's names, shapes and values. That text is not lower-cased is nowhere in them: Google says
    it by the directory's name.

    Args:
        model: BertEncoder, BertPretrainer or a task; labels are nowhere in Google's files.
        directory: path of a directory that is empty or not there.
        tokenizer: Tokenizer.

    Raises:
        ValueError: Google's code has no such model, or the directory is not empty.
    """
    config = getattr(model, "encoder", model).config
    if config.norm_first or config.positions != "learned" or config.activation == "gelu":
        raise ValueError(
            "Google's code has learned positions, post-norm and gelu by its tanh formula, but this "
            f"model has positions={config.positions!r}, norm_first={config.norm_first} and "
            f"activation={config.activation!r}: save it in the Hub's layout."
        )
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise ValueError(f"{directory} must be empty, but holds files: choose another directory.")
    write_vocabulary(directory / VOCABULARY_FILE, tokenizer.vocabulary)
    tensors = weights.tensors_of(model, "google")
    tf.raw_ops.SaveV2(
        prefix=str(directory / WEIGHTS_PREFIX),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=list(tensors.values()),
    )
    # Last: a directory without it is no model.
    content = settings.config_settings(config, settings.GOOGLE_ACTIVATIONS)
    del content["layer_norm_eps"]  # Google's code has it as a constant, 1e-12.
    settings.write_json(directory / CONFIG_FILE, content)
