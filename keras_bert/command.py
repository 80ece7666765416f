"""The console command: `keras-bert pretrain --input_pattern=...`, and a word for every binary."""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import pathlib
import sys
import types
from collections.abc import Iterator

from keras_bert import flags, usage

# The module of each, which has a `main` and its `Arguments`.
MODULES = {
    "learn-vocabulary": "keras_bert.train.learn_vocabulary",
    "write-token-corpus": "keras_bert.train.write_token_corpus",
    "pretrain": "keras_bert.train.pretrain",
    "finetune": "keras_bert.train.finetune",
    "evaluate": "keras_bert.train.evaluate",
    "predict": "keras_bert.train.predict",
    "search": "keras_bert.train.search",
    "prune": "keras_bert.train.prune",
    "distill-embeddings": "keras_bert.train.distill_embeddings",
    "convert": "keras_bert.train.convert",
    "export": "keras_bert.train.export",
    "serve": "keras_bert.serving.server.server",
    "query": "keras_bert.serving.client.command",
    "launch": "keras_bert.train.launch",
    "data-worker": "keras_bert.train.data_worker",
    "write-documentation": "keras_bert.train.write_documentation",
}


def main() -> None:
    """Runs the binary that the first word names, or lists all of them."""
    word = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if word in ("-h", "--help", "help"):
        print(overview())
        return
    if word == "--version":
        print(importlib.import_module("keras_bert").__version__)
        return
    if word not in MODULES:
        sys.exit(f"Error: {usage.COMMAND} has no {word!r}, but {', '.join(MODULES)}: see --help.")
    sys.argv = [f"{usage.COMMAND} {word}", *sys.argv[2:]]
    module = module_of(word)
    run = flags.run_with_command if word == "launch" else flags.run
    with _what_is_missing_is_told():
        run(module.main, module.Arguments)


def module_of(word: str) -> types.ModuleType:
    """The module of a binary; ends the process where what it needs is not installed."""
    with _what_is_missing_is_told():
        return importlib.import_module(MODULES[word])


@contextlib.contextmanager
def _what_is_missing_is_told() -> Iterator[None]:
    """A context that ends the process with one message where a module is not found."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name == "keras_bert.train":
            sys.exit(
                "Error: keras_bert/train must be a link to ../train, but is none: it was unpacked "
                f"or checked out without links. pip install . needs none, and {usage.COMMAND} then "
                "runs; or make it: rm keras_bert/train && ln -s ../train keras_bert/train"
            )
        if error.__cause__ is None:
            raise
        sys.exit(f"Error: {error}")  # It was raised anew, to say what to install.


def overview() -> str:
    """What there is, a line each.

    Example:

    >>> from keras_bert.command import overview
    >>> print(overview().splitlines()[0])
    keras-bert: BERT, whole, from raw text to a served model.
    """
    lines = [f"{usage.COMMAND}: BERT, whole, from raw text to a served model.", ""]
    for word, name in MODULES.items():
        lines.append(f"  {word:<22}{_first_line(name)}")
    lines += ["", f"{usage.COMMAND} NAME --help shows the flags of one."]
    return "\n".join(lines)


def _first_line(name: str) -> str:
    """What a module is for, read from its file: it may need what is not installed."""
    with _what_is_missing_is_told():
        spec = importlib.util.find_spec(name)
    source = pathlib.Path(str(spec and spec.origin)).read_text("utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]
