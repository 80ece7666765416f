"""Requests are run in batches: those that wait for the same signature are joined."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import dataclasses
import os
import pathlib
from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np
from google.protobuf import text_format
from google.protobuf.message import Message

from keras_bert.serving.wire import errors, messages, rows

# Of a batch, unless it is one row: as much as one text may have.
MAX_BYTES = 1 << 16
# Of all models together.
MAX_THREADS = 256

Tensors = Mapping[str, np.ndarray]
Outputs = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Settings:
    """What TF Serving's `BatchingParameters` say.

    Args:
        max_batch_size: rows of a batch, and so of a request.
        batch_timeout_micros: how long a batch that is not full waits for more, though a thread is
            free.
        max_enqueued_batches: batches of a model that may wait for a thread; what comes then is
            refused.
        num_batch_threads: batches of a model that run at the same time.
    """

    max_batch_size: int = 32
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 100
    num_batch_threads: int = os.cpu_count() or 1


class Batcher:
    """Runs requests in batches, on threads, in the order in which their batches were begun.

    A batch is closed when it is full, and begun by a free thread when it is closed or has waited
    for `batch_timeout_micros`. Requests are joined along the first dimension if they have the same
    key and agree in all other dimensions; nothing is padded. If a batch of several requests fails,
    each is run by itself, so that a request fails by its own fault only.

    Each model has a queue and threads of its own, as many as the settings say, so that requests
    for one cannot keep those for another waiting. A batch has at most `MAX_BYTES`; a request with
    more is run in parts, each of which waits in the queue like a request, so that nothing occupies
    a thread for long, and nothing is begun for a client that has gone.

    Args:
        settings: Settings.
        observe: called with the number of rows of each batch that is run.
    """

    def __init__(self, settings: Settings, observe: Callable[[int], None] = lambda rows: None):
        self.settings = settings
        self._observe = observe
        self._pool = concurrent.futures.ThreadPoolExecutor(MAX_THREADS, "batch")
        self._queues: dict[Hashable, _Queue] = {}
        self._tasks: set[asyncio.Task] = set()

    @property
    def num_waiting(self) -> int:
        """The number of batches that wait."""
        return sum(len(queue.batches) for queue in self._queues.values())

    async def run(
        self,
        model: Hashable,
        key: Hashable,
        function: Callable[[Tensors], Tensors],
        inputs: Tensors,
        num_rows: int,
    ) -> Outputs:
        """Runs one request with others of its key, and waits for its answer.

        A request whose waiting is cancelled is taken out of its batch, if that does not run yet.

        Args:
            model: what has a queue of its own.
            key: the same for requests with the same function.
            function: from arrays to arrays, each with a row for each example; is called on a
                thread.
            inputs: array by name.
            num_rows: int, their first dimension.

        Returns:
            the request's own rows of the outputs. Where its parts differ in another dimension, they
            are filled up at its end with zeros and empty strings.

        Raises:
            InvalidRequestError: there are more than `max_batch_size` rows.
            OverloadedError: the queue is full.
        """
        if num_rows > self.settings.max_batch_size:
            raise errors.invalid(
                f"A request must have at most {self.settings.max_batch_size} rows, the "
                f"max_batch_size, but has {num_rows}: send several."
            )
        answers = [
            await self._run(model, key, function, part) for part in rows.parts(inputs, MAX_BYTES)
        ]
        if len(answers) == 1:
            return answers[0]
        return {name: rows.joined([answer[name] for answer in answers]) for name in answers[0]}

    async def close(self) -> None:
        """Waits for what is running."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._pool.shutdown()

    async def _run(self, model: Hashable, key: Hashable, function, inputs: Tensors) -> Outputs:
        queue = self._queues.setdefault(model, _Queue(model))
        key = (key, tuple((name, array.shape[1:]) for name, array in sorted(inputs.items())))
        request = _Request(inputs, asyncio.get_running_loop().create_future())
        batch = self._batch_with_room(queue, key, function, request)
        batch.requests.append(request)
        self._begin(queue)
        answer: Outputs | Exception | None = None
        try:
            answer = await request.answer
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self._leave(queue, batch, request)
            # An error knows this frame, by its traceback: it must not know the error.
            answer = None
            del request, batch

    def _batch_with_room(self, queue: _Queue, key: Hashable, function, request: _Request) -> _Batch:
        batch = queue.open.get(key)
        if batch is not None and batch.has_room(request, self.settings.max_batch_size):
            return batch
        if len(queue.batches) >= self.settings.max_enqueued_batches:
            raise errors.from_code(
                "RESOURCE_EXHAUSTED",
                f"At most {self.settings.max_enqueued_batches} batches may wait, the "
                "max_enqueued_batches, and so many do: come back later.",
            )
        if batch is not None:
            batch.due = True
        batch = queue.open[key] = _Batch(key, function)
        queue.batches.append(batch)
        timeout_s = self.settings.batch_timeout_micros / 1e6
        batch.due = timeout_s == 0
        if not batch.due:
            asyncio.get_running_loop().call_later(timeout_s, self._let_go, queue, batch)
        return batch

    def _let_go(self, queue: _Queue, batch: _Batch) -> None:
        batch.due = True
        if batch in queue.batches:
            self._begin(queue)

    def _begin(self, queue: _Queue) -> None:
        """Gives batches that are due to threads that are free."""
        for batch in list(queue.batches):
            if queue.num_running == self.settings.num_batch_threads:
                break
            if batch.due or batch.num_rows == self.settings.max_batch_size:
                queue.remove(batch)
                queue.num_running += 1
                task = asyncio.create_task(self._execute(queue, batch))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        if not queue.batches and not queue.num_running:
            del self._queues[queue.model]

    def _leave(self, queue: _Queue, batch: _Batch, request: _Request) -> None:
        """Takes out a request that nobody waits for, and so a batch without requests."""
        if batch in queue.batches:
            batch.requests.remove(request)
            if not batch.requests:
                queue.remove(batch)
                self._begin(queue)

    async def _execute(self, queue: _Queue, batch: _Batch) -> None:
        self._observe(batch.num_rows)
        requests = batch.requests
        if not await self._answer(batch.function, requests, alone=len(requests) == 1):
            for request in requests:
                await self._answer(batch.function, [request], alone=True)
        queue.num_running -= 1
        self._begin(queue)

    async def _answer(self, function, requests: list[_Request], alone: bool) -> bool:
        """Answers requests that somebody waits for; an error is the answer of one alone only."""
        if all(request.answer.done() for request in requests):  # cancelled
            return True
        inputs = [request.inputs for request in requests]
        loop = asyncio.get_running_loop()
        answers: Sequence[Outputs | Exception]
        try:
            answers = await loop.run_in_executor(self._pool, _run_joined, function, inputs)
        except Exception as error:
            if not alone:
                return False
            # Without this frame, which knows the request, which is to know the error.
            answers = [_from_below(error)]
        for request, answer in zip(requests, answers, strict=True):
            if not request.answer.done():
                request.answer.set_result(answer)
        return True


