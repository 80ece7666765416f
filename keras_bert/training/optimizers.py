"""AdamW as BERT was trained with: one fused update of what `GuardedOptimizer` hands over."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_bert.training.guarded import GuardedOptimizer


@keras.saving.register_keras_serializable(package="keras_bert")
class AdamW(GuardedOptimizer):
    """Adam with decoupled weight decay and clipping by the global norm, by BERT's defaults.

    BERT's optimizer (https://github.com/google-research/bert, optimization.py) is Adam
    (https://arxiv.org/abs/1412.6980) without bias correction, with weight decay decoupled from the
    gradient (https://arxiv.org/abs/1711.05101) that spares biases and layer norms, after the
    gradients of all variables together were clipped to norm 1:

        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g * g
        w = w - rate * (m / (sqrt(v) + epsilon) + weight_decay * w)

    An update that is not finite is skipped and counted, as `GuardedOptimizer` says.

    Args:
        learning_rate: float, or a `keras.optimizers.schedules.LearningRateSchedule`.
        weight_decay: float, at least 0, multiplied with the learning rate.
        beta_1, beta_2: floats in [0, 1), decay of the mean and of the mean square of gradients.
        epsilon: float above 0.
        clip_norm: float above 0, the largest global norm of the gradients; None does not clip.
        bias_correction: bool, divide m and v by `1 - beta ** t`, as PyTorch's AdamW does; t counts
            the updates that were made.
        exclude_from_weight_decay: regular expressions; a variable is not decayed when one of them
            is found in its `path`.
        rate_factors: dict of floats by regular expression; the learning rate of a variable is
            multiplied by that of the first one that is found in its `path`.

    Raises:
        ValueError: a value is out of its range, or a pattern is no regular expression.

    Example:

    >>> import keras
    >>> import keras_bert as kb
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
    >>> model.compile(kb.AdamW(kb.Schedule(1e-4, num_steps=100, warmup_steps=10)), loss="mse")
    >>> model.optimizer.build(model.trainable_variables)
    >>> [model.optimizer.decays(variable) for variable in model.trainable_variables]
    [True, False]
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-4,
        *,
        weight_decay: float = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        clip_norm: float | None = 1.0,
        bias_correction: bool = False,
        exclude_from_weight_decay: Iterable[str] = ("bias", "norm"),
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
        self.bias_correction = bias_correction

    def _scalars(self) -> _Scalars:
        rate = tf.convert_to_tensor(self.learning_rate, tf.float32)
        if not self.bias_correction:
            zero = tf.constant(0.0)
            return _Scalars(rate, zero, zero, tf.constant(self.epsilon))
        step = self._num_updates()
        power_1, power_2 = self.beta_1**step, self.beta_2**step
        # The kernel adds epsilon before the correction of v, PyTorch after it.
        epsilon = self.epsilon * tf.sqrt(1.0 - power_2)
        return _Scalars(rate, power_1, power_2, epsilon)

    def _update(self, gradient: tf.Tensor, variable: keras.Variable, scalars: _Scalars) -> None:
        slot_m, slot_v = self._slots.of[id(variable)]
        weights = variable.value
        rate = scalars.rate * self.rate_factor(variable)
        if self.weight_decay and self.decays(variable):
            weights.assign(weights * (1.0 - rate * self.weight_decay))
        # One pass in place. Written out in TensorFlow ops the update is bound by memory and takes
        # two to three times as long; XLA is no more than a fifth faster, and has to compile.
        tf.raw_ops.ResourceApplyAdam(
            var=weights.handle,
            m=slot_m.value.handle,
            v=slot_v.value.handle,
            beta1_power=scalars.power_1,
            beta2_power=scalars.power_2,
            lr=rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=scalars.epsilon,
            grad=gradient,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bias_correction": self.bias_correction}


class _Scalars(NamedTuple):
    """What all variables share in one step, float32 scalars."""

    rate: tf.Tensor
    power_1: tf.Tensor
    power_2: tf.Tensor
    epsilon: tf.Tensor
