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
from keras_bert.serving.server.served import Served
from keras_bert.serving.wire import errors, layout, messages, signatures

# As the graph of a SavedModel has it: a longer text is refused, not cut.
MAX_TEXT_BYTES = 1 << 16
# What TF Serving's metadata says of signatures that are asked to predict.
METHOD = "tensorflow/serving/predict"


class LiteModel(Served):
    """An export for LiteRT in memory, whose signatures take texts; a longer one is refused."""

    METADATA = layout.LITE_FILE

    def read_signatures(self, path: pathlib.Path) -> Message:
        return _signature_defs(read_config(path)["signatures"])

    def load(self, path: pathlib.Path) -> None:
        self._lite = Lite(path, num_threads=os.cpu_count() or 1)

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
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
