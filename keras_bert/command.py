"""The console command: `keras-bert pretrain --input_pattern=...`, and a word for every binary."""

from __future__ import annotations

import importlib
import sys
import types

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
    run(module.main, module.Arguments)


def module_of(word: str) -> types.ModuleType:
    """The module of a binary; ends the process where a checkout has lost the link to it."""
    try:
        return importlib.import_module(MODULES[word])
    except ModuleNotFoundError as error:
        if error.name != "keras_bert.train":
            raise
        sys.exit(
            "Error: keras_bert/train must be a link to ../train, but is none: it was unpacked or "
            f"checked out without links. pip install . needs none, and {usage.COMMAND} then runs; "
            "or make it: rm keras_bert/train && ln -s ../train keras_bert/train"
        )


def overview() -> str:
    """What there is, a line each.

    Example:

    >>> from keras_bert.command import overview
    >>> print(overview().splitlines()[0])
    keras-bert: BERT, whole, from raw text to a served model.
    """
    lines = [f"{usage.COMMAND}: BERT, whole, from raw text to a served model.", ""]
    for word in MODULES:
        documentation = module_of(word).__doc__ or ""
        lines.append(f"  {word:<22}{documentation.strip().splitlines()[0]}")
    lines += ["", f"{usage.COMMAND} NAME --help shows the flags of one."]
    return "\n".join(lines)
