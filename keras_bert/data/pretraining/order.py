"""Order: in which order pretraining reads, and the keys of all its random numbers."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable

import tensorflow as tf

# Files read in turns, and blocks shuffled among each other.
FILES_AT_ONCE = 16
SHUFFLED_BLOCKS = 256


class Stream(enum.IntEnum):
    """What random numbers are for; each purpose has a stream of its own."""

    FILES = 1
    BLOCKS = 2
    ROWS = 3
    MASKS = 4
    DRAWS = 5


@dataclasses.dataclass(frozen=True)
class Order:
    """The order of one worker's text in one epoch: all that is random is a function of it.

    Args:
        seed: That of the run.
        epoch: int, or int64 []; every epoch has an order, and a distribution of files to workers,
            of its own.
        shard: (index, number) of the worker; every file goes to one worker.
        shuffle: False reads file after file and keeps the order of the text.

    Raises:
        ValueError: if the worker's index is none of their number.

    Example:

    >>> from keras_bert.data.pretraining.order import Order
    >>> order = Order(seed=1, shard=(0, 2), shuffle=False)
    >>> order.of_files(5).numpy().tolist()
    [0, 2, 4]
    """

    seed: int = 0
    epoch: int | tf.Tensor = 0
    shard: tuple[int, int] = (0, 1)
    shuffle: bool = True

    def __post_init__(self):
        index, number = self.shard
        if not 0 <= index < number:
            raise ValueError(
                f"shard must be (index, number) with 0 <= index < number, but is {self.shard}. "
                "Count the workers from 0."
            )

    def key(self, stream: Stream, *path: int | tf.Tensor) -> tf.Tensor:
        """The key, int64 [2], of stateless random numbers: a function of seed and arguments alone.

        Args:
            stream: What the numbers are for.
            path: Where they are used, such as the epoch and an index, int64 [] each.
        """
        key = tf.constant([self.seed, stream], tf.int64)
        for step in path:
            key = tf.random.fold_in(key, tf.cast(step, tf.int64))
        return key

    def of_files(self, num_files: int, name: str = "files") -> tf.Tensor:
        """Which files the worker reads, one after the other.

        Args:
            num_files: How many there are.
            name: What to call them in messages.

        Returns:
            Indices, int32 [n].

        Raises:
            ValueError: if there are fewer files than workers.
        """
        index, number = self.shard
        if num_files < number:
            raise ValueError(
                f"There must be at least as many {name} as workers, but there are {num_files} "
                f"{name} for {number} workers. Split the text into more files."
            )
        order = tf.range(num_files)
        if self.shuffle:
            key = self.key(Stream.FILES, self.epoch)
            order = tf.random.experimental.stateless_shuffle(order, key)
        return order[index::number]

    # Nothing here needs AutoGraph, whose conversion of every function takes long.
    @tf.autograph.experimental.do_not_convert
    def of_blocks(
        self, files: tf.data.Dataset, file_blocks: Callable[..., tf.data.Dataset]
    ) -> tf.data.Dataset:
        """The blocks of the files: file after file, or in turns and shuffled in a bounded buffer.

        Args:
            files: What stands for the worker's files, one element each.
            file_blocks: Function of such an element that gives the file's blocks, a dataset of
                dicts.
        """
        if not self.shuffle:
            return files.flat_map(file_blocks)

        # Not Dataset.shuffle: its order also depends on tf.random.set_seed.
        def permute(index: tf.Tensor, blocks: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            indices = tf.range(tf.shape(tf.nest.flatten(blocks)[0])[0])
            key = self.key(Stream.BLOCKS, self.epoch, index)
            order = tf.random.experimental.stateless_shuffle(indices, key)
            return {name: tf.gather(values, order) for name, values in blocks.items()}

        blocks = files.interleave(file_blocks, cycle_length=FILES_AT_ONCE)
        return blocks.batch(SHUFFLED_BLOCKS).enumerate().map(permute).unbatch()


# All text for one worker in the first epoch: mixed, and file after file.
SHUFFLED, UNSHUFFLED = Order(), Order(shuffle=False)
