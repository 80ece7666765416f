"""The model class that everything trains by: exact losses, micro-batches, exact logs."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Sequence

import keras
import tensorflow as tf

# The name that the loss of a model with one output tensor goes by.
ONLY = ""


class Trainable(keras.Model):
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

    It is used as `keras.Model` is: functional, directly or in a subclass that hands `inputs` and
    `outputs` to `super().__init__`, or as a subclass with a `call`.

    Args:
        inputs: of a functional model, a `keras.Input` or a nest of them.
        outputs: of a functional model: a tensor or a dict of tensors.
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

    def __new__(cls, *args, **kwargs):
        functional = len(args) >= 2 or (kwargs.get("inputs") is not None)
        return super().__new__(FunctionalTrainable if functional and cls is Trainable else cls)

    def __init__(self, inputs=None, outputs=None, name: str | None = None):
        if inputs is None:
            super().__init__(name=name)
            return
        _make_functional(type(self))
        super().__init__(inputs, outputs, name=name)

    def __call__(self, *args, **options):
        # None is as if it were not given: Keras would take it for an answer, and a model within
        # another one, whose `call` does not pass `training` on, would train without dropout.
        given = {name: value for name, value in options.items() if value is not None}
        return super().__call__(*args, **given)

    def compile(
        self,
        optimizer="adam",
        loss=None,
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
            optimizer: a Keras optimizer or its name.
            loss: a `keras.losses.Loss` with `reduction="sum"` for a model with one output tensor,
                or a dict of them by output name; outputs left out have no loss.
            loss_weights: float, or dict of floats by output name; 1 where it says nothing.
            metrics, weighted_metrics: as in Keras; the weighted ones see the sample weights.
            num_micro_batches: int, the parts a training batch is computed in, one after the other,
                which divides the memory that activations take. It must divide the batch.
            run_eagerly: bool, step through the Python code, to debug.
            jit_compile: bool, XLA; off because it is slower on the CPU.
            steps_per_execution: int, the steps between two looks at callbacks.

        Raises:
            ValueError: a loss has another reduction, names do not match, or a value is wrong.
        """
        arguments = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        losses = _checked_losses(loss)
        _check_arguments(optimizer, num_micro_batches, self.dtype_policy.name)
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
        arguments["optimizer"] = self.optimizer
        # A namespace, because Keras would wrap and track what is in a dict.
        self._objective = types.SimpleNamespace(losses=losses, arguments=arguments)
        self.num_micro_batches = num_micro_batches
        self.loss_means = LossMeans(tuple(losses), _checked_loss_weights(loss_weights, losses))

    def get_compile_config(self) -> dict:
        """What `compile` was called with, for a `.keras` file."""
        if not self.compiled:
            return {}
        arguments = self._objective.arguments.items()
        return {name: keras.saving.serialize_keras_object(value) for name, value in arguments}

    def compile_from_config(self, config: dict) -> None:
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
        means = getattr(self, "loss_means", None)
        others = [metric for metric in super().metrics if metric.name != "loss"]
        return others if means is None else [means, *others]

    def make_train_function(self, force: bool = False):
        """Keras' hook: slots that were made while a step is traced would have it traced twice."""
        if self.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)
        return super().make_train_function(force)

    def train_step(self, data) -> dict[str, tf.Tensor]:
        """One update from the batch `(x, y, sample_weight)`; returns the logs so far."""
        batch = keras.utils.unpack_x_y_sample_weight(data)
        weights = self._weights(*batch[1:])
        totals = {name: sum_over_replicas(tf.reduce_sum(w)) for name, w in weights.items()}
        if self.num_micro_batches == 1:
            gradients = self._gradients(batch, totals)
        else:
            gradients = self._accumulated_gradients(batch, totals)
        self.optimizer.apply(gradients, self.trainable_variables)
        return self.get_metrics_result()

    def test_step(self, data) -> dict[str, tf.Tensor]:
        """Update the metrics by the batch `(x, y, sample_weight)`; returns the logs so far."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        y_pred = self._forward(x, training=False)
        weights = self._weights(y, sample_weight)
        self.loss_means.update_state(self._loss_sums(y, y_pred, weights), weights, self.losses)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The loss of one whole batch, a float32 scalar; the steps above do not go through it."""
        weights = self._weights(y, sample_weight)
        totals = {name: tf.reduce_sum(weight) for name, weight in weights.items()}
        total = self._total(self._loss_sums(y, y_pred, weights), totals)
        return total + _sum(self.losses)

    def compute_metrics(self, x, y, y_pred, sample_weight=None) -> dict[str, tf.Tensor]:
        """Update the compiled metrics; returns the logs so far."""
        if isinstance(y_pred, dict) and isinstance(y, dict):
            # Keras wants an entry for every output, also for one without labels.
            y = {name: y.get(name) for name in y_pred}
        if isinstance(y_pred, dict) and isinstance(sample_weight, dict):
            sample_weight = {name: sample_weight.get(name) for name in y_pred}
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _gradients(self, batch, totals) -> list[tf.Tensor | None]:
        """Dense gradients of a part of a batch, where the weights of all parts sum to `totals`.

        What it gives adds up over the parts. It also updates the metrics by this part.
        """
        x, y, sample_weight = batch
        weights = self._weights(y, sample_weight)
        with tf.GradientTape() as tape:
            y_pred = self._forward(x, training=True)
            sums = self._loss_sums(y, y_pred, weights)
            num_parts = self.num_micro_batches * tf.distribute.get_strategy().num_replicas_in_sync
            loss = self._total(sums, totals) + _sum(self.losses) / num_parts
        gradients = tape.gradient(loss, [variable.value for variable in self.trainable_variables])
        self.loss_means.update_state(sums, weights, self.losses)
        self.compute_metrics(x, y, y_pred, sample_weight)
        return [None if g is None else tf.convert_to_tensor(g) for g in gradients]

    def _accumulated_gradients(self, batch, totals) -> list[tf.Tensor | None]:
        """The sum of `_gradients` over micro-batches, with one of them in memory at a time."""
        parts = keras.tree.map_structure(self._cut, batch)
        if not self.built:
            self._forward(keras.tree.map_structure(lambda part: part[0], parts[0]), training=False)
        variables = self.trainable_variables
        unused: set[int] = set()

        def add(index, *sums):
            part = keras.tree.map_structure(lambda t: None if t is None else t[index], parts)
            gradients = self._gradients(part, totals)
            unused.update(i for i, gradient in enumerate(gradients) if gradient is None)
            pairs = zip(sums, gradients, strict=True)
            return index + 1, *(s if g is None else s + tf.cast(g, s.dtype) for s, g in pairs)

        _, *sums = tf.while_loop(
            lambda index, *_: index < self.num_micro_batches,
            add,
            (tf.constant(0), *(tf.zeros(v.shape, v.dtype) for v in variables)),
            parallel_iterations=1,
        )
        return [None if i in unused else gradient for i, gradient in enumerate(sums)]

    def _cut(self, tensor: tf.Tensor | None) -> tf.Tensor | None:
        """[B, ...] to [num_micro_batches, B / num_micro_batches, ...]."""
        if tensor is None:
            return None
        tensor, number = tf.convert_to_tensor(tensor), self.num_micro_batches
        size = tensor.shape[0] if tensor.shape[0] is not None else tf.shape(tensor)[0]
        with tf.control_dependencies(_check_divisible(size, number)):
            shape = tf.concat([[number, size // number], tf.shape(tensor)[1:]], axis=0)
            parts = tf.reshape(tensor, shape)
        rows = size // number if isinstance(size, int) else None
        return tf.ensure_shape(parts, [number, rows, *tensor.shape[1:]])

    def _forward(self, x, training: bool):
        if "training" in inspect.signature(self.call).parameters:
            return self(x, training=training)
        return self(x)

    def _weights(self, y, sample_weight) -> dict[str, tf.Tensor]:
        """Float32 weights for each output with a loss; ones [B] where the data has none."""
        weights = {}
        for name in self._objective.losses:
            weight = sample_weight
            if isinstance(sample_weight, dict):
                weight = sample_weight.get(name)
            if weight is None:
                weight = tf.ones(tf.shape(_named(y, name, "labels"))[:1])
            weights[name] = _without_trailing_ones(tf.cast(weight, tf.float32))
        return weights

    def _loss_sums(self, y, y_pred, weights) -> dict[str, tf.Tensor]:
        """The sum of w * l for each output, float32 scalars."""
        sums = {}
        for name, loss in self._objective.losses.items():
            labels = _as_float32(_named(y, name, "labels"))
            outputs = _as_float32(_named(y_pred, name, "outputs"))
            # call() gives the losses of the elements; calling the object would reduce them.
            values = tf.cast(loss.call(labels, outputs), tf.float32)
            sums[name] = tf.reduce_sum(weights[name] * _mean_to(weights[name], values, name))
        return sums

    def _total(self, sums, totals) -> tf.Tensor:
        """The weighted sum over outputs of their sums divided by the totals of their weights."""
        quotients = (tf.math.divide_no_nan(sums[name], totals[name]) for name in sums)
        return tf.add_n([w * q for w, q in zip(self.loss_means.scales, quotients, strict=True)])


class FunctionalTrainable(Trainable):
    """What `Trainable(inputs, outputs)` makes."""


class LossMeans(keras.metrics.Metric):
    """The mean loss of every output over all weight seen, and their weighted sum.

    Args:
        names: output names; one name alone has no entry of its own in the result.
        scales: floats, the factor of each output in the sum.

    Returns:
        `result()` is a dict of scalars: `loss`, and for several outputs `<output>_loss`.
    """

    def __init__(self, names: tuple[str, ...], scales: tuple[float, ...], name: str = "loss"):
        super().__init__(name=name)
        self.names = names
        self.scales = scales
        # Double precision, because an epoch sums some 10^8 weights.
        add = {"initializer": "zeros", "dtype": "float64"}
        self.loss_sums = self.add_variable((len(names),), name="loss_sums", **add)
        self.weight_sums = self.add_variable((len(names),), name="weight_sums", **add)
        self.added = self.add_variable((2,), name="added_sum_and_count", **add)

    def update_state(self, loss_sums, weights, added_losses) -> None:
        """Add one batch, or a part of one.

        Args:
            loss_sums: dict of float32 scalars by output, the sums of w * l.
            weights: dict of float32 tensors by output, the weights w.
            added_losses: list of scalars, the losses that layers added.
        """
        totals = [tf.reduce_sum(tf.cast(weights[name], tf.float64)) for name in self.names]
        sums = [tf.cast(loss_sums[name], tf.float64) for name in self.names]
        self.loss_sums.assign_add(tf.stack(sums))
        self.weight_sums.assign_add(tf.stack(totals))
        self.added.assign_add(tf.stack([tf.cast(_sum(added_losses), tf.float64), 1.0]))

    def result(self) -> dict[str, tf.Tensor]:
        means = tf.math.divide_no_nan(self.loss_sums.value, self.weight_sums.value)
        added = tf.math.divide_no_nan(self.added.value[0], self.added.value[1])
        scales = tf.constant(self.scales, tf.float64)
        logs = {"loss": tf.reduce_sum(scales * means) + added}
        if len(self.names) > 1:
            logs.update({f"{name}_loss": means[i] for i, name in enumerate(self.names)})
        return logs


def sum_over_replicas(value: tf.Tensor) -> tf.Tensor:
    """The sum of `value` over the replicas of the strategy; with one replica it is `value`."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


@functools.cache
def _functional_class() -> type:
    """Keras' functional model class, which has no public name."""
    one = keras.Input((1,), name="one")
    return type(keras.Model(one, keras.layers.Identity(name="same")(one), name="model"))


def _make_functional(cls: type) -> None:
    """Give a model class Keras' functional class as its last base.

    Keras would put it below every class on the way up, Trainable too, and no subclass with a
    `call` could be made any more.
    """
    if _functional_class() not in cls.__mro__:
        cls.__bases__ = (*cls.__bases__, _functional_class())


def _checked_losses(loss) -> dict[str, keras.losses.Loss]:
    """Losses by output name, `ONLY` for a model with one output tensor."""
    losses = loss if isinstance(loss, dict) and loss else {ONLY: loss}
    for name, value in losses.items():
        reduction = getattr(value, "reduction", None)
        if not isinstance(value, keras.losses.Loss) or reduction != "sum":
            raise ValueError(
                'A loss must be a keras.losses.Loss with reduction="sum"; '
                f"{'loss' if name == ONLY else repr(name)} is {value!r} with reduction "
                f'{reduction!r}. Pass for example keras.losses.MeanSquaredError(reduction="sum"); '
                "the division by the sum of weights is done here, over the whole batch."
            )
    return dict(losses)


def _checked_loss_weights(loss_weights, losses) -> tuple[float, ...]:
    if loss_weights is None:
        loss_weights = {}
    if not isinstance(loss_weights, dict):
        loss_weights = dict.fromkeys(losses, loss_weights)
    unknown = sorted(set(loss_weights) - set(losses))
    if unknown:
        raise ValueError(
            f"loss_weights must name outputs with a loss: {', '.join(losses)}; it names "
            f"{', '.join(unknown)}. Correct the names."
        )
    return tuple(float(loss_weights.get(name, 1.0)) for name in losses)


def _check_arguments(optimizer, num_micro_batches, policy: str) -> None:
    if not isinstance(num_micro_batches, int) or num_micro_batches < 1:
        raise ValueError(
            f"num_micro_batches must be an int of at least 1, not {num_micro_batches!r}. "
            "Pass 1 to compute a batch at once."
        )
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if policy == "mixed_float16" or scaled:
        raise ValueError(
            "Losses are not scaled here, and without that float16 gradients vanish; the policy is "
            f"{policy}, the optimizer {optimizer}. Use the policy mixed_bfloat16 and an optimizer "
            "that does not scale."
        )


def _check_divisible(size: int | tf.Tensor, number: int) -> list[tf.Operation]:
    """Raise now, or return what raises in the graph, unless `number` divides the batch size."""
    rule = f"The batch size must be a multiple of num_micro_batches={number}"
    advice = "Drop the remainder of the dataset, or choose another number."
    if not isinstance(size, int):
        check = tf.debugging.assert_equal(size % number, 0, f"{rule}. {advice}")
        return [] if check is None else [check]
    if size % number:
        raise ValueError(f"{rule}; it is {size}. {advice}")
    return []


def _without(variables, others) -> list[keras.Variable]:
    """Those variables that are not among the others, in their order."""
    excluded = {id(variable) for variable in others}
    return [variable for variable in variables if id(variable) not in excluded]


def _named(tree, name: str, what: str):
    """The entry of one output in labels or outputs, which are one tensor or a dict."""
    if name == ONLY and not isinstance(tree, dict | list | tuple) and tree is not None:
        return tree
    if name != ONLY and isinstance(tree, dict) and name in tree:
        return tree[name]
    came = sorted(tree) if isinstance(tree, dict) else type(tree).__name__
    needed = "one tensor, as loss is no dict" if name == ONLY else f"a dict with {name!r}"
    raise ValueError(
        f"The {what} must be {needed}; they are {came}. Give compile() a dict of losses by output "
        "name for a model with a dict of outputs, and one loss for a model with one."
    )


def _without_trailing_ones(weight: tf.Tensor) -> tf.Tensor:
    while weight.shape.rank > 1 and weight.shape[-1] == 1:
        weight = tf.squeeze(weight, -1)
    return weight


def _mean_to(weight: tf.Tensor, values: tf.Tensor, name: str) -> tf.Tensor:
    """Losses of elements averaged over the axes that the weights do not have."""
    rank = weight.shape.rank
    if values.shape.rank < rank or not weight.shape.is_compatible_with(values.shape[:rank]):
        raise ValueError(
            f"Sample weights must have the shape of the losses {tuple(values.shape)}, or its first "
            f"axes{f' ({name})' if name != ONLY else ''}; they have {tuple(weight.shape)}. Give "
            "weights of that shape."
        )
    return tf.reduce_mean(values, axis=list(range(rank, values.shape.rank)))


def _as_float32(tensor) -> tf.Tensor:
    tensor = tf.convert_to_tensor(tensor)
    return tf.cast(tensor, tf.float32) if tensor.dtype.is_floating else tensor


def _sum(losses) -> tf.Tensor:
    return tf.add_n([tf.reduce_sum(tf.cast(loss, tf.float32)) for loss in losses] or [tf.zeros(())])
