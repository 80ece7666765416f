"""Metrics that Keras sums up batch by batch, while a model is trained or evaluated."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="keras_bert")
class Perplexity(keras.metrics.SparseCategoricalCrossentropy):
    """Exponential of the weighted mean cross-entropy, in nats, of integer labels under logits.

    Args:
        name: str, name of the metric.

    Args (update_state):
        y_true: int [...], labels.
        y_pred: float [..., C], logits.
        sample_weight: float [...], weights; 0 leaves a place out.

    Example:

    >>> import numpy as np
    >>> from keras_bert.metrics import Perplexity
    >>> perplexity = Perplexity()
    >>> perplexity.update_state(np.array([2, 0]), np.zeros([2, 5]), np.array([1.0, 0.0]))
    >>> round(float(perplexity.result()), 4)
    5.0
    """

    def __init__(self, name: str = "perplexity", dtype=None):
        super().__init__(name=name, dtype=dtype, from_logits=True)

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(*_by_place(sample_weight, y_true, y_pred))

    def result(self):
        return ops.exp(super().result())

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


@keras.saving.register_keras_serializable(package="keras_bert")
class LabelAccuracy(keras.metrics.Mean):
    """Share of the places where the label is the best class, of equal ones the first.

    keras.metrics.SparseCategoricalAccuracy looks for negative zeros before that, which are equal to
    zeros: with 640 predictions of a vocabulary of 30,522 it takes 67 ms where this takes 17. And it
    takes the mean of each row first, so that a place weighs more in a batch of short rows.

    Args:
        name: str, name of the metric.

    Args (update_state):
        y_true: int [...], labels, or float [..., C], whose largest one is the label.
        y_pred: float [..., C], scores.
        sample_weight: float [...], weights; 0 leaves a place out.

    Example:

    >>> import numpy as np
    >>> from keras_bert.metrics import LabelAccuracy
    >>> accuracy = LabelAccuracy()
    >>> accuracy.update_state(np.array([2, 0]), np.array([[0.1, 0.5, 0.7], [0.1, 0.5, 0.7]]))
    >>> float(accuracy.result())
    0.5
    """

    def __init__(self, name: str = "accuracy", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        best, y_true = (
            tf.argmax(y_pred, axis=-1, output_type=tf.int32),
            tf.convert_to_tensor(y_true),
        )
        if y_true.shape.rank > best.shape.rank:
            y_true = tf.argmax(y_true, axis=-1)
        hits = best == tf.cast(y_true, tf.int32)
        super().update_state(*_by_place(sample_weight, hits))


def _by_place(sample_weight, values, scores=None):
    """Values, the scores if there are some, and weights along one axis, where each place has one.

    Keras would take the means of rows first.
    """
    values = tf.convert_to_tensor(values)
    rank = values.shape.rank
    weights = None if sample_weight is None else tf.convert_to_tensor(sample_weight)
    others = [] if scores is None else [tf.convert_to_tensor(scores)]
    if weights is None or weights.shape.rank == rank:
        values = tf.reshape(values, [-1])
        others = [tf.reshape(other, [-1, other.shape[-1]]) for other in others]
        weights = None if weights is None else tf.reshape(weights, [-1])
    return values, *others, weights
