"""AnswerRows: the rows of a file of answers, and which of them are those of examples."""

from __future__ import annotations

import json
import os
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_bert.data.answers.reading import ANSWER, read_answers
from keras_bert.data.rows import Path, Row
from keras_bert.tasks.examples import Example, plain, source_of

# So little may differ between batches.
_NEAR = 1e-4


class AnswerRows:
    """What a file says of examples, with the methods of a member; one kind of answers a subclass.

    Rows are those of examples with the same `id`, where both have one; else with the same texts;
    else in the same order.

    Args:
        path: path of the file, as of `read_answers`.
        *keys: tuples of names of columns, by which a row may be known.

    Raises:
        ValueError: the file is none of answers.
    """

    # The columns that it gives.
    NAMES: tuple[str, ...] = ("logits",)
    # Whether some row names what it says without saying how probable it is.
    only_votes = False

    def __init__(self, path: Path, *keys: tuple[str, ...]):
        self.path = os.fspath(path)
        self.rows = read_answers(path)
        self._keys = keys
        # By their identity, and themselves, so that it stays theirs.
        self._places: dict[int, tuple[int, Example]] = {}
        # What each row says.
        self._found: list[Any] = []

    @property
    def input_specs(self) -> dict[str, tuple[tuple, str]]:
        """Shape and dtype of what it gives to a layer, by name; nothing where texts are read."""
        return {}

    def join(self, examples: Sequence[Example]) -> None:
        """Finds the rows of all examples, some of which will be asked of.

        Raises:
            ValueError: as of `columns_beside`.
        """
        found = enumerate(self._joined(examples))
        self._places = {id(examples[i]): (place, examples[i]) for i, place in found}

    def columns_beside(self, examples: Sequence[Example]) -> dict[str, Any]:
        """What the file says of examples, as tensors [N, ...].

        Raises:
            ValueError: it says nothing of one of them, or of others.
        """
        raise NotImplementedError

    def features(self, examples: Mapping[str, Any]) -> Mapping[str, Any]:
        """What `columns_beside` gave."""
        return {name: examples[name] for name in self.NAMES}

    def said(self, features: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same: see `Steps.shared`."""
        return features

    @property
    def resources(self) -> list[Any]:
        """Raises a ValueError: what is served answers other texts than those of a file."""
        raise ValueError(
            f"What is exported must answer any text, but {self.path} has predictions for its own "
            "examples alone: export the ensemble without it."
        )

    def _joined(self, examples: Sequence[Example]) -> Sequence[int]:
        """The number of the row of each example."""
        known = [self._places.get(id(example)) for example in examples]
        if None not in known:
            return [one[0] for one in known if one is not None]
        everything = [*self.rows, *examples]
        for names in (("id",), *self._keys):
            if all(name in one for one in everything for name in names):
                return self._joined_by(names, examples)
        if len(self.rows) != len(examples):
            raise ValueError(
                f"{self.path} must have a row for each of the {len(examples)} examples, in their "
                f"order, since it has neither ids nor texts ({', '.join(self._keys[-1])}), but has "
                f"{len(self.rows)}: have all answered, or write their ids."
            )
        return range(len(examples))

    def _joined_by(self, names: Sequence[str], examples: Sequence[Example]) -> list[int]:
        rows: dict[Hashable, int] = {}
        for i, row in enumerate(self.rows):
            before = rows.setdefault(_known_by(row, names), i)
            if not self._agree(self._found[before], self._found[i]):
                raise ValueError(
                    f"{row.source}: {_told(row, names)} must be there once, but "
                    f"{self.rows[before].source} says something else of it: leave one out, or "
                    "give each an id."
                )
        found = [rows.get(_known_by(example, names)) for example in examples]
        if None in found:
            example = examples[found.index(None)]
            raise ValueError(
                f"{self.path} must say something of every example, but has none with "
                f"{_told(example, names)} ({source_of(example)}), in {len(self.rows)} rows from "
                f"{_told(self.rows[0], names)} on: have the same examples answered."
            )
        return [i for i in found if i is not None]

    def _agree(self, one: Any, other: Any) -> bool:
        """Whether two rows say the same."""
        return one == other

    def _of(self, examples: Sequence[Example]) -> list[Any]:
        """What is said of each example."""
        return [self._found[i] for i in self._joined(examples)]

    def _value(self, row: Row, name: str) -> Any:
        """What a row says under a name, which has another one where its example has such a column.

        Lists and objects are JSON in tables.
        """
        said: Mapping[str, Any] = row[ANSWER]
        found = said.get(f"{name}_", said.get(name))
        if isinstance(found, str) and found[:1] in ("[", "{"):
            try:
                return json.loads(found)
            except ValueError:
                raise self._fault(row, f"have {name} as JSON", found) from None
        return plain(found)

    def _fault(self, row: Row, must: str, came: Any) -> ValueError:
        return ValueError(
            f"{row.source}: a prediction must {must}, but has {came!r:.200}: have the texts "
            "answered again by a model with the same labels, or leave the file out."
        )


def are_near(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether numbers are the same but for the batch that they were computed in.

    Example:

    >>> from keras_bert.tasks.answer_rows import are_near
    >>> are_near([0.5, 0.5], [0.50000001, 0.5]), are_near([0.5], [0.5, 0.5])
    (True, False)
    """
    return len(one) == len(other) and np.allclose(one, other, atol=_NEAR)


def _known_by(row: Mapping[str, Any], names: Sequence[str]) -> Hashable:
    return tuple(_written(row[name]) for name in names)


def _written(value: Any) -> str:
    """A text or an id as files write it; a list of texts as JSON."""
    value = plain(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | tuple) else str(value)


def _told(row: Mapping[str, Any], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {row[name]!r:.80}" for name in names)
