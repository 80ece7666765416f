"""Batches that data workers make are those that a trainer makes itself, in their order."""

import contextlib
import socket
import threading

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.launching import free_addresses
from keras_bert.training import data_service
from keras_bert.training.feeding import Shards


def shard(first_step, index):
    """Batches that say their step and their shard, without end."""
    steps = tf.data.Dataset.range(first_step, 1 << 40)
    return steps.map(lambda step: (tf.stack([[step, index]]), tf.strings.as_string(step)[None]))


def addresses_of(number):
    """So many addresses whose next port is free, too."""
    return [address for address in free_addresses(40) if is_alone(address)][:number]


def is_alone(address):
    port = int(address.rpartition(":")[2]) + 1
    with contextlib.suppress(OSError), socket.create_server(("", port)):
        return True
    return False


@pytest.fixture(scope="module")
def workers():
    with contextlib.ExitStack() as stack:
        addresses = addresses_of(2)
        for address in addresses:
            stack.enter_context(data_service.serving(address))
        yield addresses


@pytest.mark.parametrize("number", [2, 4])
@pytest.mark.parametrize("first_step", [0, 5])
def test_batches_are_the_same_in_the_same_order(workers, number, first_step):
    own = Shards(shard, number)
    made = data_service.made_by(own, workers)
    assert made.number == number
    for _ in range(2):  # Another trainer, or another run, has the whole stream again.
        found = made.dataset(first_step, range(number)).take(7).as_numpy_iterator()
        wanted = own.dataset(first_step, range(number)).take(7).as_numpy_iterator()
        for batch, expected in zip(found, wanted, strict=True):
            for one, other in zip(batch, expected, strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("number", [1, 3])
def test_each_makes_as_many_shards(workers, number):
    with pytest.raises(ValueError, match=f"there are 2 for {number}: give --num_shards"):
        data_service.made_by(Shards(shard, number), workers)


def test_one_that_does_not_appear_is_named(workers):
    [gone] = free_addresses(1)
    with pytest.raises(ValueError, match=f"data worker 1 at {gone} did not"):
        data_service.made_by(Shards(shard, 2), [workers[0], gone], timeout=0.3)


def test_a_port_that_is_taken_is_named(workers):
    with (
        pytest.raises(ValueError, match=f"must listen at {workers[0]}, but cannot"),
        data_service.serving(workers[0]),
    ):
        pass


def test_a_file_that_is_not_there_is_told():
    message = "under the same paths as the trainer.*no a.txt"
    with pytest.raises(ValueError, match=message), data_service.watched(["localhost:1"]):
        raise tf.errors.NotFoundError(None, None, "no a.txt")
    with pytest.raises(tf.errors.NotFoundError), data_service.watched([]):
        raise tf.errors.NotFoundError(None, None, "no a.txt")


def test_one_that_is_gone_ends_the_run(monkeypatch):
    ended = threading.Event()
    monkeypatch.setattr(data_service, "_LOOK", 0.02)
    monkeypatch.setattr(data_service, "_end_without", lambda gone: (said.extend(gone), ended.set()))
    said, gone = [], free_addresses(1)
    with data_service.watched(gone):
        assert ended.wait(10)
    assert said[:1] == gone
