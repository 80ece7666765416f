"""One version of a model: a SavedModel, loaded, warmed up, and run with arrays."""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers the ops that models tokenize with)
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, prediction_log_pb2

from keras_bert import files
from keras_bert.serving.wire import errors, proto_tensors, signatures

# What `kb.export` writes beside a model; in others' it may be missing.
METADATA_FILE = pathlib.PurePath("assets.extra", "metadata.json")
WARMUP_FILE = pathlib.PurePath("assets.extra", "tf_serving_warmup_requests")
# tensorflow_serving/servables/tensorflow/saved_model_warmup_util.h
MAX_WARMUP_REQUESTS = 1000


class SavedModel:
    """A SavedModel in memory, whose signatures are called with arrays; from any thread.

    Args:
        path: the directory with `saved_model.pb`.
        name: str, the model's name.
        version: int.

    Raises:
        ValueError: there is no SavedModel, or a file is not the one that was exported.
        Exception: TensorFlow cannot load it, or a warm-up request is not answered; the message
            names the file.

    Attributes:
        signatures: Signature by name, of those that requests can ask for.
        signature_defs: SignatureDefMap, as TF Serving's metadata has it.
    """

    def __init__(self, path: pathlib.Path, name: str, version: int):
        self.name = name
        self.version = version
        _check_files(path)
        self.signature_defs = _signature_defs(path)
        with _naming(path):
            self._model = tf.saved_model.load(str(path), tags=["serve"])
        content = json_format.MessageToDict(self.signature_defs, preserving_proto_field_name=True)[
            "signature_def"
        ]
        self.signatures = {
            key: signature
            for key, signature in signatures.read(content).items()
            if key in self._model.signatures
        }
        self._warm_up(path / WARMUP_FILE)

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs of a signature for inputs that have passed its checks.

        Args:
            signature: str, its name.
            inputs: array by name.

        Returns:
            array by name; strings are arrays of bytes objects.
        """
        tensors = {
            name: tf.constant(array, tf.string if array.dtype == signatures.STRING else None)
            for name, array in inputs.items()
        }
        outputs = self._model.signatures[signature](**tensors)
        return {name: output.numpy() for name, output in outputs.items()}

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
        log = prediction_log_pb2.PredictionLog.FromString(record)
        if number == MAX_WARMUP_REQUESTS or log.WhichOneof("log_type") != "predict_log":
            raise ValueError(
                f"It must have at most {MAX_WARMUP_REQUESTS} requests, all to predict, but record "
                f"{number} is one more or another: write the file anew."
            )
        request = log.predict_log.request
        name = request.model_spec.signature_name or signatures.DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise ValueError(
                f"Its requests must be for signatures of the model, {', '.join(self.signatures)}, "
                f"but record {number} is for {name!r}: write the file anew."
            )
        self.run(name, proto_tensors.read(request.inputs, self.signatures[name].inputs))


def code_of(error: Exception) -> str:
    """The status code of what went wrong with a model."""
    if isinstance(error, errors.ServingError):
        return error.code
    if isinstance(error, tf.errors.OpError):
        return errors.CODES[error.error_code]
    return "INVALID_ARGUMENT" if isinstance(error, ValueError) else "INTERNAL"


@contextlib.contextmanager
def _naming(path: pathlib.Path) -> Iterator[None]:
    """Puts the file before what goes wrong with it, as TensorFlow's messages often do not."""
    try:
        yield
    except Exception as error:
        raise errors.from_code(code_of(error), f"{path}: {_said(error)}") from error


def _said(error: Exception) -> str:
    if isinstance(error, errors.ServingError | tf.errors.OpError):
        return error.message
    return str(error) if isinstance(error, ValueError) else repr(error)


def _check_files(path: pathlib.Path) -> None:
    """Compares the files of a version with what the exporter wrote of them, if it did."""
    if not (path / METADATA_FILE).is_file():
        return
    for name, expected in _files(path / METADATA_FILE).items():
        file = path / name
        if not file.is_file() or files.sha256(file) != expected:
            raise ValueError(
                f"{file} must be the file that was exported, but it is "
                f"{'damaged or changed' if file.is_file() else 'not there'} (its SHA-256 is in "
                f"{METADATA_FILE}): copy the version again, or export it again."
            )


def _files(path: pathlib.Path) -> dict[str, str]:
    """SHA-256 by the file's name, as the metadata has them; that of others has none."""
    try:
        content = json.loads(path.read_bytes())
        listed = content.get("files", {}) if isinstance(content, dict) else {}
        return {name: file["sha256"] for name, file in listed.items()}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"{path} must be JSON as it was exported, with a SHA-256 for each of its files, but "
            f"is not ({error!r}): copy the version again, or export it again."
        ) from error


def _signature_defs(path: pathlib.Path) -> get_model_metadata_pb2.SignatureDefMap:
    """What the SavedModel says of its signatures, without its graph."""
    file = path / "saved_model.pb"
    if not file.is_file():
        raise ValueError(
            f"A version of a model is a SavedModel, but there is no {file}: write the directory "
            "beside under a name that is no number, then rename it."
        )
    with _naming(file):
        graphs = saved_model_pb2.SavedModel.FromString(file.read_bytes()).meta_graphs
    for graph in graphs:
        if "serve" in graph.meta_info_def.tags:
            return get_model_metadata_pb2.SignatureDefMap(signature_def=graph.signature_def)
    raise ValueError(
        f'{file} must have a graph with the tag "serve", but has none: export it anew.'
    )
