"""Order: a pure function of its fields, and every file and block once."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.data.pretraining import order as order_lib
from keras_bert.data.pretraining.order import SHUFFLED, UNSHUFFLED, Order, Stream


def files_of(order, num_files=11):
    return order.of_files(num_files).numpy().tolist()


def blocks_of(order, sizes):
    """(file, block) in the order in which blocks of files of some sizes are read."""
    files = tf.data.Dataset.from_tensor_slices(
        {"file": order.of_files(len(sizes)), "size": tf.gather(sizes, order.of_files(len(sizes)))}
    )

    def file_blocks(file):
        blocks = tf.data.Dataset.range(tf.cast(file["size"], tf.int64))
        return blocks.map(lambda block: {"file": file["file"], "block": block})

    blocks = order.of_blocks(files, file_blocks)
    return [(int(one["file"]), int(one["block"])) for one in blocks]


def test_keys_are_functions_of_seed_stream_and_path():
    key = Order(seed=3).key(Stream.ROWS, 1, 2)
    assert key.shape == (2,) and key.dtype == tf.int64
    same = Order(seed=3, epoch=7, shard=(1, 2), shuffle=False).key(
        Stream.ROWS, tf.constant(1, tf.int64), tf.constant(2)
    )
    np.testing.assert_array_equal(key, same)
    others = [
        Order(seed=4).key(Stream.ROWS, 1, 2),
        Order(seed=3).key(Stream.MASKS, 1, 2),
        Order(seed=3).key(Stream.ROWS, 2, 1),
        Order(seed=3).key(Stream.ROWS, 1),
    ]
    assert len({tuple(other.numpy()) for other in (key, *others)}) == 5


@pytest.mark.parametrize(("shuffle", "number"), [(True, 1), (True, 3), (False, 2), (True, 11)])
def test_every_file_goes_to_one_worker(shuffle, number):
    parts = [
        files_of(Order(3, 4, shard=(index, number), shuffle=shuffle)) for index in range(number)
    ]
    assert sorted(sum(parts, [])) == list(range(11))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_the_order_of_files_is_new_in_every_epoch_and_with_every_seed():
    tf.random.set_seed(1)
    one = files_of(Order(3, 4))
    tf.random.set_seed(2)
    assert files_of(Order(3, tf.constant(4, tf.int64))) == one
    assert sorted(one) == list(range(11)) != one
    assert files_of(Order(3, 5)) != one != files_of(Order(4, 4))
    assert files_of(UNSHUFFLED) == files_of(Order(7, 9, shuffle=False)) == list(range(11))
    assert files_of(SHUFFLED) == files_of(Order())


def test_blocks_are_read_once_and_mixed(monkeypatch):
    monkeypatch.setattr(order_lib, "FILES_AT_ONCE", 3)
    monkeypatch.setattr(order_lib, "SHUFFLED_BLOCKS", 7)
    sizes = [5, 1, 0, 9, 4]
    everything = [(file, block) for file, size in enumerate(sizes) for block in range(size)]
    assert blocks_of(UNSHUFFLED, sizes) == everything
    one = blocks_of(Order(3, 4), sizes)
    assert sorted(one) == everything != one
    assert blocks_of(Order(3, 4), sizes) == one
    assert blocks_of(Order(3, 5), sizes) != one != blocks_of(Order(4, 4), sizes)


def test_an_order_is_a_value():
    assert Order(1) == Order(seed=1, epoch=0, shard=(0, 1), shuffle=True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Order().seed = 2


@pytest.mark.parametrize("shard", [(2, 2), (-1, 2), (0, 0)])
def test_a_worker_is_one_of_their_number(shard):
    with pytest.raises(ValueError, match=r"shard must be \(index, number\).*Count the workers"):
        Order(shard=shard)


def test_there_is_a_file_for_every_worker():
    with pytest.raises(ValueError, match="as many shards as workers, .* are 11 shards for 12"):
        Order(shard=(0, 12)).of_files(11, "shards")
