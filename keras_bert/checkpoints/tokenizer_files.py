"""Tokenizers as the files of a checkpoint say them: vocabulary, settings, and added tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from absl import logging

from keras_bert.checkpoints import settings
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.config import BertConfig
from keras_bert.text.added_tokens import AddedToken
from keras_bert.text.tokenizer import Tokenizer
from keras_bert.text.vocabulary import CONTINUATION, pieces_of

VOCABULARY_FILE = "vocab.txt"
TOKENIZER_FILE = "tokenizer_config.json"
FAST_TOKENIZER_FILE = "tokenizer.json"
ADDED_TOKENS_FILE = "added_tokens.json"
SPECIAL_TOKENS_FILE = "special_tokens_map.json"

# transformers' classes that cut texts as BERT's does; of the last ones tokenizer.json says how.
CLASSES = tuple(
    f"{name}Tokenizer{suffix}"
    for name in ("Bert", "DistilBert", "Electra", "MobileBert")
    for suffix in ("", "Fast", "Legacy")
)
GENERIC_CLASSES = ("PreTrainedTokenizerFast", "TokenizersBackend")
SPECIAL_KEYS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
# Keys under which a tokenizer has more special tokens.
MORE_SPECIAL_KEYS = ("bos_token", "eos_token", "additional_special_tokens", "extra_special_tokens")
# What a tokenizer may say of itself, since it says nothing or what BERT's does.
PLAIN = {
    "do_basic_tokenize": (None, True),
    "never_split": (None, []),
    "word_tokenizer_type": (None, "basic"),
    "subword_tokenizer_type": (None, "wordpiece"),
    "auto_map": (None, {}),
}
# What a tokenizer.json must say, by the path of its keys; None: the key may be missing.
FAST = {
    ("model", "type"): (None, "WordPiece"),
    ("model", "unk_token"): (None, "[UNK]"),
    ("model", "continuing_subword_prefix"): (None, CONTINUATION),
    ("normalizer", "type"): ("BertNormalizer",),
    ("normalizer", "clean_text"): (None, True),
    ("pre_tokenizer", "type"): (None, "BertPreTokenizer"),
    ("post_processor", "type"): (None, "BertProcessing", "TemplateProcessing"),
}
# The spare rows of a table that is padded to a multiple of 64; more are worth a warning.
USUAL_UNUSED_ROWS = 63

Tokens = dict[str, tuple[AddedToken, int | None]]


def read(snapshot: Snapshot, config: BertConfig, content: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of a directory; what its files leave open, the vocabulary decides.

    Args:
        snapshot: the directory.
        config: BertConfig of the model in it.
        content: content of its config.json, which may name a tokenizer too.

    Raises:
        ValueError: a file is malformed, contradicts another, or asks for what is not BERT's.
    """
    own = _json(snapshot, TOKENIZER_FILE)
    special = _json(snapshot, SPECIAL_TOKENS_FILE)
    fast = _json(snapshot, FAST_TOKENIZER_FILE)
    _check_plain(own, snapshot.path(TOKENIZER_FILE), bool(fast))
    _check_plain(content, snapshot.path("config.json"), bool(fast))
    for name, values in ((TOKENIZER_FILE, own), (SPECIAL_TOKENS_FILE, special)):
        _check_special(values, snapshot.path(name))
    if fast:
        _check_fast(fast, snapshot.path(FAST_TOKENIZER_FILE))
    pieces = _pieces(snapshot, config, fast)
    tokens = _added_tokens(snapshot, own, special, fast)
    base, added = _placed(pieces, tokens, config, snapshot)
    tokenizer = _tokenizer(base, added, {**_normalizer(fast), **own}, snapshot)
    check_size(tokenizer, config, snapshot.directory)
    return tokenizer


def max_length(snapshot: Snapshot, config: BertConfig) -> int:
    """The longest row that tokenizer_config.json, if it is there, and the positions allow."""
    content, path = _json(snapshot, TOKENIZER_FILE), snapshot.path(TOKENIZER_FILE)
    key = "max_len" if "max_len" in content else "model_max_length"  # the former in 2019
    length = settings.number(content, key, None, path)
    if length is not None and length < 1:
        raise ValueError(f"{path}: {key} must be at least 1, not {length!r}: correct it.")
    return min(int(length or config.max_sequence_length), config.max_sequence_length)


def settings_of(tokenizer: Tokenizer, config: BertConfig) -> dict[str, Any]:
    """The content of tokenizer_config.json that says what `read` and transformers read."""
    ids = {piece: id_ for id_, piece in enumerate(tokenizer.vocabulary)}
    added = {
        str(ids[token.content]): {**vars(token)}
        for token in sorted(tokenizer.added_tokens, key=lambda token: ids[token.content])
    }
    return {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": tokenizer.lowercase,
        "strip_accents": tokenizer.strip_accents,
        "tokenize_chinese_chars": tokenizer.split_cjk,
        "model_max_length": config.max_sequence_length,
        **({"added_tokens_decoder": added} if added else {}),
    }


