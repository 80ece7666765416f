"""What sentence-transformers' files say of a directory: how its vectors are made of its tokens'."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging

from keras_bert.checkpoints import settings, tokenizer_files
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.config import EncoderConfig
from keras_bert.tasks.sentence_embedding import SentenceEmbedder

MODULES_FILE = "modules.json"
TRANSFORMER_FILE = "sentence_bert_config.json"
POOLING_FOLDER = "1_Pooling"
NORMALIZE_FOLDER = "2_Normalize"
PROMPTS_FILE = "config_sentence_transformers.json"

# Their names of what is joined, in order, by our names of pooling.
POOLINGS = {"cls": ("cls",), "mean": ("mean",), "max": ("max",), "mean_max": ("mean", "max")}
# Flags of older versions, in the order in which they join what several of them say.
POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
# Modules that a model may have, one after the other; the last one may be missing.
MODULES = ("Transformer", "Pooling", "Normalize")
# Those of a table of vectors, whose mean is taken.
STATIC_MODULES = ("StaticEmbedding", "Normalize")
KNOWN = (MODULES, MODULES[:2], STATIC_MODULES, STATIC_MODULES[:1])


def is_here(snapshot: Snapshot) -> bool:
    """Whether sentence-transformers wrote the directory."""
    return snapshot.has(MODULES_FILE)


def read_settings(snapshot: Snapshot, config: EncoderConfig) -> dict[str, Any]:
    """How sentence-transformers makes vectors in a directory, as `SentenceEmbedder.settings` says.

    Args:
        snapshot: a directory with `modules.json`, of any version.
        config: EncoderConfig of the encoder in it.

    Returns:
        dict of `pooling`, `normalize` and `sequence_length`.

    Raises:
        ValueError: vectors are made in a way that `SentenceEmbedder` does not know, or the files
            contradict each other; the message names the file.

    Example:

    >>> import pathlib, tempfile
    >>> import keras_bert as kb
    >>> from keras_bert.checkpoints import sentence_transformers
    >>> from keras_bert.checkpoints.snapshot import Snapshot
    >>> from keras_bert.tasks.sentence_embedding import SentenceEmbedder
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> task = SentenceEmbedder(kb.BertEncoder(config), kb.Packer(tokenizer, 256), pooling="max")
    >>> directory = pathlib.Path(tempfile.mkdtemp())
    >>> sentence_transformers.write(directory, task)
    >>> sentence_transformers.read_settings(Snapshot(directory), config)
    {'pooling': 'max', 'normalize': True, 'sequence_length': 256}
    """
    folders = _module_folders(snapshot)
    _check_prompts(snapshot)
    if "Normalize" in folders:
        _check_normalize(snapshot, f"{folders['Normalize']}/{settings.CONFIG_FILE}")
    own = {"pooling": "mean", "normalize": "Normalize" in folders}
    if "StaticEmbedding" in folders:
        return {**own, "sequence_length": config.max_sequence_length}
    return {
        **own,
        "pooling": _pooling(snapshot, f"{folders['Pooling']}/{settings.CONFIG_FILE}", config),
        "sequence_length": _sequence_length(snapshot, config),
    }


def write(directory: pathlib.Path, embedder: SentenceEmbedder) -> None:
    """Writes the files by which any version of sentence-transformers makes the same vectors.

    Where it has no name for how they are made, of other layers or without pooling, none is written,
    and the log says so.

    Args:
        directory: path of the directory that holds the encoder.
        embedder: SentenceEmbedder.
    """
    config = embedder.encoder.config
    is_cut = embedder.dimensions is not None
    is_last = embedder.state_layers in ((-1,), (config.num_layers,))
    if not is_last or embedder.pooling == "none" or is_cut:
        logging.warning(
            "sentence-transformers has no name for pooling %r of layers %s%s: %s is not written.",
            *(embedder.pooling, embedder.state_layers, ", cut" if is_cut else ""),
            directory / MODULES_FILE,
        )
        return
    if not embedder.encoder.blocks:
        _write_modules(directory, STATIC_MODULES, ["", NORMALIZE_FOLDER], embedder)
        return
    _write_modules(directory, MODULES, ["", POOLING_FOLDER, NORMALIZE_FOLDER], embedder)
    settings.write_json(
        directory / TRANSFORMER_FILE,
        {"max_seq_length": embedder.packer.sequence_length, "do_lower_case": False},
    )
    (directory / POOLING_FOLDER).mkdir(exist_ok=True)
    settings.write_json(
        directory / POOLING_FOLDER / settings.CONFIG_FILE,
        {"word_embedding_dimension": config.hidden_dim, **_pooling_settings(embedder.pooling)},
    )


def _write_modules(
    directory: pathlib.Path,
    kinds: Sequence[str],
    folders: Sequence[str],
    embedder: SentenceEmbedder,
) -> None:
    modules = [
        {"idx": i, "name": str(i), "path": folder, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, folder) in enumerate(zip(kinds, folders, strict=True))
        if embedder.normalize or kind != "Normalize"
    ]
    (directory / MODULES_FILE).write_text(json.dumps(modules, indent=2) + "\n", encoding="utf-8")


def _pooling_settings(pooling: str) -> dict[str, Any]:
    names = POOLINGS[pooling]
    if len(names) > 1:  # the flags of older versions have an order of their own
        return {"pooling_mode": list(names)}
    return {flag: name in names for flag, name in POOLING_FLAGS.items()}


def _module_folders(snapshot: Snapshot) -> dict[str, str]:
    """The folders of a model's modules by their kind."""
    path = snapshot.path(MODULES_FILE)
    try:
        modules = settings.parse(snapshot.read(MODULES_FILE), path)
        types = [str(module["type"]) for module in modules]
        folders = [str(module["path"]) for module in modules]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} must be a JSON list of modules with type and path, but {error!r}: restore the "
            "file."
        ) from error
    kinds = tuple(name.rpartition(".")[2] for name in types)
    known = all(name.startswith("sentence_transformers.") for name in types)
    # A file from elsewhere must not reach out of its directory.
    inside = all(re.fullmatch(r"\w[\w.-]*", folder) for folder in folders[1:])
    if not (known and inside and kinds in KNOWN and folders[0] == ""):
        raise ValueError(
            f"{path} must name Transformer (with path ''), Pooling and, if vectors are normalized, "
            "Normalize, each in a folder here, but names "
            f"{list(zip(types, folders, strict=True))}: other modules are not supported. Without "
            "the file the encoder opens alone."
        )
    return dict(zip(kinds, folders, strict=True))


