"""LAMB, which large batches are trained with: AdamW with a rate for every matrix."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_bert.training.guarded import GuardedOptimizer, global_norm, patterns_of


@keras.saving.register_keras_serializable(package="keras_bert")
class Lamb(GuardedOptimizer):
    """Layer-wise adaptive moments (You et al. 2019, arXiv:1904.00962), as BERT was trained with.

    After the gradients of all variables together were clipped to norm 1, for each variable w at
    its t-th update, where the ratio is 1 if a norm is 0:

        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g * g
        u = m / (1 - beta_1 ** t) / (sqrt(v / (1 - beta_2 ** t)) + epsilon) + weight_decay * w
        w = w - rate * norm(w) / norm(u) * u

    Biases and layer norms are neither decayed nor adapted: their ratio is 1. These are the
    published choices for BERT with batches of 32,768 and 65,536
    (https://github.com/NVIDIA/DeepLearningExamples, PyTorch/LanguageModeling/BERT). An update that
    is not finite is skipped and counted, as `GuardedOptimizer` says.

    Args:
        learning_rate, weight_decay, beta_1, beta_2, epsilon, clip_norm, exclude_from_weight_decay,
            rate_factors: as in `AdamW`.
        exclude_from_layer_adaptation: regular expressions; the ratio of a variable is 1 when one of
            them is found in its `path`. None takes those of `exclude_from_weight_decay`.

    Raises:
        ValueError: a value is out of its range, or a pattern is no regular expression.

    Example:

    >>> import keras
    >>> import keras_bert as kb
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
    >>> model.compile(kb.Lamb(kb.Schedule(6e-3, num_steps=7038, warmup_steps=2000)), loss="mse")
    >>> [model.optimizer.adapts(variable) for variable in model.trainable_variables]
    [True, False]
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
        *,
        weight_decay: float = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        clip_norm: float | None = 1.0,
        exclude_from_weight_decay: Iterable[str] = ("bias", "norm"),
        exclude_from_layer_adaptation: Iterable[str] | None = None,
        rate_factors: Mapping[str, float] = types.MappingProxyType({}),
    ):
        super().__init__(
            learning_rate,
            weight_decay=weight_decay,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            clip_norm=clip_norm,
            exclude_from_weight_decay=exclude_from_weight_decay,
            rate_factors=rate_factors,
        )
        self.not_adapted = self.exclusions
        if exclude_from_layer_adaptation is not None:
            name = "exclude_from_layer_adaptation"
            self.not_adapted = patterns_of(exclude_from_layer_adaptation, name)

    def adapts(self, variable: keras.Variable) -> bool:
        """Whether the rate of `variable` is adapted: no exclusion is found in its path."""
        return not any(re.search(pattern, variable.path) for pattern in self.not_adapted)

    def _scalars(self) -> _Scalars:
        rate, step = tf.convert_to_tensor(self.learning_rate, tf.float32), self._num_updates()
        return _Scalars(rate, 1.0 - self.beta_1**step, 1.0 - self.beta_2**step)

    def _update(self, gradient: tf.Tensor, variable: keras.Variable, scalars: _Scalars) -> None:
        slot_m, slot_v = (slot.value for slot in self._slots.of[id(variable)])
        m = self.beta_1 * slot_m + (1.0 - self.beta_1) * gradient
        v = self.beta_2 * slot_v + (1.0 - self.beta_2) * tf.square(gradient)
        slot_m.assign(m)
        slot_v.assign(v)
        weights = tf.convert_to_tensor(variable.value)
        step = m / scalars.bias_1 / (tf.sqrt(v / scalars.bias_2) + self.epsilon)
        if self.weight_decay and self.decays(variable):
            step += self.weight_decay * weights
        rate = scalars.rate * self.rate_factor(variable)
        if self.adapts(variable):
            rate *= _trust_ratio(weights, step)
        variable.value.assign_sub(rate * step)

    def get_config(self) -> dict[str, Any]:
        patterns = list(self.not_adapted)
        return {**super().get_config(), "exclude_from_layer_adaptation": patterns}


class _Scalars(NamedTuple):
    """What all variables share in one step, float32 scalars."""

    rate: tf.Tensor
    bias_1: tf.Tensor
    bias_2: tf.Tensor


def _trust_ratio(weights: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """The norm of a variable divided by that of its step; 1 where one of them is 0."""
    ratio = tf.math.divide_no_nan(global_norm([weights]), global_norm([step]))
    return tf.where(ratio > 0.0, ratio, 1.0)
