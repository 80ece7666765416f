"""AdamW as BERT was trained with: dense gradients, reduce, then clip, then one fused update."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from absl import logging

from keras_bert.training.replicas import sum_over_replicas


@keras.saving.register_keras_serializable(package="keras_bert")
class AdamW(keras.optimizers.Optimizer):
    """Adam with decoupled weight decay and clipping by the global norm, by BERT's defaults.

    BERT's optimizer (https://github.com/google-research/bert, optimization.py) is Adam
    (https://arxiv.org/abs/1412.6980) without bias correction, with weight decay decoupled from the
    gradient (https://arxiv.org/abs/1711.05101) that spares biases and layer norms, after the
    gradients of all variables together were clipped to norm 1:

        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g * g
        w = w - rate * (m / (sqrt(v) + epsilon) + weight_decay * w)

    Gradients of embeddings, which TensorFlow gives as slices, are summed into dense ones first:
    Adam on slices is another algorithm. Variables must be float32, as they are under the policies
    `float32` and `mixed_bfloat16`, and so are the slots. Variables without a gradient stay as they
    are, and are not decayed.

    Args:
        learning_rate: float, or a `keras.optimizers.schedules.LearningRateSchedule`.
        weight_decay: float, at least 0, multiplied with the learning rate.
        beta_1, beta_2: floats in [0, 1), decay of the mean and of the mean square of gradients.
        epsilon: float above 0.
        clip_norm: float above 0, the largest global norm of the gradients; None does not clip.
        bias_correction: bool, divide m and v by `1 - beta ** t`, as PyTorch's AdamW does.
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
        if isinstance(learning_rate, int):
            learning_rate = float(learning_rate)
        # Keras' own clipping and decay stay off: it clips before it reduces, and loses exclusions.
        super().__init__(learning_rate=learning_rate, name="adamw")
        self.weight_decay = weight_decay
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.clip_norm = clip_norm
        self.bias_correction = bias_correction
        self.exclusions = _patterns(exclude_from_weight_decay)
        self.rate_factors = dict(zip(_patterns(rate_factors), rate_factors.values(), strict=True))
        self._check()

    def _check(self) -> None:
        table = (
            (self.weight_decay >= 0, "weight_decay must be at least 0", self.weight_decay),
            (0 <= self.beta_1 < 1, "beta_1 must be in [0, 1)", self.beta_1),
            (0 <= self.beta_2 < 1, "beta_2 must be in [0, 1)", self.beta_2),
            (self.epsilon > 0, "epsilon must be above 0", self.epsilon),
            (
                all(factor >= 0 for factor in self.rate_factors.values()),
                "rate_factors must be at least 0",
                self.rate_factors,
            ),
            (
                self.clip_norm is None or self.clip_norm > 0,
                "clip_norm must be above 0, or None for no clipping",
                self.clip_norm,
            ),
        )
        for holds, rule, value in table:
            if not holds:
                raise ValueError(f"{rule}, not {value!r}. Correct this argument of AdamW.")

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the two float32 slots of every variable."""
        if self.built:
            return
        for variable in variables:
            if variable.dtype != "float32":
                raise ValueError(
                    f"AdamW's variables must be float32; {variable.path} is {variable.dtype}. Use "
                    "the dtype policy mixed_bfloat16, which computes in bfloat16 and keeps float32 "
                    "variables."
                )
        super().build(variables)
        # A namespace, because Keras would take the variables in a list or dict for its own.
        self._slots = types.SimpleNamespace(variables=list(variables), of={})
        for variable in variables:
            self._slots.of[id(variable)] = (self._slot(variable, "m"), self._slot(variable, "v"))

    def _slot(self, variable: keras.Variable, name: str) -> keras.Variable:
        name = f"{variable.path.replace('/', '_')}_{name}"
        return self.add_variable(shape=variable.shape, dtype="float32", name=name)

    def decays(self, variable: keras.Variable) -> bool:
        """Whether weight decay applies to `variable`: no exclusion is found in its path."""
        return not any(re.search(pattern, variable.path) for pattern in self.exclusions)

    def rate_factor(self, variable: keras.Variable) -> float:
        """By what the learning rate is multiplied for `variable`."""
        found = (f for pattern, f in self.rate_factors.items() if re.search(pattern, variable.path))
        return next(found, 1.0)

    def exclude_from_weight_decay(self, var_list=None, var_names=None) -> None:
        """Refused: what is set here would be lost when the optimizer is saved and loaded."""
        raise ValueError(
            "The exclusions of AdamW are set when it is made. Pass "
            "AdamW(..., exclude_from_weight_decay=(pattern, ...))."
        )

    def apply(
        self,
        grads: Sequence[tf.Tensor | tf.IndexedSlices | None],
        trainable_variables: Sequence[keras.Variable] | None = None,
    ) -> None:
        """Update the variables by one step.

        Args:
            grads: a gradient for each variable: a tensor, `tf.IndexedSlices`, or None.
            trainable_variables: the variables; the ones that the optimizer was built with if None.

        Raises:
            ValueError: no variable has a gradient, or a variable is unknown to the optimizer.
        """
        variables = self._variables_of(trainable_variables)
        pairs = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        _check_gradients(variables, [v for _, v in pairs])
        gradients = self.reduce_gradients([dense(gradient) for gradient, _ in pairs])
        gradients = self._clipped(gradients)
        scalars = self._scalars()
        for gradient, (_, variable) in zip(gradients, pairs, strict=True):
            self._update(gradient, variable, scalars)
        self.iterations.assign_add(1)

    def reduce_gradients(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """Sum dense gradients over replicas, before anything is clipped; one replica: as it is."""
        return sum_over_replicas(gradients)

    def _variables_of(
        self, trainable_variables: Sequence[keras.Variable] | None
    ) -> list[keras.Variable]:
        if trainable_variables is None and self.built:
            return self._slots.variables
        if trainable_variables is None:
            raise ValueError("AdamW is not built: pass the variables, or call build() first.")
        variables = list(trainable_variables)
        self.build(variables)
        for variable in variables:
            if id(variable) not in self._slots.of:
                raise ValueError(
                    "An optimizer updates the variables that it was built with; "
                    f"{variable.path} is not one of them. Make a new AdamW for this model."
                )
        return variables

    def _clipped(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        if self.clip_norm is None:
            return gradients
        norm = global_norm(gradients)
        scale = self.clip_norm / tf.maximum(norm, self.clip_norm)
        return [gradient * scale for gradient in gradients]

    def _scalars(self) -> _Scalars:
        rate = tf.convert_to_tensor(self.learning_rate, tf.float32)
        if not self.bias_correction:
            zero = tf.constant(0.0)
            return _Scalars(rate, zero, zero, tf.constant(self.epsilon))
        step = tf.cast(self.iterations.value, tf.float32) + 1.0
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
        if variable.constraint is not None:
            variable.assign(variable.constraint(variable))

    def get_config(self) -> dict[str, Any]:
        return {
            "learning_rate": super().get_config()["learning_rate"],
            "weight_decay": self.weight_decay,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "clip_norm": self.clip_norm,
            "bias_correction": self.bias_correction,
            "exclude_from_weight_decay": list(self.exclusions),
            "rate_factors": dict(self.rate_factors),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None):
        """As in Keras; a name, which older files have, is left out."""
        config = {name: value for name, value in config.items() if name != "name"}
        return super().from_config(config, custom_objects)


class _Scalars(NamedTuple):
    """What all variables share in one step, float32 scalars."""

    rate: tf.Tensor
    power_1: tf.Tensor
    power_2: tf.Tensor
    epsilon: tf.Tensor


def dense(gradient: tf.Tensor | tf.IndexedSlices) -> tf.Tensor:
    """A gradient as a float32 tensor; rows that `tf.IndexedSlices` name twice are summed."""
    return tf.cast(tf.convert_to_tensor(gradient), tf.float32)


def global_norm(gradients: Sequence[tf.Tensor]) -> tf.Tensor:
    """The Euclidean norm of all gradients together, a float32 scalar."""
    # l2_loss is half the sum of squares, without a tensor for the squares.
    return tf.sqrt(2.0 * tf.add_n([tf.nn.l2_loss(gradient) for gradient in gradients]))


def _patterns(patterns: Iterable[str]) -> tuple[str, ...]:
    if isinstance(patterns, str):
        raise ValueError(
            "exclude_from_weight_decay must be a sequence of regular expressions, not the string "
            f"{patterns!r}. Pass ({patterns!r},)."
        )
    patterns = tuple(patterns)
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                "exclude_from_weight_decay and rate_factors take regular expressions; "
                f"{pattern!r} is none: {error}. Correct the pattern."
            ) from error
    return patterns


def _check_gradients(
    variables: Sequence[keras.Variable], variables_with_gradient: Sequence[keras.Variable]
) -> None:
    if not variables_with_gradient:
        raise ValueError(
            f"At least one variable must have a gradient; none of {len(variables)} has. Check that "
            "the loss depends on the model's outputs."
        )
    having = {id(variable) for variable in variables_with_gradient}
    missing = [variable.path for variable in variables if id(variable) not in having]
    if missing:
        logging.log_first_n(
            logging.WARNING, "No gradient, so not trained: %s.", 1, ", ".join(missing)
        )
