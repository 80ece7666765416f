"""What a detector of replaced tokens learns by and is judged by: of each token, was it replaced?"""

from __future__ import annotations

import keras
from keras import ops

from keras_bert.layers.configured import registered

# Which share of which tokens a figure is.
RATES = ("accuracy", "precision", "recall", "replaced")
# Five times those of Keras: what has just begun to learn gives all tokens about the same chance.
NUM_THRESHOLDS = 1000


@registered
class ReplacedTokenLoss(keras.losses.Loss):
    """The cross-entropy of each token, in nats: Clark et al. 2020, equation 3.

    Args:
        reduction: str, as in Keras.
        name: str.

    Args (call):
        y_true: int [B, T], the tokens of the text.
        y_pred: float [B, T, 2], for each place the logit, positive where the token was replaced,
            and the token that is there now.

    Returns:
        float [B, T], of `call`, which does not reduce.

    Example:

    >>> import numpy as np
    >>> from keras_bert.models.detection import ReplacedTokenLoss
    >>> read = np.array([[[2.0, 7], [2.0, 9]]])
    >>> np.asarray(ReplacedTokenLoss().call(np.array([[7, 8]]), read)).round(3).tolist()
    [[2.127, 0.127]]
    """

    def __init__(self, *, reduction: str = "sum", name: str = "replaced_tokens", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        is_replaced, logits = _labels_and_logits(y_true, y_pred)
        return ops.binary_crossentropy(is_replaced, logits, from_logits=True)


@registered
class ReplacedTokenRate(keras.metrics.Mean):
    """How often a detector is right, or what it finds: a share of tokens.

    Args:
        rate: "accuracy": of all tokens, those that it is right about; "precision": of those that it
            takes for replaced, those that are; "recall": of those that are, those that it finds;
            "replaced": of all, those that are, which it is wrong about if it finds none. A share
            of no tokens is 0.
        name: str; None is that of the rate.

    Args (update_state): `y_true` and `y_pred` as of `ReplacedTokenLoss`, and
        sample_weight: float [B, T]; 0 leaves a token out.

    Example:

    >>> import numpy as np
    >>> from keras_bert.models.detection import ReplacedTokenRate
    >>> read = np.array([[[2.0, 7], [2.0, 9], [-1.0, 5]]])
    >>> for name in ("accuracy", "precision", "recall"):
    ...     rate = ReplacedTokenRate(name)
    ...     rate.update_state(np.array([[7, 8, 5]]), read)
    ...     print(name, round(float(rate.result()), 3))
    accuracy 0.667
    precision 0.5
    recall 1.0
    """

    def __init__(self, rate: str, name: str | None = None, dtype=None):
        if rate not in RATES:
            raise ValueError(f"A rate is one of {RATES}, not {rate!r}: choose one of them.")
        super().__init__(name=name or rate, dtype=dtype)
        self.rate = rate

    def update_state(self, y_true, y_pred, sample_weight=None):
        is_replaced, logits = _labels_and_logits(y_true, y_pred)
        found = ops.cast(logits > 0, logits.dtype)
        weights = ops.ones_like(logits) if sample_weight is None else sample_weight
        weights = ops.cast(weights, logits.dtype)
        values = {"accuracy": ops.cast(found == is_replaced, logits.dtype), "recall": found}
        counted = {"precision": found, "recall": is_replaced}
        if self.rate in counted:
            weights = weights * counted[self.rate]
        # Along one axis: Keras would take the mean of each row first.
        values = ops.reshape(values.get(self.rate, is_replaced), (-1,))
        super().update_state(values, ops.reshape(weights, (-1,)))

    def get_config(self):
        return {"rate": self.rate, "name": self.name, "dtype": self.dtype}


@registered
class ReplacedTokenAUC(keras.metrics.AUC):
    """How often a replaced token has a higher logit than another one: the area under ROC's curve.

    It is 0.5 where nothing was learned, whatever share of the tokens is replaced. Chances that
    differ by less than one of `NUM_THRESHOLDS` count as equal.

    Args:
        name: str.

    Args (update_state): as of `ReplacedTokenRate`.

    Example:

    >>> import numpy as np
    >>> from keras_bert.models.detection import ReplacedTokenAUC
    >>> auc = ReplacedTokenAUC()
    >>> auc.update_state(np.array([[7, 8, 5]]), np.array([[[-2.0, 7], [2.0, 9], [-1.0, 5]]]))
    >>> round(float(auc.result()), 3)
    1.0
    """

    def __init__(self, name: str = "auc", dtype=None):
        super().__init__(NUM_THRESHOLDS, name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        is_replaced, logits = _labels_and_logits(y_true, y_pred)
        weights = None if sample_weight is None else ops.reshape(sample_weight, (-1,))
        chances = ops.sigmoid(ops.reshape(logits, (-1,)))
        super().update_state(ops.reshape(is_replaced, (-1,)), chances, weights)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


def _labels_and_logits(y_true, y_pred):
    """Whether each token was replaced, 1 or 0, and the logits."""
    y_pred = ops.convert_to_tensor(y_pred)
    logits, read = y_pred[..., 0], y_pred[..., 1]
    return ops.cast(ops.cast(y_true, read.dtype) != read, logits.dtype), logits
