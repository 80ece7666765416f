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
    forms,
    google,
    hub,
    sentence_transformers,
    settings,
    tokenizer_files,
    weights,
)
from keras_bert.checkpoints.snapshot import Snapshot, replaced
from keras_bert.config import BertConfig
from keras_bert.models.encoder import BertEncoder, initializer_of
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.tasks.fill_mask import FillMask
from keras_bert.tasks.members import members_of
from keras_bert.tasks.multiple_choice import MultipleChoice
from keras_bert.tasks.question_answering import QuestionAnswerer
from keras_bert.tasks.sentence_embedding import SentenceEmbedder
from keras_bert.tasks.table import task_class
from keras_bert.tasks.task import Task
from keras_bert.tasks.text_classification import TextClassifier
from keras_bert.tasks.token_classification import TokenClassifier
from keras_bert.text.packing import Packer
from keras_bert.text.tokenizer import Tokenizer
from keras_bert.text.vocabulary import content_of

# What sentence objective a model has, which transformers' config does not say.
SENTENCE_KEY = "sentence_objective"
# What a pretrained model says that was saved as a task that fills blanks.
FILL_MASK_KEY = "top_k"
# The tasks by transformers' class, whose name config.json gives.
TASKS = {
    task.ARCHITECTURE: task
    for task in (TextClassifier, TokenClassifier, QuestionAnswerer, MultipleChoice)
}
# Of these, those whose head has labels.
LABELLED = (TextClassifier.ARCHITECTURE, TokenClassifier.ARCHITECTURE)
# transformers' classes with a masked-language-model head.
PRETRAINERS = ("BertForPreTraining", "BertForMaskedLM")
# Files of other libraries that say of the model what `save` says in other files, if at all.
STALE = (
    sentence_transformers.MODULES_FILE,
    hub.INDEX_FILE,
    tokenizer_files.FAST_TOKENIZER_FILE,
    tokenizer_files.ADDED_TOKENS_FILE,
    tokenizer_files.SPECIAL_TOKENS_FILE,
)
# The columns that models of pairs read if nobody says which, and the labels that tell them.
NLI_LABELS, NLI_KEYS = frozenset(("entailment", "contradiction")), ("premise", "hypothesis")
CROSS_ENCODER_KEYS = ("query", "document")
# A directory that is saved this often while it is opened is never opened.
MAX_TRIES = 100


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
    model: keras.Model, directory: str | os.PathLike, tokenizer: Tokenizer | None = None
) -> None:
    """Writes a model and its tokenizer as a checkpoint directory in the Hub's layout.

    Besides transformers' files there is `checksums.json`, by which `load` finds damage and knows
    which files are the model's. Whenever the process is killed, and whoever loads meanwhile, the
    directory holds the old model or the new one, whole. Files of an earlier model that would be
    taken for this one's go; others stay.

    Args:
        model: BertEncoder, BertPretrainer, or a task.
        directory: path of the directory; made if it is not there.
        tokenizer: Tokenizer; None takes the task's own.

    Raises:
        ValueError: the vocabulary does not fit the model, there is no tokenizer, or another process
            is saving there.
        OSError: the files cannot be written; the old ones stay, and nothing else.

    Example: see `load`.
    """
    _check_one_model(model)
    tokenizer = tokenizer or getattr(model, "tokenizer", None)
    head_settings = _head_settings(model)
    model = getattr(model, "pretrainer", model)
    config = getattr(model, "encoder", model).config
    if tokenizer is None:
        raise ValueError(
            "A checkpoint holds a tokenizer, but there is none: save(model, directory, tokenizer)."
        )
    tokenizer_files.check_size(tokenizer, config, "The tokenizer")
    with replaced(pathlib.Path(directory), STALE) as staging:
        _write(model, head_settings, tokenizer, staging)


