"""The model that a request is for, as both protocols say it."""

from __future__ import annotations

import urllib.parse
from typing import NamedTuple


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


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")
