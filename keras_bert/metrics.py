"""Metrics of the field that Keras lacks."""

from __future__ import annotations

import keras
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

    def result(self):
        return ops.exp(super().result())

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}
