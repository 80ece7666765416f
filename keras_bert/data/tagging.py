"""Words with labels: files in columns to examples, and the schemes in which labels say entities."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from absl import logging

from keras_bert.data.tables import SOURCE, Example, Path, file_lines

# The prefixes of each scheme. All mark what is outside of entities by OUTSIDE.
SCHEMES = {"iob1": "BI", "iob2": "BI", "bioes": "BIES", "bmes": "BMES"}
OUTSIDE = "O"

_NUM_CONLLU_COLUMNS = 10
_ENTITY_LABEL = re.compile(r"[BIESM](-.+)?", re.DOTALL)
_PREFIXED_LABEL = re.compile(r"[A-Za-z]-.+", re.DOTALL)
_POSITION = re.compile(r"(.+?)[0-9]+", re.DOTALL)


def read_conll(
    path: Path,
    word_column: int = 0,
    label_column: int = -1,
    delimiter: str | None = None,
    clean: Callable[[str], str] | None = None,
) -> list[Example]:
    r"""Reads a file with a word and its labels on every line and an empty line after a sentence.

    That is the form of [CoNLL-2003](https://aclanthology.org/W03-0419), whose lines that begin with
    -DOCSTART- are left out, and logged; of WNUT-17 and of Weibo NER, too. No line is a comment.

    Args:
        path: path of the file, in UTF-8, plain or gzip.
        word_column: int, counted from 0, or from the end by negative numbers.
        label_column: int, likewise.
        delimiter: str, what stands between columns; None is one or more spaces and tabs.
        clean: function of a word as it is in the file to the word as it is meant, such as
            `without_position`. Words may become empty: they keep their place and label.

    Returns:
        list of dict, `words` and `labels`, lists of str, and `source`, "path:line" of the first
        word; an example a sentence.

    Raises:
        ValueError: a line lacks a column, has more or fewer columns than the first line, or an
            empty label, or cannot be cleaned; the file has a NUL or is not UTF-8.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.tagging import read_conll
    >>> path = os.path.join(tempfile.mkdtemp(), "eng.testa")
    >>> _ = open(path, "w").write("EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nPeter NNP B-NP B-PER\n")
    >>> [(example["words"], example["labels"]) for example in read_conll(path)]
    [(['EU', 'rejects'], ['B-ORG', 'O']), (['Peter'], ['B-PER'])]
    """
    return _sentences(path, _conll_words(path, (word_column, label_column), delimiter, clean))


def read_conllu(path: Path, word_column: int = 1, label_column: int = 3) -> list[Example]:
    r"""Reads a [CoNLL-U](https://universaldependencies.org/format.html) file.

    Comments are left out; so are lines of several words at once ("1-2") and of words that are not
    in the text ("1.1"), which are logged.

    Args:
        path: path of the file, in UTF-8, plain or gzip.
        word_column: int, counted from 0: 1 is FORM.
        label_column: int, 3 is UPOS, 4 is XPOS.

    Returns:
        list of dict, `words` and `labels`, lists of str, and `source`, "path:line" of the first
        word; an example a sentence.

    Raises:
        ValueError: a line has not 10 columns or another id; a column is none of them; the file has
            a NUL or is not UTF-8.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.tagging import read_conllu
    >>> path = os.path.join(tempfile.mkdtemp(), "dev.conllu")
    >>> rest = "\t_" * 6 + "\n"
    >>> lines = ["# text = zum Haus\n", f"1-2\tzum\t_\t_{rest}"]
    >>> lines += [f"1\tzu\tzu\tADP{rest}", f"2\tdem\tder\tDET{rest}", f"3\tHaus\tHaus\tNOUN{rest}"]
    >>> _ = open(path, "w").write("".join(lines))
    >>> read_conllu(path)[0]["words"]
    ['zu', 'dem', 'Haus']
    """
    return _sentences(path, _conllu_words(path, (word_column, label_column)))


def without_position(word: str) -> str:
    """A character without the number after it, its position in its word, as Weibo NER has it.

    ([Peng and Dredze, 2016](https://aclanthology.org/P16-2025))

    Raises:
        ValueError: there is no number after a character.

    Example:

    >>> from keras_bert.data.tagging import without_position
    >>> without_position("科0"), without_position("311")
    ('科', '3')
    """
    match = _POSITION.fullmatch(word)
    if not match:
        raise ValueError(f"a character must have its position behind it, as in '科0', not {word!r}")
    return match[1]


def tagging_scheme(examples: Sequence[Example]) -> str | None:
    """The scheme that the labels of a data set follow, found from all of them, and logged.

    E- and S- tell BIOES, M- tells BMES. Of I- and B- alone it is IOB1 where I- begins entities and
    each B- follows on one of its own type, and IOB2 otherwise, even where single labels break it:
    `to_iob2` finds those.

    Args:
        examples: sequence of dict with `labels`, a list of str.

    Returns:
        "iob1", "iob2", "bioes" or "bmes"; None for tags without prefixes, such as parts of speech.

    Raises:
        ValueError: some labels have a prefix and some have none, or an unknown one.

    Example:

    >>> from keras_bert.data.tagging import tagging_scheme
    >>> tagging_scheme([{"labels": ["I-PER", "I-PER", "B-PER"]}, {"labels": ["O", "I-LOC"]}])
    'iob1'
    >>> tagging_scheme([{"labels": ["DET", "NOUN"]}])
    """
    used = {label for example in examples for label in example["labels"]}
    entities = {label for label in used if _ENTITY_LABEL.fullmatch(label)}
    others = used - entities - {OUTSIDE}
    # Tags may have dashes, too, or be the letter of a prefix; but then none says what is outside.
    prefixed = OUTSIDE in used and any(_PREFIXED_LABEL.fullmatch(label) for label in used)
    if others and not prefixed:
        logging.info("The labels are %d tags without a scheme of entities.", len(used))
        return None
    if others:
        place, label = _first_place(examples, others)
        raise ValueError(
            f"{place}: a label must be {OUTSIDE!r} or begin with one of the prefixes B- I- E- S- "
            f"M-, as others do, but is {label!r}: correct it, or convert the labels to IOB2."
        )
    scheme = _scheme_of({label[0] for label in entities}, examples)
    types = {label[2:] for label in entities}
    logging.info("The labels are in %s, with %d types of entities.", scheme.upper(), len(types))
    return scheme


def to_iob2(labels: Sequence[str], scheme: str, repair: bool = False) -> list[str]:
    """The labels of one sentence in IOB2: B- begins each entity, I- continues it.

    Args:
        labels: sequence of str.
        scheme: "iob1", "iob2", "bioes" or "bmes", that of the labels.
        repair: bool, whether to take a label that continues an entity where there is none for its
            beginning, and an entity that is not ended for ended.

    Returns:
        list of str.

    Raises:
        ValueError: a label has no prefix of the scheme, or, without `repair`, breaks the scheme.
            The message has the word's index.

    Example:

    >>> from keras_bert.data.tagging import to_iob2
    >>> to_iob2(["S-LOC", "O", "B-PER", "E-PER"], "bioes")
    ['B-LOC', 'O', 'B-PER', 'I-PER']
    >>> to_iob2(["O", "I-PER"], "iob2")
    Traceback (most recent call last):
    ValueError: word 1 (counted from 0): in IOB2 I-PER must follow on a label of the same entity...
    """
    converted, faults = _converted(labels, scheme)
    if faults and not repair:
        raise ValueError(faults[0])
    return converted


def in_iob2(examples: Sequence[Example], repair: bool = False) -> list[Example]:
    """A data set with its labels in IOB2, from whatever scheme `tagging_scheme` finds.

    Args:
        examples: sequence of dict with `labels`, a list of str; tags without a scheme stay.
        repair: bool, as in `to_iob2`; how many labels were repaired is logged.

    Returns:
        list of dict, the examples with the labels in IOB2.

    Raises:
        ValueError: a label has no prefix of the scheme, or, without `repair`, breaks the scheme.
            The message has the example's source and the word's index.

    Example:

    >>> from keras_bert.data.tagging import in_iob2
    >>> in_iob2([{"words": ["in", "York"], "labels": ["O", "S-LOC"], "source": "dev.conll:1"}])
    [{'words': ['in', 'York'], 'labels': ['O', 'B-LOC'], 'source': 'dev.conll:1'}]
    """
    scheme = tagging_scheme(examples)
    if scheme is None:
        return list(examples)
    converted, repaired = [], []
    for example in examples:
        try:
            labels, faults = _converted(example["labels"], scheme)
        except ValueError as error:
            raise ValueError(f"{_source(example)}, {error}") from error
        converted.append({**example, "labels": labels})
        repaired += [f"{_source(example)}, {fault}" for fault in faults]
    if repaired and not repair:
        raise ValueError(f"{repaired[0]} ({len(repaired)} such labels in all)")
    if repaired:
        logging.warning(
            "Repaired %d labels that broke %s, the first is %s",
            *(len(repaired), scheme.upper(), repaired[0]),
        )
    return converted


def check_labels(examples: Sequence[Example], labels: Collection[str]) -> None:
    """Checks that words have labels of a given set.

    Args:
        examples: sequence of dict with `labels`, a list of str.
        labels: collection of str, those that may occur.

    Raises:
        ValueError: another one occurs. The message has the example's source and the word's index.

    Example:

    >>> from keras_bert.data.tagging import check_labels
    >>> check_labels([{"labels": ["O", "B-PER"]}], ("O", "B-PER", "I-PER"))
    """
    unknown = {label for example in examples for label in example["labels"]}.difference(labels)
    if unknown:
        place, label = _first_place(examples, unknown)
        raise ValueError(
            f"{place}: a label must be one of {', '.join(sorted(labels)):.300}, but is {label!r} "
            f"({len(unknown)} others in all: {', '.join(sorted(unknown)):.300}): correct it, or "
            "add it to the labels."
        )


class _Word(NamedTuple):
    """One line of a file in columns."""

    line: int
    word: str
    label: str


def _sentences(path: Path, words: Iterable[_Word | None]) -> list[Example]:
    """Examples of words, with None between sentences."""
    examples: list[Example] = []
    begins = True
    for word in words:
        if word is None:
            begins = True
            continue
        if begins:
            examples.append({"words": [], "labels": [], SOURCE: f"{path}:{word.line}"})
            begins = False
        examples[-1]["words"].append(word.word)
        examples[-1]["labels"].append(word.label)
    return examples


def _conll_words(
    path: Path,
    columns: tuple[int, int],
    delimiter: str | None,
    clean: Callable[[str], str] | None,
) -> Iterator[_Word | None]:
    width, num_documents = None, 0
    for number, line in enumerate(file_lines(path), 1):
        place = f"{path}:{number}"
        if not line.strip(" \t") or line.startswith("-DOCSTART-"):
            num_documents += bool(line.strip(" \t"))
            yield None
            continue
        # Not str.split, which also splits at characters that may be words, such as U+3000.
        cells = line.split(delimiter) if delimiter else re.split("[ \t]+", line.strip(" \t"))
        width = width or len(cells)
        word, label = _cells_at(cells, columns, width, place)
        yield _Word(number, _cleaned(word, clean, place) if clean else word, label)
    if num_documents:
        logging.info("%s: left out %d lines -DOCSTART-.", path, num_documents)


def _conllu_words(path: Path, columns: tuple[int, int]) -> Iterator[_Word | None]:
    num_ranges = num_empty_nodes = 0
    for number, line in enumerate(file_lines(path), 1):
        if not line.strip():
            yield None
            continue
        if line.startswith("#"):
            continue
        place = f"{path}:{number}"
        cells = line.split("\t")
        word, label = _cells_at(cells, columns, _NUM_CONLLU_COLUMNS, place)
        if re.fullmatch("[0-9]+", cells[0]):
            yield _Word(number, word, label)
        elif re.fullmatch("[0-9]+-[0-9]+", cells[0]):
            num_ranges += 1
        elif re.fullmatch(r"[0-9]+\.[0-9]+", cells[0]):
            num_empty_nodes += 1
        else:
            raise ValueError(
                f"{place}: a line must begin with a word's number, such as 1, 1-2 or 1.1, but "
                f"begins with {cells[0]!r:.50}: restore the file."
            )
    if num_ranges or num_empty_nodes:
        logging.info(
            "%s: left out %d lines of several words and %d of words that are not in the text.",
            *(path, num_ranges, num_empty_nodes),
        )


def _cleaned(word: str, clean: Callable[[str], str], place: str) -> str:
    try:
        return clean(word)
    except ValueError as error:
        raise ValueError(f"{place}: {error}: correct it, or choose another `clean`.") from error


def _cells_at(
    cells: Sequence[str], columns: tuple[int, int], width: int, place: str
) -> tuple[str, str]:
    """A line's word and label."""
    word_column, label_column = (c + width if c < 0 else c for c in columns)
    if word_column == label_column or not all(
        0 <= column < width for column in (word_column, label_column)
    ):
        raise ValueError(
            f"{place}: a line must have a column {columns[0]} for words and another one, "
            f"{columns[1]}, for labels, but has {len(cells)} columns: name those that it has, "
            "counted from 0, or another delimiter."
        )
    if len(cells) != width:
        raise ValueError(
            f"{place}: a line must have {width} columns as the file has, but this one has "
            f"{len(cells)}: correct it, or name the delimiter."
        )
    if not cells[label_column]:
        raise ValueError(f"{place}: a word must have a label, but this one is empty: correct it.")
    return cells[word_column], cells[label_column]


def _scheme_of(prefixes: Collection[str], examples: Sequence[Example]) -> str:
    if "M" in prefixes:
        return "bmes"
    if "E" in prefixes or "S" in prefixes:
        return "bioes"
    breaks_iob2 = any(_converted(example["labels"], "iob2")[1] for example in examples)
    if breaks_iob2 and not any(_converted(example["labels"], "iob1")[1] for example in examples):
        return "iob1"
    return "iob2"


def _converted(labels: Sequence[str], scheme: str) -> tuple[list[str], list[str]]:
    """Labels in IOB2, with what breaks their scheme repaired, and what that is."""
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {tuple(SCHEMES)}, but is {scheme!r}.")
    converted, faults = [], []
    before = OUTSIDE
    # What is outside at the end shows whether the last entity is ended.
    for index, label in enumerate([*labels, OUTSIDE]):
        prefix, kind = _prefix(label, scheme, index), label[1:]
        # After B, I and M the entity may go on; E, S and O end it.
        follows = before[0] in "BIM" and kind == before[1:]
        fault = _fault(prefix, before[0], follows, scheme)
        if fault:
            faults.append(
                f"word {index} (counted from 0): in {scheme.upper()} "
                f"{label if index < len(labels) else 'the end'} {fault}, but "
                f"{f'follows on {before}' if index else 'begins the sentence'}: correct it, or "
                "have such labels repaired."
            )
        begins = prefix in "BS" or not follows
        converted.append(label if prefix == OUTSIDE else ("B" if begins else "I") + kind)
        before = label
    return converted[:-1], faults


def _fault(prefix: str, before: str, follows: bool, scheme: str) -> str:
    """How a prefix breaks the scheme, or ""."""
    if scheme == "iob1":
        return "must follow on an entity of its type" if prefix == "B" and not follows else ""
    if prefix in "IME" and not follows:
        return "must follow on a label of the same entity"
    # BIOES and BMES say where an entity ends.
    if scheme != "iob2" and prefix in "BSO" and before in "BIM":
        return "must not follow on an entity without its end"
    return ""


def _prefix(label: str, scheme: str, index: int) -> str:
    prefix, dash, kind = label.partition("-")
    known = prefix and prefix in tuple(SCHEMES[scheme]) and bool(dash) == bool(kind)
    if not known and label != OUTSIDE:
        raise ValueError(
            f"word {index} (counted from 0): in {scheme.upper()} a label must be {OUTSIDE!r} or "
            f"begin with one of {' '.join(f'{p}-' for p in SCHEMES[scheme])}, but is {label!r}: "
            "correct it, or choose another scheme."
        )
    return prefix


def _first_place(examples: Sequence[Example], labels: Collection[str]) -> tuple[str, str]:
    """Where the first of some labels occurs, and which one it is."""
    return next(
        (f"{_source(example)}, word {index} (counted from 0)", label)
        for example in examples
        for index, label in enumerate(example["labels"])
        if label in labels
    )


def _source(example: Example) -> str:
    return str(example.get(SOURCE) or f"the example {example!r:.200}")
