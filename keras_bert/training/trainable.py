"""The model classes that everything trains by: exact losses, micro-batches, exact logs."""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_bert.training.guarded import GuardedOptimizer
from keras_bert.training.micro_batches import cut, part_of, sum_over_parts
from keras_bert.training.objective import LossMeans, Objective, sum_of
from keras_bert.training.replicas import num_replicas, sum_over_replicas


class ExactModel(keras.Model):
    """A `keras.Model` whose loss and logs are exact, however a batch is cut into pieces.

    The loss of an output is `sum(w * l) / sum(w)` over the whole batch: l are the losses of its
    elements, w their sample weights (ones where the data has none). Stock Keras divides by the
    number of elements, and by the number in each part where a batch is computed in parts, so that
    masked predictions weigh more in rows, and parts, that have few of them. The total is the sum
    over outputs with `loss_weights`, plus what layers add (regularizers). An output whose weights
    sum to 0 contributes 0.

    In the logs `loss` and, where there are several, each `<output>_loss` are the same quotients
    over all that was seen since the epoch or the evaluation began, not means of means of batches.
    Weights are what the data gives as `sample_weight`; implicit Keras masks are not looked at.
    A weight that covers several elements, say [B] with losses [B, T], weighs their mean.

    A subclass has a `call`; `Trainable` has inputs and outputs instead.

    Args:
        name: str.

    Example:

    >>> import keras, numpy as np
    >>> from keras_bert.training.trainable import ExactModel
    >>> class Twice(ExactModel):
    ...     def call(self, x):
    ...         return 2 * x
    >>> model = Twice()
    >>> model.compile("sgd", keras.losses.MeanSquaredError(reduction="sum"))
    >>> x, y = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [2.0], [2.0]])
    >>> model.evaluate(x, y, batch_size=2, verbose=0)  # (1 + 0 + 4) / 3
    1.66...
    """

    # Set by `compile`.
    loss_means: LossMeans
    num_micro_batches: int

    def __call__(self, *args, **options):
        # None is as if it were not given: Keras would take it for an answer, and a model within
        # another one, whose `call` does not pass `training` on, would train without dropout.
        given = {name: value for name, value in options.items() if value is not None}
        return super().__call__(*args, **given)

    def compile(
        self,
        optimizer="adam",
        loss=None,
        *,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        num_micro_batches: int = 1,
        run_eagerly: bool = False,
        jit_compile: bool = False,
        steps_per_execution: int = 1,
    ) -> None:
        """Configure the training.

        Args:
            optimizer: a Keras optimizer or its name; for a model that computes in float16 `AdamW`
                or `Lamb`, which then scale the loss.
            loss: a `keras.losses.Loss` with `reduction="sum"` for a model with one output tensor,
                or a dict of them by output name; outputs left out have no loss.
            loss_weights: float, or dict of floats by output name; 1 where it says nothing.
            metrics, weighted_metrics: as in Keras; the weighted ones see the sample weights.
            num_micro_batches: int, the parts a training batch is computed in, one after the other,
                which divides the memory that activations take. It must divide the batch.
            run_eagerly: bool, step through the Python code, to debug.
            jit_compile: bool, XLA; off because it is slower on the CPU. Not on several replicas.
            steps_per_execution: int, the steps between two looks at callbacks; 1 on several
                replicas.

        Raises:
            ValueError: a loss has another reduction, names do not match, or a value is wrong.
        """
        objective = Objective.of(loss, loss_weights)
        in_float16 = _computes_in_float16(self)
        _check_arguments(optimizer, num_micro_batches, in_float16)
        if in_float16:
            with self.distribute_strategy.scope():
                optimizer.scale_losses()
        if self.distribute_strategy.num_replicas_in_sync > 1:
            _check_replicated(jit_compile, steps_per_execution)
            _check_spans(objective, num_micro_batches)
        super().compile(
            optimizer=optimizer,
            # Keras keeps the metrics of an earlier call when it is given None.
            metrics={} if metrics is None and self.compiled else metrics,
            weighted_metrics=weighted_metrics,
            run_eagerly=run_eagerly,
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
            auto_scale_loss=False,
        )
        # A namespace, because Keras would wrap and track what is in a dict.
        self._given = types.SimpleNamespace(
            optimizer=self.optimizer,
            loss=loss,
            loss_weights=loss_weights,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            num_micro_batches=num_micro_batches,
            run_eagerly=run_eagerly,
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
        )
        self._objective = objective
        self.num_micro_batches = num_micro_batches
        self.loss_means = LossMeans(objective)

    def get_compile_config(self) -> dict[str, Any]:
        """What `compile` was called with, for a `.keras` file."""
        if not self.compiled:
            return {}
        given = dict(vars(self._given))
        if self.num_micro_batches == 1:
            del given["num_micro_batches"]  # which a clone, no model of this class, does not know
        return {n: keras.saving.serialize_keras_object(value) for n, value in given.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with what `get_compile_config` gave."""
        config = {k: keras.saving.deserialize_keras_object(v) for k, v in config.items()}
        self.compile(**config)
        if self.built:
            self.optimizer.build(self.trainable_variables)

    @property
    def idle_layers(self) -> Sequence[keras.layers.Layer]:
        """Layers of the model that no loss depends on: none, where a subclass says nothing else.

        Their variables are not among those that the model trains, whatever their own `trainable`
        says, which belongs to all models that share the layers.
        """
        return ()

    @property
    def trainable_weights(self) -> list[keras.Variable]:
        """The weights that training updates: without those of `idle_layers`."""
        return self._without_idle(super().trainable_weights)

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The variables that training updates: without those of `idle_layers`."""
        return self._without_idle(super().trainable_variables)

    @property
    def non_trainable_weights(self) -> list[keras.Variable]:
        """All other weights."""
        return _without(self.weights, self.trainable_weights)

    @property
    def non_trainable_variables(self) -> list[keras.Variable]:
        """All other variables."""
        return _without(self.variables, self.trainable_variables)

    def _without_idle(self, variables: list[keras.Variable]) -> list[keras.Variable]:
        return _without(variables, [v for layer in self.idle_layers for v in layer.variables])

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The exact means of the losses, in place of Keras' tracker, and the compiled metrics."""
        others = [metric for metric in super().metrics if metric.name != "loss"]
        return [self.loss_means, *others] if self.compiled else others

    def make_train_function(self, force: bool = False):
        """Keras' hook: slots that were made while a step is traced would have it traced twice."""
        if self.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)
        return super().make_train_function(force)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None) -> None:
        """Keras' hook, which under a strategy takes a batch out of the data, to build by it.

        It fails with several workers (https://github.com/keras-team/keras/issues/20329), and the
        batch is lost to the training. Nothing here waits for a batch to be built.
        """

    def train_step(self, data) -> dict[str, tf.Tensor]:
        """One update from the batch `(x, y, sample_weight)`; returns the logs so far."""
        batch = keras.utils.unpack_x_y_sample_weight(data)
        weights = self._objective.weights(*batch[1:])
        sums = sum_over_replicas([tf.reduce_sum(weight) for weight in weights.values()])
        totals = dict(zip(weights, sums, strict=True))
        if self.num_micro_batches == 1:
            gradients = self._gradients(batch, totals)
        else:
            gradients = self._accumulated_gradients(batch, totals)
        self.optimizer.apply(gradients, self.trainable_variables)
        return self._logs()

    def test_step(self, data) -> dict[str, tf.Tensor]:
        """Update the metrics by the batch `(x, y, sample_weight)`; returns the logs so far."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        y_pred = self._forward(x, training=False)
        weights = self._objective.weights(y, sample_weight)
        sums = self._objective.sums(y, y_pred, weights)
        self.loss_means.update_state(sums, weights, self.losses)
        self.compute_metrics(x, y, y_pred, sample_weight)
        return self._logs()

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The loss of one whole batch, a float32 scalar; the steps above do not go through it."""
        weights = self._objective.weights(y, sample_weight)
        totals = {name: tf.reduce_sum(weight) for name, weight in weights.items()}
        total = self._objective.total(self._objective.sums(y, y_pred, weights), totals)
        return total + sum_of(self.losses)

    def compute_metrics(self, x, y, y_pred, sample_weight=None) -> dict[str, tf.Tensor]:
        """Update the compiled metrics; returns the logs so far."""
        y, sample_weight = _of_outputs(y, y_pred), _of_outputs(sample_weight, y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _compute_metrics_if(self, finite: tf.Tensor, x, y, y_pred, sample_weight) -> None:
        """Update the compiled metrics, whose state then stays as it is where it is not finite.

        Not within a `tf.cond`: what losses and metrics have in common is then computed twice, 4 %
        of a training step of "mini".
        """
        metrics = self.metrics[1:]
        for metric in metrics:
            if not getattr(metric, "built", True):  # Keras would do so in the first update.
                metric.build(_of_outputs(y, y_pred), y_pred)
        before = [(v, tf.identity(v.value)) for metric in metrics for v in metric.variables]
        self.compute_metrics(x, y, y_pred, sample_weight)
        for variable, value in before:
            variable.assign(tf.where(finite, variable.value, value))

    def _gradients(self, batch, totals: dict[str, tf.Tensor]) -> list[tf.Tensor | None]:
        """Dense gradients of a part of a batch, where the weights of all parts sum to `totals`.

        What it gives adds up over the parts. It also updates the metrics by this part, which they
        leave out where its loss is not finite, if the optimizer skips the update then.
        """
        x, y, sample_weight = batch
        weights = self._objective.weights(y, sample_weight)
        with tf.GradientTape() as tape:
            y_pred = self._forward(x, training=True)
            sums = self._objective.sums(y, y_pred, weights)
            num_parts = self.num_micro_batches * num_replicas()
            added = self.losses
            loss = self._objective.total(sums, totals) + sum_of(added) / num_parts
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, [variable.value for variable in self.trainable_variables])
        gradients = [None if g is None else tf.convert_to_tensor(g) for g in gradients]
        if not isinstance(self.optimizer, GuardedOptimizer):
            self.loss_means.update_state(sums, weights, added)
            self.compute_metrics(x, y, y_pred, sample_weight)
            return gradients
        finite = tf.reduce_all(tf.math.is_finite([loss, *sums.values()]))
        self.loss_means.update_state(sums, weights, added, finite)
        self._compute_metrics_if(finite, x, y, y_pred, sample_weight)
        return _finite_as(loss, gradients)

    def _accumulated_gradients(self, batch, totals: dict[str, tf.Tensor]):
        """The sum of `_gradients` over micro-batches."""
        number = self.num_micro_batches
        parts = cut(batch, number)
        if not self.built:
            self._forward(part_of(parts[0], 0), training=False)
        return sum_over_parts(
            lambda part: self._gradients(part, totals), parts, number, self.trainable_variables
        )

    def _logs(self) -> dict[str, tf.Tensor]:
        """What the metrics of all replicas together say so far."""
        if num_replicas() == 1:
            return self.get_metrics_result()
        metrics = self.metrics
        sums = iter(sum_over_replicas([v.value for one in metrics for v in one.variables]))
        logs: dict[str, tf.Tensor] = {}
        for metric in metrics:
            result = metric.stateless_result([next(sums) for _ in metric.variables])
            logs.update(result if isinstance(result, dict) else {metric.name: result})
        if isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy):
            # Keras takes the mean of the logs of all workers along the first axis.
            logs = {name: tf.reshape(value, (1,)) for name, value in logs.items()}
        return logs

    def _forward(self, x, training: bool):
        # Keras' own `call` of a subclass may take no `training`, and would refuse it.
        if "training" in inspect.signature(self.call).parameters:
            return self(x, training=training)
        return self(x)


