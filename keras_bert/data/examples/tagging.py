"""Words with labels, however a data set writes them: lists, spans of a text, or a word a row."""

from __future__ import annotations

import ast
import functools
import itertools
import json
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from absl import logging

from keras_bert.data.examples.features import read_tag_names
from keras_bert.data.examples.schemes import OUTSIDE
from keras_bert.data.rows import Row

# What data sets call the columns, best first; capitals do not matter.
WORDS_KEYS = ("words", "tokens", "word", "token")
LABELS_KEYS = ("labels", "ner_tags", "ner_labels", "ner", "tags", "tag", "label", "pos_tags", "pos")
TEXT_KEYS = ("text", "sentence", "content", "data")
SPANS_KEYS = ("entities", "spans", "labels", "label", "annotations")

_SENTENCE_KEYS = ("sentence", "sentenceid", "sentenceidx", "sentid", "sentencenumber", "sid")
_SPAN_KEYS = (
    ("start", "start_offset", "begin"),
    ("end", "end_offset", "stop"),
    ("label", "type", "tag", "entity_group", "entity", "labels"),
)
_Names = Sequence[str] | None
_Reader = Callable[[Sequence[Row], _Names], list[Row]]

# NumPy's text of a list of strings has no commas, and Python would join them.
_NUMPY_LIST = re.compile(r"""['"]\s+['"]""")
_CJK = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2FA1F))


def tagged(
    rows: Sequence[Row],
    *,
    words_key: str | None = None,
    labels_key: str | None = None,
    tag_names: str | Sequence[str] | None = None,
) -> list[Row]:
    """Rows of words and labels, from rows as data sets write them.

    They may have two lists (the Hub's `tokens` and `ner_tags`, also as text in a table); a text and
    the spans of its entities (spaCy's, doccano's and Prodigy's), which are then labels in IOB2; or
    a word and its label in every row, with a column that tells the sentence (Kaggle's "Sentence
    #"), whose cell is empty where the sentence goes on. Rows without labels are to be answered.

    Args:
        rows: sequence of Row.
        words_key: str, the column of words, or of the text; None is the first of `WORDS_KEYS` or
            `TEXT_KEYS` that is there.
        labels_key: str, the column of labels, or of spans; None is the first of `LABELS_KEYS` or
            `SPANS_KEYS` that is there.
        tag_names: sequence of str, or a str with commas, the names of labels that are numbers, in
            their order; or the path of a file that has them (`read_tag_names`).

    Returns:
        list of Row, `words` and `labels`, lists of str; or `words` or `text` alone.

    Raises:
        ValueError: there are no such columns; a row has more or fewer labels than words; labels are
            numbers without names; a span is not within its text, or overlaps another one.

    Example:

    >>> from keras_bert.data.rows import Row
    >>> from keras_bert.data.examples.tagging import tagged
    >>> tagged([Row({"tokens": ["Ann", "sings"], "ner_tags": [1, 0]}, "a:1")], tag_names="O,B-PER")
    [{'words': ['Ann', 'sings'], 'labels': ['B-PER', 'O']}]
    >>> tagged([Row({"text": "Ann sings.", "entities": [[0, 3, "PER"]]}, "a:1")])
    [{'words': ['Ann', 'sings', '.'], 'labels': ['B-PER', 'O', 'O']}]
    """
    if not rows:
        return []
    names = _tag_names(tag_names)
    return _reader_of(rows, words_key, labels_key)(rows, names)


