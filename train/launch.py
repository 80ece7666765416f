"""Starts several workers of one run on this machine; a cluster does without it.

    keras-bert launch --num_workers=2 -- pretrain --flagfile=mine.flags

Behind -- stand a word of keras-bert, or a module as behind `python -m`, and its flags.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import sys

from keras_bert import flags, launching
from keras_bert.command import MODULES


@dataclasses.dataclass(frozen=True)
class Arguments:
    num_workers: int = flags.required("how many workers to start")
    share_cores: bool = flags.flag(True, "give each worker cores of its own, if there are enough")
    stop_timeout: float = flags.flag(
        600.0, "seconds in which a run that is to stop must have saved"
    )
    end_timeout: float = flags.flag(30.0, "seconds for the others to end in, after one failed")


def main(arguments: Arguments, command: tuple[str, ...]) -> None:
    if command[0] in MODULES:
        command = ("keras_bert", *command)
    check_module(command[0])
    sys.exit(
        launching.launch(
            [sys.executable, "-m", *command],
            arguments.num_workers,
            share_cores=arguments.share_cores,
            stop_timeout=arguments.stop_timeout,
            end_timeout=arguments.end_timeout,
        )
    )


def check_module(name: str) -> None:
    """Refuses what `python -m` would not find.

    Raises:
        ValueError: there is no such module.
    """
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise ValueError(
            "Behind -- must stand a binary and its flags, as in `-- pretrain --preset=mini`, but "
            f"there is no {name!r}: check its name."
        )


if __name__ == "__main__":
    flags.run_with_command(main, Arguments)
