"""tokenizer.json of byte-level pieces: what Hugging Face's `tokenizers` says of them, both ways."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from keras_bert.checkpoints.added_tokens import are_ids
from keras_bert.text.byte_pairs import BytePairTokenizer

# What a model must say, and may leave out.
PLAIN = {
    "dropout": (None, 0, 0.0),
    "continuing_subword_prefix": (None, ""),
    "end_of_word_suffix": (None, ""),
    "byte_fallback": (None, False),
    "ignore_merges": (None, False),
}


@dataclasses.dataclass(frozen=True)
class Pipeline:
    """What a tokenizer.json says besides its pieces.

    Args:
        compose: whether texts are normalized to NFC.
        add_prefix_space: as BytePairTokenizer has it.
        trim_offsets: the same.
        begin: the token before the first segment; None if the file does not say.
        separator: the token between and after segments; None if the file does not say.
        num_separators: how many of them stand between two segments; None if it does not say.
    """

    compose: bool
    add_prefix_space: bool
    trim_offsets: bool
    begin: str | None = None
    separator: str | None = None
    num_separators: int | None = None


def vocabulary_of(ids: Any, source: object, max_size: int) -> list[str]:
    """The pieces by their ids; an id that has none has "".

    Args:
        ids: mapping of pieces to ids, of vocab.json or tokenizer.json.
        source: the file, for errors.
        max_size: how many embeddings there are.

    Raises:
        ValueError: it is no such mapping.
    """
    if not isinstance(ids, dict) or not ids:
        raise ValueError(
            f"{source} must hold the ids of pieces, not {ids!r:.80}: restore the file."
        )
    if not are_ids(ids.values()):
        wrong = next((piece, id_) for piece, id_ in ids.items() if not are_ids([id_]))
        raise ValueError(
            f"{source} must have whole numbers as ids, but {wrong[0]!r} has {wrong[1]!r:.80}: "
            "restore the file."
        )
    pieces = {id_: piece for piece, id_ in ids.items()}
    if len(pieces) < len(ids):
        again = next(piece for piece, id_ in ids.items() if pieces[id_] != piece)
        raise ValueError(
            f"{source} must have each id once, but {ids[again]} is that of {again!r} and "
            f"{pieces[ids[again]]!r}: restore the file."
        )
    if max(pieces) >= max_size:
        raise ValueError(
            f"{source} must have at most {max_size} pieces, but {pieces[max(pieces)]!r} has the id "
            f"{max(pieces)}: take the tokenizer that belongs to the model."
        )
    return [pieces.get(id_, "") for id_ in range(max(pieces) + 1)]


def merges_of(merges: Any, source: object) -> list[tuple[str, str]]:
    """The merges of a tokenizer.json, each a pair, or a text with a space in it.

    Raises:
        ValueError: one is neither.
    """
    if not isinstance(merges, list):
        raise ValueError(f"{source}: merges must be a list, not {merges!r:.80}: restore the file.")
    pairs = [one.split(" ") if isinstance(one, str) else one for one in merges]
    for number, pair in enumerate(pairs, start=1):
        is_pair = (
            isinstance(pair, list) and len(pair) == 2 and all(isinstance(p, str) for p in pair)
        )
        if not is_pair or "" in pair:
            raise ValueError(
                f"{source}: a merge must be two pieces, but the {number}th is "
                f"{merges[number - 1]!r:.80}: restore the file."
            )
    return [(left, right) for left, right in pairs]


def pipeline_of(content: Mapping[str, Any], source: object) -> Pipeline:
    """Reads what a tokenizer.json does with texts and rows.

    Args:
        content: the file's content.
        source: the file, for errors.

    Raises:
        ValueError: that is not what a BytePairTokenizer does.

    Example:

    >>> from keras_bert.checkpoints.byte_pair_json import pipeline_of
    >>> content = {
    ...     "normalizer": {"type": "NFC"},
    ...     "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
    ...     "model": {"type": "BPE"},
    ... }
    >>> pipeline_of(content, "tokenizer.json").compose
    True
    """
    model = _only(content, "model", source)
    _check_type(model, "model", ("BPE",), source)
    for key, values in PLAIN.items():
        if model.get(key) not in values:
            raise _refusal(source, "model", f"{key} {model[key]!r:.80}", repr(values[-1]))
    normalizers = _steps(content, "normalizer", source)
    for step in normalizers:
        _check_type(step, "normalizer", ("NFC",), source)
    words = _only(content, "pre_tokenizer", source)
    _check_type(words, "pre_tokenizer", ("ByteLevel",), source)
    if not words.get("use_regex", True):
        raise _refusal(source, "pre_tokenizer", "use_regex False", "True")
    rows: dict[str, Any] = {}
    for step in _steps(content, "post_processor", source):
        _check_type(step, "post_processor", tuple(_PROCESSORS), source)
        rows.update(_PROCESSORS[step["type"]](step, source))
    return Pipeline(
        compose=bool(normalizers),
        add_prefix_space=bool(words.get("add_prefix_space", True)),
        trim_offsets=rows.pop("trim_offsets", False),
        **rows,
    )


def content_of(tokenizer: BytePairTokenizer) -> dict[str, Any]:
    """What a tokenizer.json of a tokenizer holds.

    Args:
        tokenizer: BytePairTokenizer.

    Returns:
        dict that `tokenizers` makes the same tokenizer of, by JSON.
    """
    ids = {piece: id_ for id_, piece in enumerate(tokenizer.vocabulary)}
    bytes_ = {"type": "ByteLevel", "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": ids[token.content], **dataclasses.asdict(token)}
            for token in tokenizer.added_tokens
        ],
        "normalizer": {"type": "NFC"} if tokenizer.compose else None,
        "pre_tokenizer": {**bytes_, "add_prefix_space": tokenizer.add_prefix_space},
        "post_processor": _post_processor(tokenizer),
        "decoder": {**bytes_, "add_prefix_space": True},
        "model": {
            "type": "BPE",
            **dict.fromkeys(("dropout", "unk_token"), None),
            **dict.fromkeys(("continuing_subword_prefix", "end_of_word_suffix"), None),
            **dict.fromkeys(("fuse_unk", "byte_fallback", "ignore_merges"), False),
            "vocab": ids_of(tokenizer),
            "merges": [list(pair) for pair in tokenizer.merges],
        },
    }


def ids_of(tokenizer: BytePairTokenizer) -> dict[str, int]:
    """The learned pieces' ids, as vocab.json has them; ids without a piece get a name."""
    pieces = tokenizer.vocabulary[: tokenizer.num_learned]
    return {piece or f"<unused{id_}>": id_ for id_, piece in enumerate(pieces)}


