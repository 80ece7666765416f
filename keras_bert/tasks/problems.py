"""Problems of text classification: one label of a text, several of them, or numbers."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from keras_bert import metrics
from keras_bert.data.rows import Row
from keras_bert.tasks.batches import column
from keras_bert.tasks.columns import split
from keras_bert.tasks.examples import Example, missing_column, plain, source_of
from keras_bert.tasks.labels import (
    NO_LABEL,
    NO_LABEL_ID,
    has_label,
    key,
    label_index,
    label_name,
    label_number,
    labels_among,
    names_among,
    names_of,
    several_among,
)
from keras_bert.tasks.steps import Answers

# Under transformers' names.
SINGLE_LABEL = "single_label_classification"
SEVERAL_LABELS = "multi_label_classification"
REGRESSION = "regression"


class Problem(abc.ABC):
    """What is said of a text: what is learned of its label, by what loss, and how it is scored."""

    # How few labels there may be.
    LEAST = 1
    SCORES: tuple[str, ...]
    # What makes probabilities of logits; None where they are the answer.
    ACTIVATION: str | None = None
    # What an answer has a number of each label under, and what one of them is called.
    NUMBERS = ("probabilities", "probability")

    @abc.abstractmethod
    def labels_of(self, rows: Sequence[Row], label_key: str) -> tuple[str, ...]:
        """The names of all labels of some rows, in order.

        Raises:
            ValueError: it is not certain what is a label.
        """

    def prepared(
        self, rows: Sequence[Row], label_key: str, labels: Sequence[str] | None, like: Sequence[Row]
    ) -> list[Row]:
        """Rows with their labels as `targets` takes them.

        Args:
            rows: sequence of Row.
            label_key: str, the column with the label.
            labels: sequence of str, all labels; None has those of `like`.
            like: sequence of Row, those that are learned from.

        Raises:
            ValueError: no row has a label, or one has a wrong one.
        """
        return [*rows]

    @abc.abstractmethod
    def targets(
        self, examples: Sequence[Example], label_key: str, labels: Sequence[str]
    ) -> np.ndarray:
        """What is to be learned, float [N, C].

        Raises:
            ValueError: an example has no label or a wrong one; the message names its source.
        """

    @abc.abstractmethod
    def loss(self, label_smoothing: float) -> keras.losses.Loss:
        """The loss of logits [B, C], as transformers has it."""

    @abc.abstractmethod
    def metric(self) -> keras.metrics.Metric:
        """What is shown of logits [B, C] in training."""

    @abc.abstractmethod
    def answers(self, logits: tf.Tensor, labels: Sequence[str]) -> dict[str, tf.Tensor]:
        """What is said by logits, float32 [B, C]."""

    @abc.abstractmethod
    def scores(
        self, targets: np.ndarray, answers: Answers, labels: Sequence[str]
    ) -> dict[str, float]:
        """How good answers are, by `SCORES`.

        Args:
            targets: what `targets` gives.
            answers: one for each of them, as a task gives them, or as a dict of arrays.
            labels: sequence of str, all labels.
        """

    def predicted(self, answers: Answers, labels: Sequence[str]) -> np.ndarray | None:
        """The one class of each answer, int [N]; None where there may be several, or none."""
        return None

    def cells(self, answer: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Any]:
        """An answer as cells of a table, one for the number of each label."""
        several, one = self.NUMBERS
        names = [f"{one}_{label}" for label in labels] if len(labels) > 1 else [one]
        cells = {name: value for name, value in answer.items() if name != several}
        return {**cells, **dict(zip(names, answer[several], strict=True))}


class SingleLabel(Problem):
    """One of the labels: cross-entropy of the softmax."""

    LEAST = 2
    SCORES = ("accuracy", "f1", "matthews")
    ACTIVATION = "softmax"

    def labels_of(self, rows: Sequence[Row], label_key: str) -> tuple[str, ...]:
        return labels_among(rows, label_key, [row[label_key] for row in rows], names_among)

    def prepared(
        self, rows: Sequence[Row], label_key: str, labels: Sequence[str] | None, like: Sequence[Row]
    ) -> list[Row]:
        """Rows without those whose label says that there is none, which are counted."""
        labels = labels or self.labels_of(like, label_key)
        left_out = _without_label(rows, label_key, labels)
        if not left_out:
            return [*rows]
        told = f"{label_key} is {left_out[0][label_key]!r} at {left_out[0].source}"
        if len(left_out) == len(rows):
            raise ValueError(f"No example has a label ({told}): give files with labels.")
        logging.warning(
            "Left out %s of %s examples, which have no label (%s).",
            *(f"{len(left_out):,}", f"{len(rows):,}", told),
        )
        is_out = {id(row) for row in left_out}
        return [row for row in rows if id(row) not in is_out]

    def targets(
        self, examples: Sequence[Example], label_key: str, labels: Sequence[str]
    ) -> np.ndarray:
        index = label_index(labels)
        ids = [index(_only(_label(example, label_key), labels), example) for example in examples]
        return np.eye(len(labels), dtype="float32")[ids]

    def loss(self, label_smoothing: float) -> keras.losses.Loss:
        return keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=label_smoothing, reduction="sum"
        )

    def metric(self) -> keras.metrics.Metric:
        return keras.metrics.CategoricalAccuracy(name="accuracy")

    def answers(self, logits: tf.Tensor, labels: Sequence[str]) -> dict[str, tf.Tensor]:
        probabilities = tf.nn.softmax(logits)
        return {
            "label": tf.gather(tf.constant(labels), tf.argmax(logits, axis=1)),
            "probability": tf.reduce_max(probabilities, axis=1),
            "probabilities": probabilities,
        }

    def scores(
        self, targets: np.ndarray, answers: Answers, labels: Sequence[str]
    ) -> dict[str, float]:
        """`accuracy`, `f1` (of the last class of two, or the mean over more) and `matthews`."""
        true, predicted = targets.argmax(axis=1), self.predicted(answers, labels)
        if len(labels) == 2:
            f1 = metrics.f1_binary(true, predicted, 1)
        else:
            f1 = metrics.f1_macro(true, predicted)
        return {
            "accuracy": metrics.accuracy(true, predicted),
            "f1": f1,
            "matthews": metrics.matthews_correlation(true, predicted),
        }

    def predicted(self, answers: Answers, labels: Sequence[str]) -> np.ndarray:
        """The class of each answer, int [N]."""
        if isinstance(answers, Mapping):
            return column(answers, "probabilities").argmax(axis=1)
        index = label_index(labels)
        return np.array([index(answer["label"], answer) for answer in answers])


class SeveralLabels(Problem):
    """Any of the labels, or none: the mean of their binary cross-entropies."""

    SCORES = ("f1_micro", "f1_macro", "accuracy")
    ACTIVATION = "sigmoid"

    def labels_of(self, rows: Sequence[Row], label_key: str) -> tuple[str, ...]:
        columns = split(label_key) or ()
        if len(columns) > 1:
            return columns
        return labels_among(rows, label_key, [row[label_key] for row in rows], several_among)

    def prepared(
        self, rows: Sequence[Row], label_key: str, labels: Sequence[str] | None, like: Sequence[Row]
    ) -> list[Row]:
        """Rows whose label is a list of names where columns hold a 0 or 1 for one label each."""
        columns = split(label_key) or ()
        if len(columns) < 2:
            return [*rows]
        return [row.with_columns({**row, label_key: _marked(row, columns)}) for row in rows]

    def targets(
        self, examples: Sequence[Example], label_key: str, labels: Sequence[str]
    ) -> np.ndarray:
        index = label_index(labels)
        targets = np.zeros([len(examples), len(labels)], "float32")
        for row, example in zip(targets, examples, strict=True):
            row[[index(name, example) for name in _names(example, label_key, labels)]] = 1.0
        return targets

    def loss(self, label_smoothing: float) -> keras.losses.Loss:
        return keras.losses.BinaryCrossentropy(
            from_logits=True, label_smoothing=label_smoothing, reduction="sum"
        )

    def metric(self) -> keras.metrics.Metric:
        return keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)

    def answers(self, logits: tf.Tensor, labels: Sequence[str]) -> dict[str, tf.Tensor]:
        names = tf.broadcast_to(tf.constant(labels), tf.shape(logits))
        chosen = tf.ragged.boolean_mask(names, logits > 0)
        joined = tf.strings.reduce_join(chosen, axis=1, separator=",")
        return {"labels": joined, "probabilities": tf.sigmoid(logits)}

    def scores(
        self, targets: np.ndarray, answers: Answers, labels: Sequence[str]
    ) -> dict[str, float]:
        """`f1_micro`, `f1_macro` and `accuracy` of the whole set."""
        chosen = column(answers, "probabilities") > 0.5
        return {
            "f1_micro": metrics.f1_micro(targets, chosen),
            "f1_macro": metrics.f1_macro(targets, chosen),
            "accuracy": float((targets == chosen).all(axis=1).mean()),
        }


class Regression(Problem):
    """A number for each of the labels: the mean squared error."""

    SCORES = ("pearson", "spearman", "mean_squared_error")
    NUMBERS = ("values", "value")

    def labels_of(self, rows: Sequence[Row], label_key: str) -> tuple[str, ...]:
        return ("value",)

    def targets(
        self, examples: Sequence[Example], label_key: str, labels: Sequence[str]
    ) -> np.ndarray:
        return np.array([_numbers(example, label_key, len(labels)) for example in examples])

    def loss(self, label_smoothing: float) -> keras.losses.Loss:
        return keras.losses.MeanSquaredError(reduction="sum")

    def metric(self) -> keras.metrics.Metric:
        return keras.metrics.MeanAbsoluteError(name="mean_absolute_error")

    def answers(self, logits: tf.Tensor, labels: Sequence[str]) -> dict[str, tf.Tensor]:
        return {"values": logits}

    def scores(
        self, targets: np.ndarray, answers: Answers, labels: Sequence[str]
    ) -> dict[str, float]:
        """`pearson`, `spearman` and `mean_squared_error` of the first number."""
        wanted, values = targets[:, 0], column(answers, "values")[:, 0].astype("float64")
        return {
            "pearson": metrics.pearson_correlation(wanted, values),
            "spearman": metrics.spearman_correlation(wanted, values),
            "mean_squared_error": metrics.mean_squared_error(wanted, values),
        }


PROBLEMS: dict[str, Problem] = {
    SINGLE_LABEL: SingleLabel(),
    SEVERAL_LABELS: SeveralLabels(),
    REGRESSION: Regression(),
}


def _label(example: Example, label_key: str) -> Any:
    if label_key not in example:
        raise ValueError(missing_column(example, label_key))
    return example[label_key]


def _only(value: Any, labels: Sequence[str]) -> Any:
    """The label of a list of one, or of a 0 or 1 for each label, as Keras' arrays have it."""
    value = plain(value)
    if not isinstance(value, list | tuple):
        return value
    marks = [label_name(one) for one in value]
    if len(marks) == len(labels) > 1 and sorted(map(str, marks)) == ["0"] * (len(marks) - 1) + [
        "1"
    ]:
        return labels[marks.index("1")]
    return value[0] if len(value) == 1 else value


