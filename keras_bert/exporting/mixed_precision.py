"""Which layers of an int8 export stay float32: as many as a score needs, found out by trying."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

# TensorFlow's own tools read and write files of LiteRT with it; nothing of `tf` does.
from tensorflow.lite.tools import flatbuffer_utils

from keras_bert import metrics
from keras_bert.exporting.scoring import scores_of
from keras_bert.lite.lite import MODEL_FILE, Lite
from keras_bert.lite.model import NUM_BLANKS, Model
from keras_bert.lite.rows import Row
from keras_bert.tasks.examples import Example
from keras_bert.tasks.task import Task

# A score may fall by half a point: by so much, or by such a share of one that is above 1.
TOLERANCE = 0.005
# By the outputs for so many examples a layer's damage is measured.
NUM_MEASURED = 16

# Numbers of the schema's enumerations (tensorflow/lite/schema/schema.fbs).
_FLOAT32, _INT8 = 0, 9
_DEQUANTIZE = 6
# What of an operation's name says nothing of its layer.
_OPERATION = re.compile(r"/(MatMul|GatherV2|ReadVariableOp|BiasAdd)\b.*")


class Mixture:
    """What lies between two files of one model, one in float32, the other in dynamic int8.

    Args:
        float32: bytes of a LiteRT file.
        int8: bytes of the file that the converter quantized.

    Attributes:
        layers: tuple of str, the tensors whose weights are whole numbers in int8.
    """

    def __init__(self, float32: bytes, int8: bytes):
        self._int8 = int8
        whole, small = (flatbuffer_utils.read_model_from_bytearray(one) for one in (float32, int8))
        weights = {
            name: (tensor, whole.buffers[tensor.buffer].data)
            for name, tensor in _constants(whole).items()
            if tensor.type == _FLOAT32
        }
        rounded = {name: one for name, one in _constants(small).items() if one.type == _INT8}
        self._weights = {}
        for name, tensor in rounded.items():
            same = weights.get(name) or _same(tensor, small.buffers[tensor.buffer].data, weights)
            if same is None:
                raise ValueError(
                    "Each matrix of an int8 file must be in the one in float32, but there is no "
                    f"{name}: convert one model, with one TensorFlow."
                )
            self._weights[name] = same[1]
        self.layers = tuple(rounded)
        self._readers = _readers(small)

    def label(self, layer: str) -> str:
        """What a layer is called: as its tensor, without the operation, or as what reads that."""
        return layer_of(layer if "/" in layer else self._readers[layer])

    def content(self, kept: Collection[str]) -> bytes:
        """The bytes of a file in int8, but for the layers that are kept in float32."""
        if not kept:
            return self._int8
        model = flatbuffer_utils.read_model_from_bytearray(self._int8)
        constants = _constants(model)
        for name in kept:
            buffer = model.buffers[constants[name].buffer]
            buffer.data = self._weights[name]
            _make_float(constants[name])
        codes = [code.builtinCode for code in model.operatorCodes]
        for graph in model.subgraphs:
            _follow(graph, codes, {id(constants[name]) for name in kept})
        return flatbuffer_utils.convert_object_to_bytearray(model)


def layers_to_keep(
    layers: Sequence[str],
    damage: Callable[[str], float],
    is_enough: Callable[[Sequence[str]], bool],
) -> list[str]:
    """The layers that stay float32, those that do most damage first, and no more than needed.

    Args:
        layers: sequence of str.
        damage: function of a layer's name, how far outputs are off where it alone is in int8.
        is_enough: function of the layers that are kept, whether the score is good enough then; of
            all of them it is.

    Example:

    >>> from keras_bert.exporting.mixed_precision import layers_to_keep
    >>> damage = {"query": 0.1, "table": 0.9, "output": 0.3}
    >>> layers_to_keep(tuple(damage), damage.get, lambda kept: "table" in kept)
    ['table']
    """
    if is_enough(()):
        return []
    order = sorted(layers, key=damage, reverse=True)
    too_few, enough = 0, len(order)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if is_enough(order[:middle]):
            enough = middle
        else:
            too_few = middle
    return order[:enough]


def find_layers(
    task: Task, directory: pathlib.Path, mixture: Callable[[], Mixture], examples: Sequence[Example]
) -> list[str]:
    """Leaves in an export those layers in float32 that its first score needs, and names them.

    Args:
        task: Task.
        directory: path of its export in int8, whose model is written anew.
        mixture: function that gives what lies between float32 and int8, if that is asked.
        examples: sequence of dict, as the task scores them.
    """
    score = task.score_names[0]
    before = task.scores(examples, task(examples))[score]
    if is_close(score, before, scores_of(task, Lite(directory), examples)[score]):
        return []
    mixed = mixture()
    rows = rows_of(task, examples[:NUM_MEASURED])

    def exported(kept: Collection[str]) -> Lite:
        _replace(directory / MODEL_FILE, mixed.content(kept))
        return Lite(directory)

    def outputs(kept: Collection[str]) -> np.ndarray:
        return _outputs(exported(kept).model, rows)

    wanted = outputs(mixed.layers)

    def damage(layer: str) -> float:
        found = outputs([name for name in mixed.layers if name != layer])
        return float(np.abs(found - wanted).mean())

    def is_enough(kept: Sequence[str]) -> bool:
        return bool(kept) and is_close(
            score, before, scores_of(task, exported(kept), examples)[score]
        )

    found = layers_to_keep(mixed.layers, damage, is_enough)
    _replace(directory / MODEL_FILE, mixed.content(found))
    return [mixed.label(layer) for layer in found]


def is_close(name: str, before: float, after: float) -> bool:
    """Whether a score has fallen by half a point at most.

    Example:

    >>> from keras_bert.exporting.mixed_precision import is_close
    >>> is_close("accuracy", 0.9, 0.896), is_close("accuracy", 0.9, 0.89)
    (True, False)
    """
    fallen = metrics.is_better(name, before, after)
    return not fallen or abs(before - after) <= TOLERANCE * max(1.0, abs(before))


def rows_of(task: Task, examples: Sequence[Example]) -> list[tuple[Row, list[int]]]:
    """The rows of examples, each as long as it is, and the first blanks in it.

    Args:
        task: Task.
        examples: sequence of dict, as the task answers them.
    """
    inputs = task.model_inputs(task.features(task.input_columns(examples)))
    arrays = {name: np.asarray(value) for name, value in inputs.items()}
    flat = {name: value.reshape(-1, value.shape[-1]) for name, value in arrays.items()}
    ids = flat["token_ids"]
    segments, blanks = (
        flat.get(name, np.zeros([len(ids), width], int))
        for name, width in (("segment_ids", ids.shape[1]), ("mask_positions", 0))
    )
    lengths = flat["padding_mask"].sum(axis=1)
    rows = zip(ids.tolist(), segments.tolist(), blanks.tolist(), lengths.tolist(), strict=True)
    return [
        (Row(row[:length], segment[:length]), blank[:NUM_BLANKS])
        for row, segment, blank, length in rows
        if length
    ]


def layer_of(tensor: str) -> str:
    """The layer that a tensor's name says, without the operation that reads it.

    Example:

    >>> from keras_bert.exporting.mixed_precision import layer_of
    >>> layer_of("labels/bert/layer_0/attention/query/MatMul")
    'labels/bert/layer_0/attention/query'
    """
    return _OPERATION.sub("", tensor)


def _replace(file: pathlib.Path, content: bytes) -> None:
    """Writes a file anew, beside the old one, which an interpreter may still read."""
    written = file.with_suffix(".new")
    written.write_bytes(content)
    written.replace(file)


def _outputs(model: Model, rows: Sequence[tuple[Row, list[int]]]) -> np.ndarray:
    """All that a model says of rows, one behind the other."""
    return np.concatenate([one.ravel() for row in rows for one in model(*row).values()])


def _constants(model: Any) -> dict[str, Any]:
    """The tensors of a model that have a content in the file, by name."""
    return {
        tensor.name.decode(): tensor
        for graph in model.subgraphs
        for tensor in graph.tensors
        if model.buffers[tensor.buffer].data is not None
    }


def _same(tensor: Any, data: np.ndarray, weights: Mapping[str, tuple[Any, np.ndarray]]) -> Any:
    """What was rounded to a tensor; one that is read twice may be two tensors then."""
    shape, axis = tuple(tensor.shape), tensor.quantization.quantizedDimension
    steps = np.reshape(
        tensor.quantization.scale, [-1 if i == axis else 1 for i in range(len(shape))]
    )
    wanted = data.view(np.int8).reshape(shape) * steps
    for one, content in weights.values():
        if tuple(one.shape) == shape:
            off = np.abs(content.view(np.float32).reshape(shape) - wanted)
            if (off <= 0.51 * steps).all():
                return one, content
    return None


def _readers(model: Any) -> dict[str, str]:
    """The name of what an operation makes of each tensor that it reads."""
    return {
        graph.tensors[i].name.decode(): graph.tensors[operator.outputs[0]].name.decode()
        for graph in model.subgraphs
        for operator in graph.operators
        for i in operator.inputs
        if len(operator.outputs)
    }


def _make_float(tensor: Any) -> None:
    tensor.type, tensor.quantization = _FLOAT32, None


def _follow(graph: Any, codes: Sequence[int], made: set[int]) -> None:
    """Makes float what is taken out of float tensors, and drops what made float of it."""
    same: dict[int, int] = {}
    operators = []
    for operator in graph.operators:
        inputs = [same.get(i, i) for i in operator.inputs]
        operator.inputs = np.array(inputs, np.int32)
        first = graph.tensors[inputs[0]] if inputs else None
        if id(first) in made:
            [output] = operator.outputs
            if codes[operator.opcodeIndex] == _DEQUANTIZE:
                same[output] = inputs[0]
                continue
            taken = graph.tensors[output]
            if taken.type == _INT8:
                _make_float(taken)
                made.add(id(taken))
        operators.append(operator)
    graph.operators = operators
    graph.outputs = np.array([same.get(i, i) for i in graph.outputs], np.int32)
