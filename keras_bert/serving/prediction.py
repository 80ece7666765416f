"""What a request asks for, by gRPC or REST, and how it is answered or refused."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging

from keras_bert.serving import errors, signatures
from keras_bert.serving.batching import Batcher
from keras_bert.serving.models import Models
from keras_bert.serving.monitoring import Metrics


class Address(NamedTuple):
    """The model that a request is for, in the words of `ModelSpec`."""

    name: str
    version: int | None = None
    label: str | None = None


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

    async def predict(
        self,
        address: Address,
        signature: str,
        read: Callable[[Mapping[str, signatures.TensorInfo]], Mapping[str, np.ndarray]],
        output_filter: Sequence[str] = (),
    ) -> Answer:
        """Runs one signature for one request.

        Args:
            address: Address of the model.
            signature: str, the name of the signature.
            read: gives the arrays of the request; is called with what the signature says of its
                inputs.
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
        inputs = read(infos)
        signatures.check_names(inputs, infos)
        for name, array in inputs.items():
            signatures.check(name, array.dtype, array.shape, infos[name])
        rows = signatures.num_rows({name: array.shape for name, array in inputs.items()})
        # The version itself is the key: by name and number alone, one that was loaded anew would
        # get requests that were checked against its predecessor.
        function = functools.partial(model.run, signature)
        answer = await self._batcher.run((model, signature), function, inputs, rows)
        return Answer(model.version, {name: answer[name] for name in wanted})

    @contextlib.contextmanager
    def observed(self, address: Address, protocol: str) -> Iterator[None]:
        """Counts a request for a prediction.

        Raises:
            ServingError: whatever goes wrong with it.
        """
        start, code = time.perf_counter(), "CANCELLED"
        try:
            yield
            code = "OK"
        except Exception as error:
            known = as_serving_error(error)
            code = known.code
            raise known from error
        finally:
            name = address.name if address.name in self.models.names() else ""
            self.metrics.observe_request(name, protocol, code, time.perf_counter() - start)


def as_serving_error(error: Exception) -> errors.ServingError:
    """The error that a client is told."""
    if isinstance(error, errors.ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        return errors.from_code(errors.CODES[error.error_code], _of_graph(error.message))
    logging.error("A request could not be answered.", exc_info=error)
    return errors.from_code("INTERNAL", "The server failed; its log says why.")


def _wanted(names: Sequence[str], outputs: Mapping[str, signatures.TensorInfo]) -> list[str]:
    unknown = sorted(set(names) - set(outputs))
    if unknown:
        raise errors.invalid(
            f"output_filter must have outputs of the signature, {', '.join(sorted(outputs))}, but "
            f"has {', '.join(unknown)}: correct it, or leave it away."
        )
    return sorted(names or outputs)


def _of_graph(message: str) -> str:
    """What the operation says, without where in the graph it stands."""
    return message.rpartition("<stack traces unavailable>\n")[2].partition("\n\t [[{{node")[0]
