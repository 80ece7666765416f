"""On what a training runs: one device, all of a machine, several machines, a TPU."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Iterator
from typing import TypeAlias

import tensorflow as tf
from absl import logging

from keras_bert import launching
from keras_bert.training.rendezvous import meet
from keras_bert.training.replicas import gathered, worker_of
from keras_bert.training.signals import RunInterrupted, handlers_kept

STRATEGIES = ("auto", "none", "mirrored", "multi_worker", "tpu")
# One that has what the last exchange gave it stays so long for those that have it not yet.
PARTING_S = 1.0

Resolver: TypeAlias = tf.distribute.cluster_resolver.ClusterResolver


@contextlib.contextmanager
def devices(
    strategy: str = "auto", *, logical_devices: int = 1, start_timeout: float = 300.0
) -> Iterator[tf.distribute.Strategy]:
    """A context in which all that is built is trained on some devices.

    It is to be entered before TensorFlow has used a device. Models, optimizers, datasets and runs
    are made in it.

    Args:
        strategy: "none", one device; "mirrored", all GPUs of this machine, or else its logical
            CPUs; "multi_worker", the processes that TF_CONFIG or Slurm names; "tpu", the one that
            `tf.distribute.cluster_resolver.TPUClusterResolver` finds; "auto", what there is.
        logical_devices: int, into how many devices the CPU is split, to try out `mirrored`.
        start_timeout: seconds in which all workers must have appeared.

    Returns:
        A context of the strategy, TensorFlow's default one for "none".

    Raises:
        ValueError: there is no such strategy, or what it needs; a worker, which is named, did not
            appear in time; or another worker has ended.

    Example:

    >>> from keras_bert.training.strategies import devices
    >>> with devices("none") as strategy:
    ...     strategy.num_replicas_in_sync
    1
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}, not {strategy!r}.")
    resolver = _resolver()
    if logical_devices > 1:
        _split_cpu(logical_devices)
    name = _found(resolver, logical_devices) if strategy == "auto" else strategy
    if name == "none":
        yield tf.distribute.get_strategy()
        return
    made = _make(name, resolver, start_timeout)
    logging.info("Training on %d devices (%s).", made.num_replicas_in_sync, name)
    with made.scope():
        try:
            yield made
        except RunInterrupted:  # which all workers have agreed on
            _part(name)
            raise
        except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
            raise ValueError(
                "Another worker has ended, or cannot be reached any more: see its output. Start "
                "all of them again, and they go on from the last checkpoint."
            ) from error
        _part(name)


def _part(name: str) -> None:
    """Waits until all workers are done: so long the cluster must last."""
    gathered(0)
    if name == "multi_worker":
        time.sleep(PARTING_S)


def _found(resolver: Resolver | None, logical_devices: int) -> str:
    """The strategy for the devices that there are."""
    if resolver is not None:
        return "multi_worker"
    if "TPU_NAME" in os.environ or tf.config.list_physical_devices("TPU"):
        return "tpu"
    several = max(logical_devices, len(tf.config.list_physical_devices("GPU"))) > 1
    return "mirrored" if several else "none"


def _make(name: str, resolver: Resolver | None, start_timeout: float) -> tf.distribute.Strategy:
    if name == "mirrored":
        return _mirrored()
    if name == "tpu":
        tpu = tf.distribute.cluster_resolver.TPUClusterResolver()
        tf.config.experimental_connect_to_cluster(tpu)
        tf.tpu.experimental.initialize_tpu_system(tpu)
        return tf.distribute.TPUStrategy(tpu)
    if resolver is None:
        raise ValueError(
            "multi_worker needs to know its workers: set TF_CONFIG in each of them, or start them "
            "by srun or keras-bert launch."
        )
    tf.get_logger().setLevel("WARNING")  # It tells of every collective.
    meet(_addresses(resolver), worker_of(resolver).index, start_timeout)
    with handlers_kept():
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)


@functools.cache
def _mirrored() -> tf.distribute.Strategy:
    """One for the process: TensorFlow mistakes the collectives of a second one for the first's."""
    return tf.distribute.MirroredStrategy(_names("GPU") or _names("CPU"))


def _names(kind: str) -> list[str]:
    return [f"{kind}:{i}" for i in range(len(tf.config.list_logical_devices(kind)))]


def _split_cpu(number: int) -> None:
    [cpu] = tf.config.list_physical_devices("CPU")
    parts = [tf.config.LogicalDeviceConfiguration() for _ in range(number)]
    try:
        tf.config.set_logical_device_configuration(cpu, parts)
    except RuntimeError as error:
        raise ValueError(
            f"The CPU is split into {number} devices before the first of them is used, which is "
            "already so: do it at the beginning of the program."
        ) from error


def _resolver() -> Resolver | None:
    """What knows the workers, if there are several: from TF_CONFIG, or from Slurm."""
    if "TF_CONFIG" not in os.environ:
        of_slurm = launching.tf_config_of_slurm(os.environ)
        if of_slurm is None:
            return None
        os.environ["TF_CONFIG"] = of_slurm
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    _check_cluster(resolver)
    return resolver if worker_of(resolver).number > 1 else None


def _check_cluster(resolver: Resolver) -> None:
    try:
        jobs = resolver.cluster_spec().as_dict()
        job, index = resolver.task_type, resolver.task_id
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"TF_CONFIG must be JSON with a cluster and a task, but is "
            f"{os.environ.get('TF_CONFIG')!r} ({error}). Correct it, or unset it to train on this "
            "machine alone."
        ) from error
    unknown = sorted(set(jobs) - {"chief", "worker"})
    if unknown:
        raise ValueError(
            f"All processes of a training are workers, but TF_CONFIG names {', '.join(unknown)}: "
            "leave these out."
        )
    if jobs and (job not in jobs or not 0 <= index < len(jobs[job])):
        raise ValueError(
            f"The task in TF_CONFIG must be one of its cluster, {jobs}, but is {job} {index}: "
            "correct one of them."
        )
    addresses = _addresses(resolver)
    if len(set(addresses)) < len(addresses):
        raise ValueError(f"The workers in TF_CONFIG must differ, but are {', '.join(addresses)}.")


def _addresses(resolver: Resolver) -> list[str]:
    """host:port of all workers, in their order."""
    jobs = resolver.cluster_spec().as_dict()
    return [address for job in sorted(jobs) for address in jobs[job]]
