"""The scale that a loss has while its gradients are computed in float16."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

FIRST, LEAST, LARGEST = 2.0**15, 1.0, 2.0**24
# Finite updates in a row after which the scale is doubled.
GROWTH_STEPS = 2000


class LossScale:
    """A factor of the loss that keeps gradients in float16 from vanishing, and from overflowing.

    Micikevicius et al. 2018 (arXiv:1710.03740), section 3.2: the scale begins at 2^15, is doubled
    after 2,000 finite updates in a row, and halved by one that is not finite. It stays from 1 to
    2^24, and, a power of two, changes no digit of what is multiplied with it.

    Args:
        add_variable: makes a variable: `add_variable` of the optimizer that the scale belongs to.

    Attributes:
        scale: float32 variable.
        finite_steps: int64 variable, the finite updates since the scale changed.

    Example:

    >>> import keras, tensorflow as tf
    >>> from keras_bert.training.loss_scale import LossScale
    >>> loss_scale = LossScale(keras.optimizers.SGD().add_variable)
    >>> loss_scale.update(tf.constant(False))
    >>> float(loss_scale.scale)
    16384.0
    """

    def __init__(self, add_variable: Callable[..., keras.Variable]):
        first = keras.initializers.Constant(FIRST)
        self.scale = add_variable(shape=(), initializer=first, dtype="float32", name="loss_scale")
        self.finite_steps = add_variable(shape=(), dtype="int64", name="finite_steps")

    def may_fall(self) -> bool:
        """Whether another update that is not finite would halve the scale."""
        return float(self.scale.numpy()) > LEAST

    def update(self, finite: tf.Tensor) -> None:
        """Go on by one update.

        Args:
            finite: bool scalar, whether all gradients were finite.
        """
        steps = self.finite_steps.value + 1
        grown = steps >= GROWTH_STEPS
        factor = tf.where(finite, tf.where(grown, 2.0, 1.0), 0.5)
        self.scale.assign(tf.clip_by_value(self.scale.value * factor, LEAST, LARGEST))
        self.finite_steps.assign(tf.where(finite & ~grown, steps, tf.zeros_like(steps)))