def _reader_of(rows: Sequence[Row], words_key: str | None, labels_key: str | None) -> _Reader:
    """What reads such rows: lists, rows of a word each, spans of a text, or a text alone."""
    row = rows[0]
    for key in (words_key, labels_key):
        if key is not None:
            _cell(row, key)
    words = words_key or next((key for key in _keys(row, WORDS_KEYS) if _is_words(row[key])), None)
    text = words_key or next(iter(_keys(row, TEXT_KEYS)), None)
    wanted = [labels_key] if labels_key else _keys(row, SPANS_KEYS)
    spans = next((key for key in wanted if key != text and _are_spans(rows, key)), None)
    labels = labels_key or next((key for key in _keys(row, LABELS_KEYS) if key != words), None)
    if words is None or (words == text and (spans or not labels) and not _is_list(row[words])):
        if text is None:
            raise ValueError(
                f"{row.source}: a row must have words and labels, or a text and its entities, but "
                f"has the columns {', '.join(map(repr, row)):.300}: name theirs with --word_column "
                "and --label_column, or the form of the file, such as --form=conll."
            )
        if spans:
            return functools.partial(_of_spans, text_key=text, spans_key=spans)
        if labels and _as_many(row.get(text), row.get(labels)):
            return functools.partial(_of_lists, words_key=text, labels_key=labels)
        return functools.partial(_of_text, text_key=text)
    if _is_list(row[words]) or " " in str(row[words]).strip():
        return functools.partial(_of_lists, words_key=words, labels_key=labels)
    sentence = _sentence_key(row)
    if sentence is None:
        raise ValueError(
            f"{row.source}: where a row is one word, a column must tell its sentence, such as "
            f"'Sentence #' or 'sentence_id', but there are {', '.join(map(repr, row)):.300}: "
            "rename it; or, where empty lines part sentences, say --form=conll and name the "
            "columns with --word_column and --label_column."
        )
    return functools.partial(_of_words, words_key=words, labels_key=labels, sentence_key=sentence)


def _keys(row: Row, known: Sequence[str]) -> list[str]:
    """Those columns of a row that have a known name, in the order of the known ones."""
    columns = {name.strip().lower(): name for name in row}
    return [columns[name] for name in known if name in columns]


def _sentence_key(row: Row) -> str | None:
    names = {re.sub("[^a-z]", "", name.lower()): name for name in row}
    return next((names[name] for name in _SENTENCE_KEYS if name in names), None)


def _cell(row: Row, key: str) -> Any:
    if key not in row:
        raise ValueError(
            f"{row.source}: there must be a column {key!r}, but there are "
            f"{', '.join(map(repr, row)):.300}: correct the row, or name the columns of words and "
            "labels with --word_column and --label_column."
        )
    return row[key]


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) or (
        isinstance(value, str) and value.lstrip().startswith("[")
    )


def _is_words(value: Any) -> bool:
    """Whether a cell may be words; Prodigy's tokens are objects."""
    return isinstance(value, str) or (
        isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
    )


def _as_many(text: Any, labels: Any) -> bool:
    """Whether a text has as many words as there are labels."""
    if not isinstance(text, str) or not isinstance(labels, str | list):
        return False
    return len(labels if isinstance(labels, list) else labels.split()) == len(text.split()) > 1


def _are_spans(rows: Sequence[Row], key: str) -> bool:
    values = [_list_of(row, key) for row in rows if _is_list(row.get(key))]
    return bool(values) and all(
        isinstance(one, list | tuple | dict) for value in values for one in value
    )


def _list_of(row: Row, key: str) -> list[Any]:
    """A list, which a table may have as text: as Python writes it, or with spaces between."""
    value = _cell(row, key)
    if isinstance(value, str):
        value = _parsed(value) if _is_list(value) else value.split()
    if not isinstance(value, list | tuple):
        raise ValueError(
            f"{row.source}: {key!r} must be a list, but is {row[key]!r:.100}: correct it, or name "
            "the columns of words and labels with --word_column and --label_column."
        )
    return list(value)


def _parsed(text: str) -> Any:
    if _NUMPY_LIST.search(text):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
    return None


def _of_text(rows: Sequence[Row], names: _Names, text_key: str) -> list[Row]:
    return [row.with_columns({"text": _cell(row, text_key)}) for row in rows]


def _of_lists(
    rows: Sequence[Row], names: _Names, words_key: str, labels_key: str | None
) -> list[Row]:
    return [_with_lists(row, words_key, labels_key, names) for row in rows]


