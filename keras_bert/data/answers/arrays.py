"""Arrays to NumPy's files, row by row, and back: `.npy` alone, `.npz` with what the rows are of."""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any, NamedTuple

import numpy as np

from keras_bert import files
from keras_bert.data.answers.values import as_json
from keras_bert.data.rows import Path, Row
from keras_bert.data.text_files import parsed_json

# Members of an .npz besides its arrays: NumPy gives their bytes.
ROWS, NOTES = "rows.jsonl", "made_of.json"
# Of what `NOTES` says; see "What only this package reads says its version" in docs/design.md.
FORMAT_VERSION = 1

Write = Callable[[np.ndarray], None]


class Vectors(NamedTuple):
    """What a file of vectors holds.

    Args:
        vectors: float [N, D]; of an `.npy` they stay on the disk.
        rows: list of N rows with their `source`, None of an `.npy`.
        notes: dict of what the file says of itself, empty of an `.npy`.
    """

    vectors: np.ndarray
    rows: list[Row] | None
    notes: Mapping[str, Any]


@contextlib.contextmanager
def npy(path: Path, num_rows: int) -> Iterator[Write]:
    """A function that writes an array by its first axis; the file is whole or not there.

    Args:
        path: path of the file.
        num_rows: int, N, how many entries there will be.

    Yields:
        Function of an array [B, ...], the next entries.

    Raises:
        ValueError: another process is writing the file.

    Example:

    >>> import os, tempfile
    >>> import numpy as np
    >>> from keras_bert.data.answers.arrays import npy
    >>> path = os.path.join(tempfile.mkdtemp(), "vectors.npy")
    >>> with npy(path, 3) as write:
    ...     write(np.ones([2, 5], "float32"))
    ...     write(np.zeros([1, 5], "float32"))
    >>> np.load(path).shape
    (3, 5)
    """
    with files.whole_file(path) as staging, staging.open("wb") as file:
        yield _writer(file, num_rows)


@contextlib.contextmanager
def npz(
    path: Path, rows: Iterable[Row], num_rows: int, *, name: str, notes: Mapping[str, Any]
) -> Iterator[Write]:
    """As `npy`, with a line of JSON for each row in `rows.jsonl`, and notes in `made_of.json`.

    Args:
        path: path of the file.
        rows: what the entries are of, as they are to be read again: with a key "source".
        num_rows: int, N, how many there are.
        name: str, what the array is called.
        notes: dict of what else the file is to say.

    Yields:
        Function of an array, as of `npy`.

    Raises:
        ValueError: another process is writing the file.

    Example:

    >>> import os, tempfile
    >>> import numpy as np
    >>> from keras_bert.data.answers.arrays import npz, read_vectors
    >>> from keras_bert.data.rows import Row
    >>> path = os.path.join(tempfile.mkdtemp(), "vectors.npz")
    >>> rows = [Row({"text": "a fine film"}, "films.txt:1")]
    >>> with npz(path, rows, 1, name="embeddings", notes={"checkpoint": "mine"}) as write:
    ...     write(np.ones([1, 5], "float32"))
    >>> found = read_vectors(path)
    >>> found.vectors.shape, found.rows, found.rows[0].source, found.notes["checkpoint"]
    ((1, 5), [{'text': 'a fine film'}], 'films.txt:1', 'mine')
    """
    with files.whole_file(path) as staging, zipfile.ZipFile(staging, "w") as archive:
        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
            yield _writer(member, num_rows)
        with archive.open(ROWS, "w", force_zip64=True) as member:
            for row in rows:
                line = as_json({"source": row.source, "columns": row})
                member.write(f"{line}\n".encode("utf-8", "replace"))
        archive.writestr(NOTES, json.dumps({"format_version": FORMAT_VERSION, **notes}))


def read_vectors(path: Path) -> Vectors:
    """Reads a file of vectors that `npy`, `npz` or NumPy wrote.

    Args:
        path: path of the file, which ends in `.npy` or `.npz`.

    Returns:
        Vectors.

    Raises:
        ValueError: it is no such file, is damaged, or holds no matrix of numbers.

    Example: see `npz`.
    """
    with _whole(path):
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(found, np.lib.npyio.NpzFile):
        return Vectors(_checked(found, path), None, {})
    with found as archive, _whole(path):
        members = {name: archive[name] for name in archive.files}
    arrays = [name for name in members if name not in (ROWS, NOTES)]
    if len(arrays) != 1:
        raise ValueError(
            f"{path} must hold one array, but holds {', '.join(arrays) or 'none'}: write the one "
            "that is meant with numpy.save."
        )
    vectors = _checked(members[arrays[0]], path)
    notes = parsed_json(members[NOTES].decode(), path, 1) if NOTES in members else {}
    if notes.get("format_version", 1) > FORMAT_VERSION:
        raise ValueError(
            f"{path} is of format {notes['format_version']}, and this is read up to "
            f"{FORMAT_VERSION}: update keras_bert, or write the file again."
        )
    rows = _rows(members[ROWS], path, len(vectors)) if ROWS in members else None
    return Vectors(vectors, rows, notes)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[None]:
    """A context in which what NumPy says of a file is an error with its path and what to do."""
    try:
        yield
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ValueError(
            f"{path} must be a whole file of NumPy's, but is not ({error}): write it again."
        ) from error


def _writer(file: IO[bytes], num_rows: int) -> Write:
    begun: list[tuple] = []

    def write(values: np.ndarray) -> None:
        if not begun:
            begun.append(values.shape[1:])
            header = {
                "descr": np.lib.format.dtype_to_descr(values.dtype),
                "fortran_order": False,
                "shape": (num_rows, *values.shape[1:]),
            }
            np.lib.format.write_array_header_1_0(file, header)
        file.write(np.ascontiguousarray(values).tobytes())

    return write


def _checked(vectors: np.ndarray, path: Path) -> np.ndarray:
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu":
        raise ValueError(
            f"{path} must hold a matrix of numbers, a vector a row, but holds {vectors.dtype} of "
            f"the shape {vectors.shape}: give what `keras-bert predict` writes of sentence "
            "embeddings."
        )
    return vectors


def _rows(content: bytes, path: Path, number: int) -> list[Row]:
    lines = [parsed_json(line, path, 1) for line in content.decode().split("\n") if line]
    if len(lines) != number:
        raise ValueError(
            f"{path} must have a line in {ROWS} for each of its {number} vectors, but has "
            f"{len(lines)}: write it again."
        )
    return [Row(line["columns"], line["source"]) for line in lines]
