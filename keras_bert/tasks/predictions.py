"""Predictions: what a file says of examples, as a member of an ensemble."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_bert.data.answers.reading import ANSWER, read_answers
from keras_bert.data.rows import Path, Row
from keras_bert.tasks.examples import Example, plain, source_of
from keras_bert.tasks.labels import key, label_number, names_of
from keras_bert.tasks.pooling import Pool

# Probabilities may be written with few digits.
_ROUNDING = 0.02


class Predictions:
    """What a file says of examples, with the methods of a member.

    A row has the probabilities of all labels: by their names (`probability_good`, or an object
    under `probabilities`), or as a list in the order that its `label`s show; or a label alone,
    which is a vote. In regression it has a `value`, or `values`. Rows are those of examples with
    the same `id`, where both have one; else with the same texts; else in the same order.

    Args:
        path: path of the file, as of `read_answers`.
        task: Task, whose labels and columns of texts count.
        pool: Pool, which understands probabilities.

    Raises:
        ValueError: a row has other labels, lacks one, or has numbers that are no probabilities; the
            message names file and line.
    """

    def __init__(self, path: Path, task: Any, pool: Pool):
        self.path = os.fspath(path)
        self.rows = read_answers(path)
        self._names = {key(label): i for i, label in enumerate(getattr(task, "labels", ()))}
        self._texts = tuple(task.example_spec)
        self._pool = pool
        self.only_votes = False
        self._order: list[int] | None = None
        # By their identity, and themselves, so that it stays theirs.
        self._places: dict[int, tuple[int, Example]] = {}
        self._order = self._order_of_lists()
        self._numbers = [self._row_of_numbers(row) for row in self.rows]

    @property
    def input_specs(self) -> dict[str, tuple[tuple, str]]:
        """Shape and dtype of what it takes, by name."""
        return {"logits": ((None, len(self._names) or None), "float32")}

    def join(self, examples: Sequence[Example]) -> None:
        """Finds the rows of all examples, some of which will be asked of.

        Raises:
            ValueError: as of `columns_beside`.
        """
        found = enumerate(self._joined(examples))
        self._places = {id(examples[i]): (place, examples[i]) for i, place in found}

    def columns_beside(self, examples: Sequence[Example]) -> dict[str, tf.Tensor]:
        """What the file says of examples, as logits [N, C].

        Raises:
            ValueError: it says nothing of one of them, or has another number of choices.
        """
        found = [self._numbers[i] for i in self._joined(examples)]
        for numbers, example in zip(found, examples, strict=True):
            if not self._names and len(numbers) != len(plain(example["choices"])):
                raise ValueError(
                    f"{source_of(example)} has {len(plain(example['choices']))} choices, but "
                    f"{self.path} has {len(numbers)} probabilities of it: have it answered again."
                )
        width = max(map(len, found), default=0)
        filled = [[*numbers, *[0.0] * (width - len(numbers))] for numbers in found]
        logits = self._pool.logits(np.array(filled, "float32").reshape(len(found), width))
        return {"logits": tf.convert_to_tensor(logits)}

    def features(self, examples: Mapping[str, Any]) -> Mapping[str, Any]:
        """What `columns_beside` gave."""
        return examples

    def model_inputs(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """The logits."""
        return {"logits": features["logits"]}

    def __call__(self, inputs: Mapping[str, Any], training: bool = False) -> dict[str, Any]:
        return dict(inputs)

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
        for names in (("id",), self._texts):
            if all(name in one for one in everything for name in names):
                return self._joined_by(names, examples)
        if len(self.rows) != len(examples):
            raise ValueError(
                f"{self.path} must have a row for each of the {len(examples)} examples, in their "
                f"order, since it has neither ids nor texts ({', '.join(self._texts)}), but has "
                f"{len(self.rows)}: have all answered, or write their ids."
            )
        return range(len(examples))

    def _joined_by(self, names: Sequence[str], examples: Sequence[Example]) -> list[int]:
        rows: dict[Hashable, int] = {}
        for i, row in enumerate(self.rows):
            before = rows.setdefault(_known_by(row, names), i)
            if self._numbers[before] != self._numbers[i]:
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

    def _row_of_numbers(self, row: Row) -> list[float]:
        """The probabilities, or values, of a row in the order of the labels."""
        given = self._given(row)
        if given is None:
            return self._vote(row)
        if isinstance(given, Mapping):
            given = [*self._by_label(given, row)]
        elif self._names and len(given) != len(self._names):
            raise self._fault(row, f"have {len(self._names)} numbers, one a label", given)
        elif self._order is not None:
            given = [given[i] for i in self._order]
        numbers = [label_number(one) for one in given]
        known = [one for one in numbers if one is not None]
        if len(known) < len(numbers) or not known:
            raise self._fault(row, "have finite numbers", given)
        self._check_probabilities(row, known)
        return known

    def _given(self, row: Row) -> Mapping[str, Any] | list[Any] | None:
        """The numbers of a row, by label where it says so; None where there are none."""
        said: Mapping[str, Any] = row[ANSWER]
        one, several = ("probability", "probabilities") if self._activation else ("value", "values")
        found = said.get(f"{several}_", said.get(several))
        if isinstance(found, str):
            try:
                found = json.loads(found)
            except ValueError:
                raise self._fault(row, f"have {several} as JSON", found) from None
        if found is not None:
            return found if isinstance(found, Mapping) else [*np.ravel(found)]
        start = f"{one}_"
        if len(self._names) == 1 and one in said:
            return [said.get(start, said[one])]
        named = {name[len(start) :]: x for name, x in said.items() if name.startswith(start)}
        return named if named and self._names else None

    @property
    def _activation(self) -> str | None:
        return self._pool.activation

    def _by_label(self, given: Mapping[str, Any], row: Row) -> Iterator[Any]:
        by_key = {key(name): value for name, value in given.items()}
        if set(by_key) != set(self._names):
            labels = ", ".join(map(str, self._names))
            raise self._fault(row, f"have a number of each of the labels {labels}", [*given])
        return (by_key[name] for name in self._names)

    def _vote(self, row: Row) -> list[float]:
        """Of a row with a label alone: all of it."""
        label = _label(row)
        if not self._names or self._activation != "softmax" or key(label) not in self._names:
            labels = ", ".join(map(str, self._names))
            what = f"one of the labels {labels}, and its probabilities" if labels else "numbers"
            raise self._fault(row, f"have {what}", label if label else [*row])
        self.only_votes = True
        return [float(i == self._names[key(label)]) for i in range(len(self._names))]

    def _check_probabilities(self, row: Row, numbers: list[float]) -> None:
        if self._activation is None:
            return
        if not all(0 <= number <= 1 for number in numbers):
            raise self._fault(row, "have probabilities, from 0 to 1", numbers)
        if self._activation == "softmax" and not math.isclose(sum(numbers), 1, abs_tol=_ROUNDING):
            raise self._fault(row, "have probabilities whose sum is 1", numbers)

    def _order_of_lists(self) -> list[int] | None:
        """Where each label stands in lists, as the likeliest of each row show; None as they are."""
        lists = [row for row in self.rows if isinstance(self._given(row), list)]
        if not lists or not self._names or self._activation is None:
            return None
        found: dict[int, int] = {}
        for row in lists:
            given: Any = self._given(row)
            if len(given) != len(self._names):
                raise self._fault(row, f"have {len(self._names)} numbers, one a label", given)
            if self._activation == "sigmoid":
                self._check_marks(row, given)
            elif given.count(max(given)) == 1 and _label(row) is not None:
                label, place = self._names.get(key(_label(row))), given.index(max(given))
                if label is None or found.setdefault(place, label) != label:
                    raise self._fault(row, "have the likeliest label of its list", _label(row))
        return None if self._activation == "sigmoid" else self._completed(found)

    def _completed(self, found: dict[int, int]) -> list[int] | None:
        """The places of all labels, of those that are known."""
        count = len(self._names)
        if found and all(place == label for place, label in found.items()):
            return None
        left = [place for place in range(count) if place not in found]
        others = [label for label in range(count) if label not in found.values()]
        if len(left) > 1:
            raise ValueError(
                f"{self.path} must say which number of a list is whose, but its rows show that of "
                f"{len(found)} of {count} labels: have it written as .csv, or name the labels, "
                '"probabilities": {"good": 0.9, "bad": 0.1}.'
            )
        pairs = [*found.items(), *zip(left, others, strict=True)]
        places = {label: place for place, label in pairs}
        return [places[label] for label in range(count)]

    def _check_marks(self, row: Row, given: list[Any]) -> None:
        """Of several labels a list has their order where those above a half are those that are
        said."""
        labels = [*map(str, self._names)]
        said = row[ANSWER].get("labels_", row[ANSWER].get("labels"))
        likely = {label for label, x in zip(labels, given, strict=True) if x > 0.5}
        if said is None or likely != {str(key(name)) for name in names_of(said)}:
            raise self._fault(row, f"have labels above 0.5 of {', '.join(labels)} in a list", said)

    def _fault(self, row: Row, must: str, came: Any) -> ValueError:
        return ValueError(
            f"{row.source}: a prediction must {must}, but has {came!r:.200}: have the texts "
            "answered again by a model with the same labels, or leave the file out."
        )


def _label(row: Row) -> Any:
    """What a row says, and not what its example had."""
    said = row[ANSWER]
    return said.get("label_", said.get("label"))


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
