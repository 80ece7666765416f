"""A binary's arguments: one dataclass, from which absl flags and the flagfile of a run are made."""

from __future__ import annotations

import dataclasses
import os
import sys
import traceback
import typing
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from absl import app, flags, logging

from keras_bert import files, quiet, usage

# Flags belong to the binary that calls `run` or `define`, whose --help then lists them.
flags.disclaim_key_flags()


class Arguments(Protocol):
    """An instance of a dataclass of arguments."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


ArgumentsT = TypeVar("ArgumentsT", bound=Arguments)


def flag(default: Any, help: str) -> Any:
    """A field of a dataclass of arguments, with its default and its help text."""
    return dataclasses.field(default=default, metadata={"help": help})


def flag_of_machine(default: Any, help: str) -> Any:
    """A field that says how a run is computed, and not what: it may change when a run goes on."""
    return dataclasses.field(default=default, metadata={"help": help, "of_machine": True})


def required(help: str) -> Any:
    """A field of a dataclass of arguments without a default: its flag must be given."""
    return dataclasses.field(metadata={"help": help})


def run(main: Callable[[ArgumentsT], None], arguments_type: type[ArgumentsT]) -> None:
    """Runs a binary: parses its flags and calls `main` with them.

    What is wrong with the input (ValueError), the disk (OSError) or the numbers of a training
    (FloatingPointError) ends the process with one message and status 1; `--verbosity=1` shows the
    traceback.

    Args:
        main: function of an instance of `arguments_type`.
        arguments_type: the dataclass of arguments.
    """
    define(arguments_type)
    parser = _parser(main, arguments_type)
    app.run(_obedient(lambda: main(read(arguments_type))), flags_parser=parser)


def run_with_command(
    main: Callable[[ArgumentsT, tuple[str, ...]], None], arguments_type: type[ArgumentsT]
) -> None:
    """Runs a binary that starts another one: `python -m binary --name=value -- command --name=x`.

    Args:
        main: function of an instance of `arguments_type`, and of what stands behind `--`.
        arguments_type: the dataclass of arguments, all of which stand before `--`.
    """
    define(arguments_type)
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    command = tuple(sys.argv[end + 1 :])

    def start() -> None:
        if not command:
            raise ValueError("What to start must stand behind --, and nothing does: see --help.")
        main(read(arguments_type), command)

    app.run(_obedient(start), argv=sys.argv[:end], flags_parser=_parser(main, arguments_type))


def _parser(
    main: Callable[..., None], arguments_type: type[Arguments]
) -> Callable[[Sequence[str]], list[str]]:
    """Parses the command line for absl: shows the help, and says in our words what is wrong."""
    program = usage.program_of(main)

    def parse(argv: Sequence[str]) -> list[str]:
        if {"-h", "-help", "--help", "--helpshort"} & {*argv}:
            print(usage.help_of(program, arguments_type))
            sys.exit(0)
        try:
            return usage.parse(argv, program.recipes)
        except ValueError as error:
            sys.exit(f"Error: {error}")

    return parse


def _obedient(call: Callable[[], None]) -> Callable[[Sequence[str]], None]:
    """What absl runs: a call whose errors of input, disk and numbers end it with one message."""

    def start(argv: Sequence[str]) -> None:
        quiet.begin()
        if argv[1:]:
            sys.exit(f"Error: arguments are flags, --name=value, not {argv[1]!r}: see --help.")
        try:
            call()
        except (ValueError, OSError, FloatingPointError) as error:
            logging.debug("%s", traceback.format_exc())
            said = files.reason(error) if isinstance(error, OSError) else error
            sys.exit(f"Error: {said}")

    return start


def define(arguments_type: type[Arguments], flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines an absl flag for every field of a dataclass.

    Args:
        arguments_type: a dataclass whose fields, made by `flag` and `required`, are str, int,
            float, bool, a Literal of strings, one of these or None, or `tuple[str, ...]`, whose
            flag may be repeated.
        flag_values: where to define them; absl's `FLAGS` by default.

    Example:

    >>> import dataclasses
    >>> from absl import flags as absl_flags
    >>> from keras_bert import flags
    >>> @dataclasses.dataclass(frozen=True)
    ... class Arguments:
    ...     text: str = flags.required("the text")
    ...     num_steps: int = flags.flag(10, "updates in all")
    >>> values = absl_flags.FlagValues()
    >>> flags.define(Arguments, values)
    >>> _ = values(["program", "--text=a fine film"])
    >>> flags.read(Arguments, values)
    Arguments(text='a fine film', num_steps=10)
    """
    kinds = typing.get_type_hints(arguments_type)
    for field in dataclasses.fields(arguments_type):
        must_be_given = field.default is dataclasses.MISSING
        default = None if must_be_given else field.default
        kind = _without_none(kinds[field.name])
        _define_one(field.name, kind, default, field.metadata["help"], flag_values)
        if must_be_given:
            flags.mark_flag_as_required(field.name, flag_values)


