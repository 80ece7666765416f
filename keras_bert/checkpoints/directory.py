"""`load` opens a checkpoint directory, the Hub's or Google's; `save` writes the Hub's layout."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
from typing import Any

import keras
from absl import logging

from keras_bert.checkpoints import google, hub, sentence_transformers, settings, weights
from keras_bert.config import BertConfig
from keras_bert.models.encoder import BertEncoder, initializer_of
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.tasks import ensembles
from keras_bert.tasks.fill_mask import FillMask
from keras_bert.tasks.multiple_choice import MultipleChoice
from keras_bert.tasks.question_answering import QuestionAnswerer
from keras_bert.tasks.sentence_embedding import SentenceEmbedder
from keras_bert.tasks.task import Task
from keras_bert.tasks.text_classification import TextClassifier
from keras_bert.tasks.token_classification import TokenClassifier
from keras_bert.text.packing import Packer
from keras_bert.text.tokenizer import Tokenizer
from keras_bert.text.vocabulary import read_vocabulary, write_vocabulary

# What sentence objective a model has, which transformers' config does not say.
SENTENCE_KEY = "sentence_objective"
# What a pretrained model says that was saved as a task that fills blanks.
FILL_MASK_KEY = "top_k"
# The tasks by transformers' class, whose name config.json gives.
TASKS = {
    task.ARCHITECTURE: task
    for task in (TextClassifier, TokenClassifier, QuestionAnswerer, MultipleChoice)
}
# transformers' classes with a masked-language-model head.
PRETRAINERS = ("BertForPreTraining", "BertForMaskedLM")
# Rows of embeddings without a piece, as models have that are padded to a multiple of 64 or less.
MAX_UNUSED_ROWS = 63
# Files are made in the first folder; renaming it to the second one is the moment of saving.
WRITING, WRITTEN = ".writing", ".written"


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint directory holds.

    Args:
        config: BertConfig.
        tokenizer: Tokenizer.
        encoder: BertEncoder with the weights of the file.
        model: the model with its head, a `BertPretrainer` or a task, as it was saved; None where
            there is no head.
    """

    config: BertConfig
    tokenizer: Tokenizer
    encoder: BertEncoder
    model: keras.Model | None


