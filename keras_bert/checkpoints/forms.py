"""Which form the model in a directory has, and what to say where it has none."""

from __future__ import annotations

import pathlib
import re
from typing import Any

from keras_bert.checkpoints import google, hub, sentence_transformers
from keras_bert.checkpoints.families import family_of
from keras_bert.checkpoints.families.family import Family
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.checkpoints.tensor_files import INDEX_FILE, WEIGHTS_FILE
from keras_bert.checkpoints.weights import Form

# What a run of a binary leaves in its directory before it saves a model.
RUN_FLAGS = ("pretrain.flags", "finetune.flags")
_FILES = f"{hub.CONFIG_FILE}, {WEIGHTS_FILE} and its tokenizer's, such as {google.VOCABULARY_FILE}"
# The names of 2018, which the Hub keeps for these.
_OLD_NAMES = re.compile(r"bert-(base|large)-[\w-]+")
_HUB_NAMES = re.compile(r"[\w.-]+/[\w.-]+")


def check_directory(directory: pathlib.Path) -> None:
    """Says what to do where there is no directory, a model's name on the Hub above all.

    Raises:
        ValueError: there is none.
    """
    if directory.is_dir():
        return
    if directory.exists():
        raise ValueError(
            f"A checkpoint is a directory, but {directory} is a file: name the directory that it "
            "is in."
        )
    name = str(directory)
    if _OLD_NAMES.fullmatch(name):
        name = f"google-bert/{name}"
    if _HUB_NAMES.fullmatch(name) and not name.startswith("."):
        folder = pathlib.PurePath(name).name
        raise ValueError(
            f"A checkpoint is a directory, but there is no {directory}, and nothing is downloaded: "
            f"if it is a model of the Hub, get it by `hf download {name} --local-dir {folder}` and "
            f"name {folder}."
        )
    raise ValueError(
        f"A checkpoint is a directory, but there is no {directory}, and nothing is downloaded: "
        "check the path. A model of the Hub is got by `hf download OWNER/NAME --local-dir NAME`."
    )


def form_of(snapshot: Snapshot) -> Form:
    """The form of the model in a directory, whose family is looked at first.

    The Hub's is told by its safetensors, Google's by `bert_config.json` without such.

    Raises:
        ValueError: there is no model, or none that can be opened; it says what is there.
    """
    configs = [name for name in (hub.CONFIG_FILE, hub.OLD_CONFIG_FILE) if snapshot.has(name)]
    families = [family_of(snapshot.json(name), snapshot.path(name)) for name in configs]
    if snapshot.has(WEIGHTS_FILE) or snapshot.has(INDEX_FILE):
        if not families:
            _check_there(snapshot, hub.CONFIG_FILE)
        _check_vocabulary(snapshot, families[0])
        return "hub"
    pickle = next(filter(snapshot.has, hub.PICKLES), None)
    if snapshot.has(hub.OLD_CONFIG_FILE) and not (
        pickle and not google.indices(snapshot.directory)
    ):
        _check_there(snapshot, google.VOCABULARY_FILE)
        return "google"
    if pickle:
        raise ValueError(
            f"{snapshot.path(pickle)} is not opened, as such a file can run code or is not the "
            f"Hub's present form: convert it to {WEIGHTS_FILE} where you trust it, with "
            f"transformers: AutoModel.from_pretrained({str(snapshot.directory)!r})"
            f".save_pretrained({str(snapshot.directory)!r})."
        )
    raise ValueError(_nothing_there(snapshot))


def _check_vocabulary(snapshot: Snapshot, family: Family[Any]) -> None:
    names = family.tokenizer.vocabularies
    if not any(map(snapshot.has, names)):
        _check_there(snapshot, names[0])


def _check_there(snapshot: Snapshot, name: str) -> None:
    if not snapshot.has(name):
        raise ValueError(
            f"A checkpoint is a directory with {_FILES}, but there is no {snapshot.path(name)}: "
            "copy the whole directory."
        )


def _nothing_there(snapshot: Snapshot) -> str:
    """What to say of a directory without a model."""
    directory = snapshot.directory
    for name in RUN_FLAGS:
        if (directory / name).is_file():
            return (
                f"{directory} is the directory of a run that has not ended, as there is no "
                f"{WEIGHTS_FILE} yet: run the same command again, or "
                f"`keras-bert {name.removesuffix('.flags')} --flagfile={directory / name}`, "
                "which goes on with it."
            )
    indices = google.indices(directory)
    if indices:
        return (
            f"{directory} holds {', '.join(f'{name}{google.INDEX}' for name in indices)}, but a "
            f"checkpoint of Google's needs its {google.CONFIG_FILE} beside them: copy it there."
        )
    if snapshot.has(sentence_transformers.MODULES_FILE):
        return (
            f"{directory} has no {WEIGHTS_FILE}: {sentence_transformers.MODULES_FILE} may say "
            "that the encoder is in a folder of its own, as old versions of sentence-transformers "
            "wrote it. Open that folder, or save the model again with a newer version."
        )
    below = sorted(
        path.parent.name for path in directory.glob(f"*/{WEIGHTS_FILE}") if path.is_file()
    )
    hint = f" There are models in its folders {', '.join(below[:5])}." if below else ""
    return (
        f"A checkpoint is a directory with {_FILES}, or Google's with {google.CONFIG_FILE}, but "
        f"there is no {snapshot.path(WEIGHTS_FILE)}: name the directory that save() or "
        f"save_pretrained() wrote.{hint}"
    )
