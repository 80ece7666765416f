"""One replica has nothing to add up; several add up what is of all."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training import replicas
from keras_bert.training.replicas import (
    Worker,
    by_chief,
    gathered,
    num_replicas,
    rows_of_all_replicas,
    sum_over_replicas,
    worker_of,
)

Resolver = tf.distribute.cluster_resolver.SimpleClusterResolver


def test_one_replica_keeps_what_it_has():
    values = [tf.constant([1.0, 2.0]), tf.constant(3.0)]
    assert num_replicas() == 1
    assert sum_over_replicas(values) is values
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    one, three = strategy.run(lambda: tuple(sum_over_replicas(values)))
    assert one.numpy().tolist() == [1.0, 2.0] and float(three) == 3.0
    with strategy.scope():  # where no replica computes
        assert num_replicas() == 1
        assert sum_over_replicas(values) is values


def of_replica(function):
    """Calls a function of the replica's index, in each."""
    return lambda: function(tf.distribute.get_replica_context().replica_id_in_sync_group)


def test_sums_are_of_all_replicas_and_keep_their_dtypes(two_devices):
    def sums(index):
        half, whole = tf.cast(index, tf.float64) + 0.5, tf.cast(index, tf.int32) + 1
        return tuple(sum_over_replicas([half, whole, 2 * half]))

    for sum_ in two_devices.run(tf.function(of_replica(sums))):
        assert len(set(map(float, two_devices.experimental_local_results(sum_)))) == 1
    half, whole, double = (
        two_devices.experimental_local_results(one)[0]
        for one in two_devices.run(tf.function(of_replica(sums)))
    )
    assert (float(half), int(whole), float(double)) == (2.0, 3, 4.0)
    assert (half.dtype, whole.dtype) == (tf.float64, tf.int32)


def test_rows_of_all_replicas_stand_in_their_order_and_give_gradients_back(two_devices):
    factors = tf.constant([[1.0], [3.0], [5.0]])

    def rows(index):
        own = tf.fill([index + 1, 1], 10.0 * (tf.cast(index, tf.float32) + 1))  # 1 and 2 rows
        with tf.GradientTape() as tape:
            tape.watch(own)
            all_rows, first = rows_of_all_replicas(own)
            loss = tf.reduce_sum(all_rows * factors) * (tf.cast(index, tf.float32) + 1)
        return all_rows, first, tape.gradient(loss, own)

    everything, firsts, gradients = two_devices.run(tf.function(of_replica(rows)))
    for one in two_devices.experimental_local_results(everything):
        assert one.numpy().ravel().tolist() == [10.0, 20.0, 20.0]
    assert [int(one) for one in two_devices.experimental_local_results(firsts)] == [0, 1]
    first, second = two_devices.experimental_local_results(gradients)
    # The losses of both replicas, one and two times the factors.
    np.testing.assert_allclose(first, [[3.0]])
    np.testing.assert_allclose(second, [[9.0], [15.0]])


def test_rows_of_all_replicas_of_a_tpu_have_a_shape_that_is_known(two_devices, on_a_tpu):
    factors = tf.constant([[1.0], [3.0], [5.0], [7.0]])

    def rows(index):
        own = tf.fill([2, 1], 10.0 * (tf.cast(index, tf.float32) + 1))
        with tf.GradientTape() as tape:
            tape.watch(own)
            all_rows, first = rows_of_all_replicas(own)
            assert all_rows.shape == (4, 1)
            loss = tf.reduce_sum(all_rows * factors) * (tf.cast(index, tf.float32) + 1)
        return all_rows, first, tape.gradient(loss, own)

    with on_a_tpu():
        everything, firsts, gradients = two_devices.run(tf.function(of_replica(rows)))
    for one in two_devices.experimental_local_results(everything):
        assert one.numpy().ravel().tolist() == [10.0, 10.0, 20.0, 20.0]
    assert [int(one) for one in two_devices.experimental_local_results(firsts)] == [0, 2]
    first, second = two_devices.experimental_local_results(gradients)
    np.testing.assert_allclose(first, [[3.0], [9.0]])
    np.testing.assert_allclose(second, [[15.0], [21.0]])


@pytest.mark.parametrize(
    ("job", "index", "expected"), [("chief", 0, 0), ("worker", 0, 1), ("worker", 1, 2)]
)
def test_a_chief_comes_before_the_workers(job, index, expected):
    cluster = tf.train.ClusterSpec({"worker": ["a:1", "b:2"], "chief": ["c:3"]})
    worker = worker_of(Resolver(cluster, task_type=job, task_id=index))
    assert worker == Worker(expected, 3)
    assert worker.is_chief == (expected == 0)


def test_a_failure_of_the_chief_is_its_own_and_known_to_the_others(monkeypatch):
    def fail():
        raise OSError("the disk is full")

    assert gathered(3, 5) == [[3], [5]]
    with pytest.raises(OSError, match="the disk is full"):
        by_chief(fail)
    monkeypatch.setattr(replicas, "this_worker", lambda: Worker(1, 2))
    monkeypatch.setattr(replicas, "gathered", lambda own: [[0, own]])
    assert by_chief(fail) is None  # which is not called
    monkeypatch.setattr(replicas, "gathered", lambda own: [[1, own]])
    with pytest.raises(ValueError, match="Worker 0 has failed"):
        by_chief(fail)
