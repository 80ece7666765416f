"""RoBERTa's and ModernBERT's tokenizers as the files of a checkpoint say them."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from keras_bert.checkpoints import added_tokens, byte_pair_json, settings
from keras_bert.checkpoints.byte_pair_json import Pipeline
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.checkpoints.tokenizer_files import (
    FAST_TOKENIZER_FILE,
    SPECIAL_TOKENS_FILE,
    TOKENIZER_FILE,
    TokenizerFiles,
    check_size,
)
from keras_bert.config import EncoderConfig
from keras_bert.text.byte_pairs import BytePairTokenizer, SpecialTokens
from keras_bert.text.merges import ranks_of

VOCABULARY_FILE, MERGES_FILE = "vocab.json", "merges.txt"
VERSION_LINE = "#version: 0.2"
# More than any vocabulary has.
MAX_PIECES = 1 << 22

# What transformers calls the tokens of our roles.
ROLES = {
    "pad": "pad_token",
    "unknown": "unk_token",
    "begin": "cls_token",
    "separator": "sep_token",
    "mask": "mask_token",
}
GENERIC_CLASSES = ("PreTrainedTokenizerFast", "TokenizersBackend")


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a family's tokenizer is where its files say nothing.

    Args:
        classes: transformers' classes that cut texts so; the first one is written.
        special_tokens: SpecialTokens.
        num_separators: how many separators stand between two segments.
        has_tables: whether vocab.json and merges.txt are written beside tokenizer.json.
    """

    classes: tuple[str, ...]
    special_tokens: SpecialTokens
    num_separators: int
    has_tables: bool


ROBERTA = Kind(
    classes=tuple(
        f"{name}Tokenizer{suffix}"
        for name in ("Roberta", "Longformer", "Bart", "GPT2")
        for suffix in ("", "Fast")
    ),
    special_tokens=SpecialTokens(),
    num_separators=2,
    has_tables=True,
)
MODERNBERT = Kind(
    classes=GENERIC_CLASSES,
    special_tokens=SpecialTokens("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[SEP]", "[MASK]"),
    num_separators=1,
    has_tables=False,
)


@dataclasses.dataclass(frozen=True)
class _Tables:
    """A vocabulary by its ids, its merges, and the file of each, with the line of the first one."""

    pieces: list[str]
    merges: list[tuple[str, str]]
    source: pathlib.Path
    merges_source: str
    line: int = 1


def read(
    kind: Kind, snapshot: Snapshot, config: EncoderConfig, content: Mapping[str, Any]
) -> BytePairTokenizer:
    """The tokenizer of a directory; what its files leave open, the family decides.

    Args:
        kind: Kind of the family.
        snapshot: the directory.
        config: EncoderConfig of the model in it.
        content: content of its config.json, which may name a tokenizer too.

    Raises:
        ValueError: a file is malformed, contradicts another, or asks for what is not the family's.
    """
    tokenizer = _read(kind, snapshot, config, content)
    check_size(tokenizer, config, snapshot.directory)
    return tokenizer


def read_alone(directory: pathlib.Path) -> BytePairTokenizer:
    """The tokenizer in a directory that needs no model, such as `write_tables` has written.

    Raises:
        ValueError: as of `read`.
    """
    with Snapshot(directory) as snapshot:
        tokens = snapshot.json_if_there(FAST_TOKENIZER_FILE).get("added_tokens") or []
        named = [token.get("content") for token in tokens if isinstance(token, dict)]
        kind = MODERNBERT if MODERNBERT.special_tokens.mask in named else ROBERTA
        return _read(kind, snapshot, EncoderConfig(vocabulary_size=MAX_PIECES), {})


