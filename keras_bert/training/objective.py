"""What a model learns: the losses of its outputs, as sums that parts of a batch add up to."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

# The name that the loss of a model with one output tensor goes by.
ONLY = ""


@dataclasses.dataclass(frozen=True)
class Objective:
    """The losses of a model's outputs, and the factor of each in the sum of all.

    The loss of an output is `sum(w * l) / sum(w)` over a whole batch: l are the losses of its
    elements, w their sample weights. The methods give both sums, for a batch or a part of it, so
    that they may be added up before they are divided.

    Args:
        losses: dict of `keras.losses.Loss` by output name, `ONLY` for one output tensor.
        scales: a float for each loss.

    Example:

    >>> import keras, tensorflow as tf
    >>> from keras_bert.training.objective import Objective
    >>> objective = Objective.of(keras.losses.MeanSquaredError(reduction="sum"))
    >>> y, weights = tf.constant([[1.0], [3.0]]), tf.constant([1.0, 0.5])
    >>> weights = objective.weights(y, weights)
    >>> sums = objective.sums(y, tf.zeros((2, 1)), weights)  # 1 * 1 + 0.5 * 9
    >>> float(sums[""]), float(objective.total(sums, {"": tf.reduce_sum(weights[""])}))
    (5.5, 3.66...)
    """

    losses: dict[str, keras.losses.Loss]
    scales: tuple[float, ...]

    @classmethod
    def of(cls, loss: Any, loss_weights: Any = None) -> Objective:
        """From what `compile` is given.

        Args:
            loss: a `keras.losses.Loss` with `reduction="sum"`, or a dict of them by output name.
            loss_weights: float, or dict of floats by output name; 1 where it says nothing.

        Raises:
            ValueError: a loss has another reduction, or a weight is of an output without a loss.
        """
        losses = _checked_losses(loss)
        return cls(losses, _checked_scales(loss_weights, losses))

    @property
    def spans_batch(self) -> bool:
        """Whether the loss of a row depends on the others of the batch, as `SPANS_BATCH` says.

        Such a loss is called with the weights, too.
        """
        return any(map(_spans_batch, self.losses.values()))

    def weights(self, y: Any, sample_weight: Any) -> dict[str, tf.Tensor]:
        """Float32 weights for each output with a loss; ones [B] where the data has none."""
        weights = {}
        for name in self.losses:
            weight = sample_weight
            if isinstance(sample_weight, dict):
                weight = sample_weight.get(name)
            if weight is None:
                weight = tf.ones(tf.shape(_named(y, name, "labels"))[:1])
            weights[name] = _without_trailing_ones(tf.cast(weight, tf.float32))
        return weights

    def sums(self, y: Any, y_pred: Any, weights: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The sum of w * l for each output, float32 scalars.

        Args:
            y: labels, a tensor or a dict by output name.
            y_pred: outputs, likewise.
            weights: as `weights` gives them.

        Raises:
            ValueError: an output or its labels are missing, or weights do not fit its losses.
        """
        sums = {}
        for name, loss in self.losses.items():
            labels = _as_float32(_named(y, name, "labels"))
            outputs = _as_float32(_named(y_pred, name, "outputs"))
            # Of a loss that compares the rows of a batch, those without weight are not there.
            given = [weights[name]] if _spans_batch(loss) else []
            # call() gives the losses of the elements; calling the object would reduce them.
            values = tf.cast(loss.call(labels, outputs, *given), tf.float32)
            sums[name] = tf.reduce_sum(weights[name] * _mean_to(weights[name], values, name))
        return sums

    def total(self, sums: Mapping[str, tf.Tensor], totals: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The weighted sum over outputs of their sums divided by the totals of their weights."""
        quotients = (tf.math.divide_no_nan(sums[name], totals[name]) for name in sums)
        return tf.add_n([w * q for w, q in zip(self.scales, quotients, strict=True)])


class LossMeans(keras.metrics.Metric):
    """The mean loss of every output over all weight seen, and their weighted sum.

    An epoch sums some 10^8 weights, too many for float32 alone, and TPUs have no float64: each sum
    is kept with what its rounding lost, so that means are right to some 1e-7 on every device.

    Args:
        objective: `Objective`; one output alone has no entry of its own in the result.
        name: str.

    Returns:
        `result()` is a dict of scalars: `loss`, and for several outputs `<output>_loss`. They are
        nan where no batch was seen.
    """

    def __init__(self, objective: Objective, name: str = "loss"):
        super().__init__(name=name)
        self.objective = objective
        self.names = tuple(objective.losses)
        self.scales = objective.scales
        # Of the losses of each output, of their weights, and of what layers added and how often.
        self.sums = self.add_variable(
            (2, 2 * len(self.names) + 2), initializer="zeros", dtype="float32", name="sums"
        )

    def update_state(
        self,
        loss_sums: Mapping[str, tf.Tensor],
        weights: Mapping[str, tf.Tensor],
        added_losses: Sequence[tf.Tensor],
        counts: tf.Tensor | bool = True,
    ) -> None:
        """Add one batch, or a part of one.

        Args:
            loss_sums: dict of float32 scalars by output, the sums of w * l.
            weights: dict of float32 tensors by output, the weights w.
            added_losses: list of scalars, the losses that layers added.
            counts: bool scalar, False leaves the batch out.
        """
        losses = [loss_sums[name] for name in self.names]
        totals = [tf.reduce_sum(weights[name]) for name in self.names]
        values = tf.stack([*losses, *totals, sum_of(added_losses), 1.0])
        self.sums.assign(exact_sums(self.sums.value, tf.where(counts, values, 0.0)))

    def result(self) -> dict[str, tf.Tensor]:
        sums, number = tf.reduce_sum(self.sums.value, axis=0), len(self.names)
        means = tf.math.divide_no_nan(sums[:number], sums[number : 2 * number])
        means = tf.where(sums[-1] > 0, means, math.nan)
        added = tf.math.divide_no_nan(sums[-2], sums[-1])
        logs = {"loss": tf.reduce_sum(tf.constant(self.scales) * means) + added}
        if len(self.names) > 1:
            logs.update({f"{name}_loss": means[i] for i, name in enumerate(self.names)})
        return logs


def exact_sums(sums: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Sums with values added, in float32 as exact as in twice its digits (Neumaier 1974).

    Args:
        sums: float32 [2, N], sums, and below them what their rounding has lost so far.
        values: float32 [N].

    Returns:
        float32 [2, N], likewise; the sum of both rows is the result.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.training.objective import exact_sums
    >>> sums = tf.zeros((2, 1))
    >>> for value in (1e9, 1.0, -1e9):
    ...     sums = exact_sums(sums, tf.constant([value]))
    >>> float(tf.reduce_sum(sums))
    1.0
    """
    before, lost = tf.unstack(sums)
    after = before + values
    is_larger = tf.abs(before) >= tf.abs(values)
    larger, smaller = tf.where(is_larger, before, values), tf.where(is_larger, values, before)
    lost += tf.where(tf.math.is_finite(after), (larger - after) + smaller, 0.0)
    return tf.stack([after, lost])


def sum_of(losses: Sequence[tf.Tensor]) -> tf.Tensor:
    """The sum of losses that layers added, a float32 scalar; 0 of none."""
    return tf.add_n([tf.reduce_sum(tf.cast(loss, tf.float32)) for loss in losses] or [tf.zeros(())])


def _spans_batch(loss: keras.losses.Loss) -> bool:
    return getattr(loss, "SPANS_BATCH", False)


def _checked_losses(loss: Any) -> dict[str, keras.losses.Loss]:
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


def _checked_scales(
    loss_weights: Any, losses: Mapping[str, keras.losses.Loss]
) -> tuple[float, ...]:
    """The factor of each loss."""
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


def _named(tree: Any, name: str, what: str) -> Any:
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


def _as_float32(tensor: Any) -> tf.Tensor:
    tensor = tf.convert_to_tensor(tensor)
    return tf.cast(tensor, tf.float32) if tensor.dtype.is_floating else tensor