# Keras' class of models with inputs and outputs has no public name: it is what one of them is.
# As the base of a subclass of `keras.Model` Keras would put it there when the first one is made,
# below every class on the way up, of which none could have a subclass with a `call` any more.
_INPUT = keras.Input((1,), name="input")
_Functional: Any = type(keras.Model(_INPUT, _INPUT, name="model"))


class Trainable(ExactModel, _Functional):
    """A functional `keras.Model` whose loss and logs are exact, as `ExactModel` says.

    It is used as `keras.Model` is: directly, or in a subclass that hands `inputs` and `outputs` to
    `super().__init__`.

    Args:
        inputs: a `keras.Input` or a nest of them.
        outputs: a tensor or a dict of tensors.
        name: str.

    Example:

    >>> import keras, numpy as np
    >>> from keras_bert.training.trainable import Trainable
    >>> inputs = keras.Input((3,))
    >>> model = Trainable(inputs, keras.layers.Dense(1, kernel_initializer="ones")(inputs))
    >>> model.compile("sgd", keras.losses.MeanSquaredError(reduction="sum"))
    >>> x, y, weights = np.eye(3), np.array([[1.0], [3.0], [9.0]]), np.array([1.0, 3.0, 0.0])
    >>> model.evaluate(x, y, sample_weight=weights, batch_size=2, verbose=0)  # (0 + 3 * 4) / 4
    3.0
    """


