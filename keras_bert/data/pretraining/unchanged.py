"""Files that are read in every epoch: each time they must be as long as when they were opened."""

from __future__ import annotations

import tensorflow as tf


# Nothing here needs AutoGraph, whose conversion of every function takes long.
@tf.autograph.experimental.do_not_convert
def as_long_as(
    parts: tf.data.Dataset, path: tf.Tensor, number: tf.Tensor, num_bytes: tf.Tensor
) -> tf.data.Dataset:
    """The parts of a file, and an error where they end if they are not all that was there.

    A reader that comes to the end of a file cannot know that it was longer: a file that was cut at
    the end of a line, emptied, or replaced by another one would be fewer, or other, rows.

    Args:
        parts: Dataset of strings [] or [N], what is read of the file.
        path: string [], for the error.
        number: int64 [], how many strings there were.
        num_bytes: int64 [], how many bytes they had.

    Returns:
        The same dataset, which fails with InvalidArgumentError at its end if they differ.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.data.pretraining.lengths import as_long_as
    >>> lines = tf.data.Dataset.from_tensor_slices([["a film", "fine"], ["not", "long"]])
    >>> len(list(as_long_as(lines, "a.txt", 4, 17)))
    2
    >>> list(as_long_as(lines, "a.txt", 4, 18))
    Traceback (most recent call last):
    ...
    tensorflow.python.framework.errors_impl.InvalidArgumentError: ...a.txt must be as it was...
    """
    end = tf.zeros([size or 0 for size in parts.element_spec.shape], tf.string)
    pairs = parts.map(lambda part: (part, False))
    pairs = pairs.concatenate(tf.data.Dataset.from_tensors((end, True)))
    expected = tf.cast(tf.stack([number, num_bytes]), tf.int64)

    def count(before: tf.Tensor, part: tf.Tensor, is_end: tf.Tensor):
        own = [tf.size(part), tf.reduce_sum(tf.strings.length(part))]
        so_far = before + tf.where(is_end, tf.zeros(2, tf.int64), tf.cast(own, tf.int64))
        with tf.control_dependencies([_check(is_end, so_far, expected, path)]):
            return so_far, (tf.identity(part), is_end)

    counted = pairs.scan(tf.zeros(2, tf.int64), lambda before, pair: count(before, *pair))
    return counted.filter(lambda _, is_end: ~is_end).map(lambda part, _: part)


def _check(
    is_end: tf.Tensor, found: tf.Tensor, expected: tf.Tensor, path: tf.Tensor
) -> tf.Operation:
    number, num_bytes, was_number, was_bytes = (
        tf.strings.as_string(value) for value in (*tf.unstack(found), *tf.unstack(expected))
    )
    message = tf.strings.join(
        [
            *(path, " must be as it was when it was opened, with ", was_bytes, " bytes in "),
            *(was_number, " parts, but now has ", num_bytes, " in ", number),
            ". Put the file back, and run the same command again.",
        ]
    )
    return tf.debugging.Assert(~is_end | tf.reduce_all(found == expected), [message])
