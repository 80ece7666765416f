"""From the bytes of texts to their characters, and from composed texts to those they came from."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_text as tf_text


def characters_of(
    texts: tf.Tensor, starts: tf.RaggedTensor, ends: tf.RaggedTensor
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """The characters that spans of bytes lie in, wholly or in part.

    Args:
        texts: strings [B], valid UTF-8.
        starts: int64 [B, (spans)], where spans start in their text.
        ends: int64 [B, (spans)], where they end, exclusive; no span is empty.

    Returns:
        Starts and ends in characters, int64 [B, (spans)].

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.text.byte_offsets import characters_of
    >>> starts, ends = tf.ragged.constant([[0, 1, 2]]), tf.ragged.constant([[1, 2, 3]])
    >>> characters_of(["aé"], tf.cast(starts, tf.int64), tf.cast(ends, tf.int64))[1].to_list()
    [[1, 2, 2]]
    """
    content = tf.io.decode_raw(tf.strings.reduce_join(texts), tf.uint8)
    opens = tf.cast(tf.bitwise.bitwise_and(content, 0xC0) != 0x80, tf.int64)
    before = tf.concat([[0], tf.cumsum(opens)], axis=0)  # characters that open before a byte
    first_byte = tf.cumsum(tf.cast(tf.strings.length(texts), tf.int64), exclusive=True)
    first_byte = tf.repeat(first_byte, starts.row_lengths())
    first = tf.gather(before, first_byte)
    inside = tf.gather(before, first_byte + starts.values + 1) - 1
    return (
        starts.with_values(inside - first),
        ends.with_values(tf.gather(before, first_byte + ends.values) - first),
    )


def compose(texts: tf.Tensor) -> tf.Tensor:
    """Texts in Unicode's normal form C, in which characters are composed with their marks."""
    return tf_text.normalize_utf8(texts, "NFC")


def original_of(
    texts: tf.Tensor, composed: tf.Tensor, starts: tf.RaggedTensor, ends: tf.RaggedTensor
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """The characters of the original texts that spans of the composed ones came from.

    As in Hugging Face's `tokenizers` a character came from the first of those that it was composed
    of, and what a character was taken apart to came from it.

    Args:
        texts: strings [B], valid UTF-8.
        composed: `compose(texts)` [B].
        starts: int64 [B, (spans)], where spans start in their composed text, in characters.
        ends: int64 [B, (spans)], where they end, exclusive; no span is empty.

    Returns:
        Starts and ends in characters of the original texts, int64 [B, (spans)].

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.text.byte_offsets import compose, original_of
    >>> texts = tf.constant(["e\u0301a"])
    >>> starts = tf.ragged.constant([[0, 1]], tf.int64)
    >>> starts, ends = original_of(texts, compose(texts), starts, starts + 1)
    >>> starts.to_list(), ends.to_list()
    ([[0, 2]], [[1, 3]])
    """
    before, after = _decomposed(texts), _decomposed(composed)
    # Where the parts of the original characters begin, and those of the composed ones end.
    begins = tf.cumsum(before.values, exclusive=True)
    stops = tf.cumsum(after.values)
    first = tf.searchsorted(begins, stops - after.values, "left", tf.int64)
    behind = tf.searchsorted(begins, stops, "left", tf.int64)
    origin = tf.where(behind > first, first, first - 1)
    row = starts.value_rowids()
    place, shift = (tf.gather(parts.row_starts(), row) for parts in (after, before))
    start = tf.gather(origin, starts.values + place) - shift
    end = tf.gather(origin, ends.values - 1 + place) + 1 - shift
    return starts.with_values(start), ends.with_values(end)


def _decomposed(texts: tf.Tensor) -> tf.RaggedTensor:
    """How many characters each one of texts is when it is taken apart, int64 [B, (characters)]."""
    characters = tf.strings.unicode_decode(texts, "UTF-8")
    alphabet, letter = tf.unique(characters.values)
    alphabet = tf_text.normalize_utf8(tf.strings.unicode_encode(alphabet[:, None], "UTF-8"), "NFD")
    lengths = tf.cast(tf.strings.length(alphabet, "UTF8_CHAR"), tf.int64)
    return characters.with_values(tf.gather(lengths, letter))
