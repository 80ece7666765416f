"""BERT's tokenizer as the files of a checkpoint say it: word pieces, and how words are cut."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from absl import logging

from keras_bert.checkpoints import added_tokens, settings
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.checkpoints.tokenizer_files import (
    FAST_TOKENIZER_FILE,
    SPECIAL_TOKENS_FILE,
    TOKENIZER_FILE,
    TokenizerFiles,
    check_size,
)
from keras_bert.config import EncoderConfig
from keras_bert.text.added_tokens import AddedToken
from keras_bert.text.tokenizer import Tokenizer
from keras_bert.text.vocabulary import CONTINUATION, content_of, pieces_of

VOCABULARY_FILE = "vocab.txt"
# transformers 5 writes no vocab.txt.
VOCABULARIES = (VOCABULARY_FILE, FAST_TOKENIZER_FILE)

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


def read(snapshot: Snapshot, config: EncoderConfig, content: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of a directory; what its files leave open, the vocabulary decides.

    Args:
        snapshot: the directory.
        config: EncoderConfig of the model in it.
        content: content of its config.json, which may name a tokenizer too.

    Raises:
        ValueError: a file is malformed, contradicts another, or asks for what is not BERT's.
    """
    own, special, fast = (
        snapshot.json_if_there(name)
        for name in (TOKENIZER_FILE, SPECIAL_TOKENS_FILE, FAST_TOKENIZER_FILE)
    )
    _check_plain(own, snapshot.path(TOKENIZER_FILE), bool(fast))
    # A config's auto_map is of its model.
    of_config = {key: value for key, value in content.items() if key != "auto_map"}
    _check_plain(of_config, snapshot.path(settings.CONFIG_FILE), bool(fast))
    for name, values in ((TOKENIZER_FILE, own), (SPECIAL_TOKENS_FILE, special)):
        _check_special(values, snapshot.path(name))
    if fast:
        _check_fast(fast, snapshot.path(FAST_TOKENIZER_FILE))
    pieces = _pieces(snapshot, config, fast)
    tokens = added_tokens.read(snapshot, SPECIAL_KEYS.values())
    base, added = added_tokens.placed(pieces, tokens, config, snapshot)
    tokenizer = _tokenizer(base, added, {**_normalizer(fast), **own}, snapshot)
    check_size(tokenizer, config, snapshot.directory)
    return tokenizer


def write(
    folder: pathlib.Path,
    tokenizer: Tokenizer,
    config: EncoderConfig,
    *,
    as_class: str = CLASSES[0],
) -> None:
    """Writes the files of a tokenizer that `read` and transformers read.

    Args:
        folder: path of the folder.
        tokenizer: Tokenizer.
        config: EncoderConfig of the model beside it.
        as_class: str, transformers' class of it; a generic one is told the special tokens.

    Example:

    >>> import pathlib, tempfile
    >>> import keras_bert as kb
    >>> from keras_bert.checkpoints import word_pieces
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film", "fine"))
    >>> word_pieces.write(folder, tokenizer, kb.BertConfig())
    >>> sorted(path.name for path in folder.iterdir())
    ['tokenizer_config.json', 'vocab.txt']
    """
    pieces = tokenizer.vocabulary[: tokenizer.num_word_pieces]
    (folder / VOCABULARY_FILE).write_bytes(content_of(pieces))
    ids = {piece: id_ for id_, piece in enumerate(tokenizer.vocabulary)}
    added = {
        str(ids[token.content]): {**vars(token)}
        for token in sorted(tokenizer.added_tokens, key=lambda token: ids[token.content])
    }
    content = {
        "tokenizer_class": as_class,
        **(SPECIAL_KEYS if as_class in GENERIC_CLASSES else {}),
        "do_lower_case": tokenizer.lowercase,
        "strip_accents": tokenizer.strip_accents,
        "tokenize_chinese_chars": tokenizer.split_cjk,
        "model_max_length": config.max_sequence_length,
        **({"added_tokens_decoder": added} if added else {}),
    }
    settings.write_json(folder / TOKENIZER_FILE, content)


def _check_plain(content: Mapping[str, Any], source: object, has_fast: bool) -> None:
    """Refuses a tokenizer that cuts texts in another way than BERT's."""
    allowed = {"tokenizer_class": (None, *CLASSES, *(GENERIC_CLASSES if has_fast else ())), **PLAIN}
    for key, values in allowed.items():
        if content.get(key) not in values:
            raise ValueError(
                f"{source}: {key} is {content[key]!r:.200}, but only BERT's own tokenizer is known "
                f"here, with {key} {' or '.join(map(repr, values[:2]))}: the model cannot be used "
                "with its words cut in another way."
            )


def _check_special(content: Mapping[str, Any], source: object) -> None:
    for key, expected in SPECIAL_KEYS.items():
        entry = content.get(key)
        name = expected if entry is None else added_tokens.text_of(entry, source, key)
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


def _pieces(snapshot: Snapshot, config: EncoderConfig, fast: Mapping[str, Any]) -> tuple[str, ...]:
    """The word pieces by their ids; those of vocab.txt and tokenizer.json must be the same."""
    path, size = snapshot.path(FAST_TOKENIZER_FILE), config.vocabulary_size
    inside = _fast_pieces(fast, path, size) if fast else ()
    if not snapshot.has(VOCABULARY_FILE) and fast:
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
    pieces = dict(zip(ids.values(), ids, strict=True)) if added_tokens.are_ids(ids.values()) else {}
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


FILES = TokenizerFiles(VOCABULARIES, read, write, kinds=(Tokenizer,))
