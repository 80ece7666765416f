"""Losses and a metric over pairs of vectors."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

from keras_bert.tasks.spans import NEVER
from keras_bert.training.replicas import rows_of_all_replicas


@keras.saving.register_keras_serializable(package="keras_bert")
class InBatchNegatives(keras.losses.Loss):
    """Cross-entropy of the positive among all positives and negatives of a batch, of all replicas.

    Henderson et al. 2017, arXiv:1705.00652, section 4.4; `MultipleNegativesRankingLoss` of
    sentence-transformers.

    Args:
        scale: float, above 0, by which cosines are multiplied to be logits.

    Args (call):
        y_true: float [B], not looked at.
        y_pred: float [B, R, D], the vectors of a text, its positive, and perhaps a negative.
        sample_weight: float [B]; rows that weigh 0 are not there, for the others either. None
            takes all.

    Returns:
        float [B].

    Raises:
        ValueError: `scale` is not above 0.

    Example:

    >>> import numpy as np
    >>> from keras_bert.tasks.contrastive import InBatchNegatives
    >>> embeddings = np.array([[[2.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 3.0]]], "float32")
    >>> losses = InBatchNegatives(scale=1.0).call(np.zeros(2), embeddings)
    >>> np.float64(losses).round(4).tolist()  # log(1 + exp(-1))
    [0.3133, 0.3133]
    """

    # What `Objective` asks: the loss of a row depends on the others.
    SPANS_BATCH = True

    def __init__(self, scale: float = 20.0, reduction="sum", name="in_batch_negatives", dtype=None):
        if not scale > 0:
            raise ValueError(f"scale must be above 0, not {scale!r}: 20 is usual.")
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.scale = scale

    def call(self, y_true, y_pred, sample_weight=None):
        cosines, rights = _cosines_in_batch(y_pred, sample_weight)
        return ops.sparse_categorical_crossentropy(rights, self.scale * cosines, from_logits=True)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="keras_bert")
class InBatchAccuracy(keras.metrics.Mean):
    """How often the positive is nearer than all other positives and negatives of the batch.

    Args (update_state):
        y_true: float [B], not looked at.
        y_pred: float [B, R, D], as `InBatchNegatives` takes them.
        sample_weight: float [B]; rows that weigh 0 are not there.

    Example:

    >>> import numpy as np
    >>> from keras_bert.tasks.contrastive import InBatchAccuracy
    >>> accuracy = InBatchAccuracy()
    >>> embeddings = np.array([[[2.0, 0.0], [1.0, 0.0]], [[9.0, 1.0], [0.0, 3.0]]], "float32")
    >>> accuracy.update_state(np.zeros(2), embeddings)
    >>> float(accuracy.result())
    0.5
    """

    def __init__(self, name: str = "accuracy", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        cosines, rights = _cosines_in_batch(y_pred, sample_weight)
        hits = ops.equal(ops.cast(ops.argmax(cosines, axis=1), "int32"), rights)
        super().update_state(hits, sample_weight)


@keras.saving.register_keras_serializable(package="keras_bert")
class CosineError(keras.losses.Loss):
    """Squared difference of two texts' cosine and a number (Reimers and Gurevych 2019, section 3).

    Args (call):
        y_true: float [B], the cosines wanted.
        y_pred: float [B, 2, D], vectors of two texts.

    Returns:
        float [B].

    Example:

    >>> import numpy as np
    >>> from keras_bert.tasks.contrastive import CosineError
    >>> pair = np.array([[[2.0, 0.0], [0.0, 1.0]]], "float32")
    >>> np.asarray(CosineError().call(np.array([0.5], "float32"), pair)).tolist()
    [0.25]
    """

    def __init__(self, reduction="sum", name="cosine_error", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        unit = _unit_vectors(y_pred)
        return ops.square(ops.sum(unit[:, 0] * unit[:, 1], axis=-1) - y_true)


@keras.saving.register_keras_serializable(package="keras_bert")
class Matryoshka(keras.losses.Loss):
    """The sum of a loss over vectors and their first dimensions, so that they can be cut.

    Kusupati et al. 2022, arXiv:2205.13147; each cut is scaled to length 1 by the loss itself.

    Args:
        loss: one of the losses above.
        dimensions: sequence of int, how many of a vector's numbers; the whole one is always there.

    Args (call): those of the loss.

    Example:

    >>> import numpy as np
    >>> from keras_bert.tasks.contrastive import CosineError, Matryoshka
    >>> pair = np.array([[[3.0, 0.0, 4.0], [1.0, 0.0, 0.0]]], "float32")
    >>> losses = Matryoshka(CosineError(), [1]).call(np.array([1.0], "float32"), pair)
    >>> round(float(losses[0]), 3)  # (0.6 - 1) ** 2 + (1 - 1) ** 2
    0.16
    """

    def __init__(self, loss, dimensions, reduction="sum", name="matryoshka", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.loss = loss
        self.dimensions = list(dimensions)

    @property
    def SPANS_BATCH(self) -> bool:
        """Whether the loss of a row depends on the others, as that of the loss does."""
        return getattr(self.loss, "SPANS_BATCH", False)

    def call(self, y_true, y_pred, *weights):
        cuts = [y_pred, *(y_pred[..., :size] for size in self.dimensions)]
        return sum(self.loss.call(y_true, cut, *weights) for cut in cuts)

    def get_config(self):
        loss = keras.saving.serialize_keras_object(self.loss)
        return {**super().get_config(), "loss": loss, "dimensions": self.dimensions}

    @classmethod
    def from_config(cls, config):
        """The loss of what `get_config` gave."""
        return cls(**{**config, "loss": keras.saving.deserialize_keras_object(config["loss"])})


def _cosines_in_batch(embeddings, sample_weight):
    """Cosines of each text [B] with all positives, then all negatives, of all N of the batch.

    Returns:
        float [B, (R - 1) * N], `NEVER` for those of rows that weigh 0, and the columns of the
        texts' own positives, int32 [B].
    """
    unit = _unit_vectors(embeddings)  # [B, R, D]
    others, first = rows_of_all_replicas(unit[:, 1:])  # [N, R - 1, D]
    others = ops.reshape(ops.transpose(others, (1, 0, 2)), (-1, unit.shape[-1]))
    rights = first + ops.arange(ops.shape(unit)[0], dtype="int32")
    cosines = ops.matmul(unit[:, 0], ops.transpose(others))
    if sample_weight is not None:
        weighs = ops.cast(ops.reshape(sample_weight, (-1,)) > 0, unit.dtype)
        weighs, _ = rows_of_all_replicas(weighs)
        cosines = ops.where(ops.tile(weighs, unit.shape[1] - 1) > 0, cosines, NEVER)
    return cosines, rights


def check_cuts(sizes: Sequence[int], width: int) -> None:
    """Raises a ValueError unless vectors can be cut to numbers of dimensions.

    Args:
        sizes: sequence of int.
        width: int, the dimensions that there are.
    """
    for size in sizes:
        if not isinstance(size, int) or not 1 <= size <= width:
            raise ValueError(
                f"dimensions must lie between 1 and the {width} of a vector, not {size!r}: choose "
                "fewer."
            )


def _unit_vectors(embeddings):
    return ops.normalize(embeddings, axis=-1, order=2, epsilon=1e-12)
