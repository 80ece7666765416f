"""`load` opens a checkpoint directory, the Hub's or Google's; `save` writes the Hub's layout."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil

import keras
from absl import logging

from keras_bert.checkpoints import google, hub, settings, weights
from keras_bert.config import BertConfig
from keras_bert.models.encoder import BertEncoder, initializer_of
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.text.tokenizer import Tokenizer
from keras_bert.text.vocabulary import read_vocabulary, write_vocabulary

# What sentence objective a model has, which transformers' config does not say.
SENTENCE_KEY = "sentence_objective"
# transformers leaves the pooler out where no head uses it.
POOLER = ("pooler/dense/kernel", "pooler/dense/bias")
# Files are made in the first folder; renaming it to the second one is the moment of saving.
WRITING, WRITTEN = ".writing", ".written"


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint directory holds.

    Args:
        config: BertConfig.
        tokenizer: Tokenizer.
        encoder: BertEncoder with the weights of the file.
        model: the model with its head, a `BertPretrainer`, or None where there is no head.
    """

    config: BertConfig
    tokenizer: Tokenizer
    encoder: BertEncoder
    model: keras.Model | None


def load(directory: str | os.PathLike) -> Checkpoint:
    """Opens a checkpoint directory, encoder alone or with pretraining heads.

    Google's are told by their `bert_config.json`; Adam's slots in them are left aside. The Hub's
    may be sharded, of any version of transformers, and what `save` wrote is compared with its
    checksums. Pickles are never opened.

    Args:
        directory: path of a directory that `save`, transformers' `save_pretrained` or
            google-research/bert wrote.

    Returns:
        Checkpoint.

    Raises:
        ValueError: a file is missing, damaged, or contradicts another; the message names the file
            and, where there is one, the tensor.

    Example:

    >>> import keras_bert as kb
    >>> import os, tempfile
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film", "fine"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> directory = os.path.join(tempfile.mkdtemp(), "mine")
    >>> kb.save(kb.BertPretrainer(kb.BertEncoder(config)), directory, tokenizer)
    >>> checkpoint = kb.load(directory)
    >>> checkpoint.config == config, type(checkpoint.model).__name__
    (True, 'BertPretrainer')
    """
    directory = pathlib.Path(directory)
    finish_saving(directory)
    if google.is_here(directory):
        return _load_google(directory)
    tensors = hub.Tensors(directory)
    for name in (hub.CONFIG_FILE, hub.VOCABULARY_FILE):
        _check_there(directory / name)
    hub.check_sums(directory)
    config = hub.read_config(directory)
    tokenizer = _load_tokenizer(directory, config)
    content = hub.read_settings(directory)
    objective = content.get(SENTENCE_KEY, "next_sentence")
    has_sentence = "cls.seq_relationship.weight" in tensors
    encoder, model = _build(
        config, "cls.predictions.bias" in tensors, objective if has_sentence else None
    )
    weights.assign(model or encoder, tensors, "hub", str(directory / hub.WEIGHTS_FILE), POOLER)
    if "bert.pooler.dense.weight" not in tensors:
        kernel = encoder.pooler.dense.kernel
        kernel.assign(initializer_of(config)(kernel.shape))
        logging.info("%s has no pooler; that of the model is new.", directory)
    return Checkpoint(config, tokenizer, encoder, model)


