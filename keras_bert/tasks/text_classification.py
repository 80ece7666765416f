"""TextClassifier: one text or several in, a label, several labels or numbers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_bert.data.rows import Row
from keras_bert.layers.rows import GatherRows, MeanOfRows
from keras_bert.models.encoder import Encoder
from keras_bert.tasks.batches import column
from keras_bert.tasks.columns import ExampleFiles, check_columns, in_one_column, split
from keras_bert.tasks.examples import Example
from keras_bert.tasks.heads import (
    flat_rows,
    head_dropout,
    head_initializer,
    logits_layer,
    logits_policy_of,
)
from keras_bert.tasks.hooks import Breakdown, Classes, Start
from keras_bert.tasks.labels import (
    balanced_weights,
    check_number,
    checked_labels,
    label_settings,
    labels_of,
)
from keras_bert.tasks.problems import (
    PROBLEMS,
    REGRESSION,
    SEVERAL_LABELS,
    SINGLE_LABEL,
    Problem,
)
from keras_bert.tasks.setting import Setting, packer_of
from keras_bert.tasks.steps import Answers
from keras_bert.tasks.task import AnswerBatches, Task
from keras_bert.text.packing import Packer
from keras_bert.text.subwords import SubwordTokenizer
from keras_bert.text.windows import windows

TEXT_KEYS, LABEL_KEY = ("sentence",), "label"


def _columns(names: Sequence[str]) -> tuple[str, ...]:
    if isinstance(names, str) or not 1 <= len(names) <= 2:
        raise ValueError(f"text_keys must be a sequence of one or two columns, not {names!r}.")
    return tuple(names)


class TextClassifier(Task):
    """A linear layer on the pooled output (Devlin et al. 2018, section 4.1).

    An example has its texts under `text_keys`, one or two of them, and under `label_key` its label:
    a name or a number; a list of names, one string of them with commas between, or a 0 or 1 for
    each label (several labels); a number, or a list of them (regression).

    Args:
        encoder: Encoder.
        packer: Packer; what is longer than its rows is cut, unless there is a `stride`.
        labels: sequence of str, names of the C classes, or of the numbers in regression.
        text_keys: sequence of one or two str, the columns with the texts.
        problem: "single_label_classification", "multi_label_classification" or "regression".
        stride: int, begin a new row every so many pieces, and take the mean of the rows' logits;
            for single texts. None cuts.
        dropout: float, before the head; None takes the encoder's.
        initializer: initializer of the head; None is a normal one, as in transformers.
        label_key: str, the column with the label.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import keras_bert as kb
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=1, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> task = kb.TextClassifier(
    ...     kb.BertEncoder(config), kb.Packer(tokenizer), labels=("negative", "positive")
    ... )
    >>> task.compile(kb.AdamW(1e-3))
    >>> _ = task.fit(["a fine film"] * 9, ["positive"] * 9, batch_size=1, verbose=0)
    >>> task("a fine film")["label"]
    'positive'
    >>> task.predict(["a fine film", "a film"], verbose=0)["probabilities"].shape
    (2, 2)
    """

    IF_CUT = f"{Task.IF_CUT} or a stride"
    ARRAY = "logits"

    labels = Setting(checked_labels)
    text_keys = Setting(_columns)
    label_key = Setting()
    problem = Setting(fixed=True)
    stride = Setting()
    dropout = Setting(fixed=True)

    def __init__(
        self,
        encoder: Encoder,
        packer: Packer,
        labels: Sequence[str],
        text_keys: Sequence[str] = TEXT_KEYS,
        problem: str = SINGLE_LABEL,
        *,
        stride: int | None = None,
        dropout: float | None = None,
        initializer=None,
        label_key: str = LABEL_KEY,
    ):
        _check_arguments(_columns(text_keys), label_key, problem, stride)
        labels = checked_labels(labels, PROBLEMS[problem].LEAST)
        initializer = head_initializer(encoder, initializer)
        inputs = encoder.new_inputs(has_rows=stride is not None)
        pooled = encoder.pooled(inputs if stride is None else flat_rows(inputs))
        before_head = head_dropout(encoder, dropout)
        logits = logits_layer(encoder, len(labels), initializer)(before_head(pooled))
        if stride is not None:
            policy = logits_policy_of(encoder)
            logits = GatherRows(dtype=policy)(logits, inputs["padding_mask"])
            logits = MeanOfRows(dtype=policy)(logits, inputs["padding_mask"])
        super().__init__(encoder, packer, inputs, {"logits": logits}, name="text_classifier")
        self.labels = labels
        self.text_keys = text_keys
        self.label_key = label_key
        self.problem = problem
        self.stride = stride
        self.dropout = before_head.rate

    def check_settings(self) -> None:
        super().check_settings()
        _check_arguments(self.text_keys, self.label_key, self.problem, self.stride)
        has_rows = len(keras.tree.flatten(self.inputs)[0].shape) == 3
        if has_rows != (self.stride is not None):
            raise ValueError(
                f"The model {'needs a' if has_rows else 'has no'} stride, but it is set to "
                f"{self.stride}: make another task on the same encoder."
            )
        check_number(self.labels, self.output["logits"].shape[-1])

    @classmethod
    def read(
        cls,
        files: ExampleFiles,
        labelled: bool = True,
        *,
        text_keys: Sequence[str] | None = None,
        label_key: str | None = None,
        problem: str = SINGLE_LABEL,
    ) -> list[Row]:
        """The rows of files, whose columns keep their names.

        Args:
            files: ExampleFiles.
            labelled: bool, whether there must be labels.
            text_keys: sequence of str, the columns with the texts; None is "sentence".
            label_key: str, the column with the label, None is "label"; of several labels, with
                commas, those that hold a 0 or 1 for one each.
            problem: str, as of the task.
        """
        text_keys, label_key = text_keys or TEXT_KEYS, label_key or LABEL_KEY
        label_columns = split(label_key) or ()
        if len(label_columns) > 1 and problem != SEVERAL_LABELS:
            raise ValueError(
                f"--label_key names one column, but is {label_key!r}: several are for "
                f"--problem={SEVERAL_LABELS}."
            )
        rows = files.rows()
        if not labelled:
            rows = in_one_column(rows, text_keys)
        check_columns(rows, [*text_keys, *(label_columns if labelled else ())], text_keys)
        return rows

    @classmethod
    def prepared(
        cls,
        rows: Sequence[Row],
        like: Sequence[Row],
        *,
        label_key: str = LABEL_KEY,
        problem: str = SINGLE_LABEL,
        labels: Sequence[str] | None = None,
    ) -> list[Row]:
        """Rows with lists of several labels, or without those that have none, which are counted.

        Args:
            rows: sequence of Row.
            like: sequence of Row, those that are learned from.
            label_key: str, as of `read`.
            problem: str, as of the task.
            labels: sequence of str, all labels; None has those of `like`.
        """
        return PROBLEMS[problem].prepared(rows, label_key, labels, like)

    @classmethod
    def from_examples(
        cls,
        start: Start,
        examples: Sequence[Row],
        *,
        labels: Sequence[str] | None = None,
        text_keys: Sequence[str] = TEXT_KEYS,
        label_key: str = LABEL_KEY,
        problem: str = SINGLE_LABEL,
        stride: int | None = None,
    ) -> TextClassifier:
        if labels is None or problem == REGRESSION:
            labels = PROBLEMS[problem].labels_of(examples, label_key)
        arguments = (start.encoder, start.packer, labels, text_keys, problem)
        return cls(*arguments, stride=stride, label_key=label_key)

    def sample_weights(
        self, examples: Sequence[Example], *, balance_labels: bool = False
    ) -> list[float] | None:
        """Weights of examples by which every label counts as much as any other, if wanted."""
        if not balance_labels:
            return None
        return balanced_weights([example[self.label_key] for example in examples])

    def shares_head(self, model: keras.Model | None) -> bool:
        """Whether it has the same labels, and says the same of them."""
        if not isinstance(model, TextClassifier):
            return False
        return (model.labels, model.problem) == (self.labels, self.problem)

    @property
    def label_column(self) -> str:
        return self.label_key

    @property
    def learned_columns(self) -> tuple[str, ...]:
        return (*self.text_keys, self.label_key)

    @property
    def example_spec(self) -> dict[str, tf.TensorSpec]:
        return {key: tf.TensorSpec([None], tf.string, name=key) for key in self.text_keys}

    def tokenized(self, examples: Mapping[str, tf.Tensor]) -> dict[str, tf.RaggedTensor]:
        """The pieces of each text, ragged int32 [B, (pieces)], by `text_keys`."""
        return {key: self.tokenizer.tokenize(examples[key]) for key in self.text_keys}

    def packed(self, pieces: Mapping[str, tf.RaggedTensor]) -> dict[str, tf.Tensor]:
        """Pieces to rows.

        Returns:
            dict of int32 `token_ids`, `segment_ids`, `padding_mask`: [B, T], or [B, R, T] with R
            rows for every text where there is a `stride`.
        """
        texts = [pieces[key] for key in self.text_keys]
        if self.stride is None:
            return self.trimmed(self.packer(*texts))
        found = windows(self.packer, texts[0], self.stride)
        num_texts = texts[0].nrows(tf.int32)
        return {
            name: tf.RaggedTensor.from_value_rowids(rows, found.texts, num_texts).to_tensor()
            for name, rows in self.trimmed(found.rows).items()
        }

    def num_tokens(self, pieces: Mapping[str, tf.RaggedTensor]) -> tf.Tensor:
        return self.packer.length_of(*(pieces[key].row_lengths() for key in self.text_keys))

    def count_rows(self, num_tokens) -> int:
        """As in every task; with a stride nothing is cut."""
        return super().count_rows(num_tokens) if self.stride is None else len(num_tokens)

    @property
    def _problem(self) -> Problem:
        return PROBLEMS[self.problem]

    def target_columns(self, examples: Sequence[Example]) -> dict[str, Any]:
        targets = self._problem.targets(examples, self.label_key, self.labels)
        return {"label": tf.constant(targets, tf.float32)}

    def targets(self, columns, features):
        return {"logits": columns["label"]}, {"logits": columns["weight"]}

    def objective(self, *, label_smoothing: float = 0.0) -> dict[str, Any]:
        """Losses and metrics, as keyword arguments of `compile`.

        Cross-entropy of the softmax; for several labels the mean of their binary ones, for numbers
        the mean squared error, as transformers has them.

        Args:
            label_smoothing: float in [0, 1), the share of a label's probability that is spread over
                all classes (Szegedy et al. 2016, arXiv:1512.00567).
        """
        loss, metric = self._problem.loss(label_smoothing), self._problem.metric()
        return {"loss": {"logits": loss}, "weighted_metrics": {"logits": [metric]}}

    def answers(self, outputs, features) -> dict[str, tf.Tensor]:
        """What is said of each text.

        Args:
            outputs: dict of `logits` float [B, C].
            features: not looked at.

        Returns:
            For one label: `label` string [B], its `probability` float32 [B], and `probabilities`
            [B, C]. For several: `labels` string [B], those above 0.5 with commas between, and
            `probabilities` [B, C]. In regression: `values` float32 [B, C].
        """
        return self._problem.answers(tf.cast(outputs["logits"], tf.float32), self.labels)

    @property
    def score_names(self) -> tuple[str, ...]:
        return self._problem.SCORES

    def scores(self, examples: Sequence[Example], answers: Answers) -> dict[str, float]:
        """How good answers are.

        Returns:
            For one label `accuracy`, `f1` (of the last class of two, or the mean over more) and
            `matthews`; for several `f1_micro`, `f1_macro` and `accuracy` of the whole set; in
            regression `pearson`, `spearman` and `mean_squared_error` of the first number.
        """
        examples = self.as_examples(examples)
        targets = self._problem.targets(examples, self.label_key, self.labels)
        return self._problem.scores(targets, answers, self.labels)

    def scored(
        self, examples: Sequence[Example], batches: AnswerBatches | None = None
    ) -> dict[str, float]:
        """As in every task; texts are not made of the answers."""
        name = "values" if self.problem == REGRESSION else "probabilities"
        return self.scores(examples, {name: self.answer_column(examples, name, batches)})

    def classes(self, examples: Sequence[Example], answers: Sequence[Any]) -> Classes | None:
        predicted = self._problem.predicted(answers, self.labels)
        if predicted is None:
            return None
        targets = self._problem.targets(examples, self.label_key, self.labels)
        sure = column(answers, "probability")
        return Classes(self.labels, targets.argmax(axis=1), predicted, sure)

    def cells_of(self, answer: Any) -> dict[str, Any]:
        return self._problem.cells(answer, self.labels)

    def breakdown(self, examples: Sequence[Example], answers: Sequence[Any]) -> Breakdown | None:
        classes = self.classes(examples, answers)
        if classes is None:
            return None
        return Breakdown.of_classes(self.labels, classes.true, classes.predicted, by="class")

    def settings(self) -> dict[str, Any]:
        return {
            **label_settings(self.labels),
            "problem_type": self.problem,
            "classifier_dropout": self.dropout,
            "keras_bert": {
                "text_keys": list(self.text_keys),
                "label_key": self.label_key,
                "sequence_length": self.packer.sequence_length,
                "stride": self.stride,
            },
        }

    @classmethod
    def from_settings(
        cls,
        encoder: Encoder,
        tokenizer: SubwordTokenizer,
        settings: Mapping[str, Any],
        initializer=None,
    ) -> TextClassifier:
        labels = labels_of(settings)
        own = settings.get("keras_bert", {})
        one_number = REGRESSION if len(labels) == 1 else SINGLE_LABEL
        return cls(
            encoder,
            packer_of(encoder, tokenizer, own),
            labels=labels,
            text_keys=own.get("text_keys", TEXT_KEYS),
            problem=settings.get("problem_type") or one_number,
            stride=own.get("stride"),
            dropout=settings.get("classifier_dropout"),
            initializer=initializer,
            label_key=own.get("label_key", LABEL_KEY),
        )


def _check_arguments(text_keys, label_key: str, problem: str, stride: int | None) -> None:
    if problem not in PROBLEMS:
        raise ValueError(f"problem must be one of {tuple(PROBLEMS)}, not {problem!r}.")
    if len({*text_keys, label_key}) <= len(text_keys):
        raise ValueError(
            f"text_keys and label_key must be different columns, but are {tuple(text_keys)} and "
            f"{label_key!r}: name each once."
        )
    if stride is not None and len(text_keys) > 1:
        raise ValueError("A stride is for single texts: leave it out for pairs, which are cut.")
    if stride is not None and (not isinstance(stride, int) or stride < 1):
        raise ValueError(f"stride must be an int of at least 1 or None, but is {stride!r}.")
