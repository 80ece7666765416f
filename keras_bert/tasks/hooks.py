"""Hooks: how a task is read from files, made for them, asked and shown; what most tasks do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np

from keras_bert import metrics
from keras_bert.data.rows import Row
from keras_bert.models.encoder import Encoder
from keras_bert.tasks.columns import ColumnNames, ExampleFiles
from keras_bert.tasks.examples import Example
from keras_bert.tasks.predictions import Predictions
from keras_bert.tasks.steps import Steps
from keras_bert.tasks.table import name_of
from keras_bert.text.packing import Packer

if TYPE_CHECKING:
    from keras_bert.tasks.task import Task

# A classifier of the Hub does not say how many texts it reads.
_SECOND_UNUSED = (
    "This {kind} reads one text, and --second would be lost: leave it out, or, of a classifier "
    "that was trained on pairs, name their columns: --text_keys=first,second."
)


class Start(NamedTuple):
    """What a task is made on.

    Args:
        encoder: Encoder.
        packer: Packer.
        model: the pretrained model that the encoder is of, if it has heads.
    """

    encoder: Encoder
    packer: Packer
    model: keras.Model | None = None


class Classes(NamedTuple):
    """What class each of N examples has, and which one was answered.

    Args:
        labels: the names of the classes.
        true: int [N].
        predicted: int [N].
        probability: float [N], how sure the answer is.
    """

    labels: tuple[str, ...]
    true: np.ndarray
    predicted: np.ndarray
    probability: np.ndarray


class Breakdown(NamedTuple):
    """A score, taken apart by what examples differ in.

    Args:
        score: str, its name.
        by: str, what they differ in, as an axis has it.
        values: dict of the score by the name of each group.
        counts: dict of how much stands in each.
    """

    score: str
    by: str
    values: dict[str, float]
    counts: dict[str, int]

    @classmethod
    def of_classes(
        cls, labels: Sequence[str], true: np.ndarray, predicted: np.ndarray, *, by: str
    ) -> Breakdown:
        """The F1 of each class; both int [N]."""
        scores = metrics.class_scores(true, predicted, len(labels))
        found = dict(zip(labels, scores, strict=True))
        values = {label: one.f1 for label, one in found.items()}
        return cls("F1", by, values, {label: one.support for label, one in found.items()})


class Hooks(Steps):
    """What the binaries and fine-tuning ask of a task.

    The keyword-only parameters of `read`, `prepared`, `from_examples`, `sample_weights` and
    `objective` are the task's options: flags of `train.finetune` of the same names are for tasks
    that have them.
    """

    # The names of its columns, for files that call theirs otherwise.
    COLUMNS = ColumnNames(("text",))
    # What opens a file of its answers, to stand beside it in an ensemble; None: what it says cannot
    # be put together with what models of other pieces say.
    ANSWER_ROWS: type[Any] | None = Predictions
    # The output that has one shape for all examples, which files of arrays hold; None: it has none.
    ARRAY: str | None = None

    @property
    def label_column(self) -> str:
        """The column with what is learned, which `fit` makes of its labels."""
        if self.COLUMNS.label is None:
            raise NotImplementedError
        return self.COLUMNS.label

    @property
    def learned_columns(self) -> tuple[str, ...]:
        """The columns of an example to learn from, in the order of a tuple."""
        return (*self.COLUMNS.texts, self.label_column)

    @classmethod
    def read(
        cls,
        files: ExampleFiles,
        labelled: bool = True,
        *,
        text_keys: Sequence[str] | None = None,
        label_key: str | None = None,
    ) -> list[Row]:
        """The rows of files, with columns where the task reads them.

        Args:
            files: ExampleFiles.
            labelled: bool, whether something is to be learned or compared, so that there must be
                labels.
            text_keys: sequence of str, the user's columns that take the place of those in
                `COLUMNS`; None has the task's names.
            label_key: str, the user's column with the label, likewise.

        Raises:
            ValueError: a column is not there, or what a reader refuses.
        """
        return cls.COLUMNS.renamed(files.rows(), name_of(cls), labelled, text_keys, label_key)

    @classmethod
    def prepared(cls, rows: Sequence[Row], like: Sequence[Row]) -> list[Row]:
        """Rows that were read, with their labels as the task takes them.

        Args:
            rows: sequence of Row.
            like: those that are learned from, as they were read; held-out ones follow them.

        Raises:
            ValueError: a label is wrong.
        """
        return [*rows]

    @classmethod
    def from_examples(cls, start: Start, examples: Sequence[Row]) -> Task:
        """A task for examples, with the labels that they have.

        Args:
            start: Start.
            examples: sequence of Row, to learn from.

        Raises:
            ValueError: the labels, rows or model do not fit the task.
        """
        raise NotImplementedError

    @classmethod
    def new_model(cls, encoder: Encoder) -> keras.Model | None:
        """The model of pretraining that the task stands on where all weights are new, or None."""
        return None

    def sample_weights(self, examples: Sequence[Example]) -> list[float] | None:
        """What each example weighs when it is learned from; None for all alike."""
        return None

    def shares_head(self, model: keras.Model | None) -> bool:
        """Whether a model has a head of the same kind, so that its weights may be this one's."""
        return type(model) is type(self)

    def choose_settings(self, examples: Sequence[Example], answers: Sequence[Any]) -> bool:
        """Sets what is chosen by held-out examples and their answers; whether anything was."""
        return False

    def classes(self, examples: Sequence[Example], answers: Sequence[Any]) -> Classes | None:
        """Which class each example has, and which is answered; None where they have not one each.

        Raises:
            ValueError: an example has no label or a wrong one.
        """
        return None

    def breakdown(self, examples: Sequence[Example], answers: Sequence[Any]) -> Breakdown | None:
        """The score of groups of examples; None where a task has no groups.

        Raises:
            ValueError: an example has no label or a wrong one.
        """
        return None

    def asked(
        self, texts: Sequence[str], seconds: Sequence[str] = (), *, choices: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Examples as a person types them for `train.predict`.

        Args:
            texts: sequence of str, `--text`.
            seconds: sequence of str, `--second`: for each text, what goes with it.
            choices: sequence of str, `--choice`, of one text.

        Raises:
            ValueError: something would be lost, or is missing.
        """
        kind = type(self).__name__
        if choices:
            raise ValueError(f"--choice is for multiple choice, not for a {kind}.")
        keys = list(self.example_spec)
        columns = [texts, seconds][: len(keys)]
        if len(keys) == 1 and seconds:
            raise ValueError(_SECOND_UNUSED.format(kind=kind))
        if len(columns[-1]) != len(texts):
            raise ValueError(
                f"A {kind} needs as many --second ({keys[1]}) as --text ({keys[0]}), "
                f"but there are {len(seconds)} and {len(texts)}."
            )
        return [dict(zip(keys, values, strict=True)) for values in zip(*columns, strict=True)]

    @property
    def asking(self) -> str:
        """The flags that give `train.predict` one example."""
        return " ".join(["--text='...'", "--second='...'"][: len(self.example_spec)])

    def cells_of(self, answer: Any) -> dict[str, Any]:
        """One answer as cells of a table, by the names of their columns, those of all answers."""
        return dict(answer) if isinstance(answer, Mapping) else {"answer": answer}

    def lines_of(self, answer: Any) -> list[str]:
        """One answer as lines to read."""
        return [
            f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in answer.items()
        ]
