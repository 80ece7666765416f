"""Added tokens, as the files of a tokenizer of any family say them, and their ids."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from absl import logging

from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.checkpoints.tokenizer_files import (
    ADDED_TOKENS_FILE,
    FAST_TOKENIZER_FILE,
    SPECIAL_TOKENS_FILE,
    TOKENIZER_FILE,
)
from keras_bert.config import EncoderConfig
from keras_bert.text.added_tokens import AddedToken

# Keys under which a tokenizer has special tokens besides its family's own.
MORE_SPECIAL_KEYS = ("bos_token", "eos_token", "additional_special_tokens", "extra_special_tokens")

# Added tokens by their texts, and their ids, if a file says them.
Tokens = dict[str, tuple[AddedToken, int | None]]


def read(snapshot: Snapshot, special: Collection[str]) -> Tokens:
    """All added tokens and their ids, if a file says them; the first file that says it counts.

    Args:
        snapshot: the directory.
        special: the special tokens that the family has by itself.

    Raises:
        ValueError: a file is malformed, or two of them contradict each other.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_bert.checkpoints import added_tokens
    >>> from keras_bert.checkpoints.snapshot import Snapshot
    >>> directory = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (directory / "added_tokens.json").write_text('{"<e1>": 15}')
    >>> {text: id_ for text, (_, id_) in added_tokens.read(Snapshot(directory), ()).items()}
    {'<e1>': 15}
    """
    own, map_, fast, legacy = (
        snapshot.json_if_there(name)
        for name in (TOKENIZER_FILE, SPECIAL_TOKENS_FILE, FAST_TOKENIZER_FILE, ADDED_TOKENS_FILE)
    )
    marks = [*_marks(map_, snapshot, SPECIAL_TOKENS_FILE), *_marks(own, snapshot, TOKENIZER_FILE)]
    names = {token.content for token in marks} | set(special)
    source = snapshot.path(ADDED_TOKENS_FILE)
    return _joined(
        [
            *_listed(fast.get("added_tokens") or [], snapshot.path(FAST_TOKENIZER_FILE)),
            *_listed(_decoder(own, snapshot), snapshot.path(TOKENIZER_FILE)),
            *((token_of(name, source, special=name in names), id_) for name, id_ in legacy.items()),
            *((token, None) for token in marks),
        ],
        snapshot,
    )


def placed(
    pieces: Sequence[str], tokens: Tokens, config: EncoderConfig, snapshot: Snapshot
) -> tuple[list[str], list[AddedToken]]:
    """A vocabulary's pieces, up to where the added tokens begin, and these by their ids.

    Args:
        pieces: the pieces by their ids; an id without a piece has "".
        tokens: what `read` gave.
        config: EncoderConfig of the model.
        snapshot: the directory, for errors.

    Raises:
        ValueError: an id is another piece's, has no embedding, or ids do not follow each other.
    """
    known = {piece: id_ for id_, piece in enumerate(pieces) if piece}
    base = list(pieces)
    found: dict[int, AddedToken] = {}
    for token, said in sorted(tokens.values(), key=lambda one: (one[1] is None, one[1] or 0)):
        id_ = said
        if id_ is None:
            id_ = known.get(token.content, max(len(base), *(i + 1 for i in found), 0))
            if id_ >= config.vocabulary_size:
                logging.warning(
                    "%s: the special token %r is text like any other: the vocabulary lacks it, and "
                    "the model has no embedding for it.",
                    *(snapshot.directory, token.content),
                )
                continue
        _check_id(token.content, id_, base, known.get(token.content), config, snapshot)
        if id_ < len(base):  # an empty line, or the token itself
            base[id_] = token.content
        found[id_] = token
    _pad(base, [id_ for id_ in found if id_ >= len(base)], snapshot)
    return base, [found[id_] for id_ in sorted(found)]


def text_of(entry: Any, source: object, what: str) -> str:
    """The text of a token, which files give alone or with its flags.

    Args:
        entry: a text, or an object with it as `content`.
        source: the file, for errors.
        what: what the entry is, for errors.

    Raises:
        ValueError: it is neither.
    """
    value = entry.get("content") if isinstance(entry, dict) else entry
    if not isinstance(value, str):
        raise ValueError(f"{source}: {what} must be a text, not {entry!r:.80}: correct it.")
    return value


def are_ids(values: Iterable[Any]) -> bool:
    """Whether all values are whole numbers of at least 0."""
    return all(isinstance(id_, int) and not isinstance(id_, bool) and id_ >= 0 for id_ in values)


def _joined(found: Iterable[tuple[AddedToken, Any]], snapshot: Snapshot) -> Tokens:
    """Each token once, with the first id that is said of it."""
    tokens: Tokens = {}
    for token, id_ in found:
        if id_ is not None and not are_ids([id_]):
            raise ValueError(
                f"{snapshot.directory}: the id of the added token {token.content!r} must be a "
                f"whole number, not {id_!r:.80}: restore the files of the tokenizer."
            )
        known = tokens.setdefault(token.content, (token, id_))
        if known[1] is None and id_ is not None:
            tokens[token.content] = (known[0], id_)
        elif id_ not in (None, known[1]):
            raise ValueError(
                f"{snapshot.directory}: the added token {token.content!r} must have one id, but "
                f"has {known[1]} and {id_}: the files are of different tokenizers."
            )
    return tokens


def _listed(entries: Any, source: object) -> Iterator[tuple[AddedToken, Any]]:
    if not isinstance(entries, list):
        raise ValueError(f"{source}: added_tokens must be a list, not {entries!r:.80}.")
    for entry in entries:
        if not isinstance(entry, dict):
            raise ValueError(f"{source}: an added token must be an object, not {entry!r:.80}.")
        yield token_of(entry, source, special=False), entry.get("id")


def _decoder(own: Mapping[str, Any], snapshot: Snapshot) -> list[Any]:
    """The entries of added_tokens_decoder with their ids."""
    decoder = own.get("added_tokens_decoder") or {}
    if not isinstance(decoder, dict) or not all(map(str.isdecimal, decoder)):
        raise ValueError(
            f"{snapshot.path(TOKENIZER_FILE)}: added_tokens_decoder must give tokens by their ids, "
            f"not {decoder!r:.80}: restore the file."
        )
    return [
        {**entry, "id": int(id_)} if isinstance(entry, dict) else entry
        for id_, entry in decoder.items()
    ]


def _marks(content: Mapping[str, Any], snapshot: Snapshot, name: str) -> list[AddedToken]:
    """The special tokens that a file names, besides BERT's own."""
    marks = []
    for key in MORE_SPECIAL_KEYS:
        value = content.get(key)
        if isinstance(value, dict) and "content" not in value:
            value = list(value.values())
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                marks.append(token_of(one, f"{snapshot.path(name)}: {key}", special=True))
    return marks


