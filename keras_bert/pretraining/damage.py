"""Text that is damaged while it is read: the file is named."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from keras_bert.data.pretraining.corpus import TextCorpus
from keras_bert.data.pretraining.token_corpus import TokenCorpus

# What reading a file raises that is not what it was when it was opened.
FAULTS = (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError)


@contextlib.contextmanager
def damage_named(pattern: str, documents: str) -> Iterator[None]:
    """A context in which an error of reading a corpus says which file is damaged, and what to do.

    TensorFlow says of a shard no more than that "a record is corrupted". The corpus is then opened
    once more, which compares all that there is to be compared.

    Args:
        pattern: str, what the corpus was opened by.
        documents: str, as of `TextCorpus`.

    Raises:
        ValueError: a file of the corpus is damaged.

    Example:

    >>> import pathlib, tempfile
    >>> import tensorflow as tf
    >>> from keras_bert.pretraining import damage_named
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "manifest.json"
    >>> _ = path.write_text("{")
    >>> with damage_named(str(path.parent), "files"):
    ...     raise tf.errors.DataLossError(None, None, "corrupted record at 12")
    Traceback (most recent call last):
    ...
    ValueError: A manifest must be JSON, but .../manifest.json is not (...). Copy the directory...
    """
    try:
        yield
    except FAULTS:
        if TokenCorpus.is_in(pattern):
            TokenCorpus(pattern)
        else:
            TextCorpus(pattern, documents)
        raise
