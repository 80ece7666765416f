"""Lite: a LiteRT export that answers texts as the task does that it was made of."""

from __future__ import annotations

import json
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_bert.lite.byte_pairs import BytePairTokenizer
from keras_bert.lite.classification import (
    Answer,
    FillMask,
    LiteTask,
    MultipleChoice,
    SentenceEmbedder,
    TextClassifier,
)
from keras_bert.lite.examples import as_examples
from keras_bert.lite.model import Model
from keras_bert.lite.questions import QuestionAnswerer
from keras_bert.lite.rows import Packer
from keras_bert.lite.subwords import SubwordTokenizer
from keras_bert.lite.tagging import TokenClassifier
from keras_bert.lite.tokenizer import Tokenizer

CONFIG_FILE, MODEL_FILE = "litert.json", "model.tflite"
# A later one is refused.
FORMAT_VERSION = 1

TASKS: dict[str, type[LiteTask]] = {
    cls.__name__: cls
    for cls in (
        *(TextClassifier, TokenClassifier, QuestionAnswerer),
        *(MultipleChoice, SentenceEmbedder, FillMask),
    )
}
TOKENIZERS: dict[str, type[SubwordTokenizer]] = {
    cls.__name__: cls for cls in (Tokenizer, BytePairTokenizer)
}


class Lite:
    """A task from `kb.export(..., format="litert")`, on a host without TensorFlow.

    Called with texts it gives what the task gives, in Python values.

    Args:
        directory: path of the export, `<directory>/<number>`, or of the directory of its versions,
            of which the newest is taken.
        num_threads: int, that compute.

    Raises:
        ValueError: there is no export, or one of a later version of this package.
        ModuleNotFoundError: neither ai-edge-litert nor TensorFlow is installed.

    Attributes:
        config: dict, the content of `litert.json`.

    Example: see `keras_bert.exporting.litert.write`.
    """

    def __init__(self, directory: str | os.PathLike, num_threads: int = 1):
        path = _newest(pathlib.Path(directory))
        self.config = read_config(path)
        tokenizer = read_tokenizer(path, self.config["tokenizer"])
        packer = Packer(self.config["template"], self.config["sequence_length"])
        model = Model(path / MODEL_FILE, num_threads)
        self._task = TASKS[self.config["task"]](model, tokenizer, packer, self.config["settings"])
        self.tokenizer = tokenizer
        self.model = model

    @classmethod
    def load(cls, directory: str | os.PathLike, num_threads: int = 1) -> Lite:
        """The same as the constructor, under the name that a checkpoint's function has."""
        return cls(directory, num_threads)

    def __call__(self, inputs: Any) -> Any:
        """The answer to one example, or a list of those to several.

        Args:
            inputs: an example (a text, a dict, or a tuple with a text for each of several columns),
                a list of such, or a dict of columns.

        Raises:
            ValueError: an example lacks a column, or has something else than text in it.
        """
        examples, is_one = as_examples(inputs, self._task.columns, self._task.OTHERS)
        for example in examples:
            self._task.check(example)
        found = [_plain(self._task.as_python(self._task.answer(one))) for one in examples]
        return found[0] if is_one else found

    def embed(self, texts: Sequence[str] | str) -> np.ndarray:
        """The vectors of texts, float32 [N, D], or [D] of one alone; of a SentenceEmbedder."""
        found = self(texts)
        vectors = [one["embedding"] for one in ([found] if isinstance(texts, str) else found)]
        array = np.array(vectors, np.float32)
        return array[0] if isinstance(texts, str) else array

    def arrays(self, columns: Mapping[str, Sequence[Any]], signature: str) -> dict[str, np.ndarray]:
        """The answers to examples as a served model gives them.

        Args:
            columns: mapping of the columns to a text, or a list of texts, for each example.
            signature: str, the name of one in `config`.

        Returns:
            dict of arrays [B, ...], texts as bytes; what is shorter than others is filled up with
            b"" and 0.
        """
        texts = {name: [_without_fill(value) for value in texts] for name, texts in columns.items()}
        examples, _ = as_examples(texts, self._task.columns, self._task.OTHERS)
        answers = [self._task.answer(example) for example in examples]
        outputs = self.config["signatures"][signature]["outputs"]
        return {name: _array(answers, name, spec) for name, spec in outputs.items()}


def read_config(path: pathlib.Path) -> dict[str, Any]:
    """The content of an export's `litert.json`.

    Raises:
        ValueError: it cannot be read, or is of a later version.
    """
    file = path / CONFIG_FILE
    try:
        config = json.loads(file.read_bytes())
        version = config["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file} must be the description of a LiteRT export, but cannot be read ({error}): "
            "name the directory that `keras-bert export --format=litert` has written."
        ) from error
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{file} must be of version {FORMAT_VERSION} at most, but is of {version}: install a "
            "newer kerasbert, or export with this one."
        )
    return config


def read_tokenizer(path: pathlib.Path, described: Mapping[str, Any]) -> SubwordTokenizer:
    """The tokenizer of an export; where its class is not said it cuts word pieces.

    Args:
        path: path of the export.
        described: mapping, what `litert.json` says of it.
    """
    settings = {"class": Tokenizer.__name__, **described}
    return TOKENIZERS[settings.pop("class")].read(path, settings)


def _newest(directory: pathlib.Path) -> pathlib.Path:
    """The directory itself if it is an export, else the newest of its versions."""
    if (directory / CONFIG_FILE).is_file():
        return directory
    versions = [
        path
        for path in (directory.iterdir() if directory.is_dir() else ())
        if re.fullmatch("[0-9]{1,18}", path.name) and (path / CONFIG_FILE).is_file()
    ]
    return max(versions, key=lambda path: int(path.name), default=directory)


def _plain(value: Any) -> Any:
    """NumPy's values as Python has them, in what holds them."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return type(value)(map(_plain, value)) if isinstance(value, list | tuple) else value


def _array(answers: Sequence[Answer], name: str, spec: Mapping[str, Any]) -> np.ndarray:
    """One output of all answers, in the smallest shape that holds each."""
    is_text, rank = spec["dtype"] == "string", len(spec["shape"]) - 1
    dtype: Any = object if is_text else spec["dtype"]
    rows = []
    for answer in answers:
        value = _encoded(answer[name]) if is_text else answer[name]
        row = np.array(value, dtype)
        rows.append(row if row.ndim == rank else np.empty((0,) * rank, dtype))
    shape = np.max([row.shape for row in rows], axis=0).astype(int) if rows else (0,) * rank
    found = np.full((len(rows), *shape), b"" if is_text else 0, dtype)
    for i, row in enumerate(rows):
        place: Any = (i, *(slice(n) for n in row.shape))
        found[place] = row if rank else row[()]
    return found


def _encoded(value: Any) -> Any:
    """Texts as bytes."""
    return value.encode("utf-8") if isinstance(value, str) else [_encoded(one) for one in value]


def _without_fill(value: Any) -> Any:
    """A text; or a list of texts without the empty ones behind its last."""
    if not isinstance(value, list):
        return value
    return value[: max((i + 1 for i, text in enumerate(value) if text), default=0)]
