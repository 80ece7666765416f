"""MultipleChoice: which of several texts goes with a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_bert import metrics
from keras_bert.data.rows import Row
from keras_bert.layers.attention import MASKED_SCORE
from keras_bert.layers.rows import GatherRows
from keras_bert.models.encoder import Encoder
from keras_bert.tasks.batches import column
from keras_bert.tasks.columns import ColumnNames
from keras_bert.tasks.examples import Example, missing_column, plain, source_of
from keras_bert.tasks.heads import (
    flat_rows,
    head_dropout,
    head_initializer,
    logits_layer,
    logits_policy_of,
)
from keras_bert.tasks.hooks import Start
from keras_bert.tasks.labels import label_name
from keras_bert.tasks.setting import Setting, packer_of
from keras_bert.tasks.steps import Answers
from keras_bert.tasks.task import AnswerBatches, Task
from keras_bert.text.packing import Packer
from keras_bert.text.subwords import SubwordTokenizer


class MultipleChoice(Task):
    """A score of every choice from the pooled output (Devlin et al. 2018, section 4.4, SWAG).

    An example has a `context`, a `question`, either of which may be empty, its `choices`, of any
    number, and as its `label` the index of the right one, int. A choice is the row
    `[CLS] context [SEP] question choice [SEP]`.

    Args:
        encoder: Encoder.
        packer: Packer; what is longer than its rows is cut, the longer text first.
        dropout: float, before the head; None takes the encoder's.
        initializer: initializer of the head; None is a normal one, as in transformers.

    Example:

    >>> import keras_bert as kb
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> task = kb.MultipleChoice(kb.BertEncoder(config), kb.Packer(tokenizer))
    >>> example = {"context": "A fine", "question": "", "choices": ["film", "fine", "a"]}
    >>> len(task([example])[0]["probabilities"])
    3
    """

    COLUMNS = ColumnNames(("context", "question", "choices"))
    ACTIVATION = "softmax"

    dropout = Setting(fixed=True)

    def __init__(
        self,
        encoder: Encoder,
        packer: Packer,
        *,
        dropout: float | None = None,
        initializer=None,
    ):
        inputs = encoder.new_inputs(has_rows=True)
        pooled = encoder.pooled(flat_rows(inputs))
        initializer = head_initializer(encoder, initializer)
        before_head = head_dropout(encoder, dropout)
        score = logits_layer(encoder, 1, initializer)(before_head(pooled))
        gather = GatherRows(dtype=logits_policy_of(encoder))
        scores = gather(score, inputs["padding_mask"])[:, :, 0]
        # Choices that are not there have no part in the softmax, in the loss as in the answers.
        scores = ops.where(inputs["padding_mask"][:, :, 0] > 0, scores, MASKED_SCORE)
        super().__init__(encoder, packer, inputs, {"logits": scores}, name="multiple_choice")
        self.dropout = before_head.rate

    @classmethod
    def from_examples(cls, start: Start, examples: Sequence[Row]) -> MultipleChoice:
        return cls(start.encoder, start.packer)

    def asked(
        self, texts: Sequence[str], seconds: Sequence[str] = (), *, choices: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """One example: its context, its question or none, and its choices."""
        if len(texts) > 1 or len(seconds) > 1 or len(choices) < 2:
            raise ValueError(
                "Multiple choice takes one --text (the context), one --second (the question) or "
                f"none, and two --choice or more, but there are {len(texts)}, {len(seconds)} and "
                f"{len(choices)}: give --input_files for several."
            )
        [context] = texts
        question = seconds[0] if seconds else ""
        return [{"context": context, "question": question, "choices": list(choices)}]

    @property
    def asking(self) -> str:
        """The flags that give `train.predict` one example, without a question."""
        return "--text='...' --choice='...' --choice='...'"

    @property
    def example_spec(self) -> dict[str, tf.TensorSpec | tf.RaggedTensorSpec]:
        text = tf.TensorSpec([None], tf.string)
        choices = tf.RaggedTensorSpec([None, None], tf.string, ragged_rank=1)
        return {"context": text, "question": text, "choices": choices}

    def tokenized(self, examples: Mapping[str, tf.Tensor]) -> dict[str, tf.RaggedTensor]:
        """Strings to pieces.

        Args:
            examples: dict of `context` and `question`, string [B], and `choices`, ragged string
                [B, (choices)], or string [B, C] with "" where an example has fewer.

        Returns:
            dict of `context` and `question`, ragged int32 [B, (pieces)], and `choices`, ragged
            int32 [B, (choices), (pieces)].
        """
        choices = _ragged(examples["choices"])
        return {
            "context": self.tokenizer.tokenize(examples["context"]),
            "question": self.tokenizer.tokenize(examples["question"]),
            "choices": choices.with_values(self.tokenizer.tokenize(choices.values)),
        }

    def packed(self, pieces: Mapping[str, tf.RaggedTensor]) -> dict[str, tf.Tensor]:
        """Pieces to rows.

        Returns:
            dict of int32 `token_ids`, `segment_ids`, `padding_mask` [B, C, T]; rows of choices that
            are not there hold nothing.
        """
        packed = self.trimmed(self.packer(*_segments(pieces)))
        choices = pieces["choices"]
        return {name: choices.with_values(rows).to_tensor() for name, rows in packed.items()}

    def num_tokens(self, pieces: Mapping[str, tf.RaggedTensor]) -> tf.Tensor:
        lengths = self.packer.length_of(*(one.row_lengths() for one in _segments(pieces)))
        return tf.reduce_max(pieces["choices"].with_values(lengths), axis=1)

    def target_columns(self, examples: Sequence[Example]) -> dict[str, Any]:
        return {"label": tf.constant([_label(example) for example in examples])}

    def targets(self, columns, features):
        return {"logits": columns["label"]}, {"logits": columns["weight"]}

    def taught(self, outputs, features):
        there = tf.math.count_nonzero(features["padding_mask"][:, :, 0], axis=1)
        logits = tf.cast(outputs["logits"], tf.float32)
        return {"logits": tf.RaggedTensor.from_tensor(logits, there)}

    def soft_targets(self, columns, features):
        return {"logits": columns["logits"].to_tensor(MASKED_SCORE)}

    def objective(self) -> dict[str, Any]:
        """Losses and metrics, as keyword arguments of `compile`: cross-entropy over the choices."""
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
        accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
        return {"loss": {"logits": loss}, "weighted_metrics": {"logits": [accuracy]}}

    def answers(self, outputs, features) -> dict[str, tf.Tensor]:
        """The choice that fits best.

        Args:
            outputs: dict of `logits` float [B, C], -10000 where there is no choice.
            features: dict with `padding_mask` [B, C, T], which tells the choices that are there.

        Returns:
            dict of `choice` int32 [B], its `probability` float32 [B], `probabilities` [B, C], 0
            where there is no choice, and `num_choices` int32 [B].
        """
        logits = tf.cast(outputs["logits"], tf.float32)
        probabilities = tf.nn.softmax(logits)
        there = features["padding_mask"][:, :, 0]
        return {
            "choice": tf.argmax(logits, axis=1, output_type=tf.int32),
            "probability": tf.reduce_max(probabilities, axis=1),
            "probabilities": probabilities,
            "num_choices": tf.math.count_nonzero(there, axis=1, dtype=tf.int32),
        }

    def as_python(self, answer: dict[str, Any]) -> dict[str, Any]:
        """`choice`, its `probability`, and the `probabilities` of all choices."""
        num_choices = answer.pop("num_choices")
        return {**answer, "probabilities": answer["probabilities"][:num_choices]}

    @property
    def score_names(self) -> tuple[str, ...]:
        return ("accuracy",)

    def scores(self, examples: Sequence[Example], answers: Answers) -> dict[str, float]:
        """How good answers are: `accuracy`."""
        true = np.array([_label(example) for example in self.as_examples(examples)])
        return {"accuracy": metrics.accuracy(true, column(answers, "choice"))}

    def scored(
        self, examples: Sequence[Example], batches: AnswerBatches | None = None
    ) -> dict[str, float]:
        """As in every task, from the choices alone."""
        return self.scores(examples, {"choice": self.answer_column(examples, "choice", batches)})

    def settings(self) -> dict[str, Any]:
        return {
            "classifier_dropout": self.dropout,
            "keras_bert": {"sequence_length": self.packer.sequence_length},
        }

    @classmethod
    def from_settings(
        cls,
        encoder: Encoder,
        tokenizer: SubwordTokenizer,
        settings: Mapping[str, Any],
        initializer=None,
    ) -> MultipleChoice:
        packer = packer_of(encoder, tokenizer, settings.get("keras_bert", {}))
        dropout = settings.get("classifier_dropout")
        return cls(encoder, packer, dropout=dropout, initializer=initializer)


def _segments(pieces: Mapping[str, tf.RaggedTensor]) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """The first and the second segment of the row of every choice, ragged int32 [B*C, (pieces)]."""
    choices = pieces["choices"]
    of_row = choices.value_rowids()
    context, question = (tf.gather(pieces[name], of_row) for name in ("context", "question"))
    return context, tf.concat([question, choices.values], axis=1)


def _ragged(choices: tf.Tensor | tf.RaggedTensor) -> tf.RaggedTensor:
    """Choices without the empty strings that fill a rectangle up."""
    if isinstance(choices, tf.RaggedTensor):
        return choices
    return tf.RaggedTensor.from_tensor(choices, padding="")


def _label(example: Example) -> int:
    for name in ("choices", "label"):
        if name not in example:
            raise ValueError(missing_column(example, name))
    label, choices = example["label"], plain(example["choices"])
    count = len(choices) if isinstance(choices, list | tuple) else 0
    index = label_name(label) or ""
    if not index.isdecimal() or int(index) >= count:
        raise ValueError(
            f"{source_of(example)}: the label must be the index of one of the {count} choices, but "
            f"is {label!r}: count them from 0."
        )
    return int(index)
