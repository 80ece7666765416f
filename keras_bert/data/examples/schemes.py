"""The schemes in which labels of words say entities: IOB1, IOB2, BIOES, BILOU, BMES, BMEWO."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from absl import logging

from keras_bert.data.rows import Row, place_of

Example = Mapping[str, Any]

# The prefixes of each scheme. All mark what is outside of entities by OUTSIDE.
SCHEMES = {
    "iob2": "BI",
    "iob1": "BI",
    "bioes": "BIES",
    "bilou": "BILU",
    "bmes": "BMES",
    "bmewo": "BMEW",
}
OUTSIDE = "O"
ENTITY_LABEL = re.compile(r"[BIESMLUW](-.+)?", re.DOTALL)

# B_PER, PER-B, b-per.
_MISSPELT_LABEL = re.compile(
    r"[BIESMLUWbiesmluw]_.+|[A-Za-z]{2,}[-_][BIESMLUW]|[biesmluw]-.+", re.DOTALL
)
_PREFIXED_LABEL = re.compile(r"[A-Za-z]-.+", re.DOTALL)


def tagging_scheme(examples: Sequence[Example], prefer: str | None = None) -> str | None:
    """The scheme that the labels of a data set follow, found from all of them, and logged.

    It is the one that the fewest labels break, among those that have all the prefixes that occur;
    where several are broken by as few, `prefer`, or else the first of `SCHEMES`. CoNLL-2003's
    training file is IOB1, though two of its labels are not.

    Args:
        examples: sequence of dict with `labels`, a list of str.
        prefer: str, the scheme of the data that was learned from; held-out data may be too little
            to tell.

    Returns:
        str, one of `SCHEMES`; None for tags without prefixes, such as parts of speech.

    Raises:
        ValueError: some labels have a prefix and some have none, or prefixes of no one scheme.

    Example:

    >>> from keras_bert.data.examples.schemes import tagging_scheme
    >>> tagging_scheme([{"labels": ["I-PER", "I-PER", "B-PER"]}, {"labels": ["O", "I-LOC"]}])
    'iob1'
    >>> tagging_scheme([{"labels": ["DET", "NOUN"]}])
    """
    used = {label for example in examples for label in example["labels"]}
    entities = {label for label in used if ENTITY_LABEL.fullmatch(label)}
    others = used - entities - {OUTSIDE}
    # Tags may have dashes, too, or be the letter of a prefix; but then none says what is outside.
    prefixed = OUTSIDE in used and any(_PREFIXED_LABEL.fullmatch(label) for label in used)
    if others and used & {"O", "o"} and all(map(_MISSPELT_LABEL.fullmatch, used - {"O", "o"})):
        place, label = _first_place(examples, others - {"o"})
        raise ValueError(
            f"{place}: labels of entities must be written as B-PER, I-PER and O, but this one is "
            f"{label!r}: write them all so."
        )
    if others and not prefixed:
        logging.info("The labels are %d tags without a scheme of entities.", len(used))
        return None
    if others:
        place, label = _first_place(examples, others)
        raise ValueError(
            f"{place}: a label must be {OUTSIDE!r} or begin with one of the prefixes B- I- E- S- "
            f"M- L- U- W-, as others do, but is {label!r}: correct it, or convert the labels to "
            "IOB2."
        )
    scheme, num_faults = _best_scheme(examples, {label[0] for label in entities}, prefer)
    logging.info(
        "The labels are in %s, with %d types of entities%s.",
        *(scheme.upper(), len({label[2:] for label in entities})),
        f"; {num_faults} labels break it" if num_faults else "",
    )
    return scheme


def to_iob2(labels: Sequence[str], scheme: str, repair: bool = False) -> list[str]:
    """The labels of one sentence in IOB2: B- begins each entity, I- continues it.

    Args:
        labels: sequence of str.
        scheme: str, one of `SCHEMES`, that of the labels.
        repair: bool, whether to take a label that continues an entity where there is none for its
            beginning, and an entity that is not ended for ended.

    Returns:
        list of str.

    Raises:
        ValueError: a label has no prefix of the scheme, or, without `repair`, breaks the scheme.
            The message has the word's index.

    Example:

    >>> from keras_bert.data.examples.schemes import to_iob2
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


