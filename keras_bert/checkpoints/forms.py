"""Which form the model in a directory has, and what to say where it has none."""

from __future__ import annotations

import pathlib
import re

from keras_bert.checkpoints import google, hub, sentence_transformers, tokenizer_files
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.checkpoints.weights import Form

# What a run of a binary leaves in its directory before it saves a model.
RUN_FLAGS = ("pretrain.flags", "finetune.flags")
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
    for name in (hub.CONFIG_FILE, hub.OLD_CONFIG_FILE):
        if snapshot.has(name):
            hub.check_family(snapshot.json(name), snapshot.path(name))
    if snapshot.has(hub.WEIGHTS_FILE) or snapshot.has(hub.INDEX_FILE):
        _check_complete(snapshot)
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
            f"Hub's present form: convert it to {hub.WEIGHTS_FILE} where you trust it, with "
            f"transformers: AutoModel.from_pretrained({str(snapshot.directory)!r})"
            f".save_pretrained({str(snapshot.directory)!r})."
        )
    raise ValueError(_nothing_there(snapshot))


def _check_complete(snapshot: Snapshot) -> None:
    if not snapshot.has(hub.OLD_CONFIG_FILE):
        _check_there(snapshot, hub.CONFIG_FILE)
    if not snapshot.has(tokenizer_files.FAST_TOKENIZER_FILE):
        _check_there(snapshot, tokenizer_files.VOCABULARY_FILE)


def _check_there(snapshot: Snapshot, name: str) -> None:
    if not snapshot.has(name):
        raise ValueError(
            f"A checkpoint is a directory with {hub.CONFIG_FILE}, {hub.WEIGHTS_FILE} and "
            f"{tokenizer_files.VOCABULARY_FILE}, but there is no {snapshot.path(name)}: copy the "
            "whole directory."
        )


def _nothing_there(snapshot: Snapshot) -> str:
    """What to say of a directory without a model."""
    directory = snapshot.directory
    for name in RUN_FLAGS:
        if (directory / name).is_file():
            return (
                f"{directory} is the directory of a run that has not ended, as there is no "
                f"{hub.WEIGHTS_FILE} yet: run the same command again, or "
                f"`python -m train.{name.removesuffix('.flags')} --flagfile={directory / name}`, "
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
            f"{directory} has no {hub.WEIGHTS_FILE}: {sentence_transformers.MODULES_FILE} may say "
            "that the encoder is in a folder of its own, as old versions of sentence-transformers "
            "wrote it. Open that folder, or save the model again with a newer version."
        )
    below = sorted(
        path.parent.name for path in directory.glob(f"*/{hub.WEIGHTS_FILE}") if path.is_file()
    )
    hint = f" There are models in its folders {', '.join(below[:5])}." if below else ""
    return (
        f"A checkpoint is a directory with {hub.CONFIG_FILE}, {hub.WEIGHTS_FILE} and "
        f"{tokenizer_files.VOCABULARY_FILE}, or Google's with {google.CONFIG_FILE}, but there is "
        f"no {snapshot.path(hub.WEIGHTS_FILE)}: name the directory that save() or "
        f"save_pretrained() wrote.{hint}"
    )