def load(directory: str | os.PathLike, dropout: float | None = None) -> Checkpoint:
    """Opens a checkpoint directory, encoder alone or with the heads of pretraining or a task.

    Google's are told by their `bert_config.json`; Adam's slots in them are left aside. The Hub's
    may be sharded, of any version of transformers, and what `save` wrote is compared with its
    checksums. Pickles are never opened.

    Args:
        directory: path of a directory that `save`, transformers' `save_pretrained` or
            google-research/bert wrote.
        dropout: float, of hidden states and attention, for training; None takes the config's.

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
    return (_load_google if google.is_here(directory) else _load_hub)(directory, dropout)


def save(
    model: keras.Model, directory: str | os.PathLike, tokenizer: Tokenizer | None = None
) -> None:
    """Writes a model and its tokenizer as a checkpoint directory in the Hub's layout.

    Besides transformers' files there is `checksums.json`, by which `load` finds damage. Whenever
    the process is killed, the directory holds the old model or the new one, whole, for the next
    `load` or `save`. Other files of the directory stay.

    Args:
        model: BertEncoder, BertPretrainer, or a task.
        directory: path of the directory; made if it is not there.
        tokenizer: Tokenizer; None takes the task's own.

    Raises:
        ValueError: the vocabulary does not fit the model, or there is no tokenizer.

    Example: see `load`.
    """
    _check_one_model(model)
    tokenizer = tokenizer or getattr(model, "tokenizer", None)
    head_settings = _head_settings(model)
    model = getattr(model, "pretrainer", model)
    config = getattr(model, "encoder", model).config
    _check_tokenizer(tokenizer, config)
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    finish_saving(directory)
    staging = directory / WRITING
    shutil.rmtree(staging, ignore_errors=True)  # of a process that was killed
    staging.mkdir()
    architecture = _architecture(model)
    content = {**hub.config_settings(config, architecture), **head_settings}
    tensors = weights.tensors_of(model, "hub")
    write_vocabulary(staging / hub.VOCABULARY_FILE, tokenizer.vocabulary)
    settings.write_json(staging / hub.CONFIG_FILE, content)
    settings.write_json(
        staging / hub.TOKENIZER_FILE, settings.tokenizer_settings(tokenizer, config)
    )
    if architecture == "BertModel":  # without a head names have no prefix
        tensors = {name.removeprefix("bert."): value for name, value in tensors.items()}
    hub.write_tensors(tensors, staging / hub.WEIGHTS_FILE)
    if isinstance(model, SentenceEmbedder):
        sentence_transformers.write(staging, model)
    if not sentence_transformers.is_here(staging):  # an earlier model's would be of another one
        (directory / sentence_transformers.MODULES_FILE).unlink(missing_ok=True)
    settings.write_json(staging / hub.CHECKSUMS_FILE, hub.checksums(staging))
    hub.flush(*staging.rglob("*"), staging)
    os.rename(staging, directory / WRITTEN)
    finish_saving(directory)


def finish_saving(directory: pathlib.Path) -> None:
    """Moves files that are written, but not yet in their place, to where they belong."""
    written = directory / WRITTEN
    if not written.is_dir():
        return
    for path in sorted(path for path in written.rglob("*") if path.is_file()):
        target = directory / path.relative_to(written)
        target.parent.mkdir(exist_ok=True)
        os.replace(path, target)
    shutil.rmtree(written)


def _load_hub(directory: pathlib.Path, dropout: float | None) -> Checkpoint:
    tensors = hub.Tensors(directory)
    _check_there(directory / hub.CONFIG_FILE)
    if not (directory / hub.FAST_TOKENIZER_FILE).is_file():
        _check_there(directory / hub.VOCABULARY_FILE)
    hub.check_sums(directory)
    content = {**hub.read_settings(directory), **settings.dropout_settings(dropout)}
    config = hub.read_config(content, directory)
    tokenizer = _load_tokenizer(directory, config)
    # Zeros, because all weights come from the file: drawing them would take longer than reading.
    encoder = BertEncoder(config, initializer="zeros")
    content["keras_bert"] = {
        **_foreign_settings(directory, config),
        **content.get("keras_bert", {}),
    }
    model = _hub_model(encoder, tokenizer, content, tensors)
    source = str(directory / hub.WEIGHTS_FILE)
    if weights.assign(model or encoder, tensors, "hub", source):
        kernel = encoder.pooler.dense.kernel
        kernel.assign(initializer_of(config)(kernel.shape))
        logging.info("%s has no pooler: that of the encoder is new.", directory)
    if FILL_MASK_KEY in content["keras_bert"] and isinstance(model, BertPretrainer):
        model = FillMask.from_settings(encoder, tokenizer, content, pretrainer=model)
    return Checkpoint(config, tokenizer, encoder, model)


def _foreign_settings(directory: pathlib.Path, config: BertConfig) -> dict[str, Any]:
    """What the files of other libraries say of a task's own settings."""
    if sentence_transformers.is_here(directory):
        return sentence_transformers.read_settings(directory, config)
    return {"sequence_length": settings.max_length(directory / hub.TOKENIZER_FILE, config)}


def _load_google(directory: pathlib.Path, dropout: float | None) -> Checkpoint:
    _check_there(directory / google.VOCABULARY_FILE)
    content = {**google.read_settings(directory), **settings.dropout_settings(dropout)}
    config = google.read_config(content, directory)
    tokenizer = _load_tokenizer(directory, config)
    tensors = google.Tensors(directory / google.WEIGHTS_PREFIX)
    encoder = BertEncoder(config, initializer="zeros")
    model = _google_model(encoder, tokenizer, tensors)
    weights.assign(model or encoder, tensors, "google", str(directory / google.WEIGHTS_PREFIX))
    return Checkpoint(config, tokenizer, encoder, model)