def _steps(content: Mapping[str, Any], part: str, source: object) -> list[dict[str, Any]]:
    """The steps of a part, one behind the other."""
    value = content.get(part)
    steps = value if isinstance(value, dict) or value is None else {"type": [value]}
    if steps is None:
        return []
    if steps.get("type") != "Sequence":
        return [steps]
    inner = next((v for v in steps.values() if isinstance(v, list)), [])
    return [step if isinstance(step, dict) else {"type": step} for step in inner]


def _only(content: Mapping[str, Any], part: str, source: object) -> dict[str, Any]:
    steps = _steps(content, part, source)
    if len(steps) > 1:
        raise _refusal(source, part, f"{len(steps)} steps", "one")
    return steps[0] if steps else {}


def _check_type(step: Mapping[str, Any], part: str, types: Sequence[str], source: object) -> None:
    if step.get("type") not in types:
        raise _refusal(source, part, f"type {step.get('type')!r:.80}", " or ".join(types))


def _refusal(source: object, part: str, found: str, wanted: str) -> ValueError:
    return ValueError(
        f"{source} must hold byte-level pieces that are merged in pairs, as GPT-2's are, but its "
        f"{part} has {found}, not {wanted}: this is the tokenizer of another model."
    )


def _of_roberta(step: Mapping[str, Any], source: object) -> dict[str, Any]:
    found: dict[str, Any] = {"trim_offsets": bool(step.get("trim_offsets", True))}
    found["num_separators"] = 2
    for key, name in (("cls", "begin"), ("sep", "separator")):
        pair = step.get(key)
        if not isinstance(pair, list) or not pair or not isinstance(pair[0], str):
            raise _refusal(source, "post_processor", f"{key} {pair!r:.80}", "a token and its id")
        found[name] = pair[0]
    return found


def _of_template(step: Mapping[str, Any], source: object) -> dict[str, Any]:
    single, pair = (list(_names(step.get(key))) for key in ("single", "pair"))
    begin, separator = (single[0], single[-1]) if len(single) == 3 else ("", "")
    between = len(pair) - 4
    row = [begin, "$A", separator]
    if single != row or pair != [*row[:2], *[separator] * between, "$B", separator]:
        raise _refusal(source, "post_processor", f"rows {single} and {pair}", "[CLS] $A [SEP]")
    return {"begin": begin, "separator": separator, "num_separators": between}


def _names(parts: Any) -> Iterator[str]:
    for part in parts if isinstance(parts, list) else []:
        kind, value = next(iter(part.items())) if isinstance(part, dict) and part else ("", {})
        name = value.get("id") if isinstance(value, dict) else value
        yield f"${name}" if kind == "Sequence" else str(name)


def _of_bytes(step: Mapping[str, Any], source: object) -> dict[str, Any]:
    return {"trim_offsets": bool(step.get("trim_offsets", True))}


_PROCESSORS = {
    "RobertaProcessing": _of_roberta,
    "TemplateProcessing": _of_template,
    "ByteLevel": _of_bytes,
}


def _post_processor(tokenizer: BytePairTokenizer) -> dict[str, Any]:
    special, ids = tokenizer.special_tokens, tokenizer.special
    if tokenizer.num_separators == 2:
        return {
            "type": "RobertaProcessing",
            "sep": [special.separator, ids.separator],
            "cls": [special.begin, ids.begin],
            "trim_offsets": tokenizer.trim_offsets,
            "add_prefix_space": tokenizer.add_prefix_space,
        }
    begin, separator = (
        {"SpecialToken": {"id": name, "type_id": 0}} for name in (special.begin, special.separator)
    )
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    between = [separator] * tokenizer.num_separators
    template = {
        "type": "TemplateProcessing",
        "single": [begin, first, separator],
        "pair": [begin, first, *between, second, separator],
        "special_tokens": {
            name: {"id": name, "ids": [id_], "tokens": [name]}
            for name, id_ in ((special.begin, ids.begin), (special.separator, ids.separator))
        },
    }
    if not tokenizer.trim_offsets:
        return template
    trim = {"type": "ByteLevel", "trim_offsets": True, "use_regex": True}
    trim["add_prefix_space"] = tokenizer.add_prefix_space
    return {"type": "Sequence", "processors": [trim, template]}
