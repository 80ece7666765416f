"""Batches that belong to the run: the same whatever the devices, cut into the rows of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_bert.training.one_shape import for_devices
from keras_bert.training.replicas import Worker, num_replicas, this_worker


class Shards(NamedTuple):
    """The batches of a run in shards: a global batch is the rows of all shards in their order.

    Their number is the run's, so that it may go on on other devices with the same batches; each
    worker reads its own.

    Args:
        dataset_of: function of the step to go on from and of a shard, ints, that gives the rows of
            the shard, batch after batch: a pure function of the two.
        number: int, how many shards there are.
    """

    dataset_of: Callable[[int, int], tf.data.Dataset]
    number: int = 1

    @classmethod
    def of(cls, dataset_fn: Callable[[int], tf.data.Dataset] | Shards) -> Shards:
        """One shard, of a function of the step alone."""
        if isinstance(dataset_fn, Shards):
            return dataset_fn
        return cls(lambda first_step, _: dataset_fn(first_step))

    def dataset(self, first_step: int, own: range) -> tf.data.Dataset:
        """The batches of some shards from a step on."""
        return side_by_side([self.dataset_of(first_step, shard) for shard in own])


class Cut(NamedTuple):
    """Which rows of a batch the replicas of one worker take.

    Args:
        shards: range of int, the shards whose rows the worker reads.
        parts: int, the equal parts that these rows are cut into, one a replica.
        own: range of int, the parts that are the worker's.
    """

    shards: range
    parts: int
    own: range

    @classmethod
    def of(cls, worker: Worker, num_local_replicas: int, num_shards: int) -> Cut:
        """The worker's rows of a global batch, which is those of all shards in their order.

        Args:
            worker: Worker.
            num_local_replicas: int, the replicas of each worker.
            num_shards: int.

        Raises:
            ValueError: neither of the numbers of shards and of workers is a multiple of the other.

        Example:

        >>> from keras_bert.training.feeding import Cut
        >>> from keras_bert.training.replicas import Worker
        >>> Cut.of(Worker(1, 2), num_local_replicas=1, num_shards=6)
        Cut(shards=range(3, 6), parts=1, own=range(0, 1))
        >>> Cut.of(Worker(1, 2), num_local_replicas=1, num_shards=1)
        Cut(shards=range(0, 1), parts=2, own=range(1, 2))
        """
        index, number = worker.index, worker.number
        if num_shards % number and number % num_shards:
            raise ValueError(
                "The number of shards must be a multiple of the number of workers, or divide it, "
                f"but there are {num_shards} shards for {number} workers: start other workers."
            )
        sharing = max(1, number // num_shards)  # workers that read the same shard
        first = index * num_shards // number
        shards = range(first, first + max(1, num_shards // number))
        part = index % sharing * num_local_replicas
        return cls(shards, sharing * num_local_replicas, range(part, part + num_local_replicas))


def own_cut(num_shards: int = 1) -> Cut:
    """What this worker takes of batches with so many shards; raises what `Cut.of` does."""
    worker = this_worker()
    return Cut.of(worker, num_replicas() // worker.number, num_shards)


def fed(
    dataset: tf.data.Dataset, cut: Cut, *, endless: bool = False
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Batches for the replicas of the strategy in scope: each gets its rows of the global batch.

    Without a strategy these are the batches themselves. What `tf.distribute` does with a dataset
    depends on its ops and on its options; here every row of a global batch goes to one replica,
    and no other row comes in between. On a TPU batches are of one shape: see `for_devices`.

    Args:
        dataset: the rows of the worker's shards, in batches.
        cut: Cut, the worker's.
        endless: bool, whether the batches last for all steps, so that no replica has to tell the
            others in each whether it has one. If they end, a FailedPreconditionError does.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.training.feeding import fed, own_cut
    >>> dataset = tf.data.Dataset.range(6).batch(4)
    >>> [batch.tolist() for batch in fed(dataset, own_cut()).as_numpy_iterator()]
    [[0, 1, 2, 3], [4, 5]]
    """
    dataset = for_devices(dataset, multiple=cut.parts)
    if num_replicas() == 1:
        return dataset
    parts = _parts(dataset, cut)
    if endless:
        parts = parts.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
    parts = parts.prefetch(len(cut.own))
    return tf.distribute.get_strategy().distribute_datasets_from_function(lambda context: parts)


def side_by_side(datasets: list[tf.data.Dataset]) -> tf.data.Dataset:
    """Batches of several datasets, those of one step one behind the other.

    Args:
        datasets: list of datasets whose batches are nests of tensors [B, ...].

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.training.feeding import side_by_side
    >>> some, others = tf.data.Dataset.range(4).batch(2), tf.data.Dataset.range(5, 9).batch(2)
    >>> [batch.tolist() for batch in side_by_side([some, others]).as_numpy_iterator()]
    [[0, 1, 5, 6], [2, 3, 7, 8]]
    """
    if len(datasets) == 1:
        return datasets[0]

    @tf.autograph.experimental.do_not_convert
    def joined(*batches: Any) -> Any:
        return keras.tree.map_structure(lambda *rows: tf.concat(rows, axis=0), *batches)

    return tf.data.Dataset.zip(*datasets).map(joined, num_parallel_calls=tf.data.AUTOTUNE)


@tf.autograph.experimental.do_not_convert
def _parts(dataset: tf.data.Dataset, cut: Cut) -> tf.data.Dataset:
    """For each batch one after the other the parts of it that are the worker's."""

    def of_batch(*batch: Any) -> tf.data.Dataset:
        def part(index: tf.Tensor) -> Any:
            return keras.tree.map_structure(lambda rows: _part(rows, index, cut.parts), batch)

        return tf.data.Dataset.range(cut.own.start, cut.own.stop).map(part)

    return dataset.flat_map(of_batch)


def _part(rows: tf.Tensor, index: tf.Tensor, number: int) -> tf.Tensor:
    """One of so many parts of rows [B, ...], as equal as can be."""
    size = tf.shape(rows, tf.int64)[0]
    part = rows[index * size // number : (index + 1) * size // number]
    known = rows.shape[0]
    even = known // number if known is not None and known % number == 0 else None
    return tf.ensure_shape(part, [even, *rows.shape[1:]])
