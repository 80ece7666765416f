"""The network of an export: a LiteRT file that reads a row at a time, of any length."""

from __future__ import annotations

import pathlib
import threading
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_bert.lite.rows import Row

SIGNATURE = "row"
# Of so many blanks a call says what they are.
NUM_BLANKS = 4


class Model:
    """Runs rows of any length; from any thread, one at a time.

    Args:
        path: path of the `.tflite` file.
        num_threads: int, that compute.
    """

    def __init__(self, path: pathlib.Path, num_threads: int):
        self._lock = threading.Lock()
        self._run = _interpreter(path, num_threads).get_signature_runner(SIGNATURE)
        self._ranks = {
            name: len(details["shape"]) for name, details in self._run.get_input_details().items()
        }

    def __call__(self, row: Row, positions: Sequence[int] = ()) -> dict[str, np.ndarray]:
        """The outputs for a row, without the axis of the batch.

        Args:
            row: Row.
            positions: sequence of at most `NUM_BLANKS` int, which a model of blanks reads.
        """
        values = {
            "token_ids": row.token_ids,
            "segment_ids": row.segment_ids,
            "padding_mask": [1] * len(row.token_ids),
            "mask_positions": [*positions, *[0] * (NUM_BLANKS - len(positions))],
        }
        inputs = {
            name: np.array(values[name], np.int32).reshape((1,) * (rank - 1) + (-1,))
            for name, rank in self._ranks.items()
        }
        with self._lock:
            return {name: output[0] for name, output in self._run(**inputs).items()}


def _interpreter(path: pathlib.Path, num_threads: int) -> Any:
    """An interpreter of ai-edge-litert, or of TensorFlow where that is not installed."""
    make = _class_of_interpreters()
    with warnings.catch_warnings():  # TensorFlow's says that it will go.
        warnings.simplefilter("ignore")
        try:
            return make(model_path=str(path), num_threads=num_threads)
        except (ValueError, RuntimeError) as error:
            raise ValueError(
                f"{path} must be a LiteRT model, but {error}: copy it again, or export it again."
            ) from error


def _class_of_interpreters() -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter
    except ModuleNotFoundError:
        pass
    try:
        import tensorflow as tf

        return tf.lite.Interpreter
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "A LiteRT export is run by ai-edge-litert: pip install ai-edge-litert",
            name="ai_edge_litert",
        ) from error


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis, in float32.

    Example:

    >>> import numpy as np
    >>> from keras_bert.lite.model import softmax
    >>> softmax(np.zeros([1, 4])).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    logits = np.asarray(logits, np.float32)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def best(values: np.ndarray, number: int) -> np.ndarray:
    """The indices of the greatest values, the greatest first, of equals the first one.

    Example:

    >>> import numpy as np
    >>> from keras_bert.lite.model import best
    >>> best(np.array([1.0, 3.0, 2.0, 3.0]), 3).tolist()
    [1, 3, 2]
    """
    return np.argsort(-values, kind="stable")[:number]
