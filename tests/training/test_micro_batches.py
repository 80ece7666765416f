"""Parts of a batch, and that their gradients are those of the whole."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training.micro_batches import cut, part_of, sum_over_parts


def test_parts_are_the_rows_in_their_order():
    batch = ({"ids": tf.range(24)[:, None]}, np.arange(24.0), None)
    parts = cut(batch, 3)
    for index in range(3):
        part, rows = part_of(parts, index), slice(8 * index, 8 * index + 8)
        np.testing.assert_array_equal(part[0]["ids"], batch[0]["ids"][rows])
        np.testing.assert_array_equal(part[1], batch[1][rows])
        assert part[2] is None


@pytest.mark.parametrize("size", [12, None])
def test_shapes_are_known_in_the_graph_as_far_as_they_are(size):
    shapes = []

    @tf.function(input_signature=[tf.TensorSpec((size, None, 5))])
    def cut_in_graph(tensor):
        shapes.append(cut(tensor, 4).shape.as_list())
        return cut(tensor, 4)

    assert cut_in_graph(tf.ones((12, 2, 5))).shape == (4, 3, 2, 5)
    assert shapes == [[4, size and 3, None, 5]]


def test_a_batch_that_cannot_be_cut_is_refused():
    with pytest.raises(ValueError, match="multiple of num_micro_batches=5; it is 12"):
        cut(tf.ones((12,)), 5)
    in_graph = tf.function(lambda t: cut(t, 5), input_signature=[tf.TensorSpec((None,))])
    with pytest.raises(tf.errors.InvalidArgumentError, match="multiple of num_micro_batches=5"):
        in_graph(tf.ones((12,)))


def test_gradients_are_summed_and_those_that_are_not_there_stay_so():
    used, unused = keras.Variable(np.ones((3, 2))), keras.Variable(np.ones((7,)))
    half = keras.Variable(np.ones((2,)), dtype="bfloat16")
    x = tf.constant(np.random.default_rng(3).normal(size=(12, 3)), tf.float32)

    def gradients_of(rows):
        return [tf.linalg.matmul(rows, tf.ones((len(rows), 2)), transpose_a=True), None,
                tf.reduce_sum(rows[:, :2], axis=0)]  # fmt: skip

    variables = (used, unused, half)
    sums = sum_over_parts(gradients_of, cut(x, 4), 4, variables)
    assert sums[1] is None
    np.testing.assert_allclose(sums[0], gradients_of(x)[0], rtol=1e-5)
    assert sums[2].dtype == tf.bfloat16
