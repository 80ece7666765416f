"""Weights: what examples count when they are learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_bert.tasks.examples import Example, plain, source_of
from keras_bert.tasks.labels import label_index


def example_weights(
    sample_weight: Sequence[float] | None, examples: Sequence[Example]
) -> tf.Tensor:
    """What each example weighs, float32 [N], from `sample_weight`; 1 where that is None.

    Raises:
        ValueError: there are not as many, or one is negative or not finite.

    Example:

    >>> from keras_bert.tasks.weights import example_weights
    >>> example_weights([0.5, 2.0], [{"text": "a"}, {"text": "b"}]).numpy().tolist()
    [0.5, 2.0]
    """
    if sample_weight is None:
        return tf.ones(len(examples))
    weights = np.asarray(sample_weight, "float32")
    if weights.shape != (len(examples),):
        raise ValueError(
            f"sample_weight must have a number for each of the {len(examples)} examples, but has "
            f"the shape {weights.shape}: give as many."
        )
    is_right = np.isfinite(weights) & (weights >= 0)
    if not is_right.all():
        wrong = int(np.argmin(is_right))
        raise ValueError(
            f"{source_of(examples[wrong])}: a weight must be finite and at least 0, but "
            f"sample_weight[{wrong}] is {weights[wrong]}: correct it; 0 leaves an example out."
        )
    return tf.constant(weights)


def class_weights(
    examples: Sequence[Example], column: str, names: Sequence[str], weights: Mapping[Any, float]
) -> list[float]:
    """What each example weighs by its class, as Keras' `class_weight` has it.

    Args:
        examples: sequence of dicts.
        column: str, the column with the label.
        names: sequence of str, all labels.
        weights: dict of float by label, its name or its number; 1 where it says nothing.

    Raises:
        ValueError: there is no such label, or examples have not one each.

    Example:

    >>> from keras_bert.tasks.weights import class_weights
    >>> examples = [{"label": "good"}, {"label": "bad"}]
    >>> class_weights(examples, "label", ("bad", "good"), {1: 3.0})
    [3.0, 1.0]
    """
    labels = [plain(example.get(column)) for example in examples]
    if not names or any(isinstance(label, list | tuple) for label in labels):
        raise ValueError(
            f"class_weight is for examples that have one label each, but {column} has none or "
            "several: give sample_weight, a number for each example."
        )
    index = label_index(names)
    by_index = {index(label, {"class_weight": label}): float(w) for label, w in weights.items()}
    pairs = zip(labels, examples, strict=True)
    return [by_index.get(index(label, example), 1.0) for label, example in pairs]
