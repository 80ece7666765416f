"""A served model beside the same SavedModel called by itself: speed, latencies, memory.

    pip install '.[serving]'
    python -m benchmarks.serving

The development server is a process of its own, and so is each that calls the SavedModel; they take
turns. Weights are drawn, texts are words of the vocabulary. Clients ask in a closed loop, each for
the next text when the last one is answered, and have the same cores as the server:

- `throughput`: batches of 8 rows of 128, one client. `cost` is the share that the server takes.
- `latency`: one text a request. The bare model beside it takes as many texts at once as there are
  clients, which is the most that the server can join.
- `memory`: of the server, texts of all lengths. `megabytes` are before, and after each quarter.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import itertools
import logging
import multiprocessing
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import httpx
import numpy as np

import keras_bert as kb
from benchmarks.figures import in_processes, medians_in_turns, print_figure, seconds_of
from keras_bert import flags
from keras_bert.serving.server import monitoring

MODEL = "classifier"
ROWS, LENGTH = 8, 128
CLIENTS = (1, 8, 32)
# Words of a text, of which each is one piece.
WORDS = {"short": 8, "long": 120}


@dataclasses.dataclass(frozen=True)
class Arguments:
    preset: str = flags.flag("base", "size of the model whose throughput is measured")
    latency_preset: str = flags.flag("mini", "size of the one for latencies and memory")
    num_rounds: int = flags.flag(3, "rounds, besides one to warm up")
    round_s: float = flags.flag(2.0, "seconds that each candidate has in a round, at least")
    num_requests: int = flags.flag(10_000, "requests between the first and last look at memory")
    num_warmup_requests: int = flags.flag(10_000, "requests before, in which allocators settle")


class Server(NamedTuple):
    """The SavedModel that is served, and where: both addresses as `kb.Client` takes them."""

    path: str
    grpc: str
    rest: str


def main(arguments: Arguments) -> None:
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it has a line for each request
    with served(arguments.preset) as server:
        print_throughput(arguments, server)
    with served(arguments.latency_preset) as server:
        for kind, num_clients in itertools.product(WORDS, CLIENTS):
            print_latency(arguments, server, kind, num_clients)
        print_memory(arguments, server)


def print_throughput(arguments: Arguments, server: Server) -> None:
    texts = texts_of([LENGTH - 2] * ROWS)
    makers = {
        "bare": (bare_seconds, server.path, texts, arguments.round_s),
        "grpc": (client_seconds, server.grpc, texts, arguments.round_s),
        "rest": (client_seconds, server.rest, texts, arguments.round_s),
    }
    with in_processes(makers) as candidates:
        medians = medians_in_turns(candidates, arguments.num_rounds)
    for name, seconds in medians.items():
        print_figure(
            f"serving/throughput/{arguments.preset}/{ROWS}x{LENGTH}/{name}",
            round(ROWS / seconds, 2),
            "rows/s",
            milliseconds=round(1000 * seconds, 1),
            cost=round(1 - medians["bare"] / seconds, 3),
        )


def print_latency(arguments: Arguments, server: Server, kind: str, num_clients: int) -> None:
    texts = texts_of([WORDS[kind]] * 256)
    bare = (bare_seconds, server.path, texts[:num_clients], arguments.round_s)
    times: dict[str, list[np.ndarray]] = {"grpc": [], "rest": []}
    with contextlib.ExitStack() as stack:
        candidates = stack.enter_context(in_processes({"bare": bare}))
        for protocol, rounds in times.items():
            clients = stack.enter_context(connected(getattr(server, protocol), num_clients))
            candidates[protocol] = one_round(clients, texts, arguments.round_s, rounds)
        medians = medians_in_turns(candidates, arguments.num_rounds)
    bare_rate = num_clients / medians["bare"]
    for protocol, rounds in times.items():
        p50, p95, p99 = np.percentile(1000 * np.concatenate(rounds[1:]), (50, 95, 99)).round(2)
        print_figure(
            f"serving/latency/{arguments.latency_preset}/{kind}/{num_clients}_clients/{protocol}",
            round(num_clients / medians[protocol], 1),
            "requests/s",
            milliseconds={"p50": p50, "p95": p95, "p99": p99},
            num_requests=sum(map(len, rounds[1:])),
            bare=round(bare_rate, 1),
            ratio=round(num_clients / medians[protocol] / bare_rate, 3),
        )


def print_memory(arguments: Arguments, server: Server) -> None:
    lengths = np.random.default_rng(1).integers(1, LENGTH - 1, 4096)
    texts = itertools.cycle(texts_of(lengths))
    with connected(server.grpc, num_clients=8) as clients:
        closed_loop(clients, itertools.islice(texts, arguments.num_warmup_requests))
        megabytes = [resident_megabytes(server)]
        for _ in range(4):
            closed_loop(clients, itertools.islice(texts, arguments.num_requests // 4))
            megabytes.append(resident_megabytes(server))
    print_figure(
        f"serving/memory/{arguments.latency_preset}/growth",
        round(megabytes[-1] - megabytes[0], 1),
        "MB",
        megabytes=megabytes,
        num_requests=arguments.num_requests,
        num_warmup_requests=arguments.num_warmup_requests,
    )


def one_round(
    clients: list[kb.Client], texts: list[str], seconds: float, rounds: list[np.ndarray]
) -> Callable[[], float]:
    """A function that asks for so long, adds the times of its requests to `rounds`, and gives the
    seconds in which each client has one answer."""

    def run() -> float:
        start = time.perf_counter()
        in_time = itertools.takewhile(
            lambda _: time.perf_counter() < start + seconds, itertools.cycle(texts)
        )
        rounds.append(closed_loop(clients, in_time))
        return len(clients) * (time.perf_counter() - start) / len(rounds[-1])

    return run


def closed_loop(clients: list[kb.Client], texts: Iterable[str]) -> np.ndarray:
    """Asks for texts until there are no more, and gives the seconds of each request."""
    texts = iter(texts)  # from which all clients take

    def ask(client: kb.Client) -> list[float]:
        times = []
        for text in texts:
            start = time.perf_counter()
            client.predict(sentence=[text])
            times.append(time.perf_counter() - start)
        return times

    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        return np.concatenate(list(pool.map(ask, clients)))


def client_seconds(address: str, texts: list[str], at_least: float) -> Callable[[], float]:
    client = kb.Client(address, MODEL)
    return lambda: seconds_of(lambda: client.predict(sentence=texts), at_least)


def bare_seconds(path: str, texts: list[str], at_least: float) -> Callable[[], float]:
    import tensorflow as tf
    import tensorflow_text  # noqa: F401  (registers the ops that the model tokenizes with)

    loaded = tf.saved_model.load(path)

    def call() -> None:
        outputs = loaded.signatures["serving_default"](sentence=tf.constant(texts))
        for output in outputs.values():
            output.numpy()

    return lambda: seconds_of(call, at_least)


@contextlib.contextmanager
def connected(address: str, num_clients: int) -> Iterator[list[kb.Client]]:
    """Clients, each of which has had an answer."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(kb.Client(address, MODEL)) for _ in range(num_clients)]
        for client in clients:
            client.predict(sentence=["a"])
        yield clients


