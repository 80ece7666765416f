"""How binaries are called: their help, flagfiles that are found by name, and errors that help."""

from __future__ import annotations

import dataclasses
import difflib
import pathlib
import re
import shutil
import sys
import textwrap
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from absl import flags

COMMAND = "keras-bert"
# What other programs call what is a flag here.
OTHER_NAMES = {
    "lr": "learning_rate",
    "epochs": "num_epochs",
    "num_train_epochs": "num_epochs",
    "max_steps": "num_steps",
    "num_train_steps": "num_steps",
    "warmup_ratio": "warmup_share",
    "num_warmup_steps": "warmup_steps",
    "max_length": "sequence_length",
    "max_seq_length": "sequence_length",
    "max_seq_len": "sequence_length",
    "doc_stride": "stride",
    "train_batch_size": "batch_size",
    "per_device_train_batch_size": "batch_size",
    "gradient_accumulation_steps": "num_micro_batches",
    "max_predictions_per_seq": "max_predictions",
    "mlm_probability": "mask_rate",
    "masked_lm_prob": "mask_rate",
    "model": "checkpoint",
    "model_name": "checkpoint",
    "model_name_or_path": "checkpoint",
    "init_checkpoint": "initial_checkpoint",
    "vocab": "vocabulary",
    "vocab_file": "vocabulary",
    "vocab_size": "vocabulary_size",
    "train_file": "train_files",
    "train_data": "train_files",
    "eval_file": "eval_files",
    "validation_file": "eval_files",
    "dev_file": "eval_files",
    "test_file": "eval_files",
    "input_file": "input_pattern",
    "output": "output_dir",
    "out": "output_dir",
    "do_lower_case": "lowercase",
    "dtype": "precision",
    "fp16": "precision",
    "bf16": "precision",
    "text_column": "text_keys",
    "label_column_name": "label_key",
    "random_seed": "seed",
}
_ONE_LINE = re.compile(r"\s+")
# Columns of the help, and where its second one begins.
_WIDTH, _INDENT = 100, 32


class Program(NamedTuple):
    """A binary, as a person calls it.

    Args:
        name: str, how it is called from a shell.
        documentation: str, of its module.
        recipes: path of the folder with the flagfiles that are found by name.
    """

    name: str
    documentation: str
    recipes: pathlib.Path


def help_of(program: Program, arguments_type: type) -> str:
    """The help of a binary: what it does, how it is called, and its flags in groups.

    A group is a dataclass that the arguments are made of, and is called as its documentation says.

    Args:
        program: Program.
        arguments_type: its dataclass of arguments.

    Returns:
        str of several lines.
    """
    kinds = typing.get_type_hints(arguments_type)
    fields = {field.name: field for field in dataclasses.fields(arguments_type)}
    needed = [n for n, field in fields.items() if field.default is dataclasses.MISSING]
    usage = " ".join([program.name, *(_shown(n, kinds[n]) for n in needed), "[--flag=value ...]"])
    lines = [program.documentation.strip(), "", f"Usage: {usage}"]
    for title, names in _groups(arguments_type):
        lines += ["", f"{title}:"]
        lines += [line for n in names for line in _lines_of(fields[n], kinds[n])]
    lines += ["", "Besides:"]
    lines += _entry("--flagfile=FILE", "flags from a file: a recipe by its name, or a run's own")
    lines += _entry("--verbosity=N", "1 shows where an error comes from; -1 warnings alone")
    return "\n".join(lines)


def parse(
    argv: Sequence[str], recipes: pathlib.Path, flag_values: flags.FlagValues = flags.FLAGS
) -> list[str]:
    """Parses the flags of a command line.

    Args:
        argv: sequence of str, the program first.
        recipes: path of a folder with flagfiles that are found by name.
        flag_values: where they are defined.

    Returns:
        list of str, the program and what is no flag.

    Raises:
        ValueError: a flag is unknown, is missing or has a wrong value; or there is no such
            flagfile. The message says what was meant.
    """
    try:
        return flag_values([argv[0], *_expanded(argv[1:], recipes)])
    except flags.UnrecognizedFlagError as error:
        raise ValueError(_of_unknown(error.flagname, flag_values)) from error
    except flags.Error as error:
        raise ValueError(_of_value(str(error))) from error


def _groups(arguments_type: type) -> Iterator[tuple[str, list[str]]]:
    """The titles of groups of flags, and the names of these; what the type itself has comes first.

    A group without documentation goes under the name that all have.
    """
    known = {field.name for field in dataclasses.fields(arguments_type)}
    for cls in arguments_type.__mro__:
        names = [name for name in vars(cls).get("__annotations__", ()) if name in known]
        if names:
            known -= set(names)
            yield (cls.__doc__ or "").strip().rstrip(".") if _is_told(cls) else "Flags", names


