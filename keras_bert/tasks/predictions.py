"""Predictions: what a file says of the classes, or numbers, of examples."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_bert.data.answers.reading import ANSWER
from keras_bert.data.rows import Path, Row
from keras_bert.tasks.answer_rows import AnswerRows, are_near
from keras_bert.tasks.examples import Example, plain, source_of
from keras_bert.tasks.labels import key, label_number, names_of
from keras_bert.tasks.pooling import Pool

# Probabilities may be written with few digits.
_ROUNDING = 0.02


class Predictions(AnswerRows):
    """What a file says of the classes of examples, or of their numbers.

    A row has the probabilities of all labels: by their names (`probability_good`, or an object
    under `probabilities`), or as a list in the order that its `label`s show; or a label alone,
    which is a vote. In regression it has a `value`, or `values`.

    Args:
        path: path of the file, as of `read_answers`.
        task: Task, whose labels and columns of texts count.
        pool: Pool, which understands probabilities.

    Raises:
        ValueError: a row has other labels, lacks one, or has numbers that are no probabilities; the
            message names file and line.
    """

    def __init__(self, path: Path, task: Any, pool: Pool):
        super().__init__(path, tuple(task.example_spec))
        self._names = {key(label): i for i, label in enumerate(getattr(task, "labels", ()))}
        self._pool = pool
        self._order: list[int] | None = None
        self._order = self._order_of_lists()
        self._found = [self._row_of_numbers(row) for row in self.rows]

    @property
    def input_specs(self) -> dict[str, tuple[tuple, str]]:
        """Shape and dtype of what it takes, by name."""
        return {"logits": ((None, len(self._names) or None), "float32")}

    def columns_beside(self, examples: Sequence[Example]) -> dict[str, tf.Tensor]:
        """What the file says of examples, as logits [N, C].

        Raises:
            ValueError: it says nothing of one of them, or has another number of choices.
        """
        found = self._of(examples)
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

    def __call__(self, inputs: Mapping[str, Any], training: bool = False) -> dict[str, Any]:
        return dict(inputs)

    def _agree(self, one: list[float], other: list[float]) -> bool:
        return are_near(one, other)

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


def _label(row: Row) -> Any:
    """What a row says, and not what its example had."""
    said = row[ANSWER]
    return said.get("label_", said.get("label"))
