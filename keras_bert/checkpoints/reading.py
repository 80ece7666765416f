"""What a directory holds: config, tokenizer, tensors, and which model they are of."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from absl import logging

from keras_bert.checkpoints import (
    families,
    google,
    hub,
    sentence_transformers,
    settings,
    tensor_files,
    tokenizer_files,
    weights,
)
from keras_bert.checkpoints.families.family import Family, with_article
from keras_bert.checkpoints.names import WeightName
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.config import EncoderConfig
from keras_bert.models.detector import ReplacedTokenDetector
from keras_bert.models.encoder import Encoder
from keras_bert.models.pretrainer import SENTENCE_OBJECTIVES, BertPretrainer
from keras_bert.tasks.question_answering import QuestionAnswerer
from keras_bert.tasks.sentence_embedding import SentenceEmbedder
from keras_bert.tasks.table import task_class
from keras_bert.tasks.task import Task
from keras_bert.tasks.text_classification import TextClassifier
from keras_bert.tasks.token_classification import TokenClassifier
from keras_bert.text.subwords import SubwordTokenizer

# What sentence objective a model has, which transformers' config does not say.
SENTENCE_KEY = "sentence_objective"
# Tasks whose head has labels, which other libraries may leave unsaid.
LABELLED = (TextClassifier, TokenClassifier)
# The columns that models of pairs read if nobody says which, and the labels that tell them.
NLI_LABELS, NLI_KEYS = frozenset(("entailment", "contradiction")), ("premise", "hypothesis")
CROSS_ENCODER_KEYS = ("query", "document")


@dataclasses.dataclass(frozen=True)
class Held:
    """The tensors of a file, asked for by our names of weights.

    Args:
        tensors: the file's.
        form: whose names they have.
        names: of all weights that models of the family may have, by ours.
        source: what an error calls the file.
    """

    tensors: tensor_files.Tensors | google.Tensors
    form: weights.Form
    names: Mapping[str, WeightName]
    source: str

    def __contains__(self, ours: str) -> bool:
        return ours in self.names and self.name(ours) in self.tensors

    def name(self, ours: str) -> str:
        """What the file calls a weight."""
        return getattr(self.names[ours], self.form)

    def shape(self, ours: str) -> tuple[int, ...]:
        """The shape of a tensor, as it is stored."""
        return self.tensors.shape(self.name(ours))


@dataclasses.dataclass(frozen=True)
class Found:
    """What has been read of a directory, all but the numbers of its tensors.

    Args:
        family: the encoder's.
        config: the encoder's.
        content: what is said of the head, as config.json says it.
        task: the task that the model is; None where it is none.
        tokenizer: SubwordTokenizer.
        held: the tensors.
    """

    family: Family[Any]
    config: EncoderConfig
    content: dict[str, Any]
    task: type[Task] | None
    tokenizer: SubwordTokenizer
    held: Held


def read_hub(snapshot: Snapshot, dropout: float | None, text_keys: Sequence[str] | None) -> Found:
    """What a directory in the Hub's layout holds.

    Args:
        snapshot: the directory.
        dropout, text_keys: as of `load`.

    Raises:
        ValueError: as of `load`.
    """
    content, path = hub.read_settings(snapshot), snapshot.path(hub.config_file(snapshot))
    family = families.family_of(content, path)
    config = family.config.read(content, path).with_dropout(dropout)
    name = hub.task_of(settings.architecture_of(content, path), family.classes)
    content["classifier_dropout"] = hub.head_dropout(content, family.classes, name, path)
    if dropout is not None:
        content["classifier_dropout"] = dropout
    tensors = tensor_files.Tensors(snapshot, family.tensors)
    held = _held(tensors, family, config, "hub", tensors.source, name)
    task = None if name is None else task_class(name)
    if task in LABELLED:
        number = held.shape("classifier/kernel")[0] if "classifier/kernel" in held else 2
        content["id2label"] = hub.labels_of(content, number, path)
    own = {
        **_foreign_settings(snapshot, config, content, task),
        **content.get(hub.OWN_SECTION, {}),
    }
    if "pooling" in own:
        task = SentenceEmbedder
    if hub.TASK_KEY in own:
        task = _task_named(own[hub.TASK_KEY], path)
    content[hub.OWN_SECTION] = _with_text_keys(own, text_keys, task, snapshot.directory)
    tokenizer = family.tokenizer.read(snapshot, config, content)
    return Found(family, config, content, task, tokenizer, held)


def _task_named(name: str, path: pathlib.Path) -> type[Task]:
    """The class of a task that a config names."""
    try:
        return task_class(name)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_google(
    snapshot: Snapshot, dropout: float | None, text_keys: Sequence[str] | None
) -> Found:
    """What a directory of google-research/bert holds.

    Args:
        snapshot: the directory.
        dropout, text_keys: as of `load`.

    Raises:
        ValueError: as of `load`.
    """
    content, path = snapshot.json(google.CONFIG_FILE), snapshot.path(google.CONFIG_FILE)
    family = families.family_of(content, path)
    if family.google is None:
        raise ValueError(
            f"{path} is of {with_article(family.name)}, which Google's code does not have: name a "
            "directory in the Hub's layout."
        )
    config = family.google.read(content, path).with_dropout(dropout)
    source = snapshot.path(google.prefix_of(snapshot))
    held = _held(google.Tensors(source), family, config, "google", str(source))
    tokenizer = family.tokenizer.read(snapshot, config, content)
    task = _google_task(held)
    head: dict[str, Any] = {}
    if task is TextClassifier:  # whose labels are not in Google's files
        [number] = held.shape("classifier/bias")
        head["id2label"] = {str(i): f"LABEL_{i}" for i in range(number)}
    head[hub.OWN_SECTION] = _with_text_keys({}, text_keys, task, snapshot.directory)
    return Found(family, config, head, task, tokenizer, held)


READERS = {"hub": read_hub, "google": read_google}


def model_of(encoder: Encoder, found: Found) -> keras.Model | None:
    """The model with its head that was saved; None where there is no head.

    Args:
        encoder: Encoder of what was found.
        found: what was found.

    Returns:
        A model whose weights are all to be assigned.
    """
    content, held, classes = found.content, found.held, found.family.classes
    if found.task is not None:
        try:
            return found.task.from_settings(encoder, found.tokenizer, content, "zeros")
        except (TypeError, ValueError) as error:
            raise ValueError(f"{held.source}, by its {hub.CONFIG_FILE}: {error}") from error
    [architecture, *_] = content.get("architectures") or [None]
    if architecture is not None and architecture == classes.replaced_tokens:
        return ReplacedTokenDetector(encoder, initializer="zeros")
    names_one = architecture is not None and architecture in (
        classes.masked_lm,
        classes.pretraining,
    )
    if "masked_lm/bias" not in held and not names_one:
        return None
    _check_tied(found)
    # All objectives have one name there.
    has_sentence = f"{SENTENCE_OBJECTIVES[0]}/kernel" in held
    objective = content.get(SENTENCE_KEY, SENTENCE_OBJECTIVES[0]) if has_sentence else None
    return BertPretrainer(encoder, objective, initializer="zeros")


def _check_tied(found: Found) -> None:
    """Refuses a config that says of a decoder of its own, where there is none."""
    tensors, copies = found.held.tensors, found.family.tensors.copies
    if found.content.get("tie_word_embeddings") is not False:
        return
    table = found.held.name("embeddings/token/embeddings")
    missing = [copy for copy, of in copies.items() if of == table and copy not in tensors.copies]
    if missing:
        raise ValueError(
            f"{found.held.source} must hold {missing[0]}, since tie_word_embeddings is false, but "
            "does not: restore the file, or write true if the decoder is the embeddings' table."
        )


def _held(
    tensors: tensor_files.Tensors | google.Tensors,
    family: Family[Any],
    config: EncoderConfig,
    form: weights.Form,
    source: str,
    task: str | None = None,
) -> Held:
    weights.check_shapes(tensors, family, config, form, source, task)
    return Held(tensors, form, family.names(config).all(task), source)


def _google_task(held: Held) -> type[Task] | None:
    """The task whose head the tensors are of, since nothing else tells it."""
    if "masked_lm/bias" in held:
        return None
    if "span/kernel" in held:
        return QuestionAnswerer
    return TextClassifier if "classifier/bias" in held else None


def _foreign_settings(
    snapshot: Snapshot,
    config: EncoderConfig,
    content: Mapping[str, Any],
    task: type[Task] | None,
) -> dict[str, Any]:
    """What the files of other libraries say of a task's own settings."""
    if sentence_transformers.is_here(snapshot):
        return sentence_transformers.read_settings(snapshot, config)
    own: dict[str, Any] = {"sequence_length": tokenizer_files.max_length(snapshot, config)}
    if task is not TextClassifier or hub.OWN_SECTION in content:
        return own
    labels = {str(name).lower() for name in content["id2label"].values()}
    if labels & NLI_LABELS:
        own["text_keys"] = NLI_KEYS
    elif "sentence_transformers" in content:  # a cross-encoder
        own["text_keys"] = CROSS_ENCODER_KEYS
    return own


def _with_text_keys(
    own: dict[str, Any],
    text_keys: Sequence[str] | None,
    task: type[Task] | None,
    directory: pathlib.Path,
) -> dict[str, Any]:
    """A task's settings with the columns that it is to read."""
    if text_keys is None:
        if len(own.get("text_keys", ())) > 1:
            logging.info("%s reads pairs of texts: %s and %s.", directory, *own["text_keys"])
        return own
    if task is not TextClassifier:
        raise ValueError(
            f"text_keys name what a TextClassifier reads, but {directory} holds none: leave them "
            "out."
        )
    keys = [text_keys] if isinstance(text_keys, str) else list(text_keys)
    if not 1 <= len(keys) <= 2 or not all(isinstance(key, str) and key for key in keys):
        raise ValueError(f"text_keys must be one or two names of columns, not {text_keys!r}.")
    return {**own, "text_keys": keys}
