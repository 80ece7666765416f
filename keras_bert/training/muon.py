"""Muon: the matrices of blocks are updated by orthogonal matrices, all else by AdamW."""

from __future__ import annotations

import math
import re
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_bert.training.guarded import patterns_of, refuse_unless
from keras_bert.training.optimizers import AdamW

# Of x, x^3 and x^5 in the polynomial that brings singular values near 1 (Jordan et al. 2024).
QUINTIC = (3.4445, -4.7750, 2.0315)
NUM_ITERATIONS = 5
# The root mean square of AdamW's updates, which those of matrices are scaled to (Liu et al. 2025).
RMS_OF_ADAMW = 0.2


@keras.saving.register_keras_serializable(package="keras_bert")
class Muon(AdamW):
    """Momentum, orthogonalized by Newton-Schulz iteration, for the matrices of blocks.

    Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon) with the decay and the scale of
    Liu et al. 2025 (arXiv:2502.16982). After the gradients of all variables together were clipped,
    for each matrix w of n rows and k columns:

        m = momentum * m + g
        u = orthogonalized(g + momentum * m)
        w = w - rate * (0.2 * sqrt(max(n, k)) * u + weight_decay * w)

    All else (embeddings, heads, biases, norms) is updated by AdamW, with a rate of its own. Where
    `keras.optimizers.Muon` takes tables for matrices unless their paths say "embedding", and heads
    always, here the paths of matrices are said. Matrices of one shape are orthogonalized together.
    An update that is not finite is skipped and counted, as `GuardedOptimizer` says.

    Args:
        learning_rate: float, or a `keras.optimizers.schedules.LearningRateSchedule`, of matrices.
        adam_factor: float, at least 0, by what the rate is multiplied for all else.
        momentum: float in [0, 1).
        orthogonalized: regular expressions; a variable of two axes is orthogonalized when one of
            them is found in its `path`.
        weight_decay, beta_1, beta_2, epsilon, clip_norm, bias_correction,
            exclude_from_weight_decay, rate_factors: as in `AdamW`.

    Raises:
        ValueError: a value is out of its range, or a pattern is no regular expression.

    Example:

    >>> import keras
    >>> import keras_bert as kb
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5, name="layer_0")])
    >>> model.compile(kb.Muon(kb.Schedule(1e-2, num_steps=100, warmup_steps=10)), loss="mse")
    >>> [model.optimizer.orthogonalizes(variable) for variable in model.trainable_variables]
    [True, False]
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-2,
        *,
        adam_factor: float = 0.3,
        momentum: float = 0.95,
        orthogonalized: Iterable[str] = (r"\blayer_\d+/",),
        bias_correction: bool = True,
        rate_factors: Mapping[str, float] = types.MappingProxyType({}),
        **options: Any,
    ):
        super().__init__(
            learning_rate, bias_correction=bias_correction, rate_factors=rate_factors, **options
        )
        self.adam_factor = adam_factor
        self.momentum = momentum
        self.orthogonalized = patterns_of(orthogonalized, "orthogonalized")
        refuse_unless(
            self,
            (adam_factor >= 0, "adam_factor must be at least 0", adam_factor),
            (0 <= momentum < 1, "momentum must be in [0, 1)", momentum),
        )

    def orthogonalizes(self, variable: keras.Variable) -> bool:
        """Whether `variable` is updated as a matrix: two axes, and a pattern found in its path."""
        found = any(re.search(pattern, variable.path) for pattern in self.orthogonalized)
        return found and len(variable.shape) == 2

    def rate_factor(self, variable: keras.Variable) -> float:
        """By what the learning rate is multiplied for `variable`."""
        factor = super().rate_factor(variable)
        return factor if self.orthogonalizes(variable) else factor * self.adam_factor

    def _slot_names(self, variable: keras.Variable) -> tuple[str, ...]:
        return ("m",) if self.orthogonalizes(variable) else super()._slot_names(variable)

    def _update_all(
        self, gradients: Sequence[tf.Tensor], variables: Sequence[keras.Variable], scalars: Any
    ) -> None:
        of_one_shape: dict[tuple[int, ...], list[tuple[tf.Tensor, keras.Variable]]] = {}
        for gradient, variable in zip(gradients, variables, strict=True):
            if self.orthogonalizes(variable):
                shape = tuple(sorted(variable.shape))
                of_one_shape.setdefault(shape, []).append((gradient, variable))
            else:
                self._update(gradient, variable, scalars)
        for matrices in of_one_shape.values():
            self._update_matrices(matrices, scalars.rate)

    def _update_matrices(
        self, matrices: Sequence[tuple[tf.Tensor, keras.Variable]], rate: tf.Tensor
    ) -> None:
        """Update matrices of one shape, some of them perhaps transposed."""
        directions = []
        for gradient, variable in matrices:
            (slot,) = self._slots.of[id(variable)]
            slot.assign(self.momentum * slot.value + gradient)
            directions.append(_lying(gradient + self.momentum * slot.value))
        updates = tf.unstack(orthogonalized(tf.stack(directions)), len(directions))
        for (_, variable), update in zip(matrices, updates, strict=True):
            weights, own_rate = variable.value, rate * self.rate_factor(variable)
            scale = RMS_OF_ADAMW * math.sqrt(max(variable.shape))
            if self.weight_decay and self.decays(variable):
                weights.assign(weights * (1.0 - own_rate * self.weight_decay))
            update = update if _lies(variable) else tf.transpose(update)
            weights.assign_sub(own_rate * scale * update)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "adam_factor": self.adam_factor,
            "momentum": self.momentum,
            "orthogonalized": list(self.orthogonalized),
        }


def orthogonalized(matrices: tf.Tensor) -> tf.Tensor:
    """Matrices with the singular vectors of those that are given, and singular values near 1.

    Five Newton-Schulz steps of the polynomial of Jordan et al. (2024) bring singular values from
    about 1/1000 of the largest up to 0.7 to 1.2, which is as good for training as exactly 1.

    Args:
        matrices: float32 [B, n, k], n <= k; their products are n by n.

    Returns:
        float32 [B, n, k]; zeros where a matrix has nothing but zeros.

    Example:

    >>> import numpy as np
    >>> from keras_bert.training.muon import orthogonalized
    >>> once = orthogonalized(np.array([[[3.0, 0.0, 0.0], [0.0, 0.5, 0.0]]], "float32"))
    >>> [bool(0.6 < value < 1.3) for value in np.linalg.svd(once[0], compute_uv=False)]
    [True, True]
    """
    norms = tf.norm(matrices, axis=[-2, -1], keepdims=True)
    result = tf.math.divide_no_nan(matrices, norms)
    first, third, fifth = QUINTIC
    for _ in range(NUM_ITERATIONS):
        squares = tf.matmul(result, result, transpose_b=True)
        factors = third * squares + fifth * tf.matmul(squares, squares)
        result = first * result + tf.matmul(factors, result)
    return result


def _lies(matrix: tf.Tensor | keras.Variable) -> bool:
    """Whether it has no more rows than columns."""
    return matrix.shape[0] <= matrix.shape[1]


def _lying(matrix: tf.Tensor) -> tf.Tensor:
    return matrix if _lies(matrix) else tf.transpose(matrix)