def _pooling(snapshot: Snapshot, name: str, config: EncoderConfig) -> str:
    content, path = _read(snapshot, name), snapshot.path(name)
    keys = ("embedding_dimension", "word_embedding_dimension")
    for key in keys:
        if content.get(key, config.hidden_dim) != config.hidden_dim:
            raise ValueError(
                f"{path}: {key} must be the config's hidden size {config.hidden_dim}, but is "
                f"{content[key]!r}: the files are of different models."
            )
    names = _pooling_names(content)
    for ours, theirs in POOLINGS.items():
        if names == theirs:
            return ours
    raise ValueError(
        f"{path}: pooling must be by one of {list(POOLINGS.values())}, in this order, but is by "
        f"{names}: that is not supported. Without {MODULES_FILE} the encoder opens alone."
    )


def _pooling_names(content: Mapping[str, Any]) -> tuple[Any, ...]:
    named = content.get("pooling_mode")
    if named is None:
        others = [
            key for key in content if key.startswith("pooling_mode_") and key not in POOLING_FLAGS
        ]
        flags = {**POOLING_FLAGS, **dict(zip(others, others, strict=True))}
        named = [name for flag, name in flags.items() if content.get(flag)] or ["mean"]
    return tuple(named) if isinstance(named, list) else (named,)


def _sequence_length(snapshot: Snapshot, config: EncoderConfig) -> int:
    content, path = snapshot.json_if_there(TRANSFORMER_FILE), snapshot.path(TRANSFORMER_FILE)
    task = content.get("transformer_task", "feature-extraction")
    if task != "feature-extraction":
        raise ValueError(
            f"{path}: transformer_task must be 'feature-extraction', not {task!r}: other models "
            "give no hidden states to be pooled."
        )
    tokenizer = snapshot.json_if_there(tokenizer_files.TOKENIZER_FILE)
    if (
        settings.switch(content, "do_lower_case", None, path)
        and tokenizer.get("do_lower_case") is False
    ):
        tokenizer_path = snapshot.path(tokenizer_files.TOKENIZER_FILE)
        raise ValueError(
            f"{path} says that text is lower-cased, {tokenizer_path} that it is not: write "
            '"do_lower_case": true and "strip_accents": false in the latter, which is the same.'
        )
    length = settings.number(content, "max_seq_length", None, path)
    if length is None:
        return tokenizer_files.max_length(snapshot, config)
    return min(int(length), config.max_sequence_length)


def _check_normalize(snapshot: Snapshot, name: str) -> None:
    content = snapshot.json_if_there(name)  # older versions have no file
    names = [content.get(key) for key in ("module_input_name", "module_output_name")]
    if not all(name in (None, "sentence_embedding") for name in names):
        raise ValueError(
            f"{snapshot.path(name)}: what is normalized must be the sentence_embedding, but "
            f"{content} is something else: that is not supported. Without {MODULES_FILE} the "
            "encoder opens alone."
        )


def _check_prompts(snapshot: Snapshot) -> None:
    """A text that goes before all texts would be missed in silence."""
    content, path = snapshot.json_if_there(PROMPTS_FILE), snapshot.path(PROMPTS_FILE)
    name = settings.text(content, "default_prompt_name", None, path)
    prompts = content.get("prompts") or {}
    prompt = prompts.get(name) if isinstance(prompts, dict) else prompts
    if prompt:
        raise ValueError(
            f"{path}: default_prompt_name must be null, but {name!r} is to go before every text: "
            f"put {prompt!r} there yourself, and null into the file."
        )


def _read(snapshot: Snapshot, name: str) -> dict[str, Any]:
    if not snapshot.has(name):
        raise ValueError(
            f"{snapshot.path(name)} must be there, as {MODULES_FILE} says: copy the whole "
            "directory."
        )
    return snapshot.json(name)
