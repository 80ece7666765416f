"""Dropout whose random state is a named part of the model."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import ops

from keras_bert.layers.configured import Configured, registered


@registered
class Dropout(Configured):
    """Zeroes a share of its input in training and scales the rest up (Srivastava et al. 2014).

    keras.layers.Dropout names its random state by a counter of the process, so that a checkpoint
    could not tell whose state it holds. Here the state is called after the layer: its path is
    unique within a model and the same in every process. The replicas of a `tf.distribute.Strategy`,
    which all have the same state, drop other elements each.

    Args:
        rate: float in [0, 1), share of the input that is zeroed; met to 2^-17.

    Args (call):
        x: float, any shape.
        training: bool; outside training x comes back as it is.
        seed: what `draw` gave, for the same mask again; None draws.

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

    def save_own_variables(self, store) -> None:
        """As in Keras, whose files have no random states otherwise."""
        if self.built and self.rate:
            store["seed"] = self.seed_generator.state

    def load_own_variables(self, store) -> None:
        """As in Keras; older files have no random states."""
        if "seed" in set(store.keys()):
            self.seed_generator.state.assign(store["seed"])

    def draw(self):
        """The seed of one mask, and the state goes on; None where nothing is dropped."""
        return _of_replica(self.seed_generator.next()) if self.rate else None

    def call(self, x, training=False, seed=None):
        if not training or not self.rate:
            return x
        seed = self.draw() if seed is None else seed
        # Random numbers take most of the time, so that the two halves of a word decide on two
        # elements. (A view of 16 bits would be a pass less, but needs a length that is known.)
        length = ops.shape(x)[-1]
        words = keras.random.randint(
            (*ops.shape(x)[:-1], (length + 1) // 2), -(2**31), 2**31 - 1, seed=Drawn(seed)
        )
        least = (round(self.rate * 2**16) - 2**15) * 2**16
        kept = ops.concatenate([words >= least, ops.left_shift(words, 16) >= least], axis=-1)
        return x * (ops.cast(kept[..., :length], x.dtype) * (1 / (1 - self.rate)))


def _of_replica(seed):
    """The seed that a replica makes of one that all have; a replica alone keeps it."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return seed
    return tf.random.fold_in(seed, context.replica_id_in_sync_group)


class Drawn(keras.random.SeedGenerator):
    """A seed that was drawn, in the form that keras.random takes; it has no state.

    Args:
        seed: what `SeedGenerator.next` gave.
    """

    def __init__(self, seed):
        # Not the class' own, which makes a variable: keras.random asks for `next` alone, of an
        # instance of that class (a test watches over it).
        self.seed = seed

    def next(self, ordered=True):
        return self.seed