def check_size(tokenizer: Tokenizer, config: BertConfig, source: object) -> None:
    """Compares a vocabulary with the table of embeddings.

    Raises:
        ValueError: there are more pieces than rows.
    """
    unused = config.vocabulary_size - tokenizer.vocabulary_size
    if unused < 0:
        raise ValueError(
            f"{source}: the vocabulary may have at most the config's vocabulary_size="
            f"{config.vocabulary_size} pieces, but has {tokenizer.vocabulary_size}: take the "
            "vocabulary that belongs to the model, or build the model for this one."
        )
    if unused:
        log = logging.info if unused <= USUAL_UNUSED_ROWS else logging.warning
        log(
            "%s: the vocabulary has %d pieces, the model %d embeddings: the last %d stand for "
            "none, if the vocabulary is the model's.",
            *(source, tokenizer.vocabulary_size, config.vocabulary_size, unused),
        )


def _json(snapshot: Snapshot, name: str) -> dict[str, Any]:
    return snapshot.json(name) if snapshot.has(name) else {}


def _check_plain(content: Mapping[str, Any], source: object, has_fast: bool) -> None:
    """Refuses a tokenizer that cuts texts in another way than BERT's."""
    allowed = {"tokenizer_class": (None, *CLASSES, *(GENERIC_CLASSES if has_fast else ())), **PLAIN}
    if source.name != TOKENIZER_FILE:  # a config's auto_map is of its model
        del allowed["auto_map"]
    for key, values in allowed.items():
        if content.get(key) not in values:
            raise ValueError(
                f"{source}: {key} is {content[key]!r:.200}, but only BERT's own tokenizer is known "
                f"here, with {key} {' or '.join(map(repr, values[:2]))}: the model cannot be used "
                "with its words cut in another way."
            )


def _check_special(content: Mapping[str, Any], source: object) -> None:
    for key, expected in SPECIAL_KEYS.items():
        name = _content(content.get(key), source, key) if content.get(key) is not None else expected
        if name != expected:
            raise ValueError(
                f"{source}: {key} must be {expected!r}, not {name!r}: tokenizers with special "
                "tokens of other names are not supported."
            )


def _check_fast(content: Mapping[str, Any], source: object) -> None:
    for (part, key), values in FAST.items():
        inner = content.get(part, {} if values[0] is None else None)
        if part == "post_processor" and inner is None:
            inner = {}
        value = inner.get(key) if isinstance(inner, dict) else inner
        if not isinstance(inner, dict) or value not in values:
            raise ValueError(
                f"{source} must hold a WordPiece vocabulary with BERT's normalization, but its "
                f"{part} has {key} {value!r:.80}, not {values[-1]!r}: this is the tokenizer of "
                "another model."
            )
    for token in _template(content):
        if token not in ("[CLS]", "[SEP]"):
            raise ValueError(
                f"{source}: post_processor must put [CLS] and [SEP] around texts, not {token!r}: "
                "other rows are not supported."
            )


def _template(content: Mapping[str, Any]) -> Iterator[str]:
    """The special tokens that a tokenizer.json puts around a text."""
    processor = content.get("post_processor") or {}
    single = processor.get("single", [])
    for part in single if isinstance(single, list) else []:
        if isinstance(part, dict) and isinstance(part.get("SpecialToken"), dict):
            yield part["SpecialToken"].get("id")
    for key in ("sep", "cls"):
        pair = processor.get(key)
        if isinstance(pair, list) and pair:
            yield pair[0]


def _normalizer(fast: Mapping[str, Any]) -> dict[str, Any]:
    """What a tokenizer.json says of normalization, as tokenizer_config.json says it."""
    if not fast:
        return {}
    normalizer = fast["normalizer"]
    return {
        "do_lower_case": normalizer.get("lowercase", True),
        "strip_accents": normalizer.get("strip_accents"),
        "tokenize_chinese_chars": normalizer.get("handle_chinese_chars", True),
    }


def _pieces(snapshot: Snapshot, config: BertConfig, fast: Mapping[str, Any]) -> tuple[str, ...]:
    """The word pieces by their ids; those of vocab.txt and tokenizer.json must be the same."""
    path, size = snapshot.path(FAST_TOKENIZER_FILE), config.vocabulary_size
    inside = _fast_pieces(fast, path, size) if fast else ()
    if not snapshot.has(VOCABULARY_FILE) and fast:  # transformers 5 writes no vocab.txt
        return inside
    source = snapshot.path(VOCABULARY_FILE)
    pieces = pieces_of(snapshot.read(VOCABULARY_FILE), str(source), size)
    last = {piece: id_ for id_, piece in enumerate(pieces)}
    for id_, piece in enumerate(inside):
        if piece and last.get(piece) != id_:
            raise ValueError(
                f"{source} and {path} must have the same pieces, but {piece!r} has the id {id_} in "
                f"the latter and {last.get(piece)} in the former: remove the one that is not the "
                "model's."
            )
    return pieces


