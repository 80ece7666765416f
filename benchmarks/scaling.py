"""Two workers of one core beside one of one core at the same batch, and rows of the data service.

    python -m benchmarks.scaling --vocabulary=vocab.txt --pattern='corpus/*.txt'

A step is forward, backward, the sum of all gradients over the workers by
`MultiWorkerMirroredStrategy`, clipping and AdamW, of the batches of benchmarks/training_step.py.
Each worker is a process that is confined to a core of its own; two have half of the rows each. The
`ratio` is the time of one worker divided by that of two.

With a corpus there are also the rows that a trainer gets from data workers, each of which makes
one shard, on a core of its own, next to a dispatcher. The trainer is on the same cores, and only
reads. That `ratio` is against one data worker.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import keras
import tensorflow as tf

import keras_bert as kb
from benchmarks.figures import in_processes, medians_in_turns, print_figure, use_one_core
from benchmarks.training_step import batch_of, read_shape
from keras_bert import flags, launching

SEQUENCE_LENGTH, MAX_PREDICTIONS = 128, 20


@dataclasses.dataclass(frozen=True)
class Arguments:
    shapes: tuple[str, ...] = flags.flag(
        ("mini:32x128", "small:32x128"), "size of the model:rows of the whole batch x tokens"
    )
    num_steps: int = flags.flag(5, "steps of a round, of which the median counts")
    num_rounds: int = flags.flag(5, "rounds, besides one to warm up")
    pattern: str | None = flags.flag(None, "text files, at least two; else no data service")
    vocabulary: str | None = flags.flag(None, "an uncased vocabulary file")
    batch_size: int = flags.flag(64, "rows in a batch of a data worker")
    num_warm_up: int = flags.flag(100, "batches of a round that are not timed")
    num_batches: int = flags.flag(400, "batches of a round that are timed")


def main(arguments: Arguments) -> None:
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        raise ValueError(f"Two workers need two cores, but this process has {cores} alone.")
    for case in arguments.shapes:
        print_steps(case, cores, arguments)
    if arguments.pattern and arguments.vocabulary:
        tokenizer = kb.Tokenizer(kb.read_vocabulary(arguments.vocabulary))
        print_data_service(cores, arguments, tokenizer, kb.TextCorpus(arguments.pattern))


def print_steps(case: str, cores: Sequence[int], arguments: Arguments) -> None:
    preset, rows, length = read_shape(case)
    if rows % 2:
        raise ValueError(f"Two workers have half of the rows each, but {case} has {rows}.")
    number = arguments.num_steps
    makers: dict[str, tuple] = {
        "alone": (step_seconds, preset, (rows, length), cores[0], None, number)
    }
    for index, place in enumerate(launching.tf_configs(2)):
        own = (preset, (rows // 2, length), cores[index], place, number)
        makers[f"worker {index}"] = (step_seconds, *own)
    with in_processes(makers) as candidates:
        alone = candidates.pop("alone")
        both = at_once(list(candidates.values()))
        medians = medians_in_turns({"1_worker": alone, "2_workers": both}, arguments.num_rounds)
    for name, seconds in medians.items():
        print_figure(
            f"scaling/{case.replace(':', '/')}/{name}",
            round(1000 * seconds, 1),
            "ms",
            ratio=round(medians["1_worker"] / seconds, 2),
        )


def step_seconds(
    preset: str, shape: tuple[int, int], core: int, tf_config: str | None, num_steps: int
) -> Callable[[], float]:
    """A worker, alone or at its place among others: the median time of so many of its steps."""
    use_one_core(core)
    strategy = tf.distribute.get_strategy()
    if tf_config is not None:
        os.environ["TF_CONFIG"] = tf_config
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = kb.BertPretrainer(kb.BertEncoder(kb.BertConfig.preset(preset)))
        model.compile(kb.AdamW(1e-4), **model.objective())
        model.optimizer.build(model.trainable_variables)
    batch = tf.nest.map_structure(tf.constant, batch_of(*shape))
    step = tf.function(lambda batch: strategy.run(model.train_step, args=(batch,)))

    def median() -> float:
        times = []
        for _ in range(num_steps):  # as many in all workers, who wait for each other in each
            start = time.perf_counter()
            step(batch)
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    return median


def at_once(asks: Sequence[Callable[[], float]]) -> Callable[[], float]:
    """Candidates that wait for each other, as one; its figure is that of the slowest."""

    def ask() -> float:
        pool = concurrent.futures.ThreadPoolExecutor(len(asks))
        asked = [pool.submit(one) for one in asks]
        try:  # where one fails, the others wait for it in vain
            return max(one.result() for one in concurrent.futures.as_completed(asked))
        finally:
            pool.shutdown(wait=False)

    return ask


def print_data_service(
    cores: Sequence[int], arguments: Arguments, tokenizer: kb.Tokenizer, corpus: kb.TextCorpus
) -> None:
    with contextlib.ExitStack() as stack:
        addresses = [stack.enter_context(data_worker(core)) for core in cores]
        candidates = {
            f"{number}_workers": reading(addresses[:number], arguments, tokenizer, corpus)
            for number in range(1, len(addresses) + 1)
        }
        rates = medians_in_turns(candidates, arguments.num_rounds)
    for name, rate in rates.items():
        print_figure(
            f"scaling/data_service/{name}",
            round(rate),
            "rows/s",
            ratio=round(rate / rates["1_workers"], 2),
            batch_size=arguments.batch_size,
        )


@contextlib.contextmanager
def data_worker(core: int) -> Iterator[str]:
    """The address of a data worker, in a process of its own on one core."""
    context = multiprocessing.get_context("spawn")
    pipe, end = context.Pipe()
    [address] = launching.free_addresses(1)
    process = context.Process(target=serve, args=(end, core, address), daemon=True)
    process.start()
    end.close()
    try:
        pipe.recv()
        yield address
    finally:
        process.kill()
        process.join()


def serve(pipe, core: int, address: str) -> None:
    use_one_core(core)
    with kb.training.data_service.serving(address):
        pipe.send(address)
        time.sleep(1e6)  # until it is killed


def reading(
    addresses: Sequence[str], arguments: Arguments, tokenizer: kb.Tokenizer, corpus: kb.TextCorpus
) -> Callable[[], float]:
    """Rows a second out of as many shards as there are data workers, side by side."""
    packed = kb.PretrainingRows(kb.Packer(tokenizer, SEQUENCE_LENGTH))
    masker = kb.Masker(tokenizer, max_predictions=MAX_PREDICTIONS)
    number = len(addresses)

    def dataset_of(first_step: int, shard: int) -> tf.data.Dataset:
        order = kb.Order(shard=(shard, number))
        return kb.pretraining_dataset(
            corpus, packed, masker, arguments.batch_size, order, first_step=first_step
        )

    shards = kb.training.data_service.made_by(kb.training.Shards(dataset_of, number), addresses)
    dataset = shards.dataset(0, range(number))

    def rows_a_second() -> float:
        batches = iter(dataset)
        for _ in range(arguments.num_warm_up):
            next(batches)
        start = time.perf_counter()
        for _ in range(arguments.num_batches):
            next(batches)
        rows = arguments.num_batches * arguments.batch_size * number
        return rows / (time.perf_counter() - start)

    return rows_a_second


if __name__ == "__main__":
    flags.run(main, Arguments)
