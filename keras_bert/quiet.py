"""Binaries say what they do, and nothing else: TensorFlow's own lines are kept back."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import logging as python_logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from types import ModuleType

from absl import logging

# What these say while they are imported no setting of theirs keeps back.
_PACKAGES = ("tensorflow", "tensorflow_text")
_NOISE = re.compile(
    rb"[IWE]\d{4} |WARNING: All log messages before absl::InitializeLog|To enable the following "
)


def begin() -> None:
    """Keeps TensorFlow's lines back from now on, and shows our own as they are.

    For the beginning of a program, before TensorFlow is imported. TF_CPP_MIN_LOG_LEVEL, set before,
    stays, and 0 shows everything.

    Example:

    >>> from keras_bert import quiet
    >>> quiet.begin()
    """
    logging.get_absl_handler().setFormatter(_Plain())
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") != "0":
        sys.meta_path.insert(0, _Finder())


class _Plain(python_logging.Formatter):
    """A message alone; one that asks for attention says so."""

    def format(self, record: python_logging.LogRecord) -> str:
        level = record.levelname.capitalize()
        prefix = f"{level}: " if record.levelno >= python_logging.WARNING else ""
        return prefix + record.getMessage()


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the packages as ever, and has them imported quietly."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in _PACKAGES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        with _held_back():
            super().exec_module(module)


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """A context in which no noise goes to the error output, also of native code."""
    sys.stderr.flush()
    errors = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(errors, 2)
            os.close(errors)
            held.seek(0)
            for line in held:
                if not _NOISE.match(line):
                    os.write(2, line)
