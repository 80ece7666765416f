"""`load` opens a checkpoint directory, the Hub's or Google's; `save` writes the Hub's layout."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
from absl import logging

from keras_bert import files
from keras_bert.checkpoints import (
    families,
    forms,
    hub,
    reading,
    sentence_transformers,
    settings,
    tensor_files,
    tokenizer_files,
    weights,
)
from keras_bert.checkpoints.families.family import with_article
from keras_bert.checkpoints.snapshot import Snapshot, replaced
from keras_bert.config import EncoderConfig
from keras_bert.layers.initializers import independent
from keras_bert.models.electra import GENERATOR
from keras_bert.models.encoder import Encoder, initializer_of
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.models.replaced_tokens import ReplacedTokenPretrainer
from keras_bert.tasks.fill_mask import FillMask
from keras_bert.tasks.members import members_of
from keras_bert.tasks.sentence_embedding import SentenceEmbedder
from keras_bert.tasks.task import Task
from keras_bert.text.subwords import SubwordTokenizer

# What a pretrained model says that was saved as a task that fills blanks.
FILL_MASK_KEY = "top_k"
# A directory that is saved this often while it is opened is never opened.
MAX_TRIES = 100


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint directory holds.

    Args:
        config: EncoderConfig of its family, a `BertConfig`, say.
        tokenizer: SubwordTokenizer.
        encoder: Encoder of its family with the weights of the file, a `BertEncoder`, say.
        model: the model with its head, a `BertPretrainer` or a task, as it was saved; None where
            there is no head.
        new: paths of weights that the file lacks, which are drawn: those of a pooler.
    """

    config: EncoderConfig
    tokenizer: SubwordTokenizer
    encoder: Encoder
    model: keras.Model | None
    new: tuple[str, ...] = ()

    def __repr__(self) -> str:
        model = "no head" if self.model is None else repr(self.model)
        return f"<Checkpoint: {self.encoder.summed_up}, {self.tokenizer!r}, {model}>"


