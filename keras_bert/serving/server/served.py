"""Served: one version of a model in memory, whatever it is made of."""

from __future__ import annotations

import abc
import pathlib
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from google.protobuf.message import Message

from keras_bert.serving.server import version_files
from keras_bert.serving.wire import messages


class Served(abc.ABC):
    """A version whose signatures are called with arrays; from any thread.

    Args:
        path: the directory of the version.
        name: str, the model's name.
        version: int.

    Raises:
        ValueError: there is no such version, or a file is not the one that was exported.

    Attributes:
        signatures: Signature by name, of those that requests can ask for.
        signature_defs: SignatureDefMap, as TF Serving's metadata has it.
    """

    # The file of a version that lists the others.
    METADATA: ClassVar[pathlib.PurePath | str]

    def __init__(self, path: pathlib.Path, name: str, version: int):
        self.name = name
        self.version = version
        version_files.check(path, self.METADATA)
        self.signature_defs = self.read_signatures(path)
        self.signatures = messages.signatures_of(self.signature_defs)
        self.load(path)

    @abc.abstractmethod
    def read_signatures(self, path: pathlib.Path) -> Message:
        """The SignatureDefMap of what the directory of a version has."""

    @abc.abstractmethod
    def load(self, path: pathlib.Path) -> None:
        """Takes what `run` needs into memory; `signatures` keeps those that can be run."""

    @abc.abstractmethod
    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs of a signature for inputs that have passed its checks.

        Args:
            signature: str, its name.
            inputs: array by name.

        Returns:
            array by name; strings are arrays of bytes objects.

        Raises:
            ServingError: they are refused, or cannot be answered.
        """
