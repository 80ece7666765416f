"""Every row of a batch goes to one replica, whatever the devices."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training.feeding import Cut, Shards, fed, own_cut, side_by_side
from keras_bert.training.replicas import Worker


def rows_of(cut, num_shards, batch_size):
    """Which rows of a global batch the replicas of a worker take."""
    size = batch_size // num_shards
    own = np.concatenate([np.arange(k * size, (k + 1) * size) for k in cut.shards])
    bounds = [i * len(own) // cut.parts for i in range(cut.parts + 1)]
    return [own[bounds[i] : bounds[i + 1]].tolist() for i in cut.own]


@pytest.mark.parametrize("num_shards", [1, 2, 4, 8])
@pytest.mark.parametrize(("num_workers", "num_local"), [(1, 1), (1, 2), (2, 1), (4, 2), (8, 1)])
def test_all_workers_together_take_every_row_once(num_shards, num_workers, num_local):
    cuts = [Cut.of(Worker(i, num_workers), num_local, num_shards) for i in range(num_workers)]
    parts = list(itertools.chain(*(rows_of(cut, num_shards, 16) for cut in cuts)))
    assert list(itertools.chain(*parts)) == list(range(16))
    assert {len(part) for part in parts} == {16 // (num_workers * num_local)}


def test_numbers_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="6 shards for 4 workers: start other workers"):
        Cut.of(Worker(0, 4), 1, 6)


@pytest.mark.parametrize("endless", [True, False])
def test_two_replicas_take_the_halves_of_each_batch(two_devices, endless):
    numbers = tf.data.Dataset.range(7)
    dataset = (numbers.repeat() if endless else numbers).batch(4, drop_remainder=endless)
    with two_devices.scope():
        seen = []
        for batch in itertools.islice(
            fed(dataset.map(lambda n: (n, -n)), own_cut(), endless=endless), 2
        ):
            halves = map(two_devices.experimental_local_results, batch)
            seen.append([[half.numpy().tolist() for half in pair] for pair in halves])
    second = [[4, 5], [6, 0]] if endless else [[4], [5, 6]]
    assert seen[0] == [[[0, 1], [2, 3]], [[0, -1], [-2, -3]]]
    assert seen[1][0] == second


def test_batches_that_should_last_and_end_are_an_error(two_devices):
    with two_devices.scope(), pytest.raises(tf.errors.FailedPreconditionError):
        list(fed(tf.data.Dataset.range(4).batch(2), own_cut(), endless=True))


def test_shards_of_one_step_stand_side_by_side():
    shards = Shards(
        lambda step, shard: tf.data.Dataset.range(10 * shard, 10 * shard + 9).skip(step), 3
    )
    batches = side_by_side([shards.dataset_of(2, shard).batch(2) for shard in range(1, 3)])
    assert next(batches.as_numpy_iterator()).tolist() == [12, 13, 22, 23]
    alone = Shards.of(lambda step: tf.data.Dataset.range(step, step + 3))
    assert list(alone.dataset(5, range(1)).as_numpy_iterator()) == [5, 6, 7]