def _check_arguments(optimizer, num_micro_batches: int, in_float16: bool) -> None:
    if not isinstance(num_micro_batches, int) or num_micro_batches < 1:
        raise ValueError(
            f"num_micro_batches must be an int of at least 1, not {num_micro_batches!r}. "
            "Pass 1 to compute a batch at once."
        )
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if scaled or (in_float16 and not isinstance(optimizer, GuardedOptimizer)):
        raise ValueError(
            "Losses of a model that computes in float16 must be scaled, since its gradients else "
            f"vanish, and AdamW and Lamb do so themselves; the optimizer is {optimizer}. Use one "
            "of them, or the policy mixed_bfloat16 and an optimizer that does not scale."
        )


def _check_replicated(jit_compile: bool, steps_per_execution: int) -> None:
    """Refuse what Keras accepts under a strategy, and what fails in its first step."""
    if jit_compile or steps_per_execution > 1:
        raise ValueError(
            "On several replicas jit_compile must be False and steps_per_execution 1, not "
            f"{jit_compile} and {steps_per_execution}: leave them out."
        )


def _check_spans(objective: Objective, num_micro_batches: int) -> None:
    """Refuse micro-batches where the rows of all replicas, which are not in one, are compared."""
    if objective.spans_batch and num_micro_batches > 1:
        raise ValueError(
            "A loss that compares all rows of a batch is computed at once on several replicas, but "
            f"num_micro_batches is {num_micro_batches}: pass 1."
        )


