"""TextClassifier: one text or several in, a label, several labels or numbers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert import metrics
from keras_bert.layers.dropout import Dropout
from keras_bert.layers.heads import logits_policy
from keras_bert.layers.rows import GatherRows, MeanOfRows
from keras_bert.models.encoder import BertEncoder, encoder_inputs
from keras_bert.tasks.examples import missing_column, source_of
from keras_bert.tasks.labels import (
    NO_LABEL,
    check_number,
    checked_labels,
    key,
    label_number,
    names_of,
)
from keras_bert.tasks.setting import Setting
from keras_bert.tasks.task import (
    Example,
    Task,
    flat_rows,
    head_dropout,
    head_initializer,
    label_index,
    labels_of,
    packer_of,
    row_inputs,
)
from keras_bert.text.packing import Packer
from keras_bert.text.windows import windows

# What is said of a text, under transformers' names.
PROBLEMS = (
    "single_label_classification",
    "multi_label_classification",
    "regression",
)


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
        encoder: BertEncoder.
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
    >>> task.compile(kb.AdamW(1e-3), **task.objective())
    >>> examples = [{"sentence": "a fine film", "label": "positive"}]
    >>> _ = task.fit(task.dataset(examples, batch_size=1, training=True).repeat(9), verbose=0)
    >>> task(["a fine film"])[0]["label"]
    'positive'
    """

    ARCHITECTURE = "BertForSequenceClassification"

    labels = Setting(checked_labels)
    text_keys = Setting(_columns)
    label_key = Setting()
    problem = Setting(fixed=True)
    stride = Setting()
    dropout = Setting(fixed=True)

    def __init__(
        self,
        encoder: BertEncoder,
        packer: Packer,
        labels: Sequence[str],
        text_keys: Sequence[str] = ("sentence",),
        problem: str = "single_label_classification",
        stride: int | None = None,
        dropout: float | None = None,
        initializer=None,
        name: str = "text_classifier",
        *,
        label_key: str = "label",
    ):
        _check_arguments(_columns(text_keys), label_key, problem, stride)
        labels = checked_labels(labels, 2 if problem == "single_label_classification" else 1)
        initializer = head_initializer(encoder, initializer)
        inputs = encoder_inputs() if stride is None else row_inputs()
        pooled = encoder.pooled(inputs if stride is None else flat_rows(inputs))
        dropout = head_dropout(encoder, dropout)
        logits = keras.layers.Dense(
            len(labels), kernel_initializer=initializer, dtype=logits_policy(), name="classifier"
        )(Dropout(dropout)(pooled))
        if stride is not None:
            logits = GatherRows(dtype=logits_policy())(logits, inputs["padding_mask"])
            logits = MeanOfRows(dtype=logits_policy())(logits, inputs["padding_mask"])
        super().__init__(encoder, packer, inputs, {"logits": logits}, name=name)
        self.labels = labels
        self.text_keys = text_keys
        self.label_key = label_key
        self.problem = problem
        self.stride = stride
        self.dropout = dropout

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

    @property
    def example_spec(self) -> dict[str, tf.TensorSpec]:
        return {key: tf.TensorSpec([None], tf.string, name=key) for key in self.text_keys}

    def features(self, examples: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Strings to ids.

        Args:
            examples: dict of string [B], by `text_keys`.

        Returns:
            dict of int32 `token_ids`, `segment_ids`, `padding_mask`: [B, T], or [B, R, T] with R
            rows for every text where there is a `stride`.
        """
        texts = [self.tokenizer.tokenize(examples[key]) for key in self.text_keys]
        if self.stride is None:
            return self.trimmed(self.packer(*texts))
        found = windows(self.packer, texts[0], self.stride)
        num_texts = texts[0].nrows(tf.int32)
        return {
            name: tf.RaggedTensor.from_value_rowids(rows, found.texts, num_texts).to_tensor()
            for name, rows in self.trimmed(found.rows).items()
        }

    def num_tokens(self, columns: Mapping[str, tf.Tensor]) -> tf.Tensor:
        lengths = [self.tokenizer.tokenize(columns[key]).row_lengths() for key in self.text_keys]
        return tf.add_n(lengths) + 1 + len(lengths)

    def _report_truncation(self, lengths: np.ndarray) -> None:
        if self.stride is None:  # with one nothing is cut
            super()._report_truncation(lengths)

    def target_columns(self, examples: Sequence[Example]) -> dict[str, Any]:
        if self.problem == "regression":
            targets = [self._numbers(example) for example in examples]
        else:
            targets = np.zeros([len(examples), len(self.labels)], "float32")
            index = label_index(self.labels)
            for row, example in zip(targets, examples, strict=True):
                row[[index(name, example) for name in self._names(example)]] = 1.0
        return {"label": tf.constant(targets, tf.float32)}

    def targets(self, columns, features):
        return {"logits": columns["label"]}, {"logits": columns["weight"]}

    def objective(self, label_smoothing: float = 0.0) -> dict:
        """Losses and metrics, as keyword arguments of `compile`.

        Cross-entropy of the softmax; for several labels the mean of their binary ones, for numbers
        the mean squared error, as transformers has them.

        Args:
            label_smoothing: float in [0, 1), the share of a label's probability that is spread over
                all classes (Szegedy et al. 2016, arXiv:1512.00567).
        """
        smoothed = {"from_logits": True, "label_smoothing": label_smoothing, "reduction": "sum"}
        loss, metric = {
            "single_label_classification": lambda: (
                keras.losses.CategoricalCrossentropy(**smoothed),
                keras.metrics.CategoricalAccuracy(name="accuracy"),
            ),
            "multi_label_classification": lambda: (
                keras.losses.BinaryCrossentropy(**smoothed),
                keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0),
            ),
            "regression": lambda: (
                keras.losses.MeanSquaredError(reduction="sum"),
                keras.metrics.MeanAbsoluteError(name="mean_absolute_error"),
            ),
        }[self.problem]()
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
        logits = tf.cast(outputs["logits"], tf.float32)
        if self.problem == "regression":
            return {"values": logits}
        names = tf.constant(self.labels)
        if self.problem == "multi_label_classification":
            chosen = tf.ragged.boolean_mask(tf.broadcast_to(names, tf.shape(logits)), logits > 0)
            joined = tf.strings.reduce_join(chosen, axis=1, separator=",")
            return {"labels": joined, "probabilities": tf.sigmoid(logits)}
        probabilities = tf.nn.softmax(logits)
        return {
            "label": tf.gather(names, tf.argmax(logits, axis=1)),
            "probability": tf.reduce_max(probabilities, axis=1),
            "probabilities": probabilities,
        }

    @property
    def score_names(self) -> tuple[str, ...]:
        return {
            "single_label_classification": ("accuracy", "f1", "matthews"),
            "multi_label_classification": ("f1_micro", "f1_macro", "accuracy"),
            "regression": ("pearson", "spearman", "mean_squared_error"),
        }[self.problem]

    def scores(self, examples, answers) -> dict[str, float]:
        """How good answers are.

        Returns:
            For one label `accuracy`, `f1` (of the last class of two, or the mean over more) and
            `matthews`; for several `f1_micro`, `f1_macro` and `accuracy` of the whole set; in
            regression `pearson`, `spearman` and `mean_squared_error` of the first number.
        """
        examples = self.as_examples(examples)
        if self.problem == "regression":
            wanted = np.array([self._numbers(example)[0] for example in examples])
            values = np.array([answer["values"][0] for answer in answers])
            return {
                "pearson": metrics.pearson_correlation(wanted, values),
                "spearman": metrics.spearman_correlation(wanted, values),
                "mean_squared_error": metrics.mean_squared_error(wanted, values),
            }
        gold = np.asarray(self.target_columns(examples)["label"])
        if self.problem == "multi_label_classification":
            chosen = np.array([answer["probabilities"] for answer in answers]) > 0.5
            return {
                "f1_micro": metrics.f1_micro(gold, chosen),
                "f1_macro": metrics.f1_macro(gold, chosen),
                "accuracy": float((gold == chosen).all(axis=1).mean()),
            }
        wanted = gold.argmax(axis=1)
        index = label_index(self.labels)
        said = np.array([index(a["label"], e) for e, a in zip(examples, answers, strict=True)])
        binary = len(self.labels) == 2
        return {
            "accuracy": metrics.accuracy(wanted, said),
            "f1": metrics.f1_binary(wanted, said, 1) if binary else metrics.f1_macro(wanted, said),
            "matthews": metrics.matthews_correlation(wanted, said),
        }

    def settings(self) -> dict[str, Any]:
        return {
            "id2label": {str(i): name for i, name in enumerate(self.labels)},
            "label2id": {name: i for i, name in enumerate(self.labels)},
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
    def from_settings(cls, encoder, tokenizer, settings, initializer=None) -> TextClassifier:
        labels = labels_of(settings)
        own = settings.get("keras_bert", {})
        one_number = "regression" if len(labels) == 1 else "single_label_classification"
        return cls(
            encoder,
            packer_of(encoder, tokenizer, own),
            labels,
            own.get("text_keys", ("sentence",)),
            settings.get("problem_type") or one_number,
            own.get("stride"),
            settings.get("classifier_dropout"),
            initializer,
            label_key=own.get("label_key", "label"),
        )

    def _names(self, example: Example) -> Sequence[Any]:
        """The labels of an example, by name."""
        value = self._label(example)
        if self.problem == "single_label_classification":
            return [value]
        if key(value) in (None, NO_LABEL) and key(value) not in self.labels:
            raise ValueError(
                f"{source_of(example)}: {self.label_key} must have the labels of the example, but "
                f"is {value!r}: leave the example out, or write [] or an empty text for none of "
                "them."
            )
        try:
            return names_of(value, self.labels)
        except ValueError as error:
            raise ValueError(f"{source_of(example)}: {error}") from None

    def _numbers(self, example: Example) -> list[float]:
        """The numbers of an example, as many as there are `labels`."""
        value, count = self._label(example), len(self.labels)
        values = value.split(",") if isinstance(value, str) else np.ravel(value).tolist()
        numbers = list(map(label_number, values))
        if len(numbers) != count or None in numbers:
            raise ValueError(
                f"{source_of(example)}: a label must be "
                f"{'a finite number' if count == 1 else f'{count} finite numbers'}, but is "
                f"{value!r:.100}: correct it, or leave the example out."
            )
        return numbers

    def _label(self, example: Example) -> Any:
        if self.label_key not in example:
            raise ValueError(missing_column(example, self.label_key))
        return example[self.label_key]


def _check_arguments(text_keys, label_key: str, problem: str, stride: int | None) -> None:
    if problem not in PROBLEMS:
        raise ValueError(f"problem must be one of {PROBLEMS}, not {problem!r}.")
    if len({*text_keys, label_key}) <= len(text_keys):
        raise ValueError(
            f"text_keys and label_key must be different columns, but are {tuple(text_keys)} and "
            f"{label_key!r}: name each once."
        )
    if stride is not None and len(text_keys) > 1:
        raise ValueError("A stride is for single texts: leave it out for pairs, which are cut.")
    if stride is not None and (not isinstance(stride, int) or stride < 1):
        raise ValueError(f"stride must be an int of at least 1 or None, but is {stride!r}.")
