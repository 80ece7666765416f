"""Entities: what the labels of words say of them, in graph, and the texts that they stand for."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

OUTSIDE = "O"

# The labels of IOB1, IOB2, BIOES and BMES, with a kind of entity or bare.
_ENTITY_LABEL = re.compile(r"([BIESM])(?:-(.+))?", re.DOTALL)

# What is said of an entity, and the tensor that says it of all.
_FIELDS = {
    "label": "entity_labels",
    "start": "entity_starts",
    "end": "entity_ends",
    "text": "entity_texts",
    "probability": "entity_probabilities",
}


class Scheme(NamedTuple):
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

    def entities(
        self, label: tf.RaggedTensor, probability: tf.Tensor, words: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """The entities of texts.

        Args:
            label: ragged int32 [B, (words)].
            probability: float32 [words].
            words: dict of `text` string [B], and the characters of its words, ragged int32
                [B, (words)] `word_starts` and `word_ends`.

        Returns:
            dict of `entity_labels` and `entity_texts` string [B, E], filled up with "";
            `entity_starts` and `entity_ends` int32 [B, E], `entity_probabilities` float32 [B, E],
            filled up with 0; and `num_entities` int32 [B].
        """
        first, last, probability = self.spans(label, probability)
        text = tf.gather(label.value_rowids(), first)
        starts = tf.gather(words["word_starts"].values, first)
        ends = tf.gather(words["word_ends"].values, last)
        values = {
            "entity_labels": tf.gather(self.kinds, tf.gather(label.values, first)),
            "entity_texts": substrings(words["text"], text, starts, ends),
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
def scheme_of(labels: tuple[str, ...]) -> Scheme:
    """The scheme of some labels: of entities, or plain ones.

    Example:

    >>> from keras_bert.tasks.entities import scheme_of
    >>> scheme_of(("O", "B-PER", "I-PER")).is_of_entities, scheme_of(("DET", "NOUN")).is_of_entities
    (True, False)
    """
    tags = [_ENTITY_LABEL.fullmatch(label) for label in labels]
    is_of_entities = any(tag and tag[1] in "BI" and tag[2] for tag in tags) or all(
        tag or label == OUTSIDE for tag, label in zip(tags, labels, strict=True)
    )
    if not is_of_entities:
        names = np.array([*labels, labels[0]])
        yes, no = np.ones(len(names), bool), np.zeros(len(names), bool)
        return Scheme(names, names, begins=yes, continues=no, ends=yes, is_of_entities=False)
    tags.append(None)
    prefix = [tag[1] if tag else OUTSIDE for tag in tags]
    return Scheme(
        names=np.array([*labels, OUTSIDE]),
        # seqeval and conlleval call the kind of bare tags so.
        kinds=np.array([(tag[2] or "_") if tag else "" for tag in tags]),
        begins=np.isin(prefix, ["B", "S"]),
        continues=np.isin(prefix, ["I", "M", "E"]),
        ends=np.isin(prefix, ["E", "S"]),
        is_of_entities=True,
    )


def entities_of(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entities of one text, from Python values of what `Scheme.entities` gives.

    Returns:
        list of dict, with `label`, `start` and `end`, `text` and `probability`.
    """
    return [
        {field: answer[name][i] for field, name in _FIELDS.items()}
        for i in range(answer["num_entities"])
    ]


def substrings(texts: tf.Tensor, text: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor) -> tf.Tensor:
    """Characters from `starts` up to `ends` [N] of those of `texts` [B] that `text` [N] names.

    In time linear in the length of the texts, which `tf.strings.substr` is not.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.tasks.entities import substrings
    >>> substrings(tf.constant(["Ann in Rome", "Bob"]), [0, 1], [7, 0], [11, 3]).numpy().tolist()
    [b'Rome', b'Bob']
    """
    characters = tf.strings.unicode_decode(texts, "UTF-8", errors="ignore")
    first = tf.cast(tf.gather(characters.row_starts(), text), tf.int32)
    index = tf.ragged.range(first + starts, first + ends)
    return tf.strings.unicode_encode(
        index.with_values(tf.gather(characters.values, index.values)), "UTF-8"
    )
