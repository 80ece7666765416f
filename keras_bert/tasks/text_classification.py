"""TextClassifier: one text or several in, a label, several labels or numbers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert import metrics
from keras_bert.layers.dropout import Dropout
from keras_bert.layers.rows import GatherRows, MeanOfRows
from keras_bert.models.encoder import BertEncoder, encoder_inputs
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
    source_of,
)
from keras_bert.text.packing import Packer
from keras_bert.text.windows import windows

# What is said of a text, under transformers' names.
PROBLEMS = (
    "single_label_classification",
    "multi_label_classification",
    "regression",
)


class TextClassifier(Task):
    """A linear layer on the pooled output (Devlin et al. 2018, section 4.1).

    An example has its texts under `text_keys`, one or two of them, and its `label`: a name; a list
    of names, or one string of them with commas between (several labels); a number, or a list of
    them (regression).

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

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import keras_bert as kb
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
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
    ):
        _check_arguments(labels, text_keys, problem, stride)
        initializer = head_initializer(encoder, initializer)
        inputs = encoder_inputs() if stride is None else row_inputs()
        pooled = encoder.pooled(inputs if stride is None else flat_rows(inputs))
        dropout = head_dropout(encoder, dropout)
        logits = keras.layers.Dense(len(labels), kernel_initializer=initializer, name="classifier")(
            Dropout(dropout)(pooled)
        )
        if stride is not None:
            logits = GatherRows()(logits, inputs["padding_mask"])
            logits = MeanOfRows()(logits, inputs["padding_mask"])
        super().__init__(encoder, packer, inputs, {"logits": logits}, name=name)
        encoder.pooler.trainable = self.USES_POOLER
        self.labels = tuple(labels)
        self.text_keys = tuple(text_keys)
        self.problem = problem
        self.stride = stride
        self.dropout = dropout

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
            targets = [_numbers(example, len(self.labels)) for example in examples]
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

    def scores(self, examples, answers) -> dict[str, float]:
        """How good answers are.

        Returns:
            For one label `accuracy`, `f1` (of the last class of two, or the mean over more) and
            `matthews`; for several `f1_micro`, `f1_macro` and `accuracy` of the whole set; in
            regression `pearson`, `spearman` and `mean_squared_error` of the first number.
        """
        if self.problem == "regression":
            wanted = np.array([_numbers(example, len(self.labels))[0] for example in examples])
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
        said = np.array([self.labels.index(answer["label"]) for answer in answers])
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
        )

    def _names(self, example: Example) -> Sequence[str]:
        """The names of an example's labels."""
        value = example.get("label")
        if self.problem == "single_label_classification":
            return [value]
        names = value.split(",") if isinstance(value, str) else value
        return [name for name in names or () if name != ""]


def _numbers(example: Example, count: int) -> list[float]:
    value = example.get("label")
    values = value.split(",") if isinstance(value, str) else np.ravel(value).tolist()
    try:
        numbers = [float(one) for one in values]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(
            f"{source_of(example)}: a label must be {count} finite numbers, but is {value!r}: "
            "correct it, or leave the example out."
        )
    return numbers


def _check_arguments(labels, text_keys, problem: str, stride: int | None) -> None:
    if problem not in PROBLEMS:
        raise ValueError(f"problem must be one of {PROBLEMS}, not {problem!r}.")
    if isinstance(labels, str) or not labels or len(set(labels)) < len(labels):
        raise ValueError(f"labels must be names, each once, not {labels!r}.")
    if problem == "single_label_classification" and len(labels) < 2:
        raise ValueError(
            f"There must be at least two classes to tell apart, not only {labels!r}: name all "
            "labels, or add examples of another one."
        )
    if isinstance(text_keys, str) or not 1 <= len(text_keys) <= 2:
        raise ValueError(f"text_keys must be a sequence of one or two columns, not {text_keys!r}.")
    if stride is not None and len(text_keys) > 1:
        raise ValueError("A stride is for single texts: leave it out for pairs, which are cut.")
