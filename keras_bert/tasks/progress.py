"""Progress: how far many answers have come, as a bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import keras
from absl import logging

# Without being asked for, a bar is shown to somebody who has waited for so many seconds, and a file
# gets a line every so many.
PATIENCE, LINE_S = 3.0, 30.0

Part = TypeVar("Part", bound=tuple[Sequence, object])


def with_bar(parts: Iterable[Part], total: int, progress: bool | None = None) -> Iterator[Part]:
    """Gives parts on, and shows how many of all examples were in those that are done.

    Args:
        parts: pairs whose first entry has a part's examples, or their indices.
        total: int, how many examples there are.
        progress: bool, whether to show a bar; None does in a terminal or a notebook, once it takes
            longer than a moment, and elsewhere logs a line now and then.

    Example:

    >>> from keras_bert.tasks.progress import with_bar
    >>> list(with_bar([([0, 2], "ab"), ([1], "c")], total=3, progress=False))
    [([0, 2], 'ab'), ([1], 'c')]
    """
    bar, done, begun = None, 0, time.monotonic()
    may_show, told = is_watched() if progress is None else progress, begun
    for part in parts:
        if bar is None and may_show and (progress or time.monotonic() - begun > PATIENCE):
            bar = keras.utils.Progbar(total, unit_name="example")
        yield part
        done += len(part[0])
        if bar is not None:
            bar.update(done)
        elif progress is None and not may_show and time.monotonic() - told > LINE_S:
            logging.info("%s of %s examples are done.", f"{done:,}", f"{total:,}")
            told = time.monotonic()


def is_watched() -> bool:
    """Whether somebody looks at what is printed, in a terminal or a notebook."""
    return sys.stdout.isatty() or "ipykernel" in sys.modules