class _Request:
    """One request, or a part of one: its inputs, and the future of its answer, or its error."""

    def __init__(self, inputs: Tensors, answer: asyncio.Future[Outputs | Exception]):
        self.inputs = inputs
        self.num_rows = len(next(iter(inputs.values())))
        self.num_bytes = int(rows.num_bytes(inputs).sum())
        self.answer = answer


class _Batch:
    """Requests that are run at once, as soon as the batch is due."""

    def __init__(self, key: Hashable, function: Callable[[Tensors], Tensors]):
        self.key = key
        self.function = function
        self.due = False
        self.requests: list[_Request] = []

    @property
    def num_rows(self) -> int:
        return sum(request.num_rows for request in self.requests)

    def has_room(self, request: _Request, max_rows: int) -> bool:
        num_bytes = sum(other.num_bytes for other in self.requests) + request.num_bytes
        return self.num_rows + request.num_rows <= max_rows and num_bytes <= MAX_BYTES


class _Queue:
    """The batches of one model that wait, and the number of those that run."""

    def __init__(self, model: Hashable):
        self.model = model
        # In the order of their beginning; the open ones, by key, still take requests.
        self.batches: collections.deque[_Batch] = collections.deque()
        self.open: dict[Hashable, _Batch] = {}
        self.num_running = 0

    def remove(self, batch: _Batch) -> None:
        self.batches.remove(batch)
        if self.open.get(batch.key) is batch:
            del self.open[batch.key]


def read_settings(path: pathlib.Path) -> Settings:
    """The settings of a `batching.config`, or the defaults if there is no file.

    `allowed_batch_sizes` is checked, and not used: TF Serving pads batches up to these sizes, which
    pays where a graph is compiled for each size.

    Raises:
        ValueError: it is no text form of BatchingParameters, or a value is wrong.
    """
    if not path.is_file():
        return Settings()
    parameters = messages.BatchingParameters()
    try:
        text_format.Parse(path.read_text(encoding="utf-8"), parameters)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} must be BatchingParameters in text form, but {error}: correct it."
        ) from error
    given = {
        field.name: getattr(parameters, field.name).value
        for field in dataclasses.fields(Settings)
        if parameters.HasField(field.name)
    }
    settings = dataclasses.replace(Settings(), **given)
    _check(settings, parameters, path)
    return settings


def _run_joined(function: Callable[[Tensors], Tensors], inputs: list[Tensors]) -> list[Outputs]:
    outputs = function(
        {name: np.concatenate([arrays[name] for arrays in inputs]) for name in inputs[0]}
    )
    ends = np.cumsum([len(next(iter(arrays.values()))) for arrays in inputs]).tolist()
    for name, output in outputs.items():
        if output.ndim == 0 or len(output) != ends[-1]:
            raise errors.from_code(
                "FAILED_PRECONDITION",
                f"Output {name!r} must have a row for each of the {ends[-1]} examples, but has the "
                f"shape {list(output.shape)}: export the model with a batch dimension first.",
            )
    return [
        {name: output[start:end] for name, output in outputs.items()}
        for start, end in zip([0, *ends], ends, strict=False)
    ]


def _from_below(error: Exception) -> Exception:
    """An error without the frame that has caught it."""
    caught = error.__traceback__
    return error.with_traceback(caught.tb_next if caught else None)


def _check(settings: Settings, parameters: Message, path: pathlib.Path) -> None:
    sizes = list(parameters.allowed_batch_sizes)
    counts = (settings.max_batch_size, settings.max_enqueued_batches, settings.num_batch_threads)
    if min(counts) < 1 or settings.batch_timeout_micros < 0:
        raise ValueError(f"{path} must have counts of at least 1, but has {settings}: correct it.")
    if sizes and (sizes != sorted(set(sizes)) or sizes[-1] != settings.max_batch_size):
        raise ValueError(
            f"{path}: allowed_batch_sizes must rise and end with max_batch_size, "
            f"{settings.max_batch_size}, but are {sizes}: correct them."
        )
    if parameters.pad_variable_length_inputs:
        raise ValueError(
            f"{path} must not have pad_variable_length_inputs, which pads rows of ids with the "
            "first id of all, [CLS]: batch on the signature with strings."
        )