def _of_spans(rows: Sequence[Row], names: _Names, text_key: str, spans_key: str) -> list[Row]:
    return [_with_spans(row, text_key, spans_key) for row in _accepted(rows)]


def _of_words(
    rows: Sequence[Row], names: _Names, words_key: str, labels_key: str | None, sentence_key: str
) -> list[Row]:
    sentences = _sentences(rows, words_key, labels_key, sentence_key)
    return _of_lists(sentences, names, "words", labels_key and "labels")


def _with_lists(row: Row, words_key: str, labels_key: str | None, names: _Names) -> Row:
    words = _list_of(row, words_key)
    wrong = [word for word in words if not isinstance(word, str)]
    if wrong or not words:
        raise ValueError(
            f"{row.source}: words must be texts, but {words_key!r} has "
            f"{f'{wrong[0]!r:.50}' if wrong else 'none'}: correct it, or name another column "
            "(--word_column)."
        )
    if labels_key is None or row.get(labels_key) is None:
        return row.with_columns({"words": words})
    labels = [_label(value, names, row.source) for value in _list_of(row, labels_key)]
    if len(labels) != len(words):
        raise ValueError(
            f"{row.source}: there must be a label for every word, but there are {len(words)} words "
            f"in {words_key!r} and {len(labels)} labels in {labels_key!r}: correct the row, or "
            "name other columns (--word_column, --label_column)."
        )
    return row.with_columns({"words": words, "labels": labels})


def _label(value: Any, names: _Names, source: str) -> str:
    if isinstance(value, str) and value.strip() and (names is None or value in names):
        return value
    number = value if isinstance(value, int | float | str) and str(value).strip() else None
    try:
        number = (
            None if number is None or float(number) != int(float(number)) else int(float(number))
        )
    except (ValueError, OverflowError):
        number = None
    if number is None:
        raise ValueError(
            f"{source}: a label must be a name{'' if names is None else f' of {names}'}, but is "
            f"{value!r:.50}: correct it."
        )
    if names is None:
        raise ValueError(
            f"{source}: labels must be names, but here is the number {value!r}: name all in their "
            "order with --tag_names=O,B-PER,I-PER and so on, or a file with a name on every line; "
            "or put the data set's dataset_info.json beside the file."
        )
    if not 0 <= number < len(names):
        raise ValueError(
            f"{source}: a label must be a number below {len(names)}, for which there are names, "
            f"but is {value!r}: name all labels (--tag_names), or correct it."
        )
    return names[number]


def _tag_names(tag_names: str | Sequence[str] | None) -> list[str] | None:
    if tag_names is None:
        return None
    if isinstance(tag_names, str):
        is_path = os.path.isfile(tag_names)
        if not is_path and "," not in tag_names:
            raise ValueError(
                f"tag_names must be names with commas between them, or a file of them, but "
                f"{tag_names!r} is neither: check --tag_names."
            )
        tag_names = read_tag_names(tag_names) if is_path else tag_names.split(",")
    return [name.strip() for name in tag_names]


def _sentences(
    rows: Sequence[Row], words_key: str, labels_key: str | None, sentence_key: str
) -> list[Row]:
    """Rows of sentences, from rows of words."""
    sentences: list[Row] = []
    before = None
    for row in rows:
        value = _cell(row, sentence_key)
        goes_on = value in ("", None) or value != value or value == before
        if not sentences or not goes_on:
            labels: dict[str, list[Any]] = {"labels": []} if labels_key else {}
            sentences.append(row.with_columns({"words": [], **labels}))
            before = value
        sentences[-1]["words"].append(_cell(row, words_key))
        if labels_key:
            sentences[-1]["labels"].append(_cell(row, labels_key))
    return sentences


