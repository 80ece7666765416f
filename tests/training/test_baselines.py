import math

import tensorflow as tf

from keras_bert.training.baselines import most_frequent_answers


def test_weights_count_and_not_rows():
    y = {"a": [[3, 5, 5], [3, 5, 7]], "b": [0, 1]}
    weights = {"a": [[2.0, 0.5, 0.5], [0.0, 0.5, 0.5]], "b": [1.0, 3.0]}
    dataset = tf.data.Dataset.from_tensor_slices(([0, 0], y, weights)).batch(1)
    assert most_frequent_answers(dataset) == {"a": (3, 0.5), "b": (1, 0.75)}


def test_without_any_weight_there_is_no_share():
    y, weights = {"a": [3, 5], "b": [1, 1]}, {"a": [0.0, 0.0], "b": [0.0, 2.0]}
    dataset = tf.data.Dataset.from_tensor_slices(([0, 0], y, weights)).batch(2)
    found = most_frequent_answers(dataset)
    assert math.isnan(found["a"][1])
    assert found["b"] == (1, 1.0)
