"""Files that are read in every epoch: each time they must be what they were when opened."""

from __future__ import annotations

import tensorflow as tf

# A fingerprint that is not known, and what all fingerprints are smaller than.
UNKNOWN, LIMIT = -1, (1 << 31) - 1


def fingerprint(strings: tf.Tensor) -> tf.Tensor:
    """A number, int64 [], that tells strings from others; those of parts are added up.

    Example:

    >>> from keras_bert.data.pretraining.unchanged import fingerprint
    >>> int(fingerprint(["a fine film", "not long"]))
    2602192482
    """
    return tf.reduce_sum(tf.strings.to_hash_bucket_fast(strings, LIMIT))


# Nothing here needs AutoGraph, whose conversion of every function takes long.
@tf.autograph.experimental.do_not_convert
def as_it_was(
    parts: tf.data.Dataset,
    path: tf.Tensor,
    number: tf.Tensor,
    num_bytes: tf.Tensor,
    content: tf.Tensor | None = None,
) -> tf.data.Dataset:
    """The parts of a file, and an error where they end if they are not all that was there.

    A reader that comes to the end of a file cannot know that it was longer: a file that was cut at
    the end of a line, emptied, or replaced by another one would be fewer, or other, rows.

    Args:
        parts: Dataset of strings [] or [N], what is read of the file.
        path: string [], for the error.
        number: int64 [], how many strings there were.
        num_bytes: int64 [], how many bytes they had.
        content: int64 [], their fingerprint, or `UNKNOWN`; None takes none.

    Returns:
        The same dataset, which fails with InvalidArgumentError at its end if they differ.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.data.pretraining.unchanged import as_it_was
    >>> lines = tf.data.Dataset.from_tensor_slices([["a film", "fine"], ["not", "long"]])
    >>> len(list(as_it_was(lines, "a.txt", 4, 17)))
    2
    >>> list(as_it_was(lines, "a.txt", 4, 18))
    Traceback (most recent call last):
    ...
    tensorflow.python.framework.errors_impl.InvalidArgumentError: ...a.txt must be as it was...
    """
    end = tf.zeros([size or 0 for size in parts.element_spec.shape], tf.string)
    pairs = parts.map(lambda part: (part, False))
    pairs = pairs.concatenate(tf.data.Dataset.from_tensors((end, True)))
    known = [number, num_bytes, UNKNOWN if content is None else content]
    expected = tf.stack([tf.cast(value, tf.int64) for value in known])

    def count(before: tf.Tensor, part: tf.Tensor, is_end: tf.Tensor):
        own = [tf.size(part), tf.reduce_sum(tf.strings.length(part))]
        own += [UNKNOWN if content is None else fingerprint(part)]
        own = tf.stack([tf.cast(value, tf.int64) for value in own])
        so_far = before + tf.where(is_end, tf.zeros_like(own), own)
        with tf.control_dependencies([_check(is_end, so_far, expected, path)]):
            return so_far, (tf.identity(part), is_end)

    counted = pairs.scan(tf.zeros(3, tf.int64), lambda before, pair: count(before, *pair))
    return counted.filter(lambda _, is_end: ~is_end).map(lambda part, _: part)


def _check(
    is_end: tf.Tensor, found: tf.Tensor, expected: tf.Tensor, path: tf.Tensor
) -> tf.Operation:
    is_same = tf.reduce_all((found == expected) | (expected == UNKNOWN))
    was, now = (tf.strings.as_string(values) for values in (expected, found))
    message = tf.strings.join(
        [
            *(path, " must be as it was when it was opened, with ", was[1], " bytes in ", was[0]),
            *(" parts, but now has ", now[1], " in ", now[0], ", or others. Put the file back, "),
            "and run the same command again.",
        ]
    )
    return tf.debugging.Assert(~is_end | is_same, [message])
