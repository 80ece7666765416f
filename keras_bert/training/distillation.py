"""Losses by which a model learns what another one says: soft targets, vectors, and inner states."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

# An angle is not taken of vectors shorter than this.
_SHORTEST = 1e-12


class _OfTeacher(keras.losses.Loss):
    """A loss whose labels are a teacher's outputs; it is a sum, as `Objective` asks."""

    def __init__(self, temperature: float = 1.0, reduction="sum", name=None, dtype=None):
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, not {temperature!r}: 2 is usual.")
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.temperature = temperature

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}


class SoftTargets(_OfTeacher):
    """Divergence of two distributions, softened by a temperature, times its square.

    Hinton et al. 2015, arXiv:1503.02531; the square keeps the gradients as large as those of labels
    whatever the temperature.

    Args:
        temperature: float, by which logits are divided.

    Args (call):
        y_true: float [..., C], the teacher's logits; there may be more than y_pred has, which are
            not looked at: they are of padding.
        y_pred: float [..., C], logits.

    Returns:
        float [...], 0 where both say the same.

    Example:

    >>> import numpy as np
    >>> from keras_bert.training.distillation import SoftTargets
    >>> taught = np.array([[0.0, 2.0]], "float32")
    >>> losses = [SoftTargets(2.0).call(taught, logits) for logits in (taught, 0 * taught)]
    >>> [round(float(loss[0]), 3) for loss in losses]
    [0.0, 0.444]
    """

    def call(self, y_true, y_pred):
        taught = ops.log_softmax(y_true[..., : ops.shape(y_pred)[-1]] / self.temperature)
        own = ops.log_softmax(y_pred / self.temperature)
        return self.temperature**2 * ops.sum(ops.exp(taught) * (taught - own), axis=-1)


class SoftMarks(_OfTeacher):
    """As `SoftTargets`, of yes or no for each of several labels: the mean of their divergences.

    Args:
        temperature: float, by which logits are divided.

    Args (call):
        y_true: float [..., C], the teacher's logits.
        y_pred: float [..., C], logits.

    Returns:
        float [...].

    Example:

    >>> import numpy as np
    >>> from keras_bert.training.distillation import SoftMarks
    >>> taught = np.array([[0.0, 2.0]], "float32")
    >>> round(float(SoftMarks().call(taught, 0 * taught)[0]), 4)
    0.1639
    """

    def call(self, y_true, y_pred):
        taught, own = y_true / self.temperature, y_pred / self.temperature
        probability = ops.sigmoid(taught)
        divergence = probability * (ops.log_sigmoid(taught) - ops.log_sigmoid(own))
        divergence += (1.0 - probability) * (ops.log_sigmoid(-taught) - ops.log_sigmoid(-own))
        return self.temperature**2 * ops.mean(divergence, axis=-1)


class CosineDistance(_OfTeacher):
    """1 less the cosine of a vector and the teacher's.

    Args:
        temperature: not looked at: vectors are no distributions.

    Args (call):
        y_true: float [..., D], the teacher's vectors.
        y_pred: float [..., D].

    Returns:
        float [...], from 0 to 2.

    Example:

    >>> import numpy as np
    >>> from keras_bert.training.distillation import CosineDistance
    >>> taught, own = np.array([[3.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])
    >>> np.asarray(CosineDistance().call(taught, own)).tolist()
    [0.0, 1.0]
    """

    def call(self, y_true, y_pred):
        taught, own = (
            ops.normalize(x, axis=-1, order=2, epsilon=_SHORTEST) for x in (y_true, y_pred)
        )
        return 1.0 - ops.sum(taught * own, axis=-1)


class SquaredError(_OfTeacher):
    """The squared difference of numbers and the teacher's, their mean.

    Args:
        temperature: not looked at: numbers are no distributions.

    Args (call):
        y_true: float [..., C], the teacher's numbers.
        y_pred: float [..., C].

    Returns:
        float [...].

    Example:

    >>> import numpy as np
    >>> from keras_bert.training.distillation import SquaredError
    >>> np.asarray(SquaredError().call(np.array([[1.0, 3.0]]), np.zeros([1, 2]))).tolist()
    [5.0]
    """

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


class Itself(_OfTeacher):
    """What was computed within the model is the loss.

    Args:
        temperature: not looked at.

    Args (call):
        y_true: float [B], not looked at.
        y_pred: float [B], the losses.

    Returns:
        float [B].

    Example:

    >>> import numpy as np
    >>> from keras_bert.training.distillation import Itself
    >>> Itself().call(np.zeros(2), np.array([0.5, 2.0])).tolist()
    [0.5, 2.0]
    """

    def call(self, y_true, y_pred):
        return y_pred
