"""One replica has nothing to add up."""

import tensorflow as tf

from keras_bert.training.replicas import num_replicas, sum_over_replicas


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
