"""TokenClassifier: labels for words, and the entities of raw text."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from keras_bert import metrics
from keras_bert.layers.dropout import Dropout
from keras_bert.layers.heads import logits_policy
from keras_bert.models.encoder import BertEncoder, encoder_inputs
from keras_bert.tasks.examples import missing_column, plain, source_of, text_columns
from keras_bert.tasks.labels import check_number, checked_labels, key
from keras_bert.tasks.setting import Setting
from keras_bert.tasks.task import (
    Example,
    Task,
    head_dropout,
    head_initializer,
    label_index,
    labels_of,
    outputs_in_parts,
    packer_of,
)
from keras_bert.text.packing import Packer
from keras_bert.text.windows import windows

OUTSIDE = "O"

_WORDS = {"words": tf.RaggedTensorSpec([None, None], tf.string, ragged_rank=1)}
# What is said of an entity, and the tensor that says it of all.
_ENTITY_FIELDS = {
    "label": "entity_labels",
    "start": "entity_starts",
    "end": "entity_ends",
    "text": "entity_texts",
    "probability": "entity_probabilities",
}
# The labels of IOB1, IOB2, BIOES and BMES, with a kind of entity or bare.
_ENTITY_LABEL = re.compile(r"([BIESM])(?:-(.+))?", re.DOTALL)


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
        encoder: BertEncoder.
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

    ARCHITECTURE = "BertForTokenClassification"
    USES_POOLER = False

    labels = Setting(checked_labels)
    dropout = Setting(fixed=True)
    stride = Setting()

    def __init__(
        self,
        encoder: BertEncoder,
        packer: Packer,
        labels: Sequence[str],
        dropout: float | None = None,
        initializer=None,
        name: str = "token_classifier",
    ):
        labels = checked_labels(labels, 2)
        inputs = encoder_inputs()
        dropout = head_dropout(encoder, dropout)
        hidden = Dropout(dropout)(encoder(inputs)["sequence_output"])
        logits = keras.layers.Dense(
            len(labels),
            kernel_initializer=head_initializer(encoder, initializer),
            dtype=logits_policy(),
            name="classifier",
        )(hidden)
        super().__init__(encoder, packer, inputs, {"logits": logits}, name=name)
        self.labels = labels
        self.dropout = dropout
        self.stride = max(1, (packer.sequence_length - 2) // 2)

    def check_settings(self) -> None:
        super().check_settings()
        check_number(self.labels, self.output["logits"].shape[-1])
        room = self.packer.sequence_length - 2
        if not isinstance(self.stride, int) or not 1 <= self.stride <= room:
            raise ValueError(
                f"stride must be an int from 1 to the {room} pieces of a row, not {self.stride!r}."
            )

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
        return text_columns(examples, _WORDS if have_words else self.example_spec)

    def features(self, examples: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Strings to ids.

        Args:
            examples: dict of `words`, ragged string [B, (words)], or of `text`, string [B].

        Returns:
            dict of int32 `token_ids`, `segment_ids`, `padding_mask` [W, T], W rows of the examples,
            all of the first one first, and besides ragged int64 [B, (words)] `word_places`, which
            of the W * T places says the label of a word, -1 where it has no piece; and of texts
            ragged int32 [B, (words)] `word_starts` and `word_ends`, their characters in the text,
            and string [B] `text`.
        """
        besides = {}
        if "words" in examples:
            words = self._pieces_of_words(examples["words"])
        else:
            words, starts, ends = self._words_of_texts(examples["text"])
            besides = {"word_starts": starts, "word_ends": ends, "text": examples["text"]}
        found = windows(self.packer, words.merge_dims(1, 2), self.stride)
        rows = self.trimmed({**found.rows, "has_most_context": found.has_most_context()})
        places = _places(words, rows.pop("has_most_context"))
        return {**rows, "word_places": places, **besides}

    def num_tokens(self, columns: Mapping[str, tf.Tensor]) -> tf.Tensor:
        if "words" in columns:
            pieces = self._pieces_of_words(columns["words"]).merge_dims(1, 2)
        else:
            pieces = self.tokenizer.tokenize(columns["text"])
        return pieces.row_lengths() + 2

    def dataset(
        self,
        examples: Sequence[Example],
        batch_size: int,
        training: bool = False,
        seed: int = 0,
        sample_weight: Sequence[float] | None = None,
    ) -> tf.data.Dataset:
        """Batches for `fit` and `evaluate`, of rows: a long example has several.

        Every word counts once, by the weight of its example.

        Args:
            examples: sequence of dicts.
            batch_size: int, rows of a batch; the last one may have fewer.
            training: bool, whether to shuffle the examples, anew for every epoch.
            seed: int, of the order, together with `tf.random.set_seed`.
            sample_weight: sequence of float, one for each example; None counts all alike.

        Returns:
            One epoch of (features, labels, weights).

        Raises:
            ValueError: as of `Task.dataset`.
        """
        examples = self.as_examples(examples)
        batches = super().dataset(examples, batch_size, training, seed, sample_weight)
        num_rows = self._num_rows(examples)
        if num_rows == len(examples):
            return batches
        num_batches = -(-num_rows // batch_size)
        # Micro-batches and replicas each take their share of a batch, which therefore has so many
        # rows however many its examples have.
        batches = batches.unbatch().padded_batch(batch_size)
        batches = batches.apply(tf.data.experimental.assert_cardinality(num_batches))
        return batches.prefetch(tf.data.AUTOTUNE)

    def target_columns(self, examples: Sequence[Example]) -> dict[str, Any]:
        index = label_index(self.labels)
        labels = [_labels_of(example) for example in examples]
        ids = [
            index(name, example)
            for names, example in zip(labels, examples, strict=True)
            for name in names
        ]
        lengths = [len(names) for names in labels]
        return {"label": tf.RaggedTensor.from_row_lengths(tf.constant(ids, tf.int32), lengths)}

    def targets(self, columns, features):
        """The labels, float32 [W, T, C], where a word has its place, and their weights [W, T].

        Args:
            columns: dict of ragged int32 [B, (words)] `label` and float32 [B] `weight`.
            features: what `features` made of the examples.
        """
        places = features["word_places"]
        has_place = places.values >= 0
        place = tf.boolean_mask(places.values, has_place)[:, None]
        weights = tf.gather(columns["weight"], places.value_rowids())
        shape = tf.shape(features["token_ids"], tf.int64)

        def in_rows(values: tf.Tensor) -> tf.Tensor:
            values = tf.boolean_mask(values, has_place)
            return tf.reshape(tf.scatter_nd(place, values, [shape[0] * shape[1]]), shape)

        labels = tf.one_hot(in_rows(columns["label"].values), len(self.labels))
        return {"logits": labels}, {"logits": in_rows(weights)}

    def objective(self, label_smoothing: float = 0.0) -> dict:
        """Losses and metrics, as keyword arguments of `compile`: cross-entropy over the words.

        Args:
            label_smoothing: float in [0, 1), the share of a label's probability that is spread over
                all classes (Szegedy et al. 2016, arXiv:1512.00567).
        """
        loss = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=label_smoothing, reduction="sum"
        )
        accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
        return {"loss": {"logits": loss}, "weighted_metrics": {"logits": [accuracy]}}

    def outputs_of(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The model's outputs for what `features` gives, so many rows at a time."""
        return outputs_in_parts(self, self.model_inputs(features))

    def answers(self, outputs, features) -> dict[str, tf.Tensor]:
        """The labels of words, or the entities of texts.

        A word without a piece is outside of all entities or, of plain labels, of the first one,
        with a probability of 0.

        Args:
            outputs: dict of `logits` float [W, T, C].
            features: what `features` made of the examples.

        Returns:
            Of words: dict of `labels` string [B, (words)], filled up with "", and `probabilities`
            float32 [B, (words)].
            Of texts: dict of `entity_labels` and `entity_texts` string [B, E], filled up with "",
            `entity_starts` and `entity_ends` (exclusive) int32 [B, E], in characters of the text,
            `entity_probabilities` float32 [B, E], the mean over their words; and `num_entities`
            int32 [B].
        """
        label, probability = self._said(outputs["logits"], features["word_places"])
        if "text" in features:
            return self._entities(label, probability, features)
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
        return [
            {field: answer[name][i] for field, name in _ENTITY_FIELDS.items()}
            for i in range(answer["num_entities"])
        ]

    @property
    def _scheme(self) -> _Scheme:
        return _scheme_of(self.labels)

    @property
    def score_names(self) -> tuple[str, ...]:
        if self._scheme.is_of_entities:
            return ("f1", "precision", "recall", "accuracy")
        return ("accuracy", "f1_macro")

    def scores(self, examples, answers) -> dict[str, float]:
        """How good answers to examples with `words` are.

        Returns:
            Of entities `f1`, `precision` and `recall` (CoNLL-2003), and the `accuracy` of words; of
            plain labels `accuracy` and `f1_macro`.
        """
        examples = self.as_examples(examples)
        wanted = [[key(name) or "" for name in _labels_of(example)] for example in examples]
        said = [[key(word["label"]) for word in answer] for answer in answers]
        names = [name for side in (wanted, said) for labels in side for name in labels]
        _, ids = np.unique(names, return_inverse=True)
        ids = ids.reshape([2, -1])
        accuracy = metrics.accuracy(*ids)
        if not self._scheme.is_of_entities:
            return {"accuracy": accuracy, "f1_macro": metrics.f1_macro(*ids)}
        found = metrics.entity_scores(wanted, said)
        return {
            **{name: found[name] for name in ("f1", "precision", "recall")},
            "accuracy": accuracy,
        }

    def settings(self) -> dict[str, Any]:
        return {
            "id2label": {str(i): name for i, name in enumerate(self.labels)},
            "label2id": {name: i for i, name in enumerate(self.labels)},
            "classifier_dropout": self.dropout,
            "keras_bert": {"sequence_length": self.packer.sequence_length},
        }

    @classmethod
    def from_settings(cls, encoder, tokenizer, settings, initializer=None) -> TokenClassifier:
        packer = packer_of(encoder, tokenizer, settings.get("keras_bert", {}))
        labels = labels_of(settings)
        return cls(encoder, packer, labels, settings.get("classifier_dropout"), initializer)

    def _pieces_of_words(self, words: tf.RaggedTensor) -> tf.RaggedTensor:
        """The pieces of words [B, (words)], ragged int32 [B, (words), (pieces)]."""
        return words.with_values(self.tokenizer.tokenize(words.values))

    def _words_of_texts(self, texts: tf.Tensor) -> tuple[tf.RaggedTensor, ...]:
        """The pieces of BERT's words [B, (words), (pieces)], and where these start and end."""
        ids, starts, ends = self.tokenizer.tokenize_with_offsets(texts)
        first = tf.where(~self.tokenizer.continues_word(ids.values))[:, 0]
        splits = tf.concat([first, [tf.size(ids.values, tf.int64)]], axis=0)
        words = (
            tf.RaggedTensor.from_row_splits(ids.values, splits),
            tf.gather(starts.values, first),
            tf.gather(ends.values, splits[1:] - 1),
        )
        of_text = tf.searchsorted(first, ids.row_splits, out_type=tf.int64)
        return tuple(tf.RaggedTensor.from_row_splits(values, of_text) for values in words)

    def _num_rows(self, examples: Sequence[Example]) -> int:
        """How many rows examples take; says so where it is more than one each."""
        lengths = self.num_tokens(self.input_columns(examples)).numpy()
        over = np.maximum(0, lengths - self.packer.sequence_length)
        num_rows = len(examples) + int(np.sum(-(-over // self.stride)))
        if num_rows > len(examples):
            logging.info(
                "%d of %d examples are longer than %d pieces and take several rows that overlap: "
                "there are %d rows in all.",
                *(np.count_nonzero(over), len(examples), self.packer.sequence_length, num_rows),
            )
        return num_rows

    def _report_truncation(self, lengths: np.ndarray) -> None:
        """Nothing is cut; `_num_rows` tells of several rows."""

    def _said(
        self, logits: tf.Tensor, places: tf.RaggedTensor
    ) -> tuple[tf.RaggedTensor, tf.Tensor]:
        """The label of every word, ragged int32 [B, (words)], and its probability [words].

        The label C is that of words without a piece.
        """
        logits = tf.reshape(tf.cast(logits, tf.float32), [-1, len(self.labels)])
        has_place = places.values >= 0
        logits = tf.gather(logits, tf.maximum(places.values, 0))
        label = tf.where(has_place, tf.argmax(logits, 1, tf.int32), len(self.labels))
        probability = tf.reduce_max(tf.nn.softmax(logits), axis=1)
        return places.with_values(label), tf.where(has_place, probability, 0.0)

    def _entities(
        self, label: tf.RaggedTensor, probability: tf.Tensor, features: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """What `answers` says of texts."""
        first, last, probability = self._scheme.spans(label, probability)
        text = tf.gather(label.value_rowids(), first)
        starts = tf.gather(features["word_starts"].values, first)
        ends = tf.gather(features["word_ends"].values, last)
        values = {
            "entity_labels": tf.gather(self._scheme.kinds, tf.gather(label.values, first)),
            "entity_texts": _substrings(features["text"], text, starts, ends),
            "entity_starts": starts,
            "entity_ends": ends,
            "entity_probabilities": probability,
        }
        num_texts = label.nrows()
        entities = {
            name: tf.RaggedTensor.from_value_rowids(value, text, num_texts)
            for name, value in values.items()
        }
        num_entities = tf.cast(entities["entity_starts"].row_lengths(), tf.int32)
        padded = {name: value.to_tensor() for name, value in entities.items()}
        return {**padded, "num_entities": num_entities}


class _Scheme(NamedTuple):
    """What labels say of entities; the entry C is that of a word without a piece.

    Args:
        names: string [C+1].
        kinds: string [C+1], the kind of entity.
        begins: bool [C+1], whether an entity begins there in any case.
        continues: bool [C+1], whether it continues one of its kind, or else begins it.
        ends: bool [C+1], whether an entity ends there in any case.
        is_of_entities: bool; of plain labels every word is an entity, so to speak.
    """

    names: np.ndarray
    kinds: np.ndarray
    begins: np.ndarray
    continues: np.ndarray
    ends: np.ndarray
    is_of_entities: bool

    def spans(self, label: tf.RaggedTensor, probability: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Which of all words are the first and the last one of each entity, int64 [entities].

        Args:
            label: ragged int32 [B, (words)].
            probability: float32 [words].

        Returns:
            First, last, and the mean probability, all [entities].
        """
        label, text = label.values, label.value_rowids()
        kind, begins, continues, ends = (
            tf.gather(table, label)
            for table in (self.kinds, self.begins, self.continues, self.ends)
        )
        # Whether the word before is in an entity that a word of the same kind would continue.
        is_open = ((begins | continues) & ~ends)[:-1] & (kind[:-1] == kind[1:])
        is_open = tf.concat([label[:1] < 0, is_open & (text[:-1] == text[1:])], axis=0)
        begins |= continues & ~is_open
        first = tf.where(begins)[:, 0]
        members = tf.where(begins | continues)[:, 0]
        entity = tf.gather(tf.cumsum(tf.cast(begins, tf.int32)) - 1, members)
        last = tf.math.segment_max(members, entity)
        return first, last, tf.math.segment_mean(tf.gather(probability, members), entity)


@functools.lru_cache
def _scheme_of(labels: tuple[str, ...]) -> _Scheme:
    tags = [_ENTITY_LABEL.fullmatch(label) for label in labels]
    is_of_entities = any(tag and tag[1] in "BI" and tag[2] for tag in tags) or all(
        tag or label == OUTSIDE for tag, label in zip(tags, labels, strict=True)
    )
    if not is_of_entities:
        names = np.array([*labels, labels[0]])
        yes, no = np.ones(len(names), bool), np.zeros(len(names), bool)
        return _Scheme(names, names, begins=yes, continues=no, ends=yes, is_of_entities=False)
    tags.append(None)
    prefix = [tag[1] if tag else OUTSIDE for tag in tags]
    return _Scheme(
        names=np.array([*labels, OUTSIDE]),
        # seqeval and conlleval call the kind of bare tags so.
        kinds=np.array([(tag[2] or "_") if tag else "" for tag in tags]),
        begins=np.isin(prefix, ["B", "S"]),
        continues=np.isin(prefix, ["I", "M", "E"]),
        ends=np.isin(prefix, ["E", "S"]),
        is_of_entities=True,
    )


def _places(words: tf.RaggedTensor, has_most_context: tf.Tensor) -> tf.RaggedTensor:
    """The place among all of rows where each word's first piece stands with most context.

    Args:
        words: pieces, int [B, (words), (pieces)].
        has_most_context: bool [W, T], once for every piece.

    Returns:
        Ragged int64 [B, (words)], -1 for words without a piece.
    """
    # From row to row pieces go on in the order of the text, so these are in order, too.
    place_of_piece = tf.where(tf.reshape(has_most_context, [-1]))[:, 0]
    places = tf.gather(tf.concat([place_of_piece, [-1]], axis=0), words.values.row_starts())
    return words.with_values(tf.where(words.values.row_lengths() > 0, places, -1))


def _substrings(texts: tf.Tensor, text: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor) -> tf.Tensor:
    """Characters from `starts` up to `ends` [N] of those of `texts` [B] that `text` [N] names.

    In time linear in the length of the texts, which `tf.strings.substr` is not.
    """
    characters = tf.strings.unicode_decode(texts, "UTF-8", errors="ignore")
    first = tf.cast(tf.gather(characters.row_starts(), text), tf.int32)
    index = tf.ragged.range(first + starts, first + ends)
    return tf.strings.unicode_encode(
        index.with_values(tf.gather(characters.values, index.values)), "UTF-8"
    )


def _labels_of(example: Example) -> list[Any]:
    for name in ("words", "labels"):
        if name not in example:
            raise ValueError(missing_column(example, name))
    words, labels = plain(example["words"]), plain(example["labels"])
    if not (isinstance(words, list | tuple) and isinstance(labels, list | tuple)):
        raise ValueError(
            f"{source_of(example)}: words and labels must be two lists, but are {words!r:.100} and "
            f"{labels!r:.100}: give both columns."
        )
    if len(words) != len(labels):
        raise ValueError(
            f"{source_of(example)}: there must be a label for every word, but there are "
            f"{len(words)} words and {len(labels)} labels: correct them."
        )
    return list(labels)
