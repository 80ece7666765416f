"""The directory of a run: one run, of one kind, by one process, or its workers, at a time."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Protocol

from keras_bert import files, flags
from keras_bert.training.replicas import by_chief

# The file with a run's flags, by what the run is.
FLAGFILES = {"pretraining": "pretrain.flags", "fine-tuning": "finetune.flags"}
# What a directory with a model in it has.
MODEL_FILES = ("config.json", "model.safetensors", "bert_config.json")


class RunArguments(flags.Arguments, Protocol):
    """The arguments of a run."""

    @property
    def output_dir(self) -> str: ...


@contextlib.contextmanager
def run_directory(kind: str, arguments: RunArguments) -> Iterator[pathlib.Path]:
    """Keeps an output directory for one run; a second process, or another run, is refused.

    A run that ends before its first checkpoint leaves nothing that stands in the way of the next
    one, and what it was told may then be corrected. Of several workers, the first one keeps it.

    Args:
        kind: "pretraining" or "fine-tuning".
        arguments: an instance of the binary's dataclass of arguments, with `output_dir`.

    Returns:
        A context of the directory's path. It may not be there, or be without the run's flags, until
        `begin` is called.

    Raises:
        ValueError: another process is training there; there is a file, a run of another kind or
            with other flags, or a model that no run of this kind has made.

    Example:

    >>> import dataclasses, os, tempfile
    >>> from keras_bert.training.directory import begin, run_directory
    >>> @dataclasses.dataclass(frozen=True)
    ... class Arguments:
    ...     output_dir: str = os.path.join(tempfile.mkdtemp(), "mine")
    >>> with run_directory("pretraining", Arguments()) as directory:
    ...     begin("pretraining", Arguments(), directory)
    >>> sorted(os.listdir(directory))
    ['.lock', 'pretrain.flags']
    """
    directory = pathlib.Path(arguments.output_dir)
    with contextlib.ExitStack() as kept:
        by_chief(lambda: kept.enter_context(_kept(kind, arguments, directory)))
        yield directory


@contextlib.contextmanager
def _kept(kind: str, arguments: RunArguments, directory: pathlib.Path) -> Iterator[None]:
    _check_kind(kind, directory)
    with files.lock(directory / files.LOCK, f"training in {directory}"):
        try:
            if has_begun(directory):
                flags.check_same_run(arguments, directory / FLAGFILES[kind])
            yield
        finally:
            if {path.name for path in directory.iterdir()} <= {files.LOCK}:
                files.remove(directory)


def begin(kind: str, arguments: RunArguments, directory: pathlib.Path) -> None:
    """Puts the flags of a run on record: all that can be checked before has been."""
    by_chief(lambda: flags.write_flagfile(arguments, directory / FLAGFILES[kind]))


def has_begun(directory: pathlib.Path) -> bool:
    """Whether a run has saved something that another one would be mixed with."""
    return any(directory.glob("**/checkpoints/step-*"))


def _check_kind(kind: str, directory: pathlib.Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise ValueError(
            f"--output_dir must be a directory, but {directory} is a file: choose another one."
        )
    for other, flagfile in FLAGFILES.items():
        if other != kind and (directory / flagfile).exists():
            raise ValueError(
                f"{directory} holds a run of {other}, and an output directory holds one run: "
                f"choose another one for this {kind}."
            )
    if (directory / FLAGFILES[kind]).exists():
        return
    for name in MODEL_FILES:
        if (directory / name).exists():
            raise ValueError(
                f"{directory} holds a model that no run of {kind} has made, and which this one "
                f"would replace ({name}): choose another output directory."
            )