def _read(
    kind: Kind, snapshot: Snapshot, config: EncoderConfig, content: Mapping[str, Any]
) -> BytePairTokenizer:
    own, special, fast = (
        snapshot.json_if_there(name)
        for name in (TOKENIZER_FILE, SPECIAL_TOKENS_FILE, FAST_TOKENIZER_FILE)
    )
    classes = (*kind.classes, *(GENERIC_CLASSES if fast else ()))
    _check_class(classes, own, snapshot.path(TOKENIZER_FILE))
    _check_class(classes, content, snapshot.path(settings.CONFIG_FILE))
    pipeline = _pipeline(kind, own, fast, snapshot)
    tables = _tables(snapshot, config, fast)
    said = {key: own.get(key) or special.get(key) for key in ROLES.values()}
    roles = _roles(kind, pipeline, said, snapshot.path(TOKENIZER_FILE))
    tokens = added_tokens.read(snapshot, dataclasses.astuple(roles))
    for entry in said.values():
        if isinstance(entry, dict):
            token = added_tokens.token_of(entry, snapshot.path(TOKENIZER_FILE), special=True)
            tokens.setdefault(token.content, (token, None))
    base, added = added_tokens.placed(tables.pieces, tokens, config, snapshot)
    _check_holes(base[: len(tables.pieces)], tables.source)
    try:
        tokenizer = BytePairTokenizer(
            base,
            tables.merges,
            roles,
            kind.num_separators if pipeline.num_separators is None else pipeline.num_separators,
            add_prefix_space=pipeline.add_prefix_space,
            trim_offsets=pipeline.trim_offsets,
            compose=pipeline.compose,
            added_tokens=added,
        )
    except ValueError as error:
        ids = {piece: id_ for id_, piece in enumerate(base) if piece}
        ranks_of(ids, tables.merges, tables.merges_source, tables.line)  # which names the line
        raise ValueError(f"{snapshot.directory}: {error}") from error
    return tokenizer


def write(
    kind: Kind, folder: pathlib.Path, tokenizer: BytePairTokenizer, config: EncoderConfig
) -> None:
    """Writes the files of a tokenizer that `read` and transformers read.

    Args:
        kind: Kind of the family.
        folder: path of the folder.
        tokenizer: BytePairTokenizer.
        config: EncoderConfig of the model beside it.
    """
    write_tables(folder, tokenizer, with_merges=kind.has_tables)
    special = dataclasses.asdict(tokenizer.special_tokens)
    content: dict[str, Any] = {
        "tokenizer_class": kind.classes[0],
        "model_max_length": config.max_sequence_length,
        "add_prefix_space": tokenizer.add_prefix_space,
        "trim_offsets": tokenizer.trim_offsets,
        **{key: special[role] for role, key in ROLES.items()},
    }
    if kind.has_tables:
        content |= {"bos_token": special["begin"], "eos_token": special["end"]}
    ids = {piece: id_ for id_, piece in enumerate(tokenizer.vocabulary)}
    content["added_tokens_decoder"] = {
        str(ids[token.content]): {**vars(token)} for token in tokenizer.added_tokens
    }
    settings.write_json(folder / TOKENIZER_FILE, content)


def write_tables(
    folder: pathlib.Path, tokenizer: BytePairTokenizer, with_merges: bool = True
) -> None:
    r"""Writes tokenizer.json, and, as older programs want them, vocab.json and merges.txt.

    Args:
        folder: path of the folder.
        tokenizer: BytePairTokenizer.
        with_merges: whether to write the latter two.

    Example:

    >>> import pathlib, tempfile
    >>> import keras_bert as kb
    >>> from keras_bert.checkpoints import byte_pair_files
    >>> from keras_bert.text.byte_alphabet import BYTES
    >>> pieces = ("<s>", "<pad>", "</s>", "<unk>", "<mask>", *BYTES, "ab")
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> byte_pair_files.write_tables(folder, kb.BytePairTokenizer(pieces, [("a", "b")]))
    >>> (folder / "merges.txt").read_text()
    '#version: 0.2\na b\n'
    """
    # As compact as `tokenizers` writes them, with the alphabet in letters.
    if with_merges:
        ids = json.dumps(byte_pair_json.ids_of(tokenizer), ensure_ascii=False)
        (folder / VOCABULARY_FILE).write_text(ids, encoding="utf-8")
        lines = (VERSION_LINE, *(f"{left} {right}" for left, right in tokenizer.merges), "")
        (folder / MERGES_FILE).write_text("\n".join(lines), encoding="utf-8")
    content = json.dumps(byte_pair_json.content_of(tokenizer), ensure_ascii=False)
    (folder / FAST_TOKENIZER_FILE).write_text(content, encoding="utf-8")


def merges_of(content: bytes, source: object) -> tuple[list[tuple[str, str]], int]:
    r"""The merges in the content of a merges.txt, and the line of the first one.

    Raises:
        ValueError: it is malformed; the message names the line.

    Example:

    >>> from keras_bert.checkpoints.byte_pair_files import merges_of
    >>> merges_of(b"#version: 0.2\na b\nab c\n", "merges.txt")
    ([('a', 'b'), ('ab', 'c')], 2)
    """
    try:
        lines = content.decode("utf-8").rstrip("\r\n").split("\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{source}:{line} must be UTF-8, but is not ({error.reason}): restore the file."
        ) from error
    first = 1 if lines[0].startswith("#version") else 0
    pairs = [tuple(line.removesuffix("\r").split(" ")) for line in lines[first:]]
    for number, pair in enumerate(pairs, start=first + 1):
        if len(pair) != 2 or "" in pair:
            raise ValueError(
                f"{source}:{number} must be two pieces with a space between them, but is "
                f"{lines[number - 1]!r:.80}: restore the file."
            )
    return [(left, right) for left, right in pairs], first + 1