def token_of(entry: Any, source: object, special: bool) -> AddedToken:
    """The token of an entry, with its flags.

    Args:
        entry: a text, or an object with it as `content`.
        source: the file, for errors.
        special: whether it is a mark, if the entry does not say so.

    Raises:
        ValueError: it is no token.
    """
    content = text_of(entry, source, "an added token")
    entry = entry if isinstance(entry, dict) else {}
    special = entry.get("special", special)
    flags = {key: entry.get(key, False) for key in ("single_word", "lstrip", "rstrip")}
    try:
        normalized = entry.get("normalized", not special)
        return AddedToken(content, normalized=normalized, special=special, **flags)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def _check_id(
    token: str,
    id_: int,
    base: list[str],
    known: int | None,
    config: EncoderConfig,
    snapshot: Snapshot,
) -> None:
    there = base[id_] if id_ < len(base) else ""
    if known not in (None, id_) or there not in ("", token):
        raise ValueError(
            f"{snapshot.directory}: the added token {token!r} must have an id of its own, but "
            f"{id_} is {there!r} in the vocabulary, which has the token at {known}: the files are "
            "of different tokenizers."
        )
    if id_ >= config.vocabulary_size:
        raise ValueError(
            f"{snapshot.directory}: the added token {token!r} has the id {id_}, for which the "
            f"model, with vocab_size={config.vocabulary_size}, has no embedding: remove the token, "
            "or take the tokenizer that belongs to the model."
        )


def _pad(base: list[str], new: list[int], snapshot: Snapshot) -> None:
    """Lengthens the word pieces to where new ids begin, which must follow each other."""
    if new and max(new) - min(new) >= len(new):
        raise ValueError(
            f"{snapshot.directory}: the ids of added tokens must follow each other, but are "
            f"{str(sorted(new)[:20])[1:-1]}: that is not supported."
        )
    base += [""] * (min(new) - len(base) if new else 0)
