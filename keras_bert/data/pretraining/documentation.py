"""A default corpus: the documentation inside the Python packages that are installed anyway.

Docstrings are read from source files without importing them, and the language reference from the
copy that CPython's `help()` shows.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import importlib.util
import os
import pathlib
import pydoc_data.topics
import re
import sysconfig
from collections.abc import Iterator

PACKAGES = ("numpy", "keras", "tensorflow")
# Test suites, generated files and vendored copies say little in prose.
SKIPPED_FOLDERS = {"test", "tests", "testing", "site-packages", "_vendor", "__pycache__", "idlelib"}
# A word of lower case, maybe with a capital, and what punctuation may stand around it.
PLAIN_WORD = re.compile(r"[\"'(`*]*[A-Za-z][a-z'-]*[\"')`*.,:;!?]*")
# Every n-th module is held out.
HELD_OUT = 20


@dataclasses.dataclass(frozen=True)
class DocumentationSize:
    """What was written: numbers of documents, paragraphs and bytes of one split."""

    documents: int = 0
    paragraphs: int = 0
    bytes: int = 0


def write_documentation(directory: str | os.PathLike) -> dict[str, DocumentationSize]:
    """Writes the corpus as text files, one a package, with a blank line between documents.

    A document is the documentation of one module or one topic of the language reference, a line one
    paragraph of prose. Code, tables and what was said before are left out. One module in twenty,
    chosen by a hash of its name, is held out.

    Args:
        directory: path of the directory that gets `train/<package>.txt` and `eval/<package>.txt`.

    Returns:
        dict of "train" and "eval" to DocumentationSize.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.pretraining.documentation import prose
    >>> prose('''Open a file.
    ...
    ... The name of the file must be a string, and the file must exist.
    ...
    ... >>> open("a")
    ... ''')
    ['The name of the file must be a string, and the file must exist.']
    """
    directory = pathlib.Path(directory)
    sizes = {"train": DocumentationSize(), "eval": DocumentationSize()}
    seen: set[str] = set()
    for split in sizes:
        (directory / split).mkdir(parents=True, exist_ok=True)
    for package, modules in _packages():
        documents: dict[str, list[str]] = {"train": [], "eval": []}
        for name, text in modules:
            paragraphs = [line for line in prose(text) if line not in seen]
            seen.update(paragraphs)
            if paragraphs:
                documents[_split(name)].append("\n".join(paragraphs) + "\n")
        for split, texts in documents.items():
            content = "\n".join(texts).encode("utf-8")
            (directory / split / f"{package}.txt").write_bytes(content)
            sizes[split] = DocumentationSize(
                sizes[split].documents + len(texts),
                sizes[split].paragraphs + sum(text.count("\n") for text in texts),
                sizes[split].bytes + len(content),
            )
    return sizes


def prose(text: str) -> list[str]:
    """The paragraphs of a docstring that are English prose, each on one line.

    A paragraph of prose has at least eight words, most of them plain, and ends as a sentence does.

    Args:
        text: str, a docstring as `inspect.cleandoc` gives it.

    Returns:
        list of str.
    """
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text))
    return [paragraph for paragraph in paragraphs if _is_prose(paragraph)]


def _is_prose(paragraph: str) -> bool:
    words = paragraph.split()
    return (
        len(words) >= 8
        and paragraph.endswith((".", "!", "?", ":"))
        and not paragraph.startswith((">>>", "...", "#", "|", "+-"))
        and sum(map(bool, map(PLAIN_WORD.fullmatch, words))) >= 0.8 * len(words)
    )


def _packages() -> Iterator[tuple[str, Iterator[tuple[str, str]]]]:
    """Pairs of a package's name and its documents, themselves pairs of name and text."""
    topics = sorted(pydoc_data.topics.topics.items())
    yield "language_reference", ((f"topics.{name}", text) for name, text in topics)
    yield "standard_library", _docstrings(pathlib.Path(sysconfig.get_paths()["stdlib"]))
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            yield package, _docstrings(pathlib.Path(spec.origin).parent)


def _docstrings(root: pathlib.Path) -> Iterator[tuple[str, str]]:
    """The name and all docstrings of every module below `root`, in the order of their paths."""
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if SKIPPED_FOLDERS & set(name.parts[:-1]) or name.name.endswith("_test.py"):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):  # A template, or a file for another Python.
            continue
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        texts = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, documented))
        yield str(name.with_suffix("")), "\n\n".join(filter(None, texts))


def _split(name: str) -> str:
    """Which split a module belongs to, in every process the same."""
    digest = hashlib.sha256(name.encode("utf-8")).digest()
    return "train" if int.from_bytes(digest[:4], "big") % HELD_OUT else "eval"