def _write(
    model: keras.Model, head_settings: dict[str, Any], tokenizer: Tokenizer, folder: pathlib.Path
) -> None:
    architecture = _architecture(model)
    config = getattr(model, "encoder", model).config
    pieces = tokenizer.vocabulary[: tokenizer.num_word_pieces]
    (folder / tokenizer_files.VOCABULARY_FILE).write_bytes(content_of(pieces))
    settings.write_json(
        folder / hub.CONFIG_FILE,
        {**hub.config_settings(config, architecture), **head_settings},
    )
    settings.write_json(
        folder / tokenizer_files.TOKENIZER_FILE, tokenizer_files.settings_of(tokenizer, config)
    )
    tensors = weights.tensors_of(model, "hub")
    if architecture == "BertModel":  # without a head names have no prefix
        tensors = {name.removeprefix("bert."): value for name, value in tensors.items()}
    hub.write_tensors(tensors, folder / hub.WEIGHTS_FILE)
    if isinstance(model, SentenceEmbedder):
        sentence_transformers.write(folder, model)


@dataclasses.dataclass(frozen=True)
class _Found:
    """What has been read of a directory, all but the numbers of its tensors."""

    form: weights.Form
    config: BertConfig
    content: dict[str, Any]
    tokenizer: Tokenizer
    tensors: hub.Tensors | google.Tensors
    source: str


def _read(
    snapshot: Snapshot, dropout: float | None, text_keys: Sequence[str] | None
) -> _Found | None:
    """What a directory holds; None if it was saved anew meanwhile."""
    if not snapshot.is_current():
        return None
    try:
        snapshot.check_sums()
        found = _READERS[forms.form_of(snapshot)](snapshot, dropout, text_keys)
    except ValueError:
        if snapshot.checksums is None and not snapshot.is_current():
            return None
        raise
    for name in STALE:
        if (
            snapshot.checksums is not None
            and not snapshot.has(name)
            and snapshot.path(name).exists()
        ):
            logging.warning("%s is left aside: the model was saved without.", snapshot.path(name))
    # Without checksums files were opened one by one: a first saving may have come between.
    return found if snapshot.checksums is not None or snapshot.is_current() else None


def _read_hub(snapshot: Snapshot, dropout: float | None, text_keys) -> _Found:
    path = snapshot.path(hub.config_file(snapshot))
    content = {**hub.read_settings(snapshot), **settings.dropout_settings(dropout)}
    config = hub.read_config(content, path)
    tensors = hub.Tensors(snapshot)
    weights.check_shapes(tensors, config, "hub", tensors.source)
    architecture = hub.architecture_of(content, path)
    if architecture in LABELLED:
        head = tensors.shape("classifier.weight") if "classifier.weight" in tensors else (2,)
        content["id2label"] = hub.labels_of(content, head[0], path)
    own = {**_foreign_settings(snapshot, config, content), **content.get("keras_bert", {})}
    content["keras_bert"] = _with_text_keys(own, text_keys, architecture, snapshot.directory)
    tokenizer = tokenizer_files.read(snapshot, config, content)
    return _Found("hub", config, content, tokenizer, tensors, tensors.source)


def _read_google(snapshot: Snapshot, dropout: float | None, text_keys) -> _Found:
    path = snapshot.path(google.CONFIG_FILE)
    content = {**snapshot.json(google.CONFIG_FILE), **settings.dropout_settings(dropout)}
    config = google.read_config(content, path)
    source = snapshot.path(google.prefix_of(snapshot))
    tensors = google.Tensors(source)
    weights.check_shapes(tensors, config, "google", str(source))
    is_classifier = "output_bias" in tensors and "cls/predictions/output_bias" not in tensors
    architecture = TextClassifier.ARCHITECTURE if is_classifier else None
    own = _with_text_keys({}, text_keys, architecture, snapshot.directory)
    tokenizer = tokenizer_files.read(snapshot, config, content)
    return _Found("google", config, {"keras_bert": own}, tokenizer, tensors, str(source))


_READERS = {"hub": _read_hub, "google": _read_google}


def _build(found: _Found) -> Checkpoint:
    # Zeros, because all weights come from the file: drawing them would take longer than reading.
    encoder = BertEncoder(found.config, initializer="zeros")
    model = (_hub_model if found.form == "hub" else _google_model)(encoder, found)
    if weights.assign(model or encoder, found.tensors, found.form, found.source):
        kernel = encoder.pooler.dense.kernel
        kernel.assign(initializer_of(found.config)(kernel.shape))
        logging.info("%s has no pooler: that of the encoder is new.", found.source)
    if FILL_MASK_KEY in found.content["keras_bert"] and isinstance(model, BertPretrainer):
        model = FillMask.from_settings(encoder, found.tokenizer, found.content, pretrainer=model)
    return Checkpoint(found.config, found.tokenizer, encoder, model)