def export(preset: str, folder: str) -> str:
    """Writes a classifier of two classes below a base path; returns the version's path."""
    import keras

    keras.utils.set_random_seed(0)
    tokenizer = kb.Tokenizer(vocabulary())
    encoder = kb.BertEncoder(kb.BertConfig.preset(preset))
    task = kb.TextClassifier(encoder, kb.Packer(tokenizer, LENGTH), ("negative", "positive"))
    return str(kb.export(task, pathlib.Path(folder, MODEL)))


@contextlib.contextmanager
def served(preset: str, write: Callable[[str, str], str] = export) -> Iterator[Server]:
    """A server, in a process of its own, with models that another one writes before."""
    with tempfile.TemporaryDirectory() as folder:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            path = pool.apply(write, (preset, folder))
        command = [sys.executable, "-m", "keras_bert.serving.server"]
        command += [f"--model_base_path={folder}", "--grpc_port=0", "--rest_port=0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            # It says where it listens once the model is loaded and warm.
            ports = re.findall(r":(\d+)", process.stdout.readline() if process.stdout else "")
            if len(ports) != 2:
                raise RuntimeError(f"The server ended with status {process.wait()}.")
            yield Server(path, f"grpc://localhost:{ports[0]}", f"http://localhost:{ports[1]}")
        finally:
            process.terminate()
            process.wait()


def vocabulary() -> tuple[str, ...]:
    """As many pieces as BERT's, all words of four letters but the special ones and "a"."""
    letters = itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=4)
    pieces = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", *map("".join, letters))
    return pieces[: kb.BertConfig().vocabulary_size]


def texts_of(lengths: Iterable[int]) -> list[str]:
    """A text for each number of words, drawn with a fixed seed."""
    generator = np.random.default_rng(0)
    words = vocabulary()[5:]
    return [" ".join(generator.choice(words, length)) for length in lengths]


def resident_megabytes(server: Server) -> float:
    """What the server itself says of its memory."""
    page = httpx.get(server.rest + monitoring.PATH).text
    [size] = re.findall(r"^process_resident_memory_bytes (.+)$", page, re.M)
    return round(float(size) / 1e6, 1)


if __name__ == "__main__":
    flags.run(main, Arguments)
