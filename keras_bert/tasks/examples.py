"""Examples as tasks take them, and what may stand for them: texts, tuples, columns, tables."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

Example = Mapping[str, Any]
Specs = Mapping[str, tf.TensorSpec | tf.RaggedTensorSpec]


def source_of(example: Example) -> str:
    """Where an example came from, for an error that is about it: its `source`, if it has one."""
    return str(getattr(example, "source", None) or f"the example {dict(example)!r:.200}")


def missing_column(example: Example, name: str) -> str:
    """What is said of an example that lacks a column: those that it has, the nearest name first."""
    there = nearest_first(name, map(str, example))
    return (
        f"{source_of(example)}: there must be a column {name!r}, but there "
        f"{'is' if len(there) == 1 else 'are'} {', '.join(map(repr, there[:20])) or 'none'}: give "
        "the column; a TextClassifier has text_keys and a label_key to name others."
    )


def nearest_first(name: str, names: Iterable[str]) -> list[str]:
    """Names in their order, but those first that are written much like `name`."""
    names = list(names)
    parts = [one for one in names if one and (one in name or name in one)]
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    nearest = list(dict.fromkeys([*parts, *close]))
    return [*nearest, *(one for one in names if one not in nearest)]


class Reads(NamedTuple):
    """What a task reads of an example, and so what may stand for one.

    Args:
        specs: dict by column, string [B] for a text and [B, (n)] for a list of them.
        others: specs of a column that an example may have in place of these.
        learned: the columns of an example to learn from, in the order of a tuple; none where
            nothing is learned.
    """

    specs: Specs
    others: Specs = types.MappingProxyType({})
    learned: Sequence[str] = ()

    def is_one(self, given: Any) -> bool:
        """Whether it stands for one example."""
        if not isinstance(given, Mapping):
            return isinstance(given, str | bytes)
        ranks = {
            name: spec.shape.rank for name, spec in (*self.others.items(), *self.specs.items())
        }
        known = [(ranks[name], value) for name, value in given.items() if name in ranks]
        # Without a column that is known it is told as one, which lacks them.
        return not known or _depth(known[0][1]) < known[0][0]

    def by_column(self, given: Any) -> Any:
        """A tuple whose entries stand for columns as a dict, of one example or several.

        So is a list of words, where words are learned.
        """
        if isinstance(given, list) and self.learned[:1] and self.learned[0] in self.others:
            are_words = given and _are_texts(given)
            return {self.learned[0]: given} if are_words else given
        if not isinstance(given, tuple) or len(given) < 2:
            return given
        first, names = plain(given[0]), self._columns(given)
        are_rows = isinstance(first, tuple | Mapping)
        are_texts = len(self.specs) == 1 and isinstance(first, str | bytes)
        return given if are_rows or are_texts or not names else dict(zip(names, given, strict=True))

    def example(self, given: Any) -> Example:
        """One of several examples as a dict."""
        if isinstance(given, Mapping):
            return given
        values = (given,) if isinstance(given, str | bytes) else given
        if not isinstance(values, tuple | list):
            raise self.no_examples(given)
        if self.others and isinstance(given, list) and _are_texts(given):
            return dict.fromkeys(self.others, given)
        names = self._columns(values)
        if not names:
            behind = f", and with what is learned {', '.join(self.learned)}" if self.learned else ""
            raise ValueError(
                f"An example has {len(self.specs)} columns, {', '.join(self.specs)}{behind}, but "
                f"{given!r:.100} has {len(values)}: pass a dict, or a tuple with all of them."
            )
        return dict(zip(names, values, strict=True))

    def no_examples(self, given: Any) -> ValueError:
        """What is said of what is no example."""
        specs = self.specs
        what = "a text" if len(specs) == 1 else f"a tuple ({', '.join(specs)})"
        return ValueError(
            f"An example must be {what} or a dict with {', '.join(map(repr, specs))}, but is "
            f"{given!r:.100} ({type(given).__name__}): give a list of examples, or columns of "
            "texts."
        )

    def _columns(self, values: Sequence[Any]) -> tuple[str, ...]:
        """The columns of a tuple of so many values; none where no tuple has so many."""
        if len(values) == len(self.specs):
            is_list = isinstance(plain(values[0]), list | tuple)
            return tuple(self.others if is_list and self.others else self.specs)
        is_learned = len(self.specs) < len(values) <= len(self.learned)
        return tuple(self.learned[: len(values)]) if is_learned else ()


def as_examples(given: Any, reads: Reads) -> tuple[list[Example], bool]:
    """Examples as dicts, from what stands for one or for several.

    One is a dict with its texts; a string, for a task of one column; or a tuple with a text for
    each of several columns. Several are an iterable or an array of such; or columns: a dict or a
    tuple of lists, or a table, such as a DataFrame or a `datasets.Dataset`. In a tuple what is
    learned may stand behind the texts.

    Args:
        given: what stands for examples.
        reads: Reads.

    Returns:
        The examples, and whether it was one alone.

    Raises:
        ValueError: nothing of the kind was given.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.tasks.examples import Reads, as_examples
    >>> reads = Reads({"sentence": tf.TensorSpec([None], tf.string)}, {}, ("sentence", "label"))
    >>> as_examples("a film", reads)
    ([{'sentence': 'a film'}], True)
    >>> rows, columns = [("a", 0), ("b", 1)], (["a", "b"], [0, 1])
    >>> for given in (rows, columns, {"sentence": ["a", "b"], "label": [0, 1]}):
    ...     print(as_examples(given, reads)[0])
    [{'sentence': 'a', 'label': 0}, {'sentence': 'b', 'label': 1}]
    [{'sentence': 'a', 'label': 0}, {'sentence': 'b', 'label': 1}]
    [{'sentence': 'a', 'label': 0}, {'sentence': 'b', 'label': 1}]
    """
    given = reads.by_column(plain(given))
    if reads.is_one(given):
        return [reads.example(given)], True
    if isinstance(given, Mapping):
        return _rows_of(given), False
    if not isinstance(given, Iterable) or _is_symbolic(given):
        raise reads.no_examples(given)
    return [reads.example(plain(one)) for one in given], False


def with_labels(examples: Sequence[Example], labels: Any, column: str) -> list[Example]:
    """Examples with the label of each.

    Args:
        examples: sequence of dicts.
        labels: the label of each, in what form the task has them; or columns, a dict of lists or a
            table, which have their own names.
        column: str, the name of the column for labels that have none.

    Raises:
        ValueError: there are not as many.

    Example:

    >>> import numpy as np
    >>> from keras_bert.tasks.examples import with_labels
    >>> with_labels([{"sentence": "a"}, {"sentence": "b"}], np.array([1, 0]), "label")
    [{'sentence': 'a', 'label': 1}, {'sentence': 'b', 'label': 0}]
    """
    labels = plain(labels)
    rows = _rows_of(labels) if isinstance(labels, Mapping) else labels
    if not isinstance(rows, list | tuple) or len(rows) != len(examples):
        came = len(rows) if isinstance(rows, list | tuple) else f"{rows!r:.100}"
        raise ValueError(
            f"There must be a list with a label for each of the {len(examples)} examples, but "
            f"labels are {came}: give as many."
        )
    return [
        _labelled(example, label, column) for example, label in zip(examples, rows, strict=True)
    ]


def text_columns(
    examples: Sequence[Example], specs: Specs
) -> dict[str, tf.Tensor | tf.RaggedTensor]:
    """Columns of examples that hold texts, as tensors.

    Args:
        examples: sequence of dicts.
        specs: dict by column, string [B] for a text and [B, (n)] for a list of them.

    Raises:
        ValueError: an example lacks a column, or has something else than text in it.
    """
    rows = [
        [_value(example, name, spec.shape.rank) for name, spec in specs.items()]
        for example in examples
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(specs)
    return {
        name: _tensor(list(column), spec)
        for (name, spec), column in zip(specs.items(), columns, strict=True)
    }


def plain(value: Any) -> Any:
    """A value of NumPy, TensorFlow, pandas or the like as Python has it; a table as its rows."""
    if isinstance(value, str | bytes | list | tuple | dict | int | float) or value is None:
        return value
    for name in ("to_dicts", "to_pylist", "to_list"):
        if hasattr(value, name):
            return getattr(value, name)()
    if isinstance(value, Sequence):
        return list(value)
    if hasattr(value, "to_dict") and hasattr(value, "columns"):  # a DataFrame of pandas
        return value.to_dict("records")
    value = value.numpy() if hasattr(value, "numpy") else value
    return value.tolist() if hasattr(value, "tolist") else value


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str | bytes) for value in values)


def _depth(value: Any) -> int:
    """How many lists are around a value."""
    value = plain(value)
    return 1 + (_depth(value[0]) if value else 0) if isinstance(value, list | tuple) else 0


def _rows_of(columns: Mapping[str, Any]) -> list[Example]:
    columns = {name: plain(values) for name, values in columns.items()}
    lengths = {
        name: len(values) if isinstance(values, list | tuple) else "no list"
        for name, values in columns.items()
    }
    if len(set(lengths.values())) > 1:
        there = ", ".join(f"{name!r} {length}" for name, length in lengths.items())
        raise ValueError(
            f"Columns must be lists with an entry for each example, but there are {there}: give "
            "as many of each."
        )
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _labelled(example: Example, label: Any, column: str) -> Example:
    own = isinstance(label, Mapping) and column in label
    columns = {**example, **(label if own else {column: label})}
    make = getattr(example, "with_columns", None)
    return columns if make is None else make(columns)


def _is_symbolic(given: Any) -> bool:
    """Whether it is a tensor of a graph: one that has values is a list by now."""
    return tf.is_tensor(given) or isinstance(given, keras.KerasTensor)


def _value(example: Example, name: str, rank: int) -> Any:
    if name not in example:
        raise ValueError(missing_column(example, name))
    value = plain(example[name])
    is_list = isinstance(value, list | tuple)
    texts = [plain(text) for text in value] if is_list else [value]
    if is_list != (rank == 2) or not all(isinstance(text, str | bytes) for text in texts):
        wanted = "a text" if rank == 1 else "a list of texts"
        raise ValueError(
            f"{source_of(example)}: {name} must be {wanted}, but is {value!r:.100}: correct it, or "
            "leave the example out."
        )
    return texts if is_list else value


def _tensor(values: list, spec: tf.TensorSpec | tf.RaggedTensorSpec) -> tf.Tensor | tf.RaggedTensor:
    if spec.shape.rank == 1:
        return _strings(values)
    flat = _strings([text for value in values for text in value])
    return tf.RaggedTensor.from_row_lengths(flat, [len(value) for value in values])


def _strings(texts: list[str | bytes]) -> tf.Tensor:
    try:
        return tf.constant(texts, tf.string)
    except ValueError:  # halves of characters, which JSON may hold
        texts = [t if isinstance(t, bytes) else t.encode("utf-8", "replace") for t in texts]
        return tf.constant(texts, tf.string)
