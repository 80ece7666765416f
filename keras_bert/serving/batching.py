"""Requests are run in batches: those that wait for the same signature are joined."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import dataclasses
import os
import pathlib
from collections.abc import Callable, Hashable, Mapping

import numpy as np
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

from keras_bert.serving import errors

CONFIG_FILE = "batching.config"

Tensors = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Settings:
    """What TF Serving's `BatchingParameters` say.

    Args:
        max_batch_size: rows of a batch, and so of a request.
        batch_timeout_micros: how long a batch that is not full waits for more, though a thread is
            free.
        max_enqueued_batches: batches that may wait for a thread; what comes then is refused.
        num_batch_threads: batches that run at the same time.
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

    Args:
        settings: Settings.
        observe: called with the number of rows of each batch that is run.
    """

    def __init__(self, settings: Settings, observe: Callable[[int], None] = lambda rows: None):
        self.settings = settings
        self._observe = observe
        self._pool = concurrent.futures.ThreadPoolExecutor(settings.num_batch_threads, "batch")
        self._num_running = 0
        # In the order of their beginning; the open ones, by key, still take requests.
        self._queue: collections.deque[_Batch] = collections.deque()
        self._open: dict[Hashable, _Batch] = {}
        self._tasks: set[asyncio.Task] = set()

    @property
    def num_waiting(self) -> int:
        """The number of batches that wait."""
        return len(self._queue)

    async def run(
        self, key: Hashable, function: Callable[[Tensors], Tensors], inputs: Tensors, rows: int
    ) -> dict[str, np.ndarray]:
        """Runs one request with others of its key, and waits for its answer.

        A request whose waiting is cancelled is taken out of its batch, if that does not run yet.

        Args:
            key: the same for requests with the same function.
            function: from arrays to arrays, each with a row for each example; is called on a
                thread.
            inputs: array by name.
            rows: int, their first dimension.

        Returns:
            the request's own rows of the outputs.

        Raises:
            InvalidRequestError: there are more than `max_batch_size` rows.
            OverloadedError: the queue is full.
        """
        if rows > self.settings.max_batch_size:
            raise errors.invalid(
                f"A request must have at most {self.settings.max_batch_size} rows, the "
                f"max_batch_size, but has {rows}: send several."
            )
        key = (key, tuple((name, array.shape[1:]) for name, array in sorted(inputs.items())))
        batch = self._batch_with_room(key, function, rows)
        request = _Request(inputs, rows, asyncio.get_running_loop().create_future())
        batch.requests.append(request)
        self._begin()
        try:
            return await request.answer
        finally:
            self._leave(batch, request)

    async def close(self) -> None:
        """Waits for what is running."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._pool.shutdown()

    def _batch_with_room(self, key: Hashable, function, rows: int) -> _Batch:
        batch = self._open.get(key)
        if batch is not None and batch.rows + rows <= self.settings.max_batch_size:
            return batch
        if len(self._queue) >= self.settings.max_enqueued_batches:
            raise errors.from_code(
                "RESOURCE_EXHAUSTED",
                f"At most {self.settings.max_enqueued_batches} batches may wait, the "
                "max_enqueued_batches, and so many do: come back later.",
            )
        if batch is not None:
            batch.due = True
        batch = self._open[key] = _Batch(key, function)
        self._queue.append(batch)
        timeout_s = self.settings.batch_timeout_micros / 1e6
        batch.due = timeout_s == 0
        if not batch.due:
            asyncio.get_running_loop().call_later(timeout_s, self._let_go, batch)
        return batch

    def _let_go(self, batch: _Batch) -> None:
        batch.due = True
        self._begin()

    def _begin(self) -> None:
        """Gives batches that are due to threads that are free."""
        for batch in list(self._queue):
            if self._num_running == self.settings.num_batch_threads:
                return
            if batch.due or batch.rows == self.settings.max_batch_size:
                self._remove(batch)
                self._num_running += 1
                task = asyncio.create_task(self._execute(batch))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _remove(self, batch: _Batch) -> None:
        self._queue.remove(batch)
        if self._open.get(batch.key) is batch:
            del self._open[batch.key]

    def _leave(self, batch: _Batch, request: _Request) -> None:
        """Takes out a request that nobody waits for, and so a batch without requests."""
        if batch in self._queue:
            batch.requests.remove(request)
            if not batch.requests:
                self._remove(batch)

    async def _execute(self, batch: _Batch) -> None:
        requests = batch.requests
        self._observe(batch.rows)
        loop = asyncio.get_running_loop()
        answers = await loop.run_in_executor(self._pool, _answers, batch.function, requests)
        self._num_running -= 1
        self._begin()
        for request, answer in zip(requests, answers, strict=True):
            if request.answer.done():  # cancelled
                continue
            if isinstance(answer, Exception):
                request.answer.set_exception(answer)
            else:
                request.answer.set_result(answer)