def _computes_in_float16(layer: keras.layers.Layer) -> bool:
    """Whether a layer, or one within it, does."""
    within = getattr(layer, "layers", ())
    return layer.compute_dtype == "float16" or any(map(_computes_in_float16, within))


def _of_outputs(tree: Any, y_pred: Any) -> Any:
    """What is given by output, with an entry for each: Keras wants one, also without labels."""
    if isinstance(y_pred, dict) and isinstance(tree, dict):
        return {name: tree.get(name) for name in y_pred}
    return tree


def _finite_as(loss: tf.Tensor, gradients: Sequence[tf.Tensor | None]) -> list[tf.Tensor | None]:
    """Gradients of which the smallest is not finite where the loss is not.

    A loss that overflows may have gradients that are finite; nothing is to be learned from them.
    """
    sizes = {i: g.shape.num_elements() for i, g in enumerate(gradients) if g is not None}
    smallest = min(sizes, key=lambda i: sizes[i] or math.inf, default=None)
    return [g + 0.0 * loss if i == smallest else g for i, g in enumerate(gradients)]


def _without(
    variables: Iterable[keras.Variable], others: Iterable[keras.Variable]
) -> list[keras.Variable]:
    """Those variables that are not among the others, in their order."""
    excluded = {id(variable) for variable in others}
    return [variable for variable in variables if id(variable) not in excluded]
