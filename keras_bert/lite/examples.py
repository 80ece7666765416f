"""What stands for examples: a text, a dict, a tuple, a list of such, or columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Example = Mapping[str, Any]


def as_examples(
    given: Any, columns: Mapping[str, int], others: Mapping[str, int]
) -> tuple[list[Example], bool]:
    """Examples as dicts of str, and of lists of str, from what stands for one or for several.

    Args:
        given: what a task of `keras_bert.tasks` takes, but for tables and arrays.
        columns: the rank of each column: 1 of a text, 2 of a list of texts.
        others: the same of columns that may be there in place of these.

    Returns:
        The examples, and whether it was one alone.

    Raises:
        ValueError: nothing of the kind was given.

    Example:

    >>> from keras_bert.lite.examples import as_examples
    >>> as_examples("a film", {"text": 1}, {})
    ([{'text': 'a film'}], True)
    >>> as_examples([("who", "she")], {"question": 1, "context": 1}, {})
    ([{'question': 'who', 'context': 'she'}], False)
    """
    if isinstance(given, tuple) and len(given) == len(columns) > 1:
        given = dict(zip(columns, given, strict=True))
    if isinstance(given, str | bytes):
        given, is_one = [given], True
    elif isinstance(given, Mapping):
        given, is_one = _rows_of(given, {**columns, **others})
    else:
        is_one = False
    if not isinstance(given, list | tuple):
        raise ValueError(_wanted(given, columns))
    return [_checked(one, columns, others) for one in given], is_one


def _rows_of(given: Example, ranks: Mapping[str, int]) -> tuple[list[Example], bool]:
    """The examples of a dict, which is one of them or has a list of all for each column."""
    known = {name: value for name, value in given.items() if name in ranks}
    if not known or any(_depth(value) < ranks[name] for name, value in known.items()):
        return [given], True
    rows = zip(*known.values(), strict=True)
    return [dict(zip(known, row, strict=True)) for row in rows], False


def _depth(value: Any) -> int:
    return 1 + (_depth(value[0]) if value else 0) if isinstance(value, list | tuple) else 0


def _checked(given: Any, columns: Mapping[str, int], others: Mapping[str, int]) -> Example:
    """One example as a dict with the columns that are read, all of which are there."""
    if isinstance(given, str | bytes):
        given = (given,)
    if isinstance(given, list) and others:
        given = dict.fromkeys(others, given)
    if isinstance(given, tuple | list) and len(given) == len(columns):
        given = dict(zip(columns, given, strict=True))
    other = next((name for name in others if isinstance(given, Mapping) and name in given), None)
    read = columns if other is None else {other: others[other]}
    if not isinstance(given, Mapping) or not all(
        name in given and _is_of_rank(given[name], rank) for name, rank in read.items()
    ):
        raise ValueError(_wanted(given, columns))
    return {name: _as_text(given[name]) for name in read}


def _is_of_rank(value: Any, rank: int) -> bool:
    if rank == 1:
        return isinstance(value, str | bytes)
    return isinstance(value, Sequence) and all(isinstance(one, str | bytes) for one in value)


def _as_text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "ignore")
    return value if isinstance(value, str) else [_as_text(one) for one in value]


def _wanted(given: Any, columns: Mapping[str, int]) -> str:
    what = ", ".join(
        f"{name!r} (a {'text' if rank == 1 else 'list of texts'})" for name, rank in columns.items()
    )
    return (
        f"An example must be a dict with {what}, or its values in a tuple, but is {given!r:.100}: "
        "give one, or a list of such."
    )