class _Request:
    """One request: its inputs, the number of its rows, and the future of its answer."""

    def __init__(self, inputs: Tensors, rows: int, answer: asyncio.Future):
        self.inputs = inputs
        self.rows = rows
        self.answer = answer


class _Batch:
    """Requests that are run at once, as soon as the batch is due."""

    def __init__(self, key: Hashable, function: Callable[[Tensors], Tensors]):
        self.key = key
        self.function = function
        self.due = False
        self.requests: list[_Request] = []

    @property
    def rows(self) -> int:
        return sum(request.rows for request in self.requests)


def read_settings(path: pathlib.Path) -> Settings:
    """The settings of a `batching.config`, or the defaults if there is no file.

    `allowed_batch_sizes` is checked, and not used: TF Serving pads batches up to these sizes, which
    pays where a graph is compiled for each size.

    Raises:
        ValueError: it is no text form of BatchingParameters, or a value is wrong.
    """
    if not path.is_file():
        return Settings()
    parameters = _parameters_type()()
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


def _answers(function: Callable[[Tensors], Tensors], requests: list[_Request]) -> list:
    """An answer or an exception for each request."""
    try:
        return _run_joined(function, requests)
    except Exception as error:
        if len(requests) == 1:
            return [error]
    return [answer for request in requests for answer in _answers(function, [request])]


def _run_joined(function: Callable[[Tensors], Tensors], requests: list[_Request]) -> list[Tensors]:
    inputs = {
        name: np.concatenate([request.inputs[name] for request in requests])
        for name in requests[0].inputs
    }
    outputs = function(inputs)
    ends = np.cumsum([request.rows for request in requests])
    for name, output in outputs.items():
        if output.ndim == 0 or len(output) != ends[-1]:
            raise errors.from_code(
                "FAILED_PRECONDITION",
                f"Output {name!r} must have a row for each of the {ends[-1]} examples, but has the "
                f"shape {list(output.shape)}: export the model with a batch dimension first.",
            )
    return [
        {name: output[end - request.rows : end] for name, output in outputs.items()}
        for request, end in zip(requests, ends, strict=True)
    ]


def _check(settings: Settings, parameters, path: pathlib.Path) -> None:
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


def _parameters_type() -> type:
    """The class of BatchingParameters, which is not among the protos of tensorflow-serving-api.

    tensorflow_serving/servables/tensorflow/session_bundle_config.proto
    """
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="batching_parameters.proto",
        package="keras_bert.serving",
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    message = file.message_type.add(name="BatchingParameters")
    counts = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")
    wrapped = (*((name, "Int64Value") for name in counts), ("thread_pool_name", "StringValue"))
    optional, repeated = field.LABEL_OPTIONAL, field.LABEL_REPEATED
    for number, (name, kind) in enumerate(wrapped, 1):
        message.field.add(
            name=name,
            number=number,
            label=optional,
            type=field.TYPE_MESSAGE,
            type_name=f".google.protobuf.{kind}",
        )
    message.field.add(name="allowed_batch_sizes", number=6, label=repeated, type=field.TYPE_INT64)
    message.field.add(
        name="pad_variable_length_inputs", number=7, label=optional, type=field.TYPE_BOOL
    )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("keras_bert.serving.BatchingParameters")
    )
