"""Batches that other processes, or machines, make: the same ones, in the same order.

TensorFlow's data service has many modes, of which one keeps the order of batches, and so a run that
goes on: a dispatcher with one worker, which makes the whole of what it is asked for. So there is
one of these for each share of a run's shards.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator, Sequence

import tensorflow as tf

from keras_bert.training.feeding import Shards
from keras_bert.training.rendezvous import check, host_and_port, listening, listens, wait_for

# Seconds between two looks at whether all are there, and looks until one is given up.
_LOOK, _MOST_MISSED = 5.0, 4


@contextlib.contextmanager
def serving(address: str) -> Iterator[None]:
    """A context in which this process makes the batches that it is asked for.

    Args:
        address: `host:port` as trainers reach it. The next port is taken, too.

    Raises:
        ValueError: it is no address, or a port is taken.

    Example:

    >>> from keras_bert.launching import free_addresses
    >>> from keras_bert.training.data_service import serving
    >>> with serving(free_addresses(1)[0]):
    ...     pass
    """
    # The datasets have its operations, which a trainer alone may do without.
    import tensorflow_text  # noqa: F401

    check({"this data worker": address})
    host, port = host_and_port(address)
    service = tf.data.experimental.service
    with listening(address), listening(f"{host}:{port + 1}"):
        pass
    dispatcher = service.DispatchServer(service.DispatcherConfig(port=port))
    worker = service.WorkerServer(
        service.WorkerConfig(
            dispatcher_address=f"localhost:{port}",
            worker_address=f"{host}:{port + 1}",
            port=port + 1,
        )
    )
    yield
    del worker, dispatcher  # which ends them


def made_by(shards: Shards, addresses: Sequence[str], timeout: float = 300.0) -> Shards:
    """The same batches, made by data workers; each makes an equal number of the shards.

    Args:
        shards: Shards.
        addresses: sequence of `host:port`, those of `serving`.
        timeout: float, seconds in which all must have appeared.

    Raises:
        ValueError: their number does not divide that of the shards, an address is none, or one does
            not appear, and is named.
    """
    number = len(addresses)
    if not number or shards.number % number:
        raise ValueError(
            f"Data workers make equal numbers of the run's shards, but there are {number} for "
            f"{shards.number}: give --num_shards a multiple of them, or other workers."
        )
    wait_for(_named(addresses), timeout)
    service = tf.data.experimental.service

    def dataset_of(first_step: int, shard: int) -> tf.data.Dataset:
        address = addresses[shard * number // shards.number]
        # The whole of it, in its order; of each trainer a stream of its own.
        return shards.dataset_of(first_step, shard).apply(
            service.distribute(service.ShardingPolicy.OFF, f"grpc://{address}")
        )

    return Shards(dataset_of, shards.number)


@contextlib.contextmanager
def watched(addresses: Sequence[str]) -> Iterator[None]:
    """A context in which the process ends where a data worker does, and names it.

    TensorFlow tries for an hour to reach one that is gone, in native code that nothing ends.

    Args:
        addresses: as of `made_by`; without any nothing is watched.

    Raises:
        ValueError: a data worker cannot read a file, or make what the dataset has.
    """
    over = threading.Event()

    def watch() -> None:
        missed = dict.fromkeys(addresses, 0)
        while not over.wait(_LOOK):
            missed = {one: 0 if listens(one) else missed[one] + 1 for one in addresses}
            gone = [one for one in addresses if missed[one] >= _MOST_MISSED]
            if gone:
                _end_without(gone)

    if addresses:
        threading.Thread(target=watch, daemon=True, name="watch data workers").start()
    try:
        yield
    except tf.errors.NotFoundError as error:
        if not addresses:
            raise
        raise ValueError(
            "Data workers must see the text under the same paths as the trainer, and have been up "
            f"since the run began, but {error.message.splitlines()[0]}: start them again, and then "
            "the run, which goes on from its last checkpoint."
        ) from error
    finally:
        over.set()


def _named(addresses: Sequence[str]) -> dict[str, str]:
    return {f"data worker {index}": address for index, address in enumerate(addresses)}


def _end_without(gone: Sequence[str]) -> None:
    """Ends the process, whatever it is waiting in."""
    sys.stderr.write(
        f"Error: a data worker must last as long as the run, but {', '.join(gone)} cannot be "
        "reached any more: start it again, and the same command goes on from the last checkpoint.\n"
    )
    sys.stderr.flush()
    os._exit(1)
