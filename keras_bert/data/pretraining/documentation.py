"""A default corpus: the documentation inside the Python packages that are installed anyway.

Docstrings are read from source files without importing them, and the language reference from the
copy that CPython's `help()` shows.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import importlib.util
import json
import os
import pathlib
import pydoc_data.topics
import re
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from keras_bert.data.pretraining.docstring_parts import introduction, parts_of

PACKAGES = ("numpy", "keras", "tensorflow")
# Test suites, generated files and vendored copies say little in prose.
SKIPPED_FOLDERS = {"test", "tests", "testing", "site-packages", "_vendor", "__pycache__", "idlelib"}
# A word of lower case, maybe with a capital, and what punctuation may stand around it.
PLAIN_WORD = re.compile(r"[\"'(`*]*[A-Za-z][a-z'-]*[\"')`*.,:;!?]*")
# Every n-th module is held out.
HELD_OUT = 20


class Docstring(NamedTuple):
    """The documentation of one object, whose name is empty for a topic of the reference."""

    name: str
    text: str


@dataclasses.dataclass(frozen=True)
class DocumentationSize:
    """What was written: numbers of documents, paragraphs and bytes of one split, and examples."""

    documents: int = 0
    paragraphs: int = 0
    bytes: int = 0
    parts: int = 0
    descriptions: int = 0


def write_documentation(directory: str | os.PathLike) -> dict[str, DocumentationSize]:
    """Writes a corpus as text files, one a package, with a blank line between documents.

    A document is the documentation of one module or one topic of the language reference, a line one
    paragraph of prose. Code, tables and what was said before are left out. One module in twenty,
    chosen by a hash of its name, is held out. Beside the corpus are examples for two tasks:
    sentences by the part of a docstring that they are from, and what an object does beside the
    paragraph that says more about it; and, to be searched, what every object is and does.

    Args:
        directory: path of the directory that gets, for `train` and `eval` each,
            `<split>/<package>.txt`, `parts/<split>.tsv` (sentence, label) and
            `descriptions/<split>.jsonl` (text, positive), and `objects.txt`.

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
    splits = {split: _Split(directory, split) for split in ("train", "eval")}
    seen: set[str] = set()
    for package, modules in _packages():
        for name, docstrings in modules:
            splits[_split(name)].add(docstrings, seen)
        for split in splits.values():
            split.write_package(package)
    for split in splits.values():
        split.write_examples()
    objects = [line for split in splits.values() for line in split.objects]
    text = "".join(f"{line}\n" for line in objects)
    (directory / "objects.txt").write_text(text, encoding="utf-8")
    return {name: split.size for name, split in splits.items()}


class _Split:
    """What is trained on, or held out."""

    def __init__(self, directory: pathlib.Path, name: str):
        self.directory, self.name = directory, name
        self.size = DocumentationSize()
        self.objects: list[str] = []
        self._documents: list[str] = []
        self._parts: list[str] = []
        self._descriptions: list[str] = []
        for folder in (name, "parts", "descriptions"):
            (directory / folder).mkdir(parents=True, exist_ok=True)

    def add(self, docstrings: Sequence[Docstring], seen: set[str]) -> None:
        """Takes the docstrings of a module, but for what was seen."""

        def new(texts: list[str]) -> list[str]:
            texts = [text for text in dict.fromkeys(texts) if text not in seen]
            seen.update(texts)
            return texts

        paragraphs = new(prose("\n\n".join(text for _, text in docstrings)))
        if paragraphs:
            self._documents.append("\n".join(paragraphs) + "\n")
        for name, text in docstrings:
            if name:
                self._add_examples(name, text, new)

    def _add_examples(self, name: str, text: str, new: Callable[[list[str]], list[str]]) -> None:
        parts = list(parts_of(text))
        self._parts += new([f"{said}\t{kind}" for kind, said in parts])
        if not parts or parts[0].kind != "description":
            return
        description = parts[0].text
        following = [
            paragraph for paragraph in prose(introduction(text)) if paragraph != description
        ][:1]
        if not name.startswith("_"):
            self.objects += new([" ".join((f"{name}:", description, *following))])
        if following:
            example = {"text": description, "positive": f"{name}: {following[0]}"}
            self._descriptions += new([json.dumps(example, ensure_ascii=False)])

    def write_package(self, package: str) -> None:
        """Writes the documents of a package, and begins another one."""
        content = "\n".join(self._documents).encode("utf-8")
        (self.directory / self.name / f"{package}.txt").write_bytes(content)
        self.size = dataclasses.replace(
            self.size,
            documents=self.size.documents + len(self._documents),
            paragraphs=self.size.paragraphs + sum(text.count("\n") for text in self._documents),
            bytes=self.size.bytes + len(content),
        )
        self._documents = []

    def write_examples(self) -> None:
        """Writes the examples of all packages."""
        tables = (
            (self.directory / "parts" / f"{self.name}.tsv", ["sentence\tlabel", *self._parts]),
            (self.directory / "descriptions" / f"{self.name}.jsonl", self._descriptions),
        )
        for path, lines in tables:
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        self.size = dataclasses.replace(
            self.size, parts=len(self._parts), descriptions=len(self._descriptions)
        )


def prose(text: str) -> list[str]:
    """The paragraphs of docstrings that are English prose, each on one line.

    A paragraph of prose has at least eight words, most of them plain, and ends as a sentence does.

    Args:
        text: str, docstrings as `inspect.cleandoc` gives them.

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


def _packages() -> Iterator[tuple[str, Iterator[tuple[str, list[Docstring]]]]]:
    """Pairs of a package's name and its modules, themselves pairs of name and docstrings."""
    topics = sorted(pydoc_data.topics.topics.items())
    yield "language_reference", ((f"topics.{n}", [Docstring("", text)]) for n, text in topics)
    yield "standard_library", _docstrings(pathlib.Path(sysconfig.get_paths()["stdlib"]))
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            yield package, _docstrings(pathlib.Path(spec.origin).parent)


def _docstrings(root: pathlib.Path) -> Iterator[tuple[str, list[Docstring]]]:
    """The name and all docstrings of every module below `root`, in the order of their paths."""
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if SKIPPED_FOLDERS & set(name.parts[:-1]) or name.name.endswith("_test.py"):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):  # A template, or a file for another Python.
            continue
        module = ".".join((root.name, *name.with_suffix("").parts))
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        docstrings = [
            Docstring(getattr(node, "name", module), text)
            for node in ast.walk(tree)
            if isinstance(node, documented) and (text := ast.get_docstring(node))
        ]
        yield str(name.with_suffix("")), docstrings


def _split(name: str) -> str:
    """Which split a module belongs to, in every process the same."""
    digest = hashlib.sha256(name.encode("utf-8")).digest()
    return "train" if int.from_bytes(digest[:4], "big") % HELD_OUT else "eval"
