"""Which files are meant: paths, globs, folders, and several of these with commas between them."""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Sequence

from keras_bert.data.rows import Path


def matching_files(pattern: Path | Sequence[Path]) -> list[str]:
    """Paths of files.

    What is there wins over what its name could mean: a path may hold commas, brackets, and "=".

    Args:
        pattern: a path, a glob, a folder, which stands for all files beneath it, or several of
            these with commas between them; or a sequence of them.

    Returns:
        list of str, sorted.

    Raises:
        ValueError: one of them matches no file; the message has the names that are nearest.
    """
    parts = parts_of(pattern)
    if not parts:
        raise ValueError(
            f"There must be files, but {pattern!r} must name them: give a path, or a glob such as "
            "'text/*.txt'."
        )
    return sorted({file for part in parts for file in _files_of(part)})


def parts_of(pattern: Path | Sequence[Path]) -> list[str]:
    """The paths and globs that a pattern is made of: several in a str have commas between them.

    Commas within the name of a file or folder that is there part nothing.
    """
    if not isinstance(pattern, str):
        several = [pattern] if isinstance(pattern, os.PathLike) else pattern
        return [part for part in (os.fspath(one) for one in several) if part.strip()]
    pieces, parts = pattern.split(","), []
    while pieces:
        number = next(n for n in range(len(pieces), 0, -1) if n == 1 or _is_there(pieces[:n]))
        parts.append(",".join(pieces[:number]).strip())
        pieces = pieces[number:]
    return [part for part in parts if part]


def has_files(part: str) -> bool:
    """Whether one path, glob or folder matches a file."""
    return any(map(os.path.isfile, glob.iglob(_as_glob(part), recursive=True)))


def _is_there(pieces: Sequence[str]) -> bool:
    path = ",".join(pieces).strip()
    # Behind "label=", and before "@part", stands a path as well.
    return any(map(os.path.exists, (path, path.partition("=")[2], path.rpartition("@")[0])))


def _files_of(part: str) -> list[str]:
    files = [path for path in glob.glob(_as_glob(part), recursive=True) if os.path.isfile(path)]
    if not files:
        raise ValueError(
            f"Every pattern must match a file, but {part!r} matches none (in {os.getcwd()}). "
            f"{nearest(part)}Check the path, and quote a pattern so that the shell does not "
            "expand it."
        )
    return files


def _as_glob(path: str) -> str:
    if os.path.isdir(path):
        return os.path.join(glob.escape(path), "**")
    return glob.escape(path) if os.path.isfile(path) else path


def nearest(path: str) -> str:
    """A sentence on what is there in place of a path, "" if that helps nobody."""
    folder, name = os.path.split(path)
    if not os.path.isdir(folder or os.curdir):
        return "" if glob.has_magic(folder) else f"There is no folder {folder!r}. "
    if os.path.isdir(path):
        return "It is an empty folder. "
    names = sorted(os.listdir(folder or os.curdir))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"Near to it are {', '.join(map(repr, near))}. " if near else ""