def _is_told(cls: type) -> bool:
    """Whether a dataclass has documentation; else the decorator gives it its signature."""
    return bool(cls.__doc__) and not (cls.__doc__ or "").startswith(f"{cls.__name__}(")


def _lines_of(field: dataclasses.Field, kind: Any) -> list[str]:
    said = _ONE_LINE.sub(" ", field.metadata["help"])
    if field.default is dataclasses.MISSING:
        said += " (required)"
    elif (default := field.default) is not None and default is not False and default != ():
        shown = " ".join(default) if isinstance(default, tuple) else default
        said += f" (default: {shown:,})" if type(shown) is int else f" (default: {shown})"
    return _entry(_shown(field.name, kind), said)


def _shown(name: str, kind: Any) -> str:
    """A flag with the form of its values."""
    parts = [part for part in typing.get_args(kind) if part is not type(None)]
    if typing.get_origin(kind) is not Literal and type(None) in typing.get_args(kind):
        [kind] = parts
    if typing.get_origin(kind) is Literal:
        return f"--{name}={'|'.join(typing.get_args(kind))}"
    forms = {str: "TEXT", int: "N", float: "X", tuple[str, ...]: "TEXT"}
    return f"--[no]{name}" if kind is bool else f"--{name}={forms[kind]}"


def _entry(flag: str, said: str) -> list[str]:
    """A flag, and what it is, in lines that fit the terminal."""
    width = min(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns)
    text = textwrap.wrap(said, max(width - _INDENT, 20)) or [""]
    lines = [f"{'':{_INDENT}}{line}" for line in text]
    head = f"  {flag}"
    if len(head) > _INDENT - 2:
        return [head, *lines]
    return [f"{head:<{_INDENT}}{text[0]}", *lines[1:]]


def _expanded(
    argv: Sequence[str], recipes: pathlib.Path, within: tuple[pathlib.Path, ...] = ()
) -> list[str]:
    """Command-line arguments, or the lines of the last of some files, without flagfiles in them."""
    expanded: list[str] = []
    for place, argument in enumerate(argv):
        if argument == "--":
            return [*expanded, *argv[place:]]
        name, equals, path = argument.partition("=")
        if name.lstrip("-") != "flagfile" or not argument.startswith("-"):
            expanded.append(argument)
            continue
        if not equals:
            raise ValueError("A flagfile is given as --flagfile=FILE.")
        found = _found(path, within[-1].parent if within else pathlib.Path(), recipes)
        if found in within:
            raise ValueError(f"{within[-1]} must not name {found}, which names it: leave it out.")
        lines = [line.strip() for line in found.read_text(encoding="utf-8").splitlines()]
        own = [line for line in lines if line and not line.startswith(("#", "//"))]
        expanded += _expanded(own, recipes, (*within, found))
    return expanded


def _found(path: str, folder: pathlib.Path, recipes: pathlib.Path) -> pathlib.Path:
    # First beside the file that names it: a recipe means another one, whatever lies here.
    for place in (folder / path, pathlib.Path(path), recipes / path):
        if place.is_file():
            return place
    names = sorted(file.name for file in recipes.glob("*.flags"))
    known = f"; the recipes are {', '.join(names)}" if names else ""
    raise ValueError(f"--flagfile must name a file, but there is no {path}{known}.")


def _of_unknown(name: str, flag_values: flags.FlagValues) -> str:
    known = [one for one in flag_values if one not in flags.FLAGS or not one.startswith("help")]
    meant = OTHER_NAMES.get(name.removeprefix("no").replace("-", "_"))
    meant = meant or OTHER_NAMES.get(name.replace("-", "_"))
    close = [meant] if meant in known else difflib.get_close_matches(name, known, n=1)
    hint = f"here it is --{close[0]}" if close else "see --help"
    return f"There is no flag --{name}: {hint}."


def _of_value(said: str) -> str:
    """What absl says of a flag's value, in our words."""
    missing = re.search(r"Flag --(\w+) must have a value other than None", said)
    if missing:
        return f"--{missing[1]} must be given: see --help."
    return f"{said.removeprefix('flag ').rstrip('.')}: correct it; --help says what it may be."


def program_of(main: Callable[..., None]) -> Program:
    """The program that a `main` is of, as it was called: by the console command or as a module."""
    module = sys.modules[main.__module__]
    spec = sys.modules["__main__"].__spec__
    if spec is None or sys.argv[0].startswith(f"{COMMAND} "):
        name = sys.argv[0]
    else:
        name = f"python -m {spec.name.removesuffix('.__main__')}"
    recipes = pathlib.Path(getattr(module, "__file__", "")).parent / "recipes"
    return Program(name, module.__doc__ or "", recipes)