def _foreign_settings(
    snapshot: Snapshot, config: BertConfig, content: dict[str, Any]
) -> dict[str, Any]:
    """What the files of other libraries say of a task's own settings."""
    if sentence_transformers.is_here(snapshot):
        return sentence_transformers.read_settings(snapshot, config)
    own: dict[str, Any] = {"sequence_length": tokenizer_files.max_length(snapshot, config)}
    if "keras_bert" in content:
        return own
    labels = {str(name).lower() for name in content.get("id2label", {}).values()}
    if labels & NLI_LABELS:
        own["text_keys"] = NLI_KEYS
    elif "sentence_transformers" in content:  # a cross-encoder
        own["text_keys"] = CROSS_ENCODER_KEYS
    return own


def _with_text_keys(
    own: dict[str, Any],
    text_keys: Sequence[str] | None,
    architecture: str | None,
    directory: pathlib.Path,
) -> dict[str, Any]:
    """A task's settings with the columns that it is to read."""
    if text_keys is None:
        if len(own.get("text_keys", ())) > 1:
            logging.info("%s reads pairs of texts: %s and %s.", directory, *own["text_keys"])
        return own
    if architecture != TextClassifier.ARCHITECTURE or "pooling" in own:
        raise ValueError(
            f"text_keys name what a TextClassifier reads, but {directory} holds none: leave them "
            "out."
        )
    keys = [text_keys] if isinstance(text_keys, str) else list(text_keys)
    if not 1 <= len(keys) <= 2 or not all(isinstance(key, str) and key for key in keys):
        raise ValueError(f"text_keys must be one or two names of columns, not {text_keys!r}.")
    return {**own, "text_keys": keys}


def _hub_model(encoder: BertEncoder, found: _Found) -> keras.Model | None:
    """The model with its head that config.json names, or that the tensors are of."""
    content, tensors = found.content, found.tensors
    [architecture, *_] = content.get("architectures") or [None]
    own = content["keras_bert"]
    task = SentenceEmbedder if "pooling" in own else TASKS.get(architecture)
    try:
        if "task" in own:  # one that transformers has no class for says its name
            task = task_class(own["task"])
        if task is not None:
            return task.from_settings(encoder, found.tokenizer, content, "zeros")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{found.source}, by its {hub.CONFIG_FILE}: {error}") from error
    if hub.LM_BIAS in tensors or architecture in PRETRAINERS:
        if content.get("tie_word_embeddings") is False and not tensors.has_decoder:
            raise ValueError(
                f"{found.source} must hold {hub.DECODER}, since tie_word_embeddings is false, but "
                "does not: restore the file, or write true if the decoder is the embeddings' table."
            )
        objective = content.get(SENTENCE_KEY, "next_sentence")
        has_sentence = "cls.seq_relationship.weight" in tensors
        return BertPretrainer(encoder, objective if has_sentence else None, initializer="zeros")
    return None


def _google_model(encoder: BertEncoder, found: _Found) -> keras.Model | None:
    """The model whose head the tensors are of; a classifier's labels are not in Google's files."""
    tensors = found.tensors
    if "cls/predictions/output_bias" in tensors:
        has_sentence = "cls/seq_relationship/output_weights" in tensors
        return BertPretrainer(encoder, "next_sentence" if has_sentence else None, "zeros")
    packer = Packer(found.tokenizer, encoder.config.max_sequence_length)
    if "cls/squad/output_weights" in tensors:
        return QuestionAnswerer(encoder, packer, initializer="zeros")
    if "output_bias" in tensors:
        labels = [f"LABEL_{i}" for i in range(*tensors.shape("output_bias"))]
        problem = "regression" if len(labels) == 1 else "single_label_classification"
        keys = found.content["keras_bert"].get("text_keys", ("sentence",))
        return TextClassifier(encoder, packer, labels, keys, problem, initializer="zeros")
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
    members = members_of(model)
    if members:
        raise ValueError(
            f"A checkpoint holds one model, but an ensemble has the weights of {len(members)}: "
            "save its members, or their average (tasks/ensembles.py)."
        )