def _hub_model(
    encoder: BertEncoder, tokenizer: Tokenizer, content: dict[str, Any], tensors: hub.Tensors
) -> keras.Model | None:
    """The model with its head that config.json names, or that the tensors are of."""
    [architecture, *_] = content.get("architectures") or [None]
    if "pooling" in content["keras_bert"]:
        return SentenceEmbedder.from_settings(encoder, tokenizer, content)
    if architecture in TASKS:
        return TASKS[architecture].from_settings(encoder, tokenizer, content, "zeros")
    if "cls.predictions.bias" in tensors or architecture in PRETRAINERS:
        objective = content.get(SENTENCE_KEY, "next_sentence")
        has_sentence = "cls.seq_relationship.weight" in tensors
        return BertPretrainer(encoder, objective if has_sentence else None, initializer="zeros")
    return None


def _google_model(
    encoder: BertEncoder, tokenizer: Tokenizer, tensors: google.Tensors
) -> keras.Model | None:
    """The model whose head the tensors are of; a classifier's labels are not in Google's files."""
    if "cls/predictions/output_bias" in tensors:
        has_sentence = "cls/seq_relationship/output_weights" in tensors
        return BertPretrainer(encoder, "next_sentence" if has_sentence else None, "zeros")
    packer = Packer(tokenizer, encoder.config.max_sequence_length)
    if "cls/squad/output_weights" in tensors:
        return QuestionAnswerer(encoder, packer, initializer="zeros")
    if "output_bias" in tensors:
        labels = [f"LABEL_{i}" for i in range(len(tensors["output_bias"]))]
        problem = "regression" if len(labels) == 1 else "single_label_classification"
        return TextClassifier(encoder, packer, labels, problem=problem, initializer="zeros")
    return None


def _architecture(model: keras.Model) -> str:
    """transformers' class for a model."""
    if isinstance(model, BertPretrainer):
        return PRETRAINERS[0 if model.sentence_objective else 1]
    return getattr(model, "ARCHITECTURE", "BertModel")


def _head_settings(model: keras.Model) -> dict[str, Any]:
    """What config.json says of a model's head."""
    if isinstance(model, FillMask):
        return {**_head_settings(model.pretrainer), **model.settings()}
    if isinstance(model, BertPretrainer):
        return {SENTENCE_KEY: model.sentence_objective}
    return model.settings() if isinstance(model, Task) else {}


def _check_one_model(model: keras.Model) -> None:
    members = ensembles.members_of(model)
    if members:
        raise ValueError(
            f"A checkpoint holds one model, but an ensemble has the weights of {len(members)}: "
            "save its members, or their average (tasks/ensembles.py)."
        )


def _load_tokenizer(directory: pathlib.Path, config: BertConfig) -> Tokenizer:
    path, content = directory / hub.VOCABULARY_FILE, {}
    if path.is_file():
        vocabulary = read_vocabulary(path, max_size=config.vocabulary_size)
    else:  # transformers 5 writes no vocab.txt
        path = directory / hub.FAST_TOKENIZER_FILE
        vocabulary, content = settings.read_fast_tokenizer(path, config.vocabulary_size)
    _check_size(vocabulary, config, path)
    if (directory / hub.TOKENIZER_FILE).is_file():
        content |= settings.read_json(directory / hub.TOKENIZER_FILE)
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
    _check_size(tokenizer.vocabulary, config, "The tokenizer")


def _check_size(vocabulary: tuple[str, ...], config: BertConfig, source: object) -> None:
    unused = config.vocabulary_size - len(vocabulary)
    if unused > MAX_UNUSED_ROWS:
        raise ValueError(
            f"{source} must have about as many pieces as the config's "
            f"vocabulary_size={config.vocabulary_size}, but has {len(vocabulary)}: take the "
            "vocabulary that belongs to the model, or add the new pieces to it."
        )
    if unused:
        logging.info(
            "%s has %d pieces, the model %d embeddings: the last ones stand for none.",
            *(source, len(vocabulary), config.vocabulary_size),
        )


def _check_there(path: pathlib.Path) -> None:
    if not path.is_file():
        raise ValueError(
            f"A checkpoint is a directory with {hub.CONFIG_FILE}, {hub.WEIGHTS_FILE} and "
            f"{hub.VOCABULARY_FILE}, but there is no {path}: copy the whole directory."
        )
