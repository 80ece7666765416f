"""The model that a request is for, as both protocols say it."""

from __future__ import annotations

import urllib.parse
from typing import NamedTuple

from google.protobuf.message import Message

from keras_bert.serving.wire import messages


class Address(NamedTuple):
    """The model that a request is for.

    Args:
        name: the model's name.
        version: a version of it; the newest by default.
        label: a label of `models.config`, instead of a version.

    Example:

    >>> from keras_bert.serving.wire.address import Address
    >>> Address("sst2", label="stable").path
    '/v1/models/sst2/labels/stable'
    >>> Address.of_spec(Address("sst2", version=3).spec())
    Address(name='sst2', version=3, label=None)
    """

    name: str
    version: int | None = None
    label: str | None = None

    @property
    def path(self) -> str:
        """Its path in REST."""
        path = f"/v1/models/{_quoted(self.name)}"
        if self.version is not None:
            return f"{path}/versions/{self.version}"
        return path if self.label is None else f"{path}/labels/{_quoted(self.label)}"

    def spec(self, signature: str = "") -> Message:
        """Its ModelSpec in gRPC, with the name of a signature."""
        spec = messages.ModelSpec(name=self.name, signature_name=signature)
        if self.version is not None:
            spec.version.value = self.version
        elif self.label is not None:
            spec.version_label = self.label
        return spec

    @classmethod
    def of_spec(cls, spec: Message) -> Address:
        """What a ModelSpec says."""
        version = spec.version.value if spec.HasField("version") else None
        return cls(spec.name, version, spec.version_label or None)


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")
