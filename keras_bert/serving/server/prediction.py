"""What a request asks for, by gRPC or REST, and how it is answered or refused."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from absl import logging
from google.protobuf.message import Message

from keras_bert.serving.server.batching import Batcher
from keras_bert.serving.server.models import Models
from keras_bert.serving.server.monitoring import Metrics
from keras_bert.serving.wire import errors, messages, signatures
from keras_bert.serving.wire.address import Address

# A request of so many bytes is read at once, in less than a millisecond; a larger one by a thread.
SMALL_BYTES = 1 << 14

ResultT = TypeVar("ResultT")


class Answer(NamedTuple):
    """Outputs, and the version of the model that gave them."""

    version: int
    outputs: Mapping[str, np.ndarray]


class Predictor:
    """Answers requests with the models that are served.

    Args:
        models: Models.
        batcher: Batcher.
        metrics: Metrics.
    """

    def __init__(self, models: Models, batcher: Batcher, metrics: Metrics):
        self.models = models
        self.metrics = metrics
        self._batcher = batcher
        # One: Python reads no faster in several, and others would wait for all of them.
        self._reader = concurrent.futures.ThreadPoolExecutor(1, "read")

    async def aside(self, num_bytes: int, function: Callable[..., ResultT], *arguments) -> ResultT:
        """What a function makes of so many bytes of a request, while others are answered."""
        if num_bytes <= SMALL_BYTES:
            return function(*arguments)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader, function, *arguments)

    def close(self) -> None:
        """Ends the thread that reads."""
        self._reader.shutdown()

    async def predict(
        self,
        address: Address,
        signature: str,
        read: Callable[[Mapping[str, signatures.TensorInfo]], Mapping[str, np.ndarray]],
        num_bytes: int,
        output_filter: Sequence[str] = (),
    ) -> Answer:
        """Runs one signature for one request.

        Args:
            address: Address of the model.
            signature: str, the name of the signature.
            read: gives the arrays of the request; is called with what the signature says of its
                inputs.
            num_bytes: int, the size of what is read.
            output_filter: names of the outputs that are wanted; empty for all.

        Raises:
            ServingError: there is no such model or signature, the inputs are wrong, or the queue is
                full.
        """
        model = self.models.find(*address)
        if signature not in model.signatures:
            raise errors.from_code(
                "FAILED_PRECONDITION",
                f"The signature must be one of {', '.join(sorted(model.signatures))}, but is "
                f"{signature!r}: name one that the model has.",
            )
        infos, outputs = model.signatures[signature]
        wanted = _wanted(output_filter, outputs)
        inputs = await self.aside(num_bytes, read, infos)
        signatures.check_names(inputs, infos)
        for name, array in inputs.items():
            signatures.check(name, array.dtype, array.shape, infos[name])
        num_rows = signatures.num_rows({name: array.shape for name, array in inputs.items()})
        # The version itself has the queue: by name and number alone, one that was loaded anew would
        # get requests that were checked against its predecessor.
        function = functools.partial(model.run, signature)
        answer = await self._batcher.run(model, signature, function, inputs, num_rows)
        return Answer(model.version, {name: answer[name] for name in wanted})

    def metadata(self, address: Address) -> Message:
        """The GetModelMetadataResponse of a model: its signatures."""
        model = self.models.find(*address)
        response = messages.GetModelMetadataResponse()
        response.model_spec.CopyFrom(messages.spec_of(Address(address.name, model.version)))
        response.metadata[signatures.SIGNATURE_DEF].Pack(model.signature_defs)
        return response

    def status(self, address: Address) -> Message:
        """The GetModelStatusResponse of a model: the states of its versions."""
        version = self.models.find(*address).version if address.label else address.version
        response = messages.GetModelStatusResponse()
        for number, state in self.models.status(address.name, version).items():
            response.model_version_status.add(
                version=number,
                state=state.state,
                status={"error_code": state.code, "error_message": state.message},
            )
        return response

    @contextlib.contextmanager
    def observed(self, address: Address, protocol: str) -> Iterator[None]:
        """Counts a request for a prediction.

        Raises:
            ServingError: whatever goes wrong with it.
        """
        start, code, known = time.perf_counter(), "CANCELLED", None
        try:
            yield
            code = "OK"
        except BaseException as error:
            if not isinstance(error, Exception):  # cancelled
                _forget(error)
                raise
            known = as_serving_error(error)
            code = known.code
            _forget(error)
        finally:
            name = address.name if address.name in self.models.names() else ""
            self.metrics.observe_request(name, protocol, code, time.perf_counter() - start)
        try:
            if known is not None:
                raise known.with_traceback(None)
        finally:
            known = None


def as_serving_error(error: Exception) -> errors.ServingError:
    """The error that a client is told."""
    if isinstance(error, errors.ServingError):
        return error
    logging.error("A request could not be answered.", exc_info=error)
    return errors.from_code("INTERNAL", "The server failed; its log says why.")


def _forget(error: BaseException) -> None:
    """Frees what the calls that failed were working on.

    An error knows their frames by its traceback, and what they awaited knows the error: in such a
    circle a request's tensors would stay until Python looks for circles, which may be gigabytes
    later.
    """
    seen: BaseException | None = error
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen = seen.__cause__ or seen.__context__


def _wanted(names: Sequence[str], outputs: Mapping[str, signatures.TensorInfo]) -> list[str]:
    unknown = sorted(set(names) - set(outputs))
    if unknown:
        raise errors.invalid(
            f"output_filter must have outputs of the signature, {', '.join(sorted(outputs))}, but "
            f"has {', '.join(unknown)}: correct it, or leave it away."
        )
    return sorted(names or outputs)
