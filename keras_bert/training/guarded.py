"""What optimizers share: gradients are made dense, reduced, looked at, clipped, then used."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from keras_bert.training.loss_scale import LossScale
from keras_bert.training.movement import Movement
from keras_bert.training.replicas import sum_over_replicas


class GuardedOptimizer(keras.optimizers.Optimizer):
    """An optimizer with slots for each variable that makes no update which is not finite.

    Gradients of embeddings, which TensorFlow gives as slices, are summed into dense ones first:
    Adam on slices is another algorithm. The gradients of all variables are summed over replicas and
    then clipped by their global norm. That norm is one number, the same on all replicas; where it
    is not finite, weights and slots stay as they are on all of them, `skipped` is counted, and
    `iterations` goes on, so that a step stays a place in the data. Variables must be float32, as
    they are under the policies `float32`, `mixed_bfloat16` and `mixed_float16`, and so are the
    slots. Variables without a gradient stay as they are, and are not decayed.

    A subclass has `_scalars`, and `_update` or `_update_all`.

    Args:
        learning_rate, weight_decay, beta_1, beta_2, epsilon, clip_norm, exclude_from_weight_decay,
            rate_factors: as in `AdamW`.

    Attributes:
        skipped: int64 variable, how many updates were left out; `build` creates it.
        loss_scale: `LossScale`, or None where losses are not scaled.
        movement: `Movement`, or None where nothing is cut.

    Raises:
        ValueError: a value is out of its range, or a pattern is no regular expression.
    """

    skipped: keras.Variable

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
        *,
        weight_decay: float,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        clip_norm: float | None,
        exclude_from_weight_decay: Iterable[str],
        rate_factors: Mapping[str, float],
    ):
        if isinstance(learning_rate, int):
            learning_rate = float(learning_rate)
        # Keras' own clipping and decay stay off: it clips before it reduces, and loses exclusions.
        super().__init__(learning_rate=learning_rate, name=type(self).__name__.lower())
        self.weight_decay = weight_decay
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.clip_norm = clip_norm
        self.exclusions = patterns_of(exclude_from_weight_decay, "exclude_from_weight_decay")
        factors = patterns_of(rate_factors, "rate_factors"), rate_factors.values()
        self.rate_factors = dict(zip(*factors, strict=True))
        self.loss_scale: LossScale | None = None
        self.movement: Movement | None = None
        self._check()

    def _check(self) -> None:
        refuse_unless(
            self,
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

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the float32 slots of every variable, and the count of skipped updates."""
        if self.built:
            return
        for variable in variables:
            if variable.dtype != "float32":
                raise ValueError(
                    f"{type(self).__name__}'s variables must be float32; {variable.path} is "
                    f"{variable.dtype}. Use the dtype policy mixed_bfloat16, which computes in "
                    "bfloat16 and keeps float32 variables."
                )
        super().build(variables)
        # A namespace, because Keras would take the variables in a list or dict for its own.
        self._slots = types.SimpleNamespace(variables=list(variables), of={})
        for variable in variables:
            slots = tuple(self._slot(variable, name) for name in self._slot_names(variable))
            self._slots.of[id(variable)] = slots
        if self.movement is not None:
            self.movement.build(self.add_variable)
        self.skipped = self.add_variable(shape=(), dtype="int64", name="skipped")

    def _slot_names(self, variable: keras.Variable) -> tuple[str, ...]:
        """Of which numbers of a variable a mean is kept: m of gradients, v of their squares."""
        return ("m", "v")

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
        name = type(self).__name__
        raise ValueError(
            f"The exclusions of {name} are set when it is made. Pass "
            f"{name}(..., exclude_from_weight_decay=(pattern, ...))."
        )

    def scale_losses(self) -> None:
        """Scale losses from now on, as gradients in float16 need it.

        Raises:
            ValueError: the optimizer is built, for losses that are not scaled.
        """
        if self.loss_scale is not None:
            return
        if self.built:
            raise ValueError(
                f"Losses must be scaled from the first update on; this {type(self).__name__} was "
                "built for a model that does not compute in float16. Make a new one."
            )
        self.loss_scale = LossScale(self.add_variable)

    def cut(self, movement: Movement) -> None:
        """Cut parts of matrices from now on, those that a `Movement` finds.

        Raises:
            ValueError: the optimizer is built.
        """
        if self.built:
            raise ValueError(
                f"What is cut is known from the first update on, but this {type(self).__name__} "
                "was built without: make a new one."
            )
        self.movement = movement

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        """The loss whose gradients `apply` takes: as it is, where losses are not scaled."""
        return loss if self.loss_scale is None else loss * self.loss_scale.scale.value

    def apply(
        self,
        grads: Sequence[tf.Tensor | tf.IndexedSlices | None],
        trainable_variables: Sequence[keras.Variable] | None = None,
    ) -> None:
        """Update the variables by one step, or leave them where a gradient is not finite.

        Args:
            grads: a gradient of `scale_loss(loss)` for each variable: a tensor,
                `tf.IndexedSlices`, or None.
            trainable_variables: the variables; the ones that the optimizer was built with if None.

        Raises:
            ValueError: no variable has a gradient, or a variable is unknown to the optimizer.
        """
        variables = self._variables_of(trainable_variables)
        pairs = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        trained = [variable for _, variable in pairs]
        _check_gradients(variables, trained)
        gradients = of_all = self.reduce_gradients([dense(gradient) for gradient, _ in pairs])
        if self.movement is not None:
            gradients = self.movement.masked(of_all, trained)
        norm = global_norm(gradients)
        finite, factor, scalars = tf.math.is_finite(norm), self._factor(norm), self._scalars()

        def update() -> None:
            if self.movement is not None:
                self.movement.learn(of_all, trained, factor)
            clipped = [g if factor is None else g * factor for g in gradients]
            self._update_all(clipped, trained, scalars)
            for variable in trained:
                if variable.constraint is not None:
                    variable.assign(variable.constraint(variable))
            if self.movement is not None:
                self.movement.cut(self.iterations.value + 1)

        # `iterations` is counted by one replica for all, which cannot be done within a branch.
        tf.cond(finite, update, lambda: None)
        self.skipped.assign_add(tf.cast(~finite, "int64"))
        if self.loss_scale is not None:
            self.loss_scale.update(finite)
        self.iterations.assign_add(1)

    def reduce_gradients(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """Sum dense gradients over replicas, before anything is clipped; one replica: as it is."""
        return sum_over_replicas(gradients)

    def _variables_of(
        self, trainable_variables: Sequence[keras.Variable] | None
    ) -> list[keras.Variable]:
        name = type(self).__name__
        if trainable_variables is None and self.built:
            return self._slots.variables
        if trainable_variables is None:
            raise ValueError(f"{name} is not built: pass the variables, or call build() first.")
        variables = list(trainable_variables)
        self.build(variables)
        for variable in variables:
            if id(variable) not in self._slots.of:
                raise ValueError(
                    "An optimizer updates the variables that it was built with; "
                    f"{variable.path} is not one of them. Make a new {name} for this model."
                )
        return variables

    def _factor(self, norm: tf.Tensor) -> tf.Tensor | None:
        """What scaled gradients of this norm are multiplied with, None for 1: it also clips."""
        scale = 1.0 if self.loss_scale is None else self.loss_scale.scale.value
        if self.clip_norm is not None:
            return self.clip_norm / tf.maximum(norm, self.clip_norm * scale)
        return None if self.loss_scale is None else 1.0 / scale

    def _num_updates(self) -> tf.Tensor:
        """Which update this is, counted from 1 without those that were skipped: float32 scalar."""
        return tf.cast(self.iterations.value - self.skipped.value + 1, tf.float32)

    def _scalars(self) -> Any:
        """What all variables share in one step."""
        raise NotImplementedError

    def _update_all(
        self, gradients: Sequence[tf.Tensor], variables: Sequence[keras.Variable], scalars: Any
    ) -> None:
        """Update variables, and their slots, on this replica alone."""
        for gradient, variable in zip(gradients, variables, strict=True):
            self._update(gradient, variable, scalars)

    def _update(self, gradient: tf.Tensor, variable: keras.Variable, scalars: Any) -> None:
        """Update one variable, and its slots, on this replica alone."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {
            "learning_rate": super().get_config()["learning_rate"],
            "weight_decay": self.weight_decay,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "clip_norm": self.clip_norm,
            "exclude_from_weight_decay": list(self.exclusions),
            "rate_factors": dict(self.rate_factors),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None):
        """As in Keras; a name, which older files have, is left out."""
        config = {name: value for name, value in config.items() if name != "name"}
        return super().from_config(config, custom_objects)

    def load_own_variables(self, store) -> None:
        """As in Keras; older files do not have `skipped`, the last one."""
        state = {str(i): store[str(i)] for i in range(len(store.keys()))}
        if len(state) == len(self.variables) - 1:
            state[str(len(state))] = 0
        super().load_own_variables(state)


def dense(gradient: tf.Tensor | tf.IndexedSlices) -> tf.Tensor:
    """A gradient as a float32 tensor; rows that `tf.IndexedSlices` name twice are summed."""
    return tf.cast(tf.convert_to_tensor(gradient), tf.float32)


def global_norm(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """The Euclidean norm of all tensors together, a float32 scalar."""
    # l2_loss is half the sum of squares, without a tensor for the squares.
    return tf.sqrt(2.0 * tf.add_n([tf.nn.l2_loss(tensor) for tensor in tensors]))


def patterns_of(patterns: Iterable[str], name: str) -> tuple[str, ...]:
    """Regular expressions that an argument of this name holds.

    Raises:
        ValueError: it is a string, or one of them is no regular expression.
    """
    if isinstance(patterns, str):
        raise ValueError(
            f"{name} must be a sequence of regular expressions, not the string {patterns!r}. Pass "
            f"({patterns!r},)."
        )
    patterns = tuple(patterns)
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"{name} takes regular expressions; {pattern!r} is none: {error}. Correct the "
                "pattern."
            ) from error
    return patterns


def refuse_unless(optimizer: GuardedOptimizer, *rules: tuple[bool, str, Any]) -> None:
    """Looks at rules of an optimizer's arguments: whether one holds, what it says, the value.

    Raises:
        ValueError: one does not hold.
    """
    for holds, rule, value in rules:
        if not holds:
            name = type(optimizer).__name__
            raise ValueError(f"{rule}, not {value!r}. Correct this argument of {name}.")


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