def _pipeline(
    kind: Kind, own: Mapping[str, Any], fast: Mapping[str, Any], snapshot: Snapshot
) -> Pipeline:
    """What tokenizer.json says, or the family; the space before texts is the config's to say."""
    pipeline = Pipeline(compose=False, add_prefix_space=False, trim_offsets=kind.has_tables)
    if fast:
        pipeline = byte_pair_json.pipeline_of(fast, snapshot.path(FAST_TOKENIZER_FILE))
    prefix = settings.switch(own, "add_prefix_space", None, snapshot.path(TOKENIZER_FILE))
    if prefix is None:
        return pipeline
    return dataclasses.replace(pipeline, add_prefix_space=prefix)


def _check_class(classes: Sequence[str], content: Mapping[str, Any], source: object) -> None:
    name = content.get("tokenizer_class")
    if name not in (None, *classes):
        raise ValueError(
            f"{source}: tokenizer_class is {name!r:.200}, but of a model of this family only "
            f"{' or '.join(classes[:2])} is known here: the model cannot be used with its words "
            "cut in another way."
        )


def _tables(snapshot: Snapshot, config: EncoderConfig, fast: Mapping[str, Any]) -> _Tables:
    """The vocabulary and the merges; those of all files must be the same."""
    inside = None
    if fast:
        path, model = snapshot.path(FAST_TOKENIZER_FILE), fast["model"]
        pieces = byte_pair_json.vocabulary_of(model.get("vocab"), path, config.vocabulary_size)
        merges = byte_pair_json.merges_of(model.get("merges"), path)
        inside = _Tables(pieces, merges, path, f"{path}: merges")
        if not snapshot.has(VOCABULARY_FILE):
            return inside
    path = snapshot.path(VOCABULARY_FILE)
    ids = settings.parse_json(snapshot.read(VOCABULARY_FILE), path)
    pieces = byte_pair_json.vocabulary_of(ids, path, config.vocabulary_size)
    source = snapshot.path(MERGES_FILE)
    merges, line = merges_of(snapshot.read(MERGES_FILE), source)
    for name in ("pieces", "merges") if inside else ():
        theirs, ours = getattr(inside, name), {"pieces": pieces, "merges": merges}[name]
        if theirs != ours:
            raise ValueError(
                f"{path} and {snapshot.path(FAST_TOKENIZER_FILE)} must have the same {name}, but "
                "are of different tokenizers: remove the one that is not the model's."
            )
    return _Tables(pieces, merges, path, str(source), line)


def _roles(
    kind: Kind, pipeline: Pipeline, said: Mapping[str, Any], source: object
) -> SpecialTokens:
    """The special tokens, as the files say them, or as the family has them."""
    names = dataclasses.asdict(kind.special_tokens)
    rows = {"begin": pipeline.begin, "separator": pipeline.separator}
    names.update({role: name for role, name in rows.items() if name is not None})
    for role, key in ROLES.items():
        if said[key] is not None:
            name = added_tokens.text_of(said[key], source, key)
            if rows.get(role) not in (None, name):
                raise ValueError(
                    f"{source}: {key} is {name!r}, but {FAST_TOKENIZER_FILE} puts {rows[role]!r} "
                    "into rows: the files are of different tokenizers."
                )
            names[role] = name
    return SpecialTokens(**{**names, "end": names["separator"]})


def _check_holes(pieces: Sequence[str], source: object) -> None:
    holes = [id_ for id_, piece in enumerate(pieces) if not piece]
    if holes:
        raise ValueError(
            f"{source} must have a piece for every id, but has none for {str(holes[:20])[1:-1]}: "
            "restore the file."
        )


def _files_of(kind: Kind) -> TokenizerFiles:
    tables = (VOCABULARY_FILE, MERGES_FILE) if kind.has_tables else ()
    return TokenizerFiles(
        vocabularies=(*tables, FAST_TOKENIZER_FILE),
        read=functools.partial(read, kind),
        write=functools.partial(write, kind),
        kinds=(BytePairTokenizer,),
    )


ROBERTA_TOKENIZER = _files_of(ROBERTA)
MODERNBERT_TOKENIZER = _files_of(MODERNBERT)
