"""The development server attacked: its memory, and what a good client has to wait.

    pip install '.[serving]'
    python -m benchmarks.attack

The server is a process of its own and serves a tiny classifier and a tiny question answerer, whose
weights are drawn. Everything stays on this machine. Two parts:

- `beside`: a good client asks short texts, over gRPC and REST by turns, alone and beside a process
  that makes one kind of attack again and again, with a short pause between. `value` is the ratio of
  the 99th percentiles, the worse of both protocols. All have the same cores: what an attack costs
  the attacker slows the good client too, and a server can only bound its own share.
- `memory`: threads ask for some minutes, 40 % of the requests being bad. `value` is the slope in
  MB a minute after the first quarter, in which allocators settle.

Answers are compared with those that the same texts had before: `wrong` must be 0.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import json
import logging
import multiprocessing
import pathlib
import random
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import httpx
import numpy as np

import keras_bert as kb
from benchmarks.figures import print_figure
from benchmarks.serving import (
    LENGTH,
    MODEL,
    Server,
    resident_megabytes,
    served,
    texts_of,
    vocabulary,
)
from keras_bert import flags
from keras_bert.serving.wire import errors, messages, proto_tensors
from keras_bert.serving.wire.address import Address

ANSWERER = "answerer"
PROTOCOLS = ("grpc", "rest")
KIBIBYTE, MEBIBYTE = 1 << 10, 1 << 20
BAD_SHARE = 0.4
# Between two requests of the good client, two attacks, and two looks at memory.
REST_S, PAUSE_S, LOOK_S = 0.02, 0.2, 5.0
TIMEOUT_S = 60.0


@dataclasses.dataclass(frozen=True)
class Arguments:
    num_minutes: float = flags.flag(10.0, "minutes of good and bad requests; 0 to leave them out")
    num_threads: int = flags.flag(16, "threads that ask them")
    attack_s: float = flags.flag(20.0, "seconds of each attack; 0 to leave them out")
    attacks: tuple[str, ...] = flags.flag((), "attack to make; may be repeated; all by default")


def main(arguments: Arguments) -> None:
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it has a line for each request
    with served("tiny", export) as server:
        if arguments.attack_s:
            print_beside(arguments, server)
        if arguments.num_minutes:
            print_memory(arguments, server)


def print_beside(arguments: Arguments, server: Server) -> None:
    with Good(server) as good:
        good.times(2.0)  # to warm up
        alone = good.times(arguments.attack_s)
        print_figure("attack/alone", _p99(alone), "ms", **_details(alone, good))
        for name in arguments.attacks or ATTACKS:
            with attacked(name, server) as count:
                times = good.times(arguments.attack_s)
            ratio = max(
                np.percentile(times[p], 99) / np.percentile(alone[p], 99) for p in PROTOCOLS
            )
            details = {**_details(times, good), "num_attacks": count.value}
            print_figure(f"attack/beside/{name}", round(ratio, 2), "times alone", **details)


def print_memory(arguments: Arguments, server: Server) -> None:
    before, megabytes = resident_megabytes(server), []
    counts: collections.Counter[str] = collections.Counter()
    end = time.monotonic() + 60 * arguments.num_minutes
    with concurrent.futures.ThreadPoolExecutor(arguments.num_threads) as pool:
        soaking = [pool.submit(soak, server, seed, end) for seed in range(arguments.num_threads)]
        while time.monotonic() < end:
            time.sleep(LOOK_S)
            megabytes.append(resident_megabytes(server))
        for one in soaking:
            counts.update(one.result())
    settled = megabytes[len(megabytes) // 4 :]
    slope = np.polyfit(LOOK_S / 60 * np.arange(len(settled)), settled, 1)[0]
    marks = [before, megabytes[len(megabytes) // 4], megabytes[len(megabytes) // 2], megabytes[-1]]
    print_figure(
        "attack/memory/slope",
        round(float(slope), 2),
        "MB/min",
        megabytes=dict(zip(("start", "quarter", "half", "end"), marks, strict=True)),
        num_minutes=arguments.num_minutes,
        **counts,
    )


def soak(server: Server, seed: int, end: float) -> collections.Counter:
    """Asks until the end, and counts good and bad requests, wrong answers and refusals of good
    ones."""
    generator, counts = random.Random(seed), collections.Counter(wrong=0)
    bad = Bad(server)
    with Good(server) as good:
        while time.monotonic() < end:
            if generator.random() < BAD_SHARE:
                generator.choice(SHORT_ATTACKS)(bad)
                counts["bad"] += 1
                continue
            try:
                good.ask(generator.choice(PROTOCOLS))
                counts["good"] += 1
            except (errors.OverloadedError, errors.DeadlineExceededError) as error:
                counts[error.code] += 1
        counts["wrong"] += good.num_wrong
    return counts


class Good:
    """A client of both protocols, which knows the right answers."""

    def __init__(self, server: Server):
        self.num_wrong = 0
        self._clients = {p: kb.Client(getattr(server, p), MODEL) for p in PROTOCOLS}
        self._texts = texts_of([8] * 16)
        self._right = self._clients["grpc"].predict(sentence=self._texts)["probabilities"]
        self._generator = random.Random(0)

    def ask(self, protocol: str) -> float:
        """The seconds of one request."""
        number = self._generator.randrange(len(self._texts))
        start = time.perf_counter()
        answer = self._clients[protocol].predict(sentence=[self._texts[number]])
        seconds = time.perf_counter() - start
        same = np.abs(answer["probabilities"][0] - self._right[number]).max() < 1e-4
        self.num_wrong += not same
        return seconds

    def times(self, seconds: float) -> dict[str, list[float]]:
        """The seconds of requests, by protocol, as many as there are in so long."""
        end = time.monotonic() + seconds
        times: dict[str, list[float]] = {protocol: [] for protocol in PROTOCOLS}
        while time.monotonic() < end or not times["rest"]:
            for protocol in PROTOCOLS:
                times[protocol].append(self.ask(protocol))
                time.sleep(REST_S)
        return times

    def __enter__(self) -> Good:
        return self

    def __exit__(self, *exception) -> None:
        for client in self._clients.values():
            client.close()


class Bad:
    """A client that keeps to no protocol, and costs itself little."""

    def __init__(self, server: Server):
        self.target = server.grpc.removeprefix("grpc://")
        self.rest = "localhost", int(server.rest.rpartition(":")[2])
        # Reading the system's certificates would take longer than most attacks.
        self._http = httpx.Client(base_url=server.rest, verify=False)

    def post(self, body: bytes, model: str = MODEL, timeout_s: float = TIMEOUT_S) -> None:
        with contextlib.suppress(httpx.HTTPError):
            self._http.post(f"/v1/models/{model}:predict", content=body, timeout=timeout_s)

    def call(
        self, request: bytes, compression=grpc.Compression.NoCompression, timeout_s=TIMEOUT_S
    ) -> None:
        options = [("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(self.target, options, compression) as channel:
            predict = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
            with contextlib.suppress(grpc.RpcError):
                predict(request, timeout=timeout_s)


def failing(bad: Bad) -> None:
    """Texts that the graph refuses, by both protocols, and models that are not there."""
    text = "a " * (32 * KIBIBYTE + 1)
    bad.call(_request([text]))
    bad.post(_json({"inputs": [text]}))
    bad.post(_json({"inputs": [["a"]]}))
    bad.post(_json({"inputs": ["a"]}), "nobodys")


def fill(bad: Bad) -> None:
    """A few bytes that stand for 16 MB in each of three inputs."""
    request = messages.PredictRequest(model_spec=messages.spec_of(Address(MODEL), "tokens"))
    for name in ("token_ids", "segment_ids", "padding_mask"):
        proto = request.inputs[name]
        proto.dtype = messages.DATA_TYPES["DT_INT32"]
        proto.int_val.append(1)
        for size in (1, 4_000_000):
            proto.tensor_shape.dim.add(size=size)
    bad.call(request.SerializeToString())


def many_values(bad: Bad) -> None:
    """JSON of the permitted size that is all small values, and of a size that is not."""
    for values in (b"[]," * MEBIBYTE, b"{}," * MEBIBYTE, b"1," * 2 * MEBIBYTE, b"[]," * 5_500_000):
        bad.post(b'{"inputs": [' + values + b"[]]}")


def deep_values(bad: Bad) -> None:
    for depth in (10_000, 1_000_000):
        bad.post(b'{"inputs": ' + b"[" * depth + b"]" * depth + b"}")


def long_texts(bad: Bad) -> None:
    """The largest request that is permitted, of long texts which are many rows each."""
    text = "a " * 31 * KIBIBYTE
    questions = ["what ?"] * 32
    bad.post(_json({"inputs": {"question": questions, "context": [text] * 32}}), ANSWERER)


def gone(bad: Bad) -> None:
    """Clients that do not wait for their answers."""
    texts = texts_of([8])
    bad.call(_request(texts), timeout_s=0.003)
    bad.post(_json({"inputs": texts}), timeout_s=0.003)


def no_proto(bad: Bad) -> None:
    bad.call(b"\xff" * 1000)


def bomb(bad: Bad) -> None:
    """Messages that are larger than they look, which are no larger once they are refused."""
    bad.call(b"\x00" * 15 * MEBIBYTE, grpc.Compression.Gzip)


def idle(bad: Bad) -> None:
    """1,100 connections that say nothing; those that are closed are made anew, after a while."""
    with contextlib.ExitStack() as stack:
        for _ in range(1100):
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_connection(bad.rest, timeout=TIMEOUT_S))
            time.sleep(0.002)
        time.sleep(2.0)


def slow_heads(bad: Bad) -> None:
    """300 connections that send their head a byte at a time, without an end."""
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(300):
            with contextlib.suppress(OSError):
                connection = socket.create_connection(bad.rest, timeout=TIMEOUT_S)
                connections.append(stack.enter_context(connection))
        for byte in b"GET /v1/mo":
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.send(bytes([byte]))
            time.sleep(0.5)


def slow_bodies(bad: Bad) -> None:
    """1,100 connections whose head promises a body that does not come."""
    head = f"POST /v1/models/{MODEL}:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(1100):
            with contextlib.suppress(OSError):
                connection = socket.create_connection(bad.rest, timeout=TIMEOUT_S)
                stack.enter_context(connection).send(head.encode())
            time.sleep(0.002)
        time.sleep(2.0)


# Those that take little of the attacker's time, for threads that ask good things too.
SHORT_ATTACKS = (failing, fill, deep_values, gone, no_proto)
ATTACKS: dict[str, Callable[[Bad], None]] = {
    attack.__name__: attack
    for attack in (*SHORT_ATTACKS, many_values, long_texts, bomb, idle, slow_heads, slow_bodies)
}


@contextlib.contextmanager
def attacked(name: str, server: Server) -> Iterator[Any]:
    """Attacks from another process meanwhile; gives the count of attacks."""
    context = multiprocessing.get_context("spawn")
    count, stop = context.Value("i", 0), context.Event()
    process = context.Process(target=attack, args=(name, server, count, stop), daemon=True)
    process.start()
    try:
        while not count.value and process.is_alive():  # it imports first
            time.sleep(0.05)
        yield count
    finally:
        stop.set()
        process.join(TIMEOUT_S)
        process.kill()


def attack(name: str, server: Server, count, stop) -> None:
    logging.getLogger("httpx").setLevel(logging.WARNING)
    bad = Bad(server)
    while not stop.is_set():
        count.value += 1
        ATTACKS[name](bad)
        stop.wait(PAUSE_S)


def export(preset: str, folder: str) -> str:
    """Writes both models below a base path; returns the path of the classifier's version."""
    import keras

    keras.utils.set_random_seed(0)
    packer = kb.Packer(kb.Tokenizer(vocabulary()), LENGTH)
    config = kb.BertConfig.preset(preset)
    answerer = kb.QuestionAnswerer(kb.BertEncoder(config), packer)
    kb.export(answerer, pathlib.Path(folder, ANSWERER))
    classifier = kb.TextClassifier(kb.BertEncoder(config), packer, ("negative", "positive"))
    # As drawn, all texts would have nearly the same answer.
    classifier.set_weights(
        [10 * w if w.dtype == "float32" else w for w in classifier.get_weights()]
    )
    return str(kb.export(classifier, pathlib.Path(folder, MODEL)))


def _request(texts: list[str]) -> bytes:
    """A PredictRequest for the classifier."""
    request = messages.PredictRequest(model_spec=messages.spec_of(Address(MODEL)))
    sentence = np.array([text.encode() for text in texts], object)
    proto_tensors.write({"sentence": sentence}, request.inputs)
    return request.SerializeToString()


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


def _p99(times: dict[str, list[float]]) -> float:
    return round(1000 * float(np.percentile(np.concatenate(list(times.values())), 99)), 1)


def _details(times: dict[str, list[float]], good: Good) -> dict[str, Any]:
    milliseconds = {
        protocol: dict(
            zip(("p50", "p99"), np.percentile(1000 * np.array(t), (50, 99)).round(1), strict=True)
        )
        for protocol, t in times.items()
    }
    num_requests = sum(map(len, times.values()))
    return {"milliseconds": milliseconds, "num_requests": num_requests, "wrong": good.num_wrong}


if __name__ == "__main__":
    flags.run(main, Arguments)