def _names(example: Example, label_key: str, labels: Sequence[str]) -> list[str]:
    """The several labels of an example, by name."""
    value = _label(example, label_key)
    if key(value) in (None, NO_LABEL) and key(value) not in labels:
        raise ValueError(
            f"{source_of(example)}: {label_key} must have the labels of the example, but is "
            f"{value!r}: leave the example out, or write [] or an empty text for none of them."
        )
    try:
        return names_of(value, labels)
    except ValueError as error:
        raise ValueError(f"{source_of(example)}: {error}") from None


def _numbers(example: Example, label_key: str, count: int) -> list[float]:
    """The numbers of an example, as many as there are labels."""
    value = _label(example, label_key)
    values = value.split(",") if isinstance(value, str) else np.ravel(value).tolist()
    numbers = [number for number in map(label_number, values) if number is not None]
    if not len(numbers) == len(values) == count:
        raise ValueError(
            f"{source_of(example)}: a label must be "
            f"{'a finite number' if count == 1 else f'{count} finite numbers'}, but is "
            f"{value!r:.100}: correct it, or leave the example out."
        )
    return numbers


def _without_label(rows: Sequence[Row], label_key: str, labels: Sequence[str]) -> list[Row]:
    """The rows whose label says that there is none: "-" in SNLI and MNLI, -1 on the Hub.

    What is empty or misspelt is not among them: it is wrong, or known by whoever wrote the file.
    """
    return [
        row
        for row in rows
        if key(row[label_key]) in (NO_LABEL, NO_LABEL_ID) and not has_label(row[label_key], labels)
    ]


def _marked(row: Row, columns: Sequence[str]) -> list[str]:
    """The names of those columns that hold a 1."""
    marks = {name: label_name(row[name]) for name in columns}
    for name, mark in marks.items():
        if mark not in ("0", "1"):
            raise ValueError(
                f"{row.source}: {name} must be 0 or 1, as a column that is a label, but is "
                f"{row[name]!r}: correct it, or name one column with --label_key."
            )
    return [name for name, mark in marks.items() if mark == "1"]