def _accepted(rows: Sequence[Row]) -> list[Row]:
    """Rows without those that were rejected or passed over in Prodigy."""
    kept = [
        row for row in rows if "_input_hash" not in row or row.get("answer", "accept") == "accept"
    ]
    if len(kept) < len(rows):
        logging.warning("Left out %d rows that are not accepted.", len(rows) - len(kept))
    return kept


class _Span(NamedTuple):
    """An entity of a text, by its first character, the one after it, and its type."""

    start: int
    end: int
    kind: str


def _with_spans(row: Row, text_key: str, spans_key: str) -> Row:
    text = _cell(row, text_key)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{row.source}: {text_key!r} must be a text, but is {text!r:.100}.")
    values = [] if row.get(spans_key) is None else _list_of(row, spans_key)
    spans = sorted({_span(value, text, row.source) for value in values})
    for one, other in itertools.pairwise(spans):
        if other.start < one.end:
            raise ValueError(
                f"{row.source}: entities must not overlap, but {text[one.start : one.end]!r} and "
                f"{text[other.start : other.end]!r} do: keep one of them."
            )
    words = _words_of(text, {edge for span in spans for edge in span[:2]})
    labels, before = [], None
    for start, end in words:
        span = next((one for one in spans if one.start <= start and end <= one.end), None)
        prefix = "I" if span == before else "B"
        labels.append(f"{prefix}-{span.kind}" if span else OUTSIDE)
        before = span
    return row.with_columns({"words": [text[s:e] for s, e in words], "labels": labels})


def _span(value: Any, text: str, source: str) -> _Span:
    """An entity as one of the tools has it."""
    start, end, kind = _span_cells(value)
    kind = kind[0] if isinstance(kind, list) and len(kind) == 1 else kind
    is_place = all(isinstance(one, int) and not isinstance(one, bool) for one in (start, end))
    if not is_place or not isinstance(kind, str) or not kind.strip():
        raise ValueError(
            f"{source}: an entity must be [start, end, type] or an object of these, but is "
            f"{value!r:.100}: correct it."
        )
    if not 0 <= start < end <= len(text) or not text[start:end].strip():
        raise ValueError(
            f"{source}: an entity must be within its text of {len(text)} characters, from its "
            f"first character to the one after it, but is {value!r:.100}: correct it."
        )
    said = value.get("text") if isinstance(value, dict) else None
    if isinstance(said, str) and said.strip() and said != text[start:end]:
        raise ValueError(
            f"{source}: an entity must be where it is said to be, but {said!r:.50} is said to be "
            f"at {start} to {end}, where {text[start:end]!r:.50} is: correct it."
        )
    return _Span(start, end, kind.strip())


def _span_cells(value: Any) -> list[Any]:
    """The start, the end and the type of an entity, None where it says none."""
    if isinstance(value, list | tuple) and len(value) >= 3:
        return [*value[:3]]
    value = value if isinstance(value, dict) else {}
    return [
        next((value[key] for key in keys if value.get(key) is not None), None)
        for keys in _SPAN_KEYS
    ]


def _words_of(text: str, edges: set[int]) -> list[tuple[int, int]]:
    """Where words start and end: cut as BERT does, at spaces, punctuation and edges of entities."""
    words, start = [], None
    for index, character in enumerate(text):
        kind = _kind_of(character)
        if start is not None and (kind != "letter" or index in edges):
            words.append((start, index))
            start = None
        if kind == "alone":
            words.append((index, index + 1))
        elif kind == "letter" and start is None:
            start = index
    return words if start is None else [*words, (start, len(text))]


@functools.lru_cache(maxsize=1 << 16)
def _kind_of(character: str) -> str:
    """Whether a character parts words ("space"), is one ("alone"), or is of one ("letter")."""
    if character.isspace():
        return "space"
    is_symbol = character.isascii() and not character.isalnum()
    is_cjk = any(first <= ord(character) <= last for first, last in _CJK)
    if is_symbol or is_cjk or unicodedata.category(character).startswith("P"):
        return "alone"
    return "letter"
