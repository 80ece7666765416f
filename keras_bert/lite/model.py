"""The network of an export: a LiteRT file, whose signatures are for rows of some lengths."""

from __future__ import annotations

import pathlib
import threading
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_bert.lite.rows import Row

# Of so many blanks a call says what they are.
NUM_BLANKS = 4


def signature_of(length: int) -> str:
    """The name of the signature for rows of a length."""
    return f"tokens_{length}"


class Model:
    """Runs rows; from any thread, one at a time.

    Args:
        path: path of the `.tflite` file.
        lengths: sequence of int, those of its signatures; a row takes the first that holds it.
        pad: int, the id that fills rows up.
        num_threads: int, that compute.
    """

    def __init__(self, path: pathlib.Path, lengths: Sequence[int], pad: int, num_threads: int):
        self._lengths = sorted(lengths)
        self._pad = pad
        self._lock = threading.Lock()
        self._interpreter = _interpreter(path, num_threads)
        self._runners: dict[int, Any] = {}

    def __call__(self, row: Row, positions: Sequence[int] = ()) -> dict[str, np.ndarray]:
        """The outputs for a row, without the axis of the batch.

        Args:
            row: Row.
            positions: sequence of at most `NUM_BLANKS` int, which a model of blanks reads.
        """
        length = next(length for length in self._lengths if length >= len(row.token_ids))
        values = {
            "token_ids": _filled_up(row.token_ids, length, self._pad),
            "segment_ids": _filled_up(row.segment_ids, length, 0),
            "padding_mask": _filled_up([1] * len(row.token_ids), length, 0),
            "mask_positions": _filled_up(positions, NUM_BLANKS, 0),
        }
        with self._lock:
            runner = self._runner(length)
            inputs = {
                name: values[name].reshape(details["shape"])
                for name, details in runner.get_input_details().items()
            }
            return {name: output[0] for name, output in runner(**inputs).items()}

    def _runner(self, length: int) -> Any:
        if length not in self._runners:
            self._runners[length] = self._interpreter.get_signature_runner(signature_of(length))
        return self._runners[length]


def _filled_up(values: Sequence[int], length: int, fill: int) -> np.ndarray:
    filled = np.full(length, fill, np.int32)
    filled[: len(values)] = values
    return filled


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
