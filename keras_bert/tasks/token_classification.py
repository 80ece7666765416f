"""TokenClassifier: labels for words, and the entities of raw text."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from keras_bert.data.examples.schemes import in_iob2, tagging_scheme
from keras_bert.data.rows import Row
from keras_bert.metrics import LabelAccuracy
from keras_bert.models.encoder import Encoder
from keras_bert.tasks.answer_kinds import Tags
from keras_bert.tasks.columns import ColumnNames, ExampleFiles
from keras_bert.tasks.entities import Scheme, entities_of, scheme_of
from keras_bert.tasks.examples import Example, text_columns
from keras_bert.tasks.heads import head_dropout, head_initializer, logits_layer
from keras_bert.tasks.hooks import Breakdown, Start
from keras_bert.tasks.labels import (
    check_number,
    checked_labels,
    class_names,
    label_index,
    label_settings,
    labels_among,
    labels_of,
    names_among,
)
from keras_bert.tasks.setting import Setting, packer_of
from keras_bert.tasks.tags import tag_breakdown, tag_scores, tagged_rows, tags_of
from keras_bert.tasks.task import Task
from keras_bert.tasks.words import at_words, in_rows, labels_at, pieces_of, word_positions, words_in
from keras_bert.text.packing import Packer
from keras_bert.text.subwords import SubwordTokenizer
from keras_bert.text.windows import windows

_WORDS = {"words": tf.RaggedTensorSpec([None, None], tf.string, ragged_rank=1)}


class TokenClassifier(Task):
    """A linear layer on the last hidden states (Devlin et al. 2018, section 5.3).

    The first piece of a word says its label; later ones, and words that have none (control
    characters, say), are not learned from. What is longer than a row takes several, which overlap
    by half; the row in which a word has most context says its label.

    An example to learn from has `words` and `labels`, lists of str of the same length. Labels are
    those of entities (IOB2: "O", "B-LOC", "I-LOC"), or plain classes, such as parts of speech.

    To be answered, an example has `words`, whose labels are said, or is a raw `text`, in which the
    entities are found; its words are BERT's own, cut at spaces and around punctuation. A label that
    continues an entity begins one where there is none of its kind, as for seqeval and conlleval.
    Where labels are plain, all words of a text are said.

    Args:
        encoder: Encoder.
        packer: Packer; makes rows of its `sequence_length` at most.
        labels: sequence of str, names of the C classes.
        dropout: float, before the head; None takes the encoder's.
        initializer: initializer of the head; None is a normal one, as in transformers.

    Raises:
        ValueError: `labels` are not two names or more, each once.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.tasks.token_classification import TokenClassifier
    >>> pieces = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ann", "lee", "in", "rome", ".")
    >>> config = kb.BertConfig(
    ...     vocabulary_size=10, num_layers=1, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> task = TokenClassifier(
    ...     kb.BertEncoder(config),
    ...     kb.Packer(kb.Tokenizer(pieces)),
    ...     labels=("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
    ... )
    >>> task.compile(kb.AdamW(5e-3), **task.objective())
    >>> example = {"words": ["Ann", "Lee", "in", "Rome", "."]}
    >>> example["labels"] = ["B-PER", "I-PER", "O", "B-LOC", "O"]
    >>> _ = task.fit(task.dataset([example] * 80, batch_size=2, training=True), verbose=0)
    >>> [entities] = task(["Ann Lee in Rome."])
    >>> [(one["label"], one["text"], one["start"], one["end"]) for one in entities]
    [('PER', 'Ann Lee', 0, 7), ('LOC', 'Rome', 11, 15)]
    >>> [[word["label"] for word in words] for words in task([{"words": ["Ann", "Lee"]}])]
    [['B-PER', 'I-PER']]
    """

    USES_POOLER = False
    LABELS_TOKENS = True
    ONE_ROW_EACH = False
    ACTIVATION = "softmax"
    ANSWER_ROWS = Tags
    COLUMNS = ColumnNames(("words",), "labels")

    labels = Setting(checked_labels)
    dropout = Setting(fixed=True)
    stride = Setting()

    def __init__(
        self,
        encoder: Encoder,
        packer: Packer,
        labels: Sequence[str],
        *,
        dropout: float | None = None,
        initializer=None,
    ):
        labels = checked_labels(labels, 2)
        inputs = encoder.new_inputs()
        before_head = head_dropout(encoder, dropout)
        states = before_head(encoder.token_states(inputs))
        initializer = head_initializer(encoder, initializer)
        logits = logits_layer(encoder, len(labels), initializer)(states)
        super().__init__(encoder, packer, inputs, {"logits": logits}, name="token_classifier")
        self.labels = labels
        self.dropout = before_head.rate
        self.stride = max(1, self.packer.room() // 2)

    def check_settings(self) -> None:
        super().check_settings()
        check_number(self.labels, self.output["logits"].shape[-1])
        room = self.packer.room()
        if not isinstance(self.stride, int) or not 1 <= self.stride <= room:
            raise ValueError(
                f"stride must be an int from 1 to the {room} pieces of a row, not {self.stride!r}."
            )

    @classmethod
    def read(
        cls,
        files: ExampleFiles,
        labelled: bool = True,
        *,
        text_keys: Sequence[str] | None = None,
        label_key: str | None = None,
        word_column: str | None = None,
        label_column: str | None = None,
        tag_names: str | None = None,
    ) -> list[Row]:
        """The rows of files as `words` and `labels`, lists of str, or as a `text` to be answered.

        Args:
            files: ExampleFiles.
            labelled: bool, whether there must be labels.
            text_keys: sequence of one str, the column with the words, as of `tagged`.
            label_key: str, the column with their labels, likewise.
            word_column: str, the column of words in lines, as of `read_conll`.
            label_column: str, that of labels, likewise.
            tag_names: str, the names of labels that are numbers, as of `tagged`.
        """
        reading = dataclasses.replace(
            files.reading, word_column=word_column, label_column=label_column, tag_names=tag_names
        )
        rows = ExampleFiles(files.path, reading).rows()
        return tagged_rows(rows, text_keys or (), label_key, tag_names, labelled)

    @classmethod
    def prepared(
        cls, rows: Sequence[Row], like: Sequence[Row], *, repair: bool = False
    ) -> list[Row]:
        """Rows with their labels in IOB2, from the scheme of those that are learned from.

        Args:
            rows: sequence of Row.
            like: sequence of Row, those that are learned from, as they were read.
            repair: bool, whether labels that break their scheme are mended, and counted.
        """
        labelled = [row for row in like if "labels" in row]
        scheme = tagging_scheme(labelled) if labelled else None
        # Rows stay rows, of which `in_iob2` asks nothing.
        return cast(list[Row], in_iob2(rows, repair, prefer=scheme))

    @classmethod
    def from_examples(
        cls,
        start: Start,
        examples: Sequence[Row],
        *,
        labels: Sequence[str] | None = None,
    ) -> TokenClassifier:
        if labels is None:
            names = [name for example in examples for name in example["labels"]]
            labels = labels_among(examples, "labels", names, names_among)
        return cls(start.encoder, start.packer, labels)

    def shares_head(self, model: keras.Model | None) -> bool:
        """Whether it has the same labels."""
        return isinstance(model, TokenClassifier) and model.labels == self.labels

    def lines_of(self, answer: Any) -> list[str]:
        """Each word or entity on a line."""
        return [json.dumps(one, ensure_ascii=False) for one in answer] or ["no entities"]

    @property
    def example_spec(self) -> dict[str, tf.TensorSpec]:
        return {"text": tf.TensorSpec([None], tf.string, name="text")}

    @property
    def other_spec(self) -> dict[str, tf.RaggedTensorSpec]:
        return _WORDS

    def input_columns(self, examples: Sequence[Example]) -> dict[str, tf.Tensor | tf.RaggedTensor]:
        """The `words` of examples, or else their `text`, as a tensor.

        Raises:
            ValueError: an example lacks what others have, or has something else than text in it.
        """
        have_texts = any("text" in example for example in examples)
        have_words = any("words" in example for example in examples) or not have_texts
        found = text_columns(examples, _WORDS if have_words else self.example_spec)
        return {**found, **self.columns_beside(examples)}

    def tokenized(self, examples: Mapping[str, tf.Tensor]) -> dict[str, tf.RaggedTensor]:
        """Strings to pieces.

        Args:
            examples: dict of `words`, ragged string [B, (words)], or of `text`, string [B].

        Returns:
            dict of `words`, ragged int32 [B, (words), (pieces)]; and of texts ragged int32
            [B, (words)] `word_starts` and `word_ends`, their characters in the text, and string [B]
            `text`.
        """
        return pieces_of(self.tokenizer, examples)

    def packed(self, pieces: Mapping[str, tf.RaggedTensor]) -> dict[str, tf.Tensor]:
        """Pieces to rows.

        Returns:
            dict of int32 `token_ids`, `segment_ids`, `padding_mask` [W, T], W rows of the examples,
            all of the first one first, and besides ragged int64 [B, (words)] `word_positions`,
            which of the W * T positions says the label of a word, -1 where it has no piece; and of
            texts what `tokenized` gives of their words.
        """
        words, of_texts = pieces["words"], {n: x for n, x in pieces.items() if n != "words"}
        found = windows(self.packer, words.merge_dims(1, 2), self.stride)
        rows = self.trimmed({**found.rows, "has_most_context": found.has_most_context()})
        positions = word_positions(words, rows.pop("has_most_context"))
        return {**rows, "word_positions": positions, **of_texts}

    def num_tokens(self, pieces: Mapping[str, tf.RaggedTensor]) -> tf.Tensor:
        return self.packer.length_of(pieces["words"].merge_dims(1, 2).row_lengths())

    def count_rows(self, num_tokens: np.ndarray) -> int:
        """How many rows examples take; says so where it is more than one each."""
        over = np.maximum(0, num_tokens - self.packer.sequence_length)
        num_rows = len(num_tokens) + int(np.sum(-(-over // self.stride)))
        if num_rows > len(num_tokens):
            logging.info(
                "%d of %d examples are longer than %d pieces and take several rows that overlap: "
                "there are %d rows in all.",
                *(np.count_nonzero(over), len(num_tokens), self.packer.sequence_length, num_rows),
            )
        return num_rows

    def target_columns(self, examples: Sequence[Example]) -> dict[str, Any]:
        index = label_index(self.labels)
        labels = [tags_of(example) for example in examples]
        ids = [
            index(name, example)
            for names, example in zip(labels, examples, strict=True)
            for name in names
        ]
        lengths = [len(names) for names in labels]
        return {"label": tf.RaggedTensor.from_row_lengths(tf.constant(ids, tf.int32), lengths)}

    def targets(self, columns, features):
        """The labels, float32 [W, T, C], at the positions of words, and their weights [W, T].

        Args:
            columns: dict of ragged int32 [B, (words)] `label` and float32 [B] `weight`.
            features: what `packed` made of the examples.
        """
        positions, rows = features["word_positions"], features["token_ids"]
        weights = tf.gather(columns["weight"], positions.value_rowids())
        labels = in_rows(columns["label"].values, positions, rows)
        labels = tf.one_hot(labels, len(self.labels))
        return {"logits": labels}, {"logits": in_rows(weights, positions, rows)}

    def taught(self, outputs, features):
        return {"logits": at_words(outputs["logits"], features["word_positions"])}

    def soft_targets(self, columns, features):
        logits, positions = columns["logits"].values, features["word_positions"]
        return {"logits": in_rows(logits, positions, features["token_ids"])}

    def objective(self, *, label_smoothing: float = 0.0) -> dict[str, Any]:
        """Losses and metrics, as keyword arguments of `compile`: cross-entropy over the words.

        Args:
            label_smoothing: float in [0, 1), the share of a label's probability that is spread over
                all classes (Szegedy et al. 2016, arXiv:1512.00567).
        """
        loss = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=label_smoothing, reduction="sum"
        )
        return {"loss": {"logits": loss}, "weighted_metrics": {"logits": [LabelAccuracy()]}}

    def read_by_members(self, features):
        """The words of texts, so that all say something of the same ones."""
        return {"words": words_in(features)} if "text" in features else {}

    def answers(self, outputs, features) -> dict[str, tf.Tensor]:
        """The labels of words, or the entities of texts.

        A word without a piece is outside of all entities or, of plain labels, of the first one,
        with a probability of 0.

        Args:
            outputs: dict of `logits` float [W, T, C].
            features: what `packed` made of the examples.

        Returns:
            Of words: dict of `labels` string [B, (words)], filled up with "", and `probabilities`
            float32 [B, (words)].
            Of texts: dict of `entity_labels` and `entity_texts` string [B, E], filled up with "",
            `entity_starts` and `entity_ends` (exclusive) int32 [B, E], in characters of the text,
            `entity_probabilities` float32 [B, E], the mean over their words; and `num_entities`
            int32 [B].
        """
        label, probability = labels_at(
            outputs["logits"], features["word_positions"], len(self.labels)
        )
        if "text" in features:
            return self._scheme.entities(label, probability, features)
        names = tf.gather(self._scheme.names, label.values)
        return {
            "labels": label.with_values(names).to_tensor(),
            "probabilities": label.with_values(probability).to_tensor(),
        }

    def as_python(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        """A dict for every word, or for every entity.

        Returns:
            list of dict: of words `label` and `probability`; of a text also `start` and `end`, in
            characters, and `text`, what stands there.
        """
        if "labels" in answer:
            # Of a word that there is the label is not empty.
            pairs = zip(answer["labels"], answer["probabilities"], strict=True)
            return [{"label": label, "probability": p} for label, p in pairs if label]
        return entities_of(answer)

    @property
    def _scheme(self) -> Scheme:
        return scheme_of(self.labels)

    @property
    def score_names(self) -> tuple[str, ...]:
        if self._scheme.is_of_entities:
            return ("f1", "precision", "recall", "accuracy")
        return ("accuracy", "f1_macro")

    def scores(self, examples: Sequence[Example], answers: Sequence[Any]) -> dict[str, float]:
        """How good answers to examples with `words` are: see `tag_scores`."""
        return tag_scores(*self._tags(examples, answers), of_entities=self._scheme.is_of_entities)

    def breakdown(self, examples: Sequence[Example], answers: Sequence[Any]) -> Breakdown:
        tags = self._tags(examples, answers)
        return tag_breakdown(*tags, of_entities=self._scheme.is_of_entities)

    def _tags(self, examples: Sequence[Example], answers: Sequence[Any]) -> tuple[list, list]:
        """The labels of each example's words, and those that are answered."""
        true = [class_names(tags_of(one), self.labels) for one in self.as_examples(examples)]
        return true, [class_names((x["label"] for x in one), self.labels) for one in answers]

    def settings(self) -> dict[str, Any]:
        return {
            **label_settings(self.labels),
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
    ) -> TokenClassifier:
        packer = packer_of(encoder, tokenizer, settings.get("keras_bert", {}))
        dropout = settings.get("classifier_dropout")
        labels = labels_of(settings)
        return cls(encoder, packer, labels, dropout=dropout, initializer=initializer)
