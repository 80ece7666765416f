"""What the replicas of a `tf.distribute.Strategy` have together, and its workers agree on."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import tensorflow as tf

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Worker:
    """One of the processes that train together; the first one, the chief, writes for all.

    Args:
        index: int, counted from 0.
        number: int, how many there are.
    """

    index: int
    number: int

    @property
    def is_chief(self) -> bool:
        """Whether it is the one that writes."""
        return self.index == 0


def this_worker() -> Worker:
    """This process among those of the strategy that is in scope; the only one without a strategy.

    Example:

    >>> from keras_bert.training.replicas import this_worker
    >>> this_worker()
    Worker(index=0, number=1)
    """
    strategy = tf.distribute.get_strategy()
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return Worker(0, 1)
    return worker_of(strategy.cluster_resolver)


def worker_of(resolver: tf.distribute.cluster_resolver.ClusterResolver) -> Worker:
    """The process that a resolver is asked in, among all of its cluster: a `chief` comes first."""
    jobs = resolver.cluster_spec().as_dict()
    tasks = [(job, i) for job in sorted(jobs) for i in range(len(jobs[job]))]
    if not tasks:
        return Worker(0, 1)
    return Worker(tasks.index((resolver.task_type, resolver.task_id)), len(tasks))


def num_replicas() -> int:
    """How many replicas train in step; 1 without a strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def on_tpu() -> bool:
    """Whether replicas are those of a TPU, where all shapes are known when a step is compiled.

    Example:

    >>> from keras_bert.training.replicas import on_tpu
    >>> on_tpu()
    False
    """
    return isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy)


def sum_over_replicas(value: T) -> T:
    """The sum over replicas of a tensor, or of each one of a list; one replica: as it is.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.training.replicas import sum_over_replicas
    >>> float(sum_over_replicas(tf.constant(2.0)))
    2.0
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    if isinstance(value, list):
        return cast(T, _sums(context, value))
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def _sums(context: tf.distribute.ReplicaContext, tensors: list[tf.Tensor]) -> list[tf.Tensor]:
    """The sums of tensors, those of one dtype at once, as TensorFlow packs them into one."""
    # Where a worker has one replica, a tensor must have a device, which what is read has not.
    tensors = [tf.identity(tensor) for tensor in tensors]
    sums = list(tensors)
    for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
        places = [i for i, tensor in enumerate(tensors) if tensor.dtype == dtype]
        some = context.all_reduce(tf.distribute.ReduceOp.SUM, [tensors[i] for i in places])
        for i, one in zip(places, some, strict=True):
            sums[i] = one
    return sums


def rows_of_all_replicas(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | int]:
    """The rows of all replicas, in their order, and the index of the first one of this replica.

    Gradients go back to the replica that a row comes from.

    Args:
        rows: float [B, ...]; B may differ between replicas, but not on a TPU.

    Returns:
        float [sum of all B, ...], and int32 [].

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.training.replicas import rows_of_all_replicas
    >>> rows_of_all_replicas(tf.ones([2, 3]))[0].shape.as_list()
    [2, 3]
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return rows, 0
    number, index = context.num_replicas_in_sync, context.replica_id_in_sync_group
    size = tf.shape(rows)[0]
    if on_tpu():  # where the place of a row may depend on the replica, but no shape
        is_own = tf.reshape(
            tf.one_hot(index, number, dtype=rows.dtype), [-1] + [1] * rows.shape.rank
        )
        padded = tf.reshape(is_own * rows, [number * rows.shape[0], *rows.shape[1:]])
        return sum_over_replicas(padded), index * size
    sizes = sum_over_replicas(tf.one_hot(index, number, dtype=tf.int32) * size)
    start = tf.reduce_sum(sizes[:index])
    before_and_after = [start, tf.reduce_sum(sizes) - start - size]
    padded = tf.pad(rows, [before_and_after, *[[0, 0]] * (rows.shape.rank - 1)])
    return sum_over_replicas(padded), start


def gathered(*values: int) -> list[list[int]]:
    """Numbers of every worker; all workers must ask at the same point.

    Args:
        values: ints, this worker's.

    Returns:
        For each value a list of those of all workers, in their order.

    Example:

    >>> from keras_bert.training.replicas import gathered
    >>> gathered(3, 5)
    [[3], [5]]
    """
    worker = this_worker()
    if worker.number == 1:
        return [[value] for value in values]
    strategy = tf.distribute.get_strategy()
    own = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant([values], tf.int64)
    )
    all_values = _gather(strategy)(own).numpy()  # [replicas, values]
    return all_values[:: len(all_values) // worker.number].T.tolist()


@functools.cache
def _gather(strategy: tf.distribute.Strategy) -> Callable[[Any], tf.Tensor]:
    """Rows of all replicas one below the other, in one graph for all calls."""
    return tf.function(lambda rows: strategy.gather(rows, axis=0), autograph=False)


def by_chief(action: Callable[[], T]) -> T | None:
    """Has the chief do something, such as writing a file, while the other workers wait.

    Args:
        action: function without arguments; nothing that workers do together, as to train, and to
            make variables in the scope of their strategy.

    Returns:
        What it returns; None in the other workers.

    Raises:
        ValueError: in the other workers, that it failed in the chief, where its own error is
            raised.

    Example:

    >>> from keras_bert.training.replicas import by_chief
    >>> by_chief(lambda: "written")
    'written'
    """
    result, failure = None, None
    if this_worker().is_chief:
        try:
            result = action()
        except Exception as error:  # which is raised below, when the others know of it
            failure = error
    [failures] = gathered(int(failure is not None))
    if failure is not None:
        raise failure
    if any(failures):
        raise ValueError("Worker 0 has failed, and says why in its own output: see there.")
    return result