def save(
    model: keras.Model, directory: str | os.PathLike, tokenizer: Tokenizer | None = None
) -> None:
    """Writes a model and its tokenizer as a checkpoint directory in the Hub's layout.

    Besides transformers' files there is `checksums.json`, by which `load` finds damage. Whenever
    the process is killed, the directory holds the old model or the new one, whole, for the next
    `load` or `save`. Other files of the directory stay.

    Args:
        model: BertEncoder, BertPretrainer, or a task around one.
        directory: path of the directory; made if it is not there.
        tokenizer: Tokenizer; None takes the task's own.

    Raises:
        ValueError: the vocabulary does not fit the model, or there is no tokenizer.

    Example: see `load`.
    """
    tokenizer = tokenizer or getattr(model, "tokenizer", None)
    model = getattr(model, "pretrainer", model)
    config = getattr(model, "encoder", model).config
    _check_tokenizer(tokenizer, config)
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    finish_saving(directory)
    staging = directory / WRITING
    shutil.rmtree(staging, ignore_errors=True)  # of a process that was killed
    staging.mkdir()
    architecture, prefix = "BertModel", "bert."
    if isinstance(model, BertPretrainer):
        architecture = "BertForPreTraining" if model.sentence_objective else "BertForMaskedLM"
        prefix = ""
    content = hub.config_settings(config, architecture)
    if isinstance(model, BertPretrainer):
        content[SENTENCE_KEY] = model.sentence_objective
    tensors = weights.tensors_of(model, "hub")
    write_vocabulary(staging / hub.VOCABULARY_FILE, tokenizer.vocabulary)
    settings.write_json(staging / hub.CONFIG_FILE, content)
    settings.write_json(
        staging / hub.TOKENIZER_FILE, settings.tokenizer_settings(tokenizer, config)
    )
    hub.write_tensors(
        {name.removeprefix(prefix): value for name, value in tensors.items()},
        staging / hub.WEIGHTS_FILE,
    )
    settings.write_json(staging / hub.CHECKSUMS_FILE, hub.checksums(staging))
    for path in (*staging.iterdir(), staging):
        _flush(path)
    os.rename(staging, directory / WRITTEN)
    finish_saving(directory)


def finish_saving(directory: pathlib.Path) -> None:
    """Moves files that are written, but not yet in their place, to where they belong."""
    written = directory / WRITTEN
    if not written.is_dir():
        return
    for path in sorted(written.iterdir()):
        os.replace(path, directory / path.name)
    written.rmdir()


def _load_google(directory: pathlib.Path) -> Checkpoint:
    _check_there(directory / google.VOCABULARY_FILE)
    config = google.read_config(directory)
    tokenizer = _load_tokenizer(directory, config)
    tensors = google.Tensors(directory / google.WEIGHTS_PREFIX)
    objective = "next_sentence" if "cls/seq_relationship/output_weights" in tensors else None
    encoder, model = _build(config, "cls/predictions/output_bias" in tensors, objective)
    weights.assign(model or encoder, tensors, "google", str(directory / google.WEIGHTS_PREFIX))
    return Checkpoint(config, tokenizer, encoder, model)


def _build(
    config: BertConfig, has_masked_lm: bool, sentence_objective: str | None
) -> tuple[BertEncoder, BertPretrainer | None]:
    # Zeros, because all weights come from the file: drawing them would take longer than reading.
    encoder = BertEncoder(config, initializer="zeros")
    if not has_masked_lm:
        return encoder, None
    return encoder, BertPretrainer(encoder, sentence_objective, initializer="zeros")


def _load_tokenizer(directory: pathlib.Path, config: BertConfig) -> Tokenizer:
    vocabulary = read_vocabulary(directory / hub.VOCABULARY_FILE, max_size=config.vocabulary_size)
    path = directory / hub.TOKENIZER_FILE
    content = settings.read_json(path) if path.is_file() else {}
    return settings.read_tokenizer(vocabulary, content, directory)


def _check_tokenizer(tokenizer: Tokenizer | None, config: BertConfig) -> None:
    if tokenizer is None:
        raise ValueError(
            "A checkpoint holds a tokenizer, but there is none: save(model, directory, tokenizer)."
        )
    if tokenizer.vocabulary_size > config.vocabulary_size:
        raise ValueError(
            f"The vocabulary may have at most the config's vocabulary_size={config.vocabulary_size}"
            f" pieces, but has {tokenizer.vocabulary_size}: build the model for this vocabulary."
        )


def _check_there(path: pathlib.Path) -> None:
    if not path.is_file():
        raise ValueError(
            f"A checkpoint is a directory with {hub.CONFIG_FILE}, {hub.WEIGHTS_FILE} and "
            f"{hub.VOCABULARY_FILE}, but there is no {path}: copy the whole directory."
        )


def _flush(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
