"""Words: their pieces, where these stand in rows, and what logits say there, all in graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from keras_bert.tasks.entities import substrings
from keras_bert.text.subwords import SubwordTokenizer


def words_of_texts(tokenizer: SubwordTokenizer, texts: tf.Tensor) -> tuple[tf.RaggedTensor, ...]:
    """The pieces of the tokenizer's own words, and the characters where these start and end.

    Args:
        tokenizer: SubwordTokenizer.
        texts: string [B].

    Returns:
        Ragged int32 [B, (words), (pieces)], [B, (words)] and [B, (words)].

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.tasks.words import words_of_texts
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film", "##s"))
    >>> pieces, starts, ends = words_of_texts(tokenizer, ["a films"])
    >>> pieces.to_list(), starts.to_list(), ends.to_list()
    ([[[1], [5, 6]]], [[0, 2]], [[1, 7]])
    """
    ids, starts, ends = tokenizer.tokenize_with_offsets(texts)
    first_of_text = tf.boolean_mask(ids.row_starts(), ids.row_lengths() > 0)
    begins_text = tf.scatter_nd(
        first_of_text[:, None],
        tf.ones_like(first_of_text, tf.bool),
        [tf.size(ids.values, tf.int64)],
    )
    first = tf.where(tokenizer.starts_word(ids.values) | begins_text)[:, 0]
    splits = tf.concat([first, [tf.size(ids.values, tf.int64)]], axis=0)
    words = (
        tf.RaggedTensor.from_row_splits(ids.values, splits),
        tf.gather(starts.values, first),
        tf.gather(ends.values, splits[1:] - 1),
    )
    of_text = tf.searchsorted(first, ids.row_splits, out_type=tf.int64)
    return tuple(tf.RaggedTensor.from_row_splits(values, of_text) for values in words)


def pieces_of(
    tokenizer: SubwordTokenizer, examples: Mapping[str, Any]
) -> dict[str, tf.RaggedTensor]:
    """The pieces of words, or of the words of texts: what `TokenClassifier.tokenized` says.

    Args:
        tokenizer: SubwordTokenizer.
        examples: dict of `words`, ragged string [B, (words)], or of `text`, string [B].
    """
    if "words" in examples:
        words = examples["words"]
        return {"words": words.with_values(tokenizer.tokenize(words.values))}
    text = examples["text"]
    words, starts, ends = words_of_texts(tokenizer, text)
    return {"words": words, "word_starts": starts, "word_ends": ends, "text": text}


def words_in(features: Mapping[str, Any]) -> tf.RaggedTensor:
    """The words of texts as strings, for models that cut them into pieces otherwise.

    Args:
        features: dict of `text` string [B], and ragged int32 [B, (words)] `word_starts` and
            `word_ends`, as of `words_of_texts`.

    Returns:
        Ragged string [B, (words)].
    """
    starts, ends = features["word_starts"], features["word_ends"]
    texts = starts.value_rowids()
    return starts.with_values(substrings(features["text"], texts, starts.values, ends.values))


def word_positions(words: tf.RaggedTensor, has_most_context: tf.Tensor) -> tf.RaggedTensor:
    """The position among all of rows where each word's first piece stands with most context.

    Args:
        words: pieces, int [B, (words), (pieces)].
        has_most_context: bool [W, T], once for every piece.

    Returns:
        Ragged int64 [B, (words)], -1 for words without a piece.
    """
    # From row to row pieces go on in the order of the text, so these are in order, too.
    of_piece = tf.where(tf.reshape(has_most_context, [-1]))[:, 0]
    positions = tf.gather(tf.concat([of_piece, [-1]], axis=0), words.values.row_starts())
    return words.with_values(tf.where(words.values.row_lengths() > 0, positions, -1))


def labels_at(
    logits: tf.Tensor, positions: tf.RaggedTensor, num_labels: int
) -> tuple[tf.RaggedTensor, tf.Tensor]:
    """The likeliest label of every word, and its probability.

    Args:
        logits: float [W, T, C].
        positions: ragged int64 [B, (words)], as of `word_positions`.
        num_labels: int, C.

    Returns:
        Ragged int32 [B, (words)], and float32 [words]. The label C, with a probability of 0, is
        that of words without a piece.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.tasks.words import labels_at
    >>> logits = tf.constant([[[0.0, 0.0], [-9.0, 9.0]]])
    >>> labels, _ = labels_at(logits, tf.ragged.constant([[1, -1]], tf.int64), 2)
    >>> labels.to_list()
    [[1, 2]]
    """
    logits = tf.reshape(tf.cast(logits, tf.float32), [-1, num_labels])
    has_position = positions.values >= 0
    logits = tf.gather(logits, tf.maximum(positions.values, 0))
    label = tf.where(has_position, tf.argmax(logits, 1, tf.int32), num_labels)
    probability = tf.reduce_max(tf.nn.softmax(logits), axis=1)
    return positions.with_values(label), tf.where(has_position, probability, 0.0)


def at_words(logits: tf.Tensor, positions: tf.RaggedTensor) -> tf.RaggedTensor:
    """The logits of every word.

    Args:
        logits: float [W, T, C].
        positions: ragged int64 [B, (words)], as of `word_positions`.

    Returns:
        Ragged float32 [B, (words), C], 0 for words without a piece: all labels are as likely.
    """
    flat = tf.reshape(tf.cast(logits, tf.float32), [-1, logits.shape[-1]])
    found = tf.gather(flat, tf.maximum(positions.values, 0))
    return positions.with_values(tf.where(positions.values[:, None] >= 0, found, 0.0))


def in_rows(values: tf.Tensor, positions: tf.RaggedTensor, rows: tf.Tensor) -> tf.Tensor:
    """What is said of words at their positions in rows, 0 elsewhere: the way back of `at_words`.

    Args:
        values: [words, ...].
        positions: ragged int64 [B, (words)], as of `word_positions`.
        rows: [W, T], of the shape of the rows.

    Returns:
        [W, T, ...].

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.tasks.words import in_rows
    >>> positions = tf.ragged.constant([[1, -1], [2]], tf.int64)
    >>> in_rows(tf.constant([7, 8, 9]), positions, tf.zeros([2, 2])).numpy().tolist()
    [[0, 7], [9, 0]]
    """
    has_position = positions.values >= 0
    position = tf.boolean_mask(positions.values, has_position)[:, None]
    number, size = tf.size(rows, tf.int64), tf.shape(values, tf.int64)[1:]
    flat = tf.scatter_nd(
        position, tf.boolean_mask(values, has_position), tf.concat([[number], size], axis=0)
    )
    return tf.reshape(flat, tf.concat([tf.shape(rows, tf.int64), size], axis=0))