def load(
    directory: str | os.PathLike,
    dropout: float | None = None,
    *,
    text_keys: Sequence[str] | None = None,
) -> Checkpoint:
    """Opens a checkpoint directory, encoder alone or with the heads of pretraining or a task.

    The Hub's are told by their `model.safetensors`, which may be sharded, of any version of
    transformers; what `save` wrote is compared with its checksums. Google's have
    `bert_config.json` and a TF1 checkpoint; Adam's slots in them are left aside. Pickles are never
    opened. Nothing is written, and while another process saves, either model is opened whole.

    Args:
        directory: path of a directory that `save`, transformers' `save_pretrained` or
            google-research/bert wrote.
        dropout: float, of hidden states and attention, for training; None takes the config's.
        text_keys: sequence of the one or two columns that a TextClassifier reads. None takes what
            it was saved with; of other libraries' models those with the labels of inference
            (entailment, contradiction) read "premise" and "hypothesis", and cross-encoders of
            sentence-transformers "query" and "document".

    Returns:
        Checkpoint.

    Raises:
        ValueError: a file is missing, damaged, contradicts another, or asks for what is not
            supported; the message names the file and, where there is one, the tensor or key.

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
    try:
        forms.check_directory(directory)
        for _ in range(MAX_TRIES):
            with Snapshot(directory) as snapshot:
                found = _read(snapshot, dropout, text_keys)
                if found is not None:
                    return _build(found)
    except OSError as error:
        raise ValueError(f"{directory} must be readable; {files.reason(error)}") from error
    raise ValueError(
        f"{directory} must be at rest for a moment, but is saved again and again: open a copy."
    )


def save(
    model: keras.Model, directory: str | os.PathLike, tokenizer: SubwordTokenizer | None = None
) -> None:
    """Writes a model and its tokenizer as a checkpoint directory in the Hub's layout.

    Besides transformers' files there is `checksums.json`, by which `load` finds damage and knows
    which files are the model's. Whenever the process is killed, and whoever loads meanwhile, the
    directory holds the old model or the new one, whole. Files of an earlier model that would be
    taken for this one's go; others stay.

    Args:
        model: an encoder, a pretrainer, or a task; of a ReplacedTokenPretrainer the directory is
            the detector's, and that of the generator is a folder in it, `generator/`.
        directory: path of the directory; made if it is not there.
        tokenizer: SubwordTokenizer; None takes the task's own.

    Raises:
        ValueError: the vocabulary does not fit the model, there is no tokenizer, or another process
            is saving there.
        OSError: the files cannot be written; the old ones stay, and nothing else.

    Example: see `load`.
    """
    _check_one_model(model)
    tokenizer = tokenizer or getattr(model, "tokenizer", None)
    if tokenizer is None:
        raise ValueError(
            "A checkpoint holds a tokenizer, but there is none: save(model, directory, tokenizer)."
        )
    tokenizer_files.check_size(tokenizer, model.encoder.config, "The tokenizer")
    models = {"": model}
    if isinstance(model, ReplacedTokenPretrainer):
        models = {"": model.detector, GENERATOR: model.generator}
    for one in models.values():
        family = families.family_of_model(getattr(one, "pretrainer", one))
        family.tokenizer.check_kind(tokenizer, with_article(family.name))
    contents = {name: _content(one, tokenizer) for name, one in models.items()}
    with replaced(pathlib.Path(directory), _stale()) as staging:
        for name, one in models.items():
            (staging / name).mkdir(exist_ok=True)
            _write(one, contents[name], tokenizer, staging / name)


def _content(model: keras.Model, tokenizer: SubwordTokenizer) -> dict[str, Any]:
    """What config.json is to hold."""
    bare = getattr(model, "pretrainer", model)
    content = hub.settings_of(bare, _head_settings(model))
    weights.check_named(bare)
    content.setdefault("pad_token_id", tokenizer.special.pad)
    return content


def _write(
    model: keras.Model, content: dict[str, Any], tokenizer: SubwordTokenizer, folder: pathlib.Path
) -> None:
    model = getattr(model, "pretrainer", model)
    family = families.family_of_model(model)
    settings.write_json(folder / hub.CONFIG_FILE, content)
    family.tokenizer.write(folder, tokenizer, model.encoder.config)
    tensors = weights.tensors_of(model, "hub")
    if content["architectures"] == [family.classes.encoder]:
        # Without a head names have no prefix.
        prefix = family.tensors.prefix
        tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    tensor_files.write(tensors, folder / tensor_files.WEIGHTS_FILE)
    if isinstance(model, SentenceEmbedder):
        sentence_transformers.write(folder, model)


def _stale() -> set[str]:
    """Files of other libraries that say of the model what `save` says in other files, if at all."""
    vocabularies = {name for family in families.FAMILIES for name in family.tokenizer.vocabularies}
    return vocabularies | {
        sentence_transformers.MODULES_FILE,
        tensor_files.INDEX_FILE,
        tokenizer_files.FAST_TOKENIZER_FILE,
        tokenizer_files.ADDED_TOKENS_FILE,
        tokenizer_files.SPECIAL_TOKENS_FILE,
    }


def _read(
    snapshot: Snapshot, dropout: float | None, text_keys: Sequence[str] | None
) -> reading.Found | None:
    """What a directory holds; None if it was saved anew meanwhile."""
    if not snapshot.is_current():
        return None
    try:
        snapshot.check_sums()
        found = reading.READERS[forms.form_of(snapshot)](snapshot, dropout, text_keys)
    except ValueError:
        if snapshot.checksums is None and not snapshot.is_current():
            return None
        raise
    for name in sorted(_stale()):
        if (
            snapshot.checksums is not None
            and not snapshot.has(name)
            and snapshot.path(name).exists()
        ):
            logging.warning("%s is left aside: the model was saved without.", snapshot.path(name))
    # Without checksums files were opened one by one: a first saving may have come between.
    return found if snapshot.checksums is not None or snapshot.is_current() else None


def _build(found: reading.Found) -> Checkpoint:
    # Zeros, because all weights come from the file: drawing them would take longer than reading.
    encoder = found.family.encoder(found.config, initializer="zeros")
    model, held = reading.model_of(encoder, found), found.held
    new = weights.assign(model or encoder, held.tensors, held.form, held.source)
    if new:
        draw = independent(initializer_of(found.config))
        for variable in new:
            if len(variable.shape) > 1:  # a bias stays 0
                variable.assign(draw(variable.shape))
        logging.info("%s has no pooler: that of the encoder is new.", held.source)
    if FILL_MASK_KEY in found.content[hub.OWN_SECTION] and isinstance(model, BertPretrainer):
        model = FillMask.from_settings(encoder, found.tokenizer, found.content, pretrainer=model)
    paths = tuple(variable.path for variable in new)
    return Checkpoint(found.config, found.tokenizer, encoder, model, paths)


def _head_settings(model: keras.Model) -> dict[str, Any]:
    """What config.json says of a model's head."""
    if isinstance(model, FillMask):
        return {**_head_settings(model.pretrainer), **model.settings()}
    if isinstance(model, BertPretrainer):
        return {reading.SENTENCE_KEY: model.sentence_objective}
    return model.settings() if isinstance(model, Task) else {}


def _check_one_model(model: keras.Model) -> None:
    members = members_of(model)
    if members:
        raise ValueError(
            f"A checkpoint holds one model, but an ensemble has the weights of {len(members)}: "
            "save its members, or their average (tasks/ensembles.py)."
        )
