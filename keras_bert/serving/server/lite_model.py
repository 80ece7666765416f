"""One version of a model: an export for LiteRT, run with arrays as a SavedModel is."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from google.protobuf import json_format
from google.protobuf.message import Message

from keras_bert.lite.lite import Lite, read_config
from keras_bert.serving.server import version_files
from keras_bert.serving.wire import errors, layout, messages, signatures

# As the graph of a SavedModel has it: a longer text is refused, not cut.
MAX_TEXT_BYTES = 1 << 16
# What TF Serving's metadata says of signatures that are asked to predict.
METHOD = "tensorflow/serving/predict"


class LiteModel:
    """An export for LiteRT in memory, whose signatures take texts; from any thread.

    Args:
        path: the directory with `litert.json`.
        name: str, the model's name.
        version: int.

    Raises:
        ValueError: a file is not the one that was exported, or it is of a later version.

    Attributes:
        signatures: Signature by name, of those that requests can ask for.
        signature_defs: SignatureDefMap, as TF Serving's metadata has it.
    """

    def __init__(self, path: pathlib.Path, name: str, version: int):
        self.name = name
        self.version = version
        version_files.check(path, layout.LITE_FILE)
        self.signature_defs = _signature_defs(read_config(path)["signatures"])
        self.signatures = messages.signatures_of(self.signature_defs)
        self._lite = Lite(path, num_threads=os.cpu_count() or 1)

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs of a signature for inputs that have passed its checks.

        Args:
            signature: str, its name.
            inputs: array by name.

        Returns:
            array by name; strings are arrays of bytes objects.

        Raises:
            ServingError: a text is too long, or cannot be answered.
        """
        columns = {name: array.tolist() for name, array in inputs.items()}
        for name, texts in columns.items():
            if any(_num_bytes(text) > MAX_TEXT_BYTES for text in texts):
                raise errors.invalid(
                    f"{name} may have at most {MAX_TEXT_BYTES} bytes for an example: send parts."
                )
        return self._lite.arrays(columns, signature)


def _num_bytes(text: Any) -> int:
    """The size of a text, or of a list of texts."""
    return sum(map(len, text)) if isinstance(text, list) else len(text)


def _signature_defs(described: Mapping[str, Any]) -> Message:
    """The SignatureDefMap of what `litert.json` says."""
    names = {dtype.name: name for dtype, name in signatures.NAMES.items()}

    def of(tensors: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: {
                "name": name,
                "dtype": "DT_STRING" if tensor["dtype"] == "string" else names[tensor["dtype"]],
                "tensor_shape": {"dim": [{"size": -1} for _ in tensor["shape"]]},
            }
            for name, tensor in tensors.items()
        }

    content = {
        name: {
            "inputs": of(one["inputs"]),
            "outputs": of(one["outputs"]),
            "method_name": METHOD,
        }
        for name, one in described.items()
    }
    return json_format.ParseDict({"signature_def": content}, messages.SignatureDefMap())