def _fast_pieces(content: Mapping[str, Any], source: object, max_size: int) -> tuple[str, ...]:
    """The word pieces of a tokenizer.json by their ids; an id without a piece has none, ""."""
    model = content.get("model") or {}
    ids = model.get("vocab")
    if not isinstance(ids, dict) or not ids:
        raise ValueError(f"{source} must hold a WordPiece vocabulary, but its model has none.")
    pieces = dict(zip(ids.values(), ids, strict=True)) if _are_ids(ids.values()) else {}
    if len(pieces) < len(ids):
        raise ValueError(f"{source} must have the ids from 0 to {len(ids) - 1}, each once.")
    if max(pieces) >= max_size:
        raise ValueError(
            f"{source} must have at most {max_size} pieces, but {pieces[max(pieces)]!r} has the id "
            f"{max(pieces)}: take the tokenizer that belongs to the model."
        )
    holes = [id_ for id_ in range(max(pieces)) if id_ not in pieces]
    if holes:
        logging.warning("%s has no piece for the ids %s.", source, str(holes[:20])[1:-1])
    return tuple(pieces.get(id_, "") for id_ in range(max(pieces) + 1))


def _are_ids(values: Iterable[Any]) -> bool:
    return all(isinstance(id_, int) and not isinstance(id_, bool) and id_ >= 0 for id_ in values)


def _added_tokens(
    snapshot: Snapshot,
    own: Mapping[str, Any],
    special: Mapping[str, Any],
    fast: Mapping[str, Any],
) -> Tokens:
    """All added tokens and their ids, if a file says them; the first file that says it counts."""
    marks = [
        *_marks(special, snapshot, SPECIAL_TOKENS_FILE),
        *_marks(own, snapshot, TOKENIZER_FILE),
    ]
    names = {token.content for token in marks} | set(SPECIAL_KEYS.values())
    legacy = _json(snapshot, ADDED_TOKENS_FILE)
    found = [
        *_listed(fast.get("added_tokens") or [], snapshot.path(FAST_TOKENIZER_FILE)),
        *_listed(_decoder(own, snapshot), snapshot.path(TOKENIZER_FILE)),
        *(
            (_token(name, snapshot.path(ADDED_TOKENS_FILE), special=name in names), id_)
            for name, id_ in legacy.items()
        ),
        *((token, None) for token in marks),
    ]
    tokens: Tokens = {}
    for token, id_ in found:
        if id_ is not None and not _are_ids([id_]):
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
        yield _token(entry, source, special=False), entry.get("id")


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
                marks.append(_token(one, f"{snapshot.path(name)}: {key}", special=True))
    return marks


def _token(entry: Any, source: object, special: bool) -> AddedToken:
    content = _content(entry, source, "an added token")
    entry = entry if isinstance(entry, dict) else {}
    special = entry.get("special", special)
    flags = {key: entry.get(key, False) for key in ("single_word", "lstrip", "rstrip")}
    try:
        normalized = entry.get("normalized", not special)
        return AddedToken(content, normalized=normalized, special=special, **flags)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def _content(entry: Any, source: object, what: str) -> str:
    value = entry.get("content") if isinstance(entry, dict) else entry
    if not isinstance(value, str):
        raise ValueError(f"{source}: {what} must be a text, not {entry!r:.80}: correct it.")
    return value


def _placed(
    pieces: tuple[str, ...], tokens: Tokens, config: BertConfig, snapshot: Snapshot
) -> tuple[list[str], list[AddedToken]]:
    """The word pieces, up to where the added tokens begin, and these in the order of their ids."""
    known = {piece: id_ for id_, piece in enumerate(pieces) if piece}
    base, placed = list(pieces), {}
    for token, id_ in sorted(tokens.values(), key=lambda one: (one[1] is None, one[1] or 0)):
        if id_ is None:
            id_ = known.get(token.content, max(len(base), *(i + 1 for i in placed), 0))
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
        placed[id_] = token
    _pad(base, [id_ for id_ in placed if id_ >= len(base)], snapshot)
    return base, [placed[id_] for id_ in sorted(placed)]


def _check_id(
    token: str,
    id_: int,
    base: list[str],
    known: int | None,
    config: BertConfig,
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


def _tokenizer(
    base: list[str], added: list[AddedToken], content: Mapping[str, Any], snapshot: Snapshot
) -> Tokenizer:
    source = snapshot.path(TOKENIZER_FILE)
    lowercase = settings.switch(content, "do_lower_case", None, source)
    if lowercase is None:
        # A cased vocabulary has capitals, an uncased one has none outside its special tokens.
        lowercase = not any(p != p.lower() for p in base if not p.startswith("["))
        logging.info(
            "%s does not say whether to lower-case; its vocabulary is %s.",
            snapshot.directory,
            "uncased: text is lower-cased" if lowercase else "cased: text stays as it is",
        )
    strip_accents = settings.switch(content, "strip_accents", None, source)
    split_cjk = settings.switch(content, "tokenize_chinese_chars", True, source)
    try:
        return Tokenizer(
            base, lowercase, strip_accents=strip_accents, split_cjk=split_cjk, added_tokens=added
        )
    except ValueError as error:
        raise ValueError(f"{snapshot.directory}: {error}") from error
