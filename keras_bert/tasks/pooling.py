"""Pool: what several models say, as one: the mean of outputs or of probabilities, or votes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

from keras import ops

Kind = Literal["outputs", "mean", "vote"]
KINDS: tuple[Kind, ...] = ("outputs", "mean", "vote")
# As many votes for two classes are told apart by the mean of probabilities, which counts so little.
_TIE = 1e-4
# Nothing is quite certain, so that its logarithm is a number.
LEAST = 1e-7


@dataclasses.dataclass(frozen=True)
class Pool:
    """How one output is made of several.

    Args:
        by: "outputs", the mean of them as they are, logits, say; "mean", of probabilities; "vote",
            the share of members for which a class is the likeliest, or, of several labels, likelier
            than not.
        activation: what makes probabilities of outputs, "softmax" over the last axis or "sigmoid";
            None has numbers that are none. "unit" has vectors: "mean" puts those of all beside each
            other, scaled so that their cosines are the mean of the members'.
        weights: a float for each member; None weighs all alike.

    Args (call):
        several: sequence of tensors [..., C], float32, an output of each member.

    Returns:
        Tensor [..., C]: but for "outputs", its probabilities are the mean, or the shares of votes.
        Of vectors put beside each other C is the sum of theirs.

    Example:

    >>> import numpy as np
    >>> from keras_bert.tasks.pooling import Pool
    >>> some = np.log([[[0.9, 0.1]], [[0.2, 0.8]], [[0.4, 0.6]]]).astype("float32")
    >>> for by in ("mean", "vote"):
    ...     pool = Pool(by, "softmax")
    ...     print(np.round(pool.probabilities(pool(list(some))), 3))
    [[0.5 0.5]]
    [[0.333 0.667]]
    """

    by: Kind = "outputs"
    activation: Literal["softmax", "sigmoid", "unit"] | None = None
    weights: tuple[float, ...] | None = None

    def __call__(self, several: Sequence[Any]) -> Any:
        if self.by != "outputs" and self.activation == "unit":
            return self._beside(several)
        several = _as_wide(several)
        if self.by == "outputs" or self.activation is None:
            return self._mean(several)
        shares = [self.probabilities(one) for one in several]
        mean = self._mean(shares)
        if self.by == "vote":
            votes = self._mean([self._votes(share) for share in shares])
            mean = (1.0 - _TIE) * votes + _TIE * mean
        return self.logits(mean)

    def probabilities(self, outputs: Any) -> Any:
        """Those of outputs [..., C]."""
        if self.activation is None:
            return outputs
        return getattr(ops, self.activation)(outputs)

    def logits(self, probabilities: Any) -> Any:
        """The way back: outputs that have these probabilities."""
        if self.activation is None:
            return probabilities
        if self.activation == "softmax":
            return ops.log(ops.maximum(probabilities, LEAST))
        share = ops.clip(probabilities, LEAST, 1.0 - LEAST)
        return ops.log(share) - ops.log1p(-share)

    def _votes(self, shares: Any) -> Any:
        """What one member votes for, 0 or 1; a vote for several classes is divided among them."""
        if self.activation == "sigmoid":
            return ops.cast(shares > 0.5, "float32")
        first = ops.cast(shares == ops.max(shares, axis=-1, keepdims=True), "float32")
        return first / ops.sum(first, axis=-1, keepdims=True)

    def _mean(self, several: Sequence[Any]) -> Any:
        if self.weights is None:
            return sum(several) / len(several)
        shares = self._shares(len(several))
        return sum(one * share for one, share in zip(several, shares, strict=True))

    def _beside(self, several: Sequence[Any]) -> Any:
        """Vectors of length 1, whose scalar products are the mean of the members' cosines."""
        shares = self._shares(len(several))
        units = [ops.normalize(ops.cast(one, "float32"), axis=-1) for one in several]
        scaled = [one * math.sqrt(share) for one, share in zip(units, shares, strict=True)]
        return ops.concatenate(scaled, axis=-1)

    def _shares(self, number: int) -> list[float]:
        weights = self.weights or (1.0,) * number
        return [weight / sum(weights) for weight in weights]


MEAN_OF_OUTPUTS = Pool()


def _as_wide(several: Sequence[Any]) -> list[Any]:
    """As many classes of each, where the number is that of a batch: a file has that of all."""
    if len({one.shape[-1] for one in several}) == 1 and several[0].shape[-1] is not None:
        return list(several)
    width = ops.min(ops.stack([ops.shape(one)[-1] for one in several]))
    return [one[..., :width] for one in several]
