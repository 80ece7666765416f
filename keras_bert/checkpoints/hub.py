"""What config.json of a checkpoint in the Hub's layout says besides the encoder's config."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import keras

from keras_bert.checkpoints import settings
from keras_bert.checkpoints.families import family_of_model
from keras_bert.checkpoints.families.family import HubClasses, with_article
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.models.detector import ReplacedTokenDetector
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.tasks.table import name_of

CONFIG_FILE = settings.CONFIG_FILE
# pytorch-pretrained-bert's name of the config, which some keep beside, or in place of, the other.
OLD_CONFIG_FILE = "bert_config.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack")

# The object in config.json with what is ours, and which form it has; a checkpoint without the
# number has the first. It grows where a reader of the form before would take a new one wrongly.
OWN_SECTION = "keras_bert"
VERSION_KEY, VERSION = "format_version", 1
# The name of a task that transformers has no class for, and which it opens as its encoder.
TASK_KEY = "task"

# The types of a task's own settings; of a list, those of its elements.
OWN_SETTINGS = {
    **dict.fromkeys(("sequence_length", "stride", "num_best", "dimensions"), int),
    **dict.fromkeys(("max_question_tokens", "max_answer_tokens"), int),
    **dict.fromkeys((TASK_KEY, "pooling", "combine", "problem", "label_key"), str),
    "no_answer_threshold": (int, float),
    "normalize": bool,
    "text_keys": [str],
    "layers": [int],
    "label_range": [(int, float)],
}


def config_file(snapshot: Snapshot) -> str:
    """The file that is the config: config.json, or the one that stands for it."""
    stands = not snapshot.has(CONFIG_FILE) and snapshot.has(OLD_CONFIG_FILE)
    return OLD_CONFIG_FILE if stands else CONFIG_FILE


def read_settings(snapshot: Snapshot) -> dict[str, Any]:
    """The content of config.json, with what it says of a head checked for its types.

    Raises:
        ValueError: a setting has another type, or is of a later version of this package.
    """
    name = config_file(snapshot)
    content, path = snapshot.json(name), snapshot.path(name)
    settings.number(content, "classifier_dropout", None, path)
    settings.text(content, "problem_type", None, path)
    settings.switch(content, "tie_word_embeddings", True, path)
    _check_own(content.get(OWN_SECTION, {}), path)
    return content


def settings_of(model: keras.Model, head_settings: Mapping[str, Any]) -> dict[str, Any]:
    """The content of config.json for a model.

    Args:
        model: an encoder, a pretrainer or a task.
        head_settings: what is to be said of its head.
    """
    own = {VERSION_KEY: VERSION, **head_settings.get(OWN_SECTION, {})}
    name = own_name(model)
    if name is not None:
        own[TASK_KEY] = name
    family = family_of_model(model)
    dropout = {}
    if "classifier_dropout" in head_settings:
        key = family.classes.dropouts.get(name_of(type(model)), "classifier_dropout")
        dropout[key] = head_settings["classifier_dropout"]
    return {
        "architectures": [class_of(model)],
        **family.config.write(model.encoder.config),
        **head_settings,
        **dropout,
        OWN_SECTION: own,
    }


def head_dropout(
    content: Mapping[str, Any], classes: HubClasses, task: str | None, source: pathlib.Path
) -> float | None:
    """The dropout before a task's head, as its family says it; None: the encoder's.

    Args:
        content: of config.json.
        classes: the family's.
        task: the task's name in the table of tasks, if it is one.
        source: the file, for errors.
    """
    key = classes.dropouts.get(task or "", "classifier_dropout")
    return settings.number(content, key, None, source)


def class_of(model: keras.Model) -> str:
    """transformers' class for a model; of a task that it has none for, that of the encoder.

    Raises:
        ValueError: it has none for a model of pretraining, or a task is not in the table.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.checkpoints import hub
    >>> hub.class_of(kb.BertEncoder(kb.BertConfig.preset("tiny")))
    'BertModel'
    """
    family = family_of_model(model)
    if model is model.encoder:
        return family.classes.encoder
    if not _is_of_pretraining(model):
        return family.classes.tasks.get(name_of(type(model)), family.classes.encoder)
    found: str | None = family.classes.masked_lm
    kind = type(model).__name__
    if isinstance(model, ReplacedTokenDetector):
        found, other = family.classes.replaced_tokens, "one of another family"
    elif model.sentence_objective is not None:
        kind = f"{kind} with a sentence objective"
        found, other = family.classes.pretraining, "one without"
    if found is None:
        raise ValueError(
            f"transformers has no class for a {kind} on {with_article(family.name)}: save its "
            f"encoder, or {other}."
        )
    return found


def _is_of_pretraining(model: keras.Model) -> bool:
    return isinstance(model, BertPretrainer | ReplacedTokenDetector)


def own_name(model: keras.Model) -> str | None:
    """What the table calls a task that transformers has no class for; None of all others."""
    if model is model.encoder or _is_of_pretraining(model):
        return None
    name = name_of(type(model))
    return None if name in family_of_model(model).classes.tasks else name


def task_of(architecture: str | None, classes: HubClasses) -> str | None:
    """The name of our task for a class of transformers; None where no task is of it alone."""
    of_others = (classes.encoder, classes.masked_lm, classes.pretraining, classes.replaced_tokens)
    names = {theirs: ours for ours, theirs in classes.tasks.items() if theirs not in of_others}
    return names.get(architecture) if architecture else None


def _check_own(own: Any, path: pathlib.Path) -> None:
    """Checks the version and the types of what config.json holds of ours."""
    if not isinstance(own, dict):
        raise ValueError(f"{path}: {OWN_SECTION} must be an object, not {own!r:.80}: correct it.")
    version = own.get(VERSION_KEY, 1)
    if type(version) is not int or version < 1:
        raise ValueError(
            f"{path}: {VERSION_KEY} of {OWN_SECTION} must be a whole number of at least 1, not "
            f"{version!r:.80}: restore the file."
        )
    if version > VERSION:
        raise ValueError(
            f"{path}: the checkpoint has the format {version}, but this keras_bert reads up to "
            f"{VERSION}: open it with a later keras_bert."
        )
    for key, kind in OWN_SETTINGS.items():
        value = own.get(key)
        values = value if isinstance(kind, list) else [value]
        if value is not None and not (
            isinstance(values, list) and all(_is_a(one, kind) for one in values)
        ):
            raise ValueError(
                f"{path}: {key} of {OWN_SECTION} cannot be {value!r:.80}: restore the file."
            )


def _is_a(value: Any, kind: Any) -> bool:
    [kind] = kind if isinstance(kind, list) else [kind]
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def labels_of(content: Mapping[str, Any], num_labels: int, source: pathlib.Path) -> dict[str, str]:
    """The names of a head's labels by their numbers, as transformers says `id2label`.

    Args:
        content: of config.json; it may have names, or only their number, or nothing.
        num_labels: how many the weights have.
        source: the file, for errors.

    Raises:
        ValueError: names are malformed, or there are as many in neither of them.
    """
    names = content.get("id2label")
    if isinstance(names, list):
        names = {str(i): name for i, name in enumerate(names)}
    if names is not None and not _are_labels(names):
        raise ValueError(
            f"{source}: id2label must name the labels 0, 1, 2, ..., not {names!r:.200}: correct it."
        )
    if names and len(names) == num_labels:
        return {str(int(i)): str(name) for i, name in names.items()}
    said = settings.number(content, "num_labels", None, source)
    if said is None and not names:
        said = num_labels
    if said != num_labels:
        raise ValueError(
            f"{source}: there must be names for the {num_labels} labels of the weights, but "
            f"id2label has {len(names or ())} and num_labels is {said}: correct them."
        )
    return {str(i): f"LABEL_{i}" for i in range(num_labels)}


def _are_labels(names: Any) -> bool:
    return (
        isinstance(names, dict)
        and all(isinstance(name, str | int) for name in names.values())
        and sorted(names, key=lambda i: (len(i), i)) == [str(i) for i in range(len(names))]
    )
