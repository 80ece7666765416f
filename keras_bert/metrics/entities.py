"""How well entities are found: whole ones, as the CoNLL-2003 shared task counts them."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TypedDict

from keras_bert.metrics.checks import check_numbers
from keras_bert.metrics.classification import f1

# A tag and the next one between which an entity ends, and begins, whatever their kinds.
_ENDS = frozenset(("BB", "BS", "BO", "IB", "IS", "IO"))
_BEGINS = frozenset(("EE", "EI", "SE", "SI", "OE", "OI"))

Entity = tuple[str, int, int]


class KindScores(TypedDict):
    """The scores of entities of one kind."""

    precision: float
    recall: float
    f1: float
    support: int


class EntityScores(KindScores):
    """The scores of all entities, and those of each kind by its name."""

    kinds: dict[str, KindScores]


def entities(labels: Sequence[str]) -> list[Entity]:
    """The entities that tags of a sentence stand for, as conlleval and seqeval's default read them.

    Tags are B, I, E, S and O (IOB1, IOB2, IOBES), with a kind or without; M within BMES is read
    like I. An entity may begin with any of them, and ends where the kind changes.
    https://github.com/chakki-works/seqeval

    Args:
        labels: sequence of str, such as "B-PER".

    Returns:
        list of (kind, start, end), end exclusive; the kind of a bare tag is "_".

    Raises:
        ValueError: a label is empty, or not a string.

    Example:

    >>> from keras_bert.metrics import entities
    >>> entities(["I-PER", "I-PER", "O", "B-LOC", "B-LOC"])
    [('PER', 0, 2), ('LOC', 3, 4), ('LOC', 4, 5)]
    """
    found: list[Entity] = []
    start, last_tag, last_kind = 0, "O", ""
    for place, label in enumerate([*labels, "O"]):
        if not isinstance(label, str) or not label or isinstance(labels, str):
            raise ValueError(
                "The labels of a sentence must be a sequence of strings such as 'B-PER' or 'O', "
                f"but there is {label!r} in {labels!r}. Write O where there is no entity."
            )
        tag, kind = label[0], label[1:].split("-", maxsplit=1)[-1] or "_"
        changes = kind != last_kind
        if last_tag in "ES" or last_tag + tag in _ENDS or (changes and last_tag not in "O."):
            found.append((last_kind, start, place))
        if tag in "BS" or last_tag + tag in _BEGINS or (changes and tag not in "O."):
            start = place
        last_tag, last_kind = tag, kind
    return found


def entity_scores(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> EntityScores:
    """Precision, recall and F1 of whole entities, which are right in kind and both ends or wrong.

    Args:
        gold: sequence of sentences, each a sequence of tags; see `entities`.
        predicted: likewise, of the same lengths.

    Returns:
        dict of `precision`, `recall`, `f1`, `support` (number of gold entities), over all kinds
        together, and `kinds`, a dict of such dicts by kind. What would be 0 / 0 is 0.

    Raises:
        ValueError: the numbers of sentences or of their tags differ, or as of `entities`.

    Example:

    >>> from keras_bert.metrics import entity_scores
    >>> entity_scores([["B-PER", "O", "B-LOC"]], [["B-PER", "O", "O"]])["kinds"]["LOC"]
    {'precision': 0.0, 'recall': 0.0, 'f1': 0.0, 'support': 1}
    """
    check_numbers(gold=gold, predicted=predicted)
    for number, (one, other) in enumerate(zip(gold, predicted, strict=True)):
        if len(one) != len(other):
            raise ValueError(
                f"A sentence must have as many predicted tags as gold ones, but sentence {number} "
                f"has {len(other)} and {len(one)}. Predict one tag for each word."
            )
    wanted, said = _of_all(gold), _of_all(predicted)
    by_kind = {
        kind: _scores(_of_kind(wanted, kind), _of_kind(said, kind))
        for kind in sorted({kind for kind, *_ in wanted | said})
    }
    return {**_scores(wanted, said), "kinds": by_kind}


def _of_all(sentences: Sequence[Sequence[str]]) -> set[Entity]:
    """The entities of all sentences, with places counted on from one to the next."""
    return set(entities([label for sentence in sentences for label in (*sentence, "O")]))


def _of_kind(found: Set[Entity], kind: str) -> set[Entity]:
    return {one for one in found if one[0] == kind}


def _scores(wanted: Set[Entity], said: Set[Entity]) -> KindScores:
    right = len(wanted & said)
    return {
        "precision": right / max(len(said), 1),
        "recall": right / max(len(wanted), 1),
        "f1": f1(right, len(said), len(wanted)),
        "support": len(wanted),
    }
