"""What a model that has learned nothing could reach."""

from __future__ import annotations

import collections
import math

import tensorflow as tf


def most_frequent_answers(dataset: tf.data.Dataset) -> dict[str, tuple[int, float]]:
    """What is right most often, and how often: the baseline of always giving the same answer.

    Args:
        dataset: finite, of (x, y, sample_weight); y and sample_weight are dicts with the same keys,
            of int labels and float weights of the same shapes.

    Returns:
        dict from each key of y to the most frequent label and its share of the weight, which is
        nan where no label has any.

    Example:

    >>> import keras_bert as kb
    >>> import tensorflow as tf
    >>> y, weights = {"next_sentence": [[1, 0, 1]]}, {"next_sentence": [[1.0, 1.0, 1.0]]}
    >>> dataset = tf.data.Dataset.from_tensor_slices(({"x": [0]}, y, weights))
    >>> label, share = kb.most_frequent_answers(dataset)["next_sentence"]
    >>> label, round(share, 3)
    (1, 0.667)
    """
    weights_of: dict[str, collections.Counter] = {}
    for _, y, sample_weight in dataset.as_numpy_iterator():
        for name, labels in y.items():
            counter = weights_of.setdefault(name, collections.Counter())
            weights = sample_weight[name].ravel().tolist()
            for label, weight in zip(labels.ravel().tolist(), weights, strict=True):
                counter[label] += weight
    return {name: _most_frequent(counter) for name, counter in weights_of.items()}


def _most_frequent(weights: collections.Counter) -> tuple[int, float]:
    [(label, weight)] = weights.most_common(1)
    total = sum(weights.values())
    return label, weight / total if total else math.nan
