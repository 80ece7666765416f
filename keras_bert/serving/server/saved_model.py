"""One version of a model: a SavedModel, loaded, warmed up, and run with arrays."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers the ops that models tokenize with)
from google.protobuf.message import Message

from keras_bert.serving.server.served import Served
from keras_bert.serving.wire import errors, layout, messages, proto_tensors, signatures


class SavedModel(Served):
    """A SavedModel in memory, which has answered the warm-up requests beside it.

    Raises:
        Exception: besides, TensorFlow cannot load it, or a warm-up request is not answered; the
            message names the file.
    """

    METADATA = layout.METADATA_FILE

    def read_signatures(self, path: pathlib.Path) -> Message:
        return _signature_defs(path)

    def load(self, path: pathlib.Path) -> None:
        with _naming(path):
            self._model = tf.saved_model.load(str(path), tags=["serve"])
        served = self._model.signatures
        self.signatures = {key: one for key, one in self.signatures.items() if key in served}
        self._warm_up(path / layout.WARMUP_FILE)

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        tensors = {
            name: tf.constant(array, tf.string if array.dtype == signatures.STRING else None)
            for name, array in inputs.items()
        }
        try:
            outputs = self._model.signatures[signature](**tensors)
            return {name: output.numpy() for name, output in outputs.items()}
        except tf.errors.OpError as error:
            code = errors.CODES[error.error_code]
            raise errors.from_code(code, _of_graph(error.message)) from error

    def _warm_up(self, path: pathlib.Path) -> None:
        """Runs the requests that lie beside the model, so that the first one that matters does
        not wait for what is done once."""
        if not path.is_file():
            return
        number = -1
        with _naming(path):
            for number, record in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()):
                self._warm_up_with(number, record)
        if number < 0:
            raise ValueError(
                f"{path} must have at least 1 request, but is empty: write the file anew, or "
                "remove it."
            )

    def _warm_up_with(self, number: int, record: bytes) -> None:
        log = messages.PredictionLog.FromString(record)
        if number == layout.MAX_WARMUP_REQUESTS or not log.HasField("predict_log"):
            raise ValueError(
                f"It must have at most {layout.MAX_WARMUP_REQUESTS} requests, all to predict, but "
                f"record {number} is one more or another: write the file anew."
            )
        request = log.predict_log.request
        name = request.model_spec.signature_name or signatures.DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise ValueError(
                f"Its requests must be for signatures of the model, {', '.join(self.signatures)}, "
                f"but record {number} is for {name!r}: write the file anew."
            )
        self.run(name, proto_tensors.read(request.inputs, self.signatures[name].inputs))


@contextlib.contextmanager
def _naming(path: pathlib.Path) -> Iterator[None]:
    """Puts the file before what goes wrong with it, as TensorFlow's messages often do not."""
    try:
        yield
    except tf.errors.OpError as error:
        code = errors.CODES[error.error_code]
        raise errors.from_code(code, f"{path}: {error.message}") from error
    except errors.ServingError as error:
        raise errors.from_code(error.code, f"{path}: {error.message}") from error
    except ValueError as error:
        raise errors.invalid(f"{path}: {error}") from error
    except Exception as error:
        raise errors.from_code("INTERNAL", f"{path}: {error!r}") from error


def _of_graph(message: str) -> str:
    """What the operation says, without where in the graph it stands."""
    return message.rpartition("<stack traces unavailable>\n")[2].partition("\n\t [[{{node")[0]


def _signature_defs(path: pathlib.Path) -> Message:
    """The SignatureDefMap of a SavedModel."""
    file = path / layout.SAVED_MODEL_FILE
    if not file.is_file():
        raise ValueError(
            f"A version of a model is a SavedModel, but there is no {file}: write the directory "
            "beside under a name that is no number, then rename it."
        )
    with _naming(file):
        graphs = messages.SavedModel.FromString(file.read_bytes()).meta_graphs
    for graph in graphs:
        if "serve" in graph.meta_info_def.tags:
            return messages.SignatureDefMap(signature_def=graph.signature_def)
    raise ValueError(
        f'{file} must have a graph with the tag "serve", but has none: export it anew.'
    )
