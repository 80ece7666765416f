"""Dropout whose random state is a named part of the model."""

from __future__ import annotations

import keras


class Dropout(keras.layers.Layer):
    """Zeroes a share of its input in training and scales the rest up (Srivastava et al. 2014).

    keras.layers.Dropout names its random state by a counter of the process, so that a checkpoint
    could not tell whose state it holds. Here the state is called after the layer: its path is
    unique within a model and the same in every process.

    Args:
        rate: float in [0, 1), share of the input that is zeroed.

    Args (call):
        x: float, any shape.
        training: bool; outside training x comes back as it is.

    Returns:
        float, the shape of x.

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.dropout import Dropout
    >>> dropout = Dropout(0.5)
    >>> sorted(set(np.asarray(dropout(np.ones([7, 5]), training=True)).ravel().tolist()))
    [0.0, 2.0]
    """

    def __init__(self, rate: float, dtype=None, name: str = "dropout"):
        super().__init__(dtype=dtype, name=name)
        self.rate = rate

    def build(self, x_shape):
        if self.rate:
            self.seed_generator = keras.random.SeedGenerator(name="seed")

    def call(self, x, training=False):
        if not training or not self.rate:
            return x
        return keras.random.dropout(x, self.rate, seed=self.seed_generator)