def in_iob2(
    examples: Sequence[Example], repair: bool = False, *, prefer: str | None = None
) -> list[Example]:
    """A data set with its labels in IOB2, from whatever scheme `tagging_scheme` finds.

    Args:
        examples: sequence of dict with `labels`, a list of str; tags without a scheme stay, and so
            do examples without labels.
        repair: bool, as in `to_iob2`; how many labels were repaired is logged.
        prefer: str, as in `tagging_scheme`: the scheme of the data that was learned from.

    Returns:
        list of dict, the examples with the labels in IOB2.

    Raises:
        ValueError: a label has no prefix of the scheme, or, without `repair`, breaks the scheme.
            The message has the example's source and the word's index.

    Example:

    >>> from keras_bert.data.examples.schemes import in_iob2
    >>> in_iob2([{"words": ["in", "York"], "labels": ["O", "S-LOC"]}])
    [{'words': ['in', 'York'], 'labels': ['O', 'B-LOC']}]
    """
    labeled = [example for example in examples if "labels" in example]
    scheme = tagging_scheme(labeled, prefer) if labeled else None
    if scheme is None:
        return list(examples)
    converted, repaired = [], []
    for example in examples:
        if "labels" not in example:
            converted.append(example)
            continue
        labels, faults = _converted(example["labels"], scheme)
        columns = {**example, "labels": labels}
        converted.append(example.with_columns(columns) if isinstance(example, Row) else columns)
        repaired += [f"{place_of(example)}, {fault}" for fault in faults]
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

    >>> from keras_bert.data.examples.schemes import check_labels
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


def _best_scheme(
    examples: Sequence[Example], prefixes: Collection[str], prefer: str | None
) -> tuple[str, int]:
    """The scheme with all these prefixes that the fewest labels break, and how many do."""
    fits = [scheme for scheme, own in SCHEMES.items() if set(prefixes) <= set(own)]
    if "iob2" in fits:  # nothing says where an entity ends
        fits = ["iob2", "iob1"]
    if not fits:
        known = [p for p in prefixes if any(p in own for own in SCHEMES.values())]
        strange = {label for e in examples for label in e["labels"] if label[0] in "ESMLUW"}
        place, label = _first_place(examples, strange)
        raise ValueError(
            f"{place}: the labels must be in one scheme of {', '.join(SCHEMES)}, but none has all "
            f"the prefixes {' '.join(f'{p}-' for p in sorted(known))}, of which {label!r} is one: "
            "convert the labels to IOB2."
        )
    faults = {
        scheme: sum(len(_converted(example["labels"], scheme)[1]) for example in examples)
        for scheme in fits
    }
    scheme = min(fits, key=lambda one: (faults[one], one != prefer))
    return scheme, faults[scheme]


def _converted(labels: Sequence[str], scheme: str) -> tuple[list[str], list[str]]:
    """Labels in IOB2, with what breaks their scheme repaired, and what that is."""
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {tuple(SCHEMES)}, but is {scheme!r}.")
    converted, faults = [], []
    before = OUTSIDE
    # What is outside at the end shows whether the last entity is ended.
    for index, label in enumerate([*labels, OUTSIDE]):
        prefix, kind = _prefix(label, scheme, index), label[1:]
        # After B, I and M the entity may go on; all others end it.
        follows = before[0] in "BIM" and kind == before[1:]
        fault = _fault(prefix, before[0], follows, scheme)
        if fault:
            faults.append(
                f"word {index} (counted from 0): in {scheme.upper()} "
                f"{label if index < len(labels) else 'the end'} {fault}, but "
                f"{f'follows on {before}' if index else 'begins the sentence'}: correct it, or "
                "have such labels repaired (--repair)."
            )
        begins = prefix in "BSUW" or not follows
        converted.append(label if prefix == OUTSIDE else ("B" if begins else "I") + kind)
        before = label
    return converted[:-1], faults


def _fault(prefix: str, before: str, follows: bool, scheme: str) -> str:
    """How a prefix breaks the scheme, or ""."""
    if scheme == "iob1":
        return "must follow on an entity of its type" if prefix == "B" and not follows else ""
    if prefix in "IMEL" and not follows:
        return "must follow on a label of the same entity"
    # All others but IOB2 say where an entity ends.
    if scheme != "iob2" and prefix in "BSUWO" and before in "BIM":
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
        (f"{place_of(example)}, word {index} (counted from 0)", label)
        for example in examples
        for index, label in enumerate(example["labels"])
        if label in labels
    )
