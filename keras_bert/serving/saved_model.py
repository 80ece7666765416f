"""One version of a model: a SavedModel, loaded, warmed up, and run with arrays."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers the ops that models tokenize with)
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, prediction_log_pb2

from keras_bert.serving import proto_tensors, signatures

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
        ValueError: there is no SavedModel, or a warm-up request is not answered.

    Attributes:
        signatures: Signature by name, of those that requests can ask for.
        signature_defs: SignatureDefMap, as TF Serving's metadata has it.
    """

    def __init__(self, path: pathlib.Path, name: str, version: int):
        self.name = name
        self.version = version
        self.signature_defs = _signature_defs(path)
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
        for number, record in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()):
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if number == MAX_WARMUP_REQUESTS or log.WhichOneof("log_type") != "predict_log":
                raise ValueError(
                    f"{path} must have at most {MAX_WARMUP_REQUESTS} requests, all to predict, but "
                    f"record {number} is one more or another: write the file anew."
                )
            request = log.predict_log.request
            name = request.model_spec.signature_name or signatures.DEFAULT_SIGNATURE
            infos = self.signatures[name].inputs
            inputs = proto_tensors.read(request.inputs, infos, max_bytes=len(record))
            self.run(name, inputs)


def _signature_defs(path: pathlib.Path) -> get_model_metadata_pb2.SignatureDefMap:
    """What the SavedModel says of its signatures, without its graph."""
    file = path / "saved_model.pb"
    if not file.is_file():
        raise ValueError(
            f"A version of a model is a SavedModel, but there is no {file}: write the directory "
            "beside under a name that is no number, then rename it."
        )
    for graph in saved_model_pb2.SavedModel.FromString(file.read_bytes()).meta_graphs:
        if "serve" in graph.meta_info_def.tags:
            return get_model_metadata_pb2.SignatureDefMap(signature_def=graph.signature_def)
    raise ValueError(
        f'{file} must have a graph with the tag "serve", but has none: export it anew.'
    )
