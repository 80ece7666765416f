"""The families of encoders that checkpoints may hold: each is a file here, and an entry below."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import keras

from keras_bert.checkpoints import settings
from keras_bert.checkpoints.families.bert import BERT
from keras_bert.checkpoints.families.distilbert import DISTILBERT
from keras_bert.checkpoints.families.electra import ELECTRA
from keras_bert.checkpoints.families.family import Family, with_article
from keras_bert.checkpoints.families.modernbert import MODERNBERT
from keras_bert.checkpoints.families.roberta import ROBERTA, XLM_ROBERTA
from keras_bert.checkpoints.families.static import STATIC

# Of the first one are configs that say nothing.
FAMILIES: tuple[Family[Any], ...] = (
    BERT,
    DISTILBERT,
    ELECTRA,
    MODERNBERT,
    ROBERTA,
    XLM_ROBERTA,
    STATIC,
)


def family_of(content: Mapping[str, Any], source: pathlib.Path) -> Family[Any]:
    """The family that a config file describes, by its `model_type` or the class that it names.

    Args:
        content: of config.json, or bert_config.json.
        source: the file, for errors.

    Raises:
        ValueError: it is of none of them.

    Example:

    >>> import pathlib
    >>> from keras_bert.checkpoints.families import family_of
    >>> family_of({"model_type": "bert"}, pathlib.Path("config.json")).name
    'BERT'
    """
    model_type = settings.text(content, "model_type", None, source)
    architecture = settings.architecture_of(content, source)
    for family in FAMILIES:
        name = architecture or FAMILIES[0].class_prefix
        begins_so = name.lower().startswith(family.class_prefix.lower())
        if model_type in family.model_types or (model_type is None and begins_so):
            return family
    said = f"its model_type is {model_type!r}" if model_type else f"it is of a {architecture}"
    raise ValueError(
        f"{source} must describe {_names()}, but {said}: models of other families are not "
        "supported."
    )


def family_of_model(model: keras.Model) -> Family[Any]:
    """The family of an encoder, or of that of a pretrainer or a task.

    Raises:
        ValueError: none has such an encoder.
    """
    encoder = model.encoder
    for family in FAMILIES:
        if isinstance(encoder, family.encoder):
            return family
    raise ValueError(
        f"What is saved must be {_names()}, or stand on one, but this one's encoder is a "
        f"{type(encoder).__name__}: give its family a file and an entry in "
        "keras_bert/checkpoints/families/."
    )


def _names() -> str:
    *names, last = (with_article(family.name) for family in FAMILIES)
    return f"{', '.join(names)} or {last}" if names else last
