"""What the parts of a docstring say: the object, its arguments, its result, its errors."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import NamedTuple

# By the heading of a section, in the styles of Google and of NumPy.
HEADINGS = {
    "Args": "argument",
    "Arguments": "argument",
    "Parameters": "argument",
    "Returns": "result",
    "Yields": "result",
    "Raises": "error",
}
HEADING = re.compile(r"^(?P<name>[A-Z][A-Za-z ]*)(?::[ \t]*|[ \t]*\n-{3,}[ \t]*)$", re.MULTILINE)
# "axis: int. The axis ...", "axis : int, optional" above the text, "ValueError: if ...".
NAME = re.compile(r"\*{0,2}[\w.]+(?:, \*{0,2}\w+)*(?: \([^)]*\))?:\s")
MIN_WORDS, MAX_WORDS = 4, 60


class Part(NamedTuple):
    """A passage of a docstring: what it is about, and what it says, without the name before it."""

    kind: str
    text: str


def parts_of(docstring: str) -> Iterator[Part]:
    """The passages of a docstring in Google's or NumPy's style that are sentences.

    Args:
        docstring: str, as `inspect.cleandoc` gives it.

    Yields:
        Parts whose kind is "description", "argument", "result" or "error", in order; the first
        passage of all is the description of what the docstring belongs to.

    Example:

    >>> from keras_bert.data.pretraining.docstring_parts import parts_of
    >>> for kind, text in parts_of('''Sorts the values of an array.
    ...
    ... Args:
    ...     axis: int, the axis along which to sort.
    ...
    ... Raises:
    ...     ValueError: if the array has no such axis.
    ... '''):
    ...     print(f"{kind}: {text}")
    description: Sorts the values of an array.
    argument: int, the axis along which to sort.
    error: if the array has no such axis.
    """
    headings = list(HEADING.finditer(docstring))
    yield from _sentences("description", introduction(docstring).split("\n\n")[:1])
    ends = [heading.start() for heading in headings[1:]] + [len(docstring)] * bool(headings)
    for heading, end in zip(headings, ends, strict=True):
        kind = HEADINGS.get(heading["name"])
        if kind is not None:
            section = inspect.cleandoc("\n" + docstring[heading.end() : end].strip("\n"))
            # What is returned has no name in Google's style, and lines that begin at the margin.
            named = kind != "result" or "\n " in section
            yield from _sentences(kind, _entries(section) if named else section.split("\n\n")[:1])


def introduction(docstring: str) -> str:
    """What stands before the first heading of a docstring."""
    heading = HEADING.search(docstring)
    return docstring[: heading.start()] if heading else docstring


def _entries(section: str) -> Iterator[str]:
    """The first paragraphs of what begins at the margin of a section, without names and types."""
    for entry in re.split(r"\n(?=\S)", section):
        first, _, rest = entry.partition("\n")
        indented = inspect.cleandoc(rest).split("\n\n")[0]
        # NumPy's style has a line of name and type; the text is below it.
        below = bool(re.fullmatch(r"[\w*.]+( : .*)?|[\w*.]+(, [\w*.]+)+ : .*", first))
        yield indented if below else NAME.sub("", f"{first}\n{indented}", count=1)


def _sentences(kind: str, passages: Iterator[str] | list[str]) -> Iterator[Part]:
    """Passages on a line each, if they are as long as a sentence and end like one."""
    for passage in passages:
        words = passage.split()
        if MIN_WORDS <= len(words) <= MAX_WORDS and words[-1].endswith("."):
            yield Part(kind, " ".join(words))