def read(
    arguments_type: type[ArgumentsT], flag_values: flags.FlagValues = flags.FLAGS
) -> ArgumentsT:
    """The parsed values of the flags that `define` defined, as an instance of the dataclass."""
    values = {f.name: flag_values[f.name].value for f in dataclasses.fields(arguments_type)}
    return arguments_type(
        **{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    )


def write_flagfile(arguments: Arguments, path: str | os.PathLike) -> None:
    """Writes resolved arguments as a flagfile: running with it repeats the run.

    Args:
        arguments: an instance of a dataclass of arguments.
        path: path of the file; it is there whole or not at all.

    Raises:
        ValueError: a flagfile cannot hold a value: it has a line break, or white space at its end.

    Example:

    >>> import dataclasses, pathlib, tempfile
    >>> from keras_bert import flags
    >>> @dataclasses.dataclass(frozen=True)
    ... class Arguments:
    ...     texts: tuple[str, ...] = flags.flag(("a", "b, c"), "may be repeated")
    ...     lowercase: bool = flags.flag(False, "whether")
    ...     limit: int | None = flags.flag(None, "if wanted")
    >>> path = pathlib.Path(tempfile.mkdtemp(), "run.flags")
    >>> flags.write_flagfile(Arguments(), path)
    >>> print(path.read_text(), end="")
    --texts=a
    --texts=b, c
    --nolowercase
    """
    lines = [
        f"{line}\n"
        for field in dataclasses.fields(arguments)
        for line in _lines(field.name, getattr(arguments, field.name))
    ]
    with files.whole_file(path) as staging:
        staging.write_text("".join(lines), encoding="utf-8")


def read_flagfile(arguments_type: type[ArgumentsT], path: str | os.PathLike) -> ArgumentsT:
    """The arguments that `write_flagfile` wrote.

    Raises:
        ValueError: the file does not hold the flags of this binary.
    """
    values = flags.FlagValues()
    define(arguments_type, values)
    try:
        values(["flagfile", f"--flagfile={os.fspath(path)}"])
    except flags.Error as error:
        raise ValueError(
            f"{path} must hold the flags of a run of this binary, but {error}: choose another "
            "output directory, or delete this one."
        ) from error
    return read(arguments_type, values)


def check_same_run(arguments: Arguments, path: str | os.PathLike) -> None:
    """Sees to it that a run goes on with the arguments that it was started with.

    Those of the machine, which `flag_of_machine` makes, may be others.

    Args:
        arguments: an instance of a dataclass of arguments.
        path: path of the run's flagfile; where there is none, nothing is checked.

    Raises:
        ValueError: the file is of a run with other arguments; the message lists the differences.
    """
    if not os.path.exists(path):
        return
    before = read_flagfile(type(arguments), path)
    pairs = {
        field.name: (getattr(before, field.name), getattr(arguments, field.name))
        for field in dataclasses.fields(arguments)
        if not field.metadata.get("of_machine")
    }
    differences = [
        f"--{name} was {was!r} and is {value!r}"
        for name, (was, value) in pairs.items()
        if value != was
    ]
    if differences:
        raise ValueError(
            f"An output directory holds one run, but {path} is of another: "
            f"{'; '.join(differences)}. Choose another output directory, delete this one, or give "
            f"--flagfile={path} alone to go on with it."
        )


def _without_none(kind: Any) -> Any:
    """`T` for `T | None`."""
    parts = typing.get_args(kind)
    if type(None) not in parts:
        return kind
    [kind] = [part for part in parts if part is not type(None)]
    return kind


def _define_one(name: str, kind: Any, default: Any, help: str, values: flags.FlagValues) -> None:
    if typing.get_origin(kind) is Literal:
        flags.DEFINE_enum(name, default, list(typing.get_args(kind)), help, flag_values=values)
        return
    definers: dict[Any, Callable[..., Any]] = {
        str: flags.DEFINE_string,
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        bool: flags.DEFINE_boolean,
        tuple[str, ...]: flags.DEFINE_multi_string,
    }
    definers[kind](name, default, help, flag_values=values)


def _lines(name: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, tuple):
        return [line for part in value for line in _lines(name, part)]
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no{name}"]
    text = str(value)
    if text != text.rstrip() or len(text.splitlines()) > 1:
        raise ValueError(
            f"A flagfile cannot hold --{name}={value!r}: it must have no line break, and no white "
            "space at its end. Choose another value."
        )
    return [f"--{name}={text}"]
