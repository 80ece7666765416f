"""Batches of one shape have the rows that there are, and weigh nothing else."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training.feeding import fed, own_cut
from keras_bert.training.one_shape import for_devices, of_one_shape


def ragged(num_rows=5, batch_size=2):
    """Inputs, labels and weights of which the third batch has one row and the most columns."""
    lengths = tf.data.Dataset.range(1, num_rows + 1)
    rows = lengths.map(lambda n: ({"x": tf.range(n)}, {"y": n}, {"y": tf.fill([n], 0.5)}))
    return rows.padded_batch(batch_size)


def test_rows_and_columns_are_filled_up():
    dataset = of_one_shape(ragged())
    assert dataset.element_spec[0]["x"].shape == (2, 5) and int(dataset.cardinality()) == 3
    first, _, last = dataset.as_numpy_iterator()
    np.testing.assert_array_equal(first[0]["x"], [[0, 0, 0, 0, 0], [0, 1, 0, 0, 0]])
    np.testing.assert_array_equal(last[0]["x"], [[0, 1, 2, 3, 4]] * 2)
    np.testing.assert_array_equal(last[1]["y"], [5, 5])
    np.testing.assert_array_equal(last[2]["y"], [[0.5] * 5, [0.0] * 5])


def test_the_largest_shape_is_that_of_another_pass():
    dataset = of_one_shape(ragged().repeat(), like=lambda: ragged(6, 3))
    assert dataset.element_spec[0]["x"].shape == (3, 6)
    with pytest.raises(ValueError, match="never ends; it has.*drop_remainder=True"):
        of_one_shape(ragged().repeat())


def test_what_is_of_one_shape_stays_and_may_have_to_be_a_multiple():
    dataset = tf.data.Dataset.range(6).batch(3, drop_remainder=True).repeat()
    assert of_one_shape(dataset) is dataset and for_devices(dataset, multiple=2) is dataset
    [batch] = of_one_shape(dataset, multiple=2).take(1)
    assert batch.numpy().tolist() == [0, 1, 2, 2]


def test_labels_without_weights_get_some():
    rows = tf.data.Dataset.range(3).map(lambda n: (n, {"a": n, "b": n})).batch(2)
    *_, (_, _, weights) = of_one_shape(rows)
    assert {k: v.numpy().tolist() for k, v in weights.items()} == {"a": [1, 0], "b": [1, 0]}


def test_replicas_of_a_tpu_get_halves_of_one_shape(two_devices, on_a_tpu):
    with on_a_tpu(), two_devices.scope():
        dataset = fed(tf.data.Dataset.range(7).map(lambda n: (n, n)).batch(3), own_cut())
        weights = [two_devices.experimental_local_results(batch[2]) for batch in dataset]
    halves = [[half.numpy().tolist() for half in pair] for pair in weights]
    assert halves == [[[1, 1], [1, 0]]] * 2 + [[[1, 0], [0, 0]]]
