"""What the replicas of a `tf.distribute.Strategy` have together."""

from __future__ import annotations

from typing import TypeVar

import tensorflow as tf

T = TypeVar("T")


def num_replicas() -> int:
    """How many replicas train in step; 1 without a strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def sum_over_replicas(value: T) -> T:
    """The sum over replicas of a tensor, or of each one of a list; one replica: as it is.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.training.replicas import sum_over_replicas
    >>> float(sum_over_replicas(tf.constant(2.0)))
    2.0
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)
