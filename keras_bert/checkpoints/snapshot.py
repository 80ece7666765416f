"""The files of a checkpoint's directory as one value: read at one moment, replaced in one."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import stat
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO

from keras_bert import files
from keras_bert.checkpoints import settings

CHECKSUMS_FILE = "checksums.json"
# Files are made in the first folder; renaming it to the second one is the moment of saving.
WRITING, WRITTEN = ".writing", ".written"
LOCK = ".saving.lock"
# No JSON file or vocabulary of a BERT is larger.
MAX_BYTES = 1 << 26
# A file of a directory, or of a folder in it: no path from elsewhere reaches out of it.
_NAME = re.compile(r"[^/\\\0.][^/\\\0]*(/[^/\\\0.][^/\\\0]*)?")


class Snapshot:
    """The files that a directory's model is made of, as they were at one moment.

    `checksums.json` says which they are; what it does not name is none of the model's. It is the
    first thing that `replaced` changes, before it moves a single file, so that files which are all
    opened while it stays the same belong together. They stay what they are while a snapshot is
    open, whatever is saved meanwhile. A directory without it has all the files in it. Nothing is
    written and nothing is locked.

    Args:
        directory: path of the directory.

    Raises:
        ValueError: `checksums.json` is malformed.
        OSError: a file cannot be opened.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_bert.checkpoints.snapshot import Snapshot, replaced
    >>> directory = pathlib.Path(tempfile.mkdtemp())
    >>> with replaced(directory) as staging:
    ...     _ = (staging / "vocab.txt").write_text("one")
    >>> with Snapshot(directory) as snapshot:
    ...     with replaced(directory) as staging:
    ...         _ = (staging / "vocab.txt").write_text("two")
    ...     snapshot.read("vocab.txt"), snapshot.is_current()
    (b'one', False)
    """

    def __init__(self, directory: pathlib.Path):
        self.directory = directory
        self._files: dict[str, BinaryIO | None] = {}
        self._objects: dict[str, dict[str, Any]] = {}
        self._identity, content = _record(directory)
        self.checksums = None if content is None else _names(content, self.path(CHECKSUMS_FILE))
        self._folders = [directory]
        if self.checksums is not None:
            self._folders[:0] = [directory / WRITTEN] if _is_folder(directory / WRITTEN) else []
            try:
                for name in self.checksums:
                    self._files[name] = self._opened(name)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Closes the files."""
        for file in self._files.values():
            if file is not None:
                file.close()

    def path(self, name: str) -> pathlib.Path:
        """What to call a file in messages."""
        return self.directory / name

    def is_current(self) -> bool:
        """Whether nothing has been saved since the snapshot was begun."""
        return _record(self.directory)[0] == self._identity

    def has(self, name: str) -> bool:
        """Whether the model has a file."""
        return self.open(name) is not None

    def open(self, name: str) -> BinaryIO | None:
        """A file, which is read from where it was left; None if there is no such file."""
        if name not in self._files and self.checksums is None:
            self._files[name] = self._opened(name)
        return self._files.get(name)

    def read(self, name: str) -> bytes:
        """The content of a small file.

        Raises:
            ValueError: the file is not there, or is none of a BERT.
        """
        file = self.open(name)
        if file is None:
            raise ValueError(f"{self.path(name)} must be there: copy the whole directory.")
        size = os.fstat(file.fileno()).st_size
        if size > MAX_BYTES:
            raise ValueError(
                f"{self.path(name)} must have at most {MAX_BYTES} bytes, but has {size}: no such "
                "file of a BERT is as large."
            )
        file.seek(0)
        return file.read()

    def json(self, name: str) -> dict[str, Any]:
        """The object in a JSON file, parsed once: a tokenizer's may have megabytes.

        Raises:
            ValueError: the file is not there, or holds none.
        """
        if name not in self._objects:
            self._objects[name] = settings.parse_json(self.read(name), self.path(name))
        return dict(self._objects[name])

    def json_if_there(self, name: str) -> dict[str, Any]:
        """The object in a JSON file; an empty one if there is no such file."""
        return self.json(name) if self.has(name) else {}

    def check_sums(self) -> None:
        """Compares the files with their checksums, if there are some.

        Raises:
            ValueError: a file is not the one that was saved.
        """
        for name, expected in (self.checksums or {}).items():
            file = self._files[name]
            if file is None or files.sha256_of(file) != expected:
                raise ValueError(
                    f"{self.path(name)} must be the file that was saved, but it is "
                    f"{'damaged or changed' if file else 'not there'} (its SHA-256 is in "
                    f"{CHECKSUMS_FILE}): copy it again, or delete {CHECKSUMS_FILE} if you changed "
                    "it."
                )

    def _opened(self, name: str) -> BinaryIO | None:
        """The file where it is: written, but not yet in its place, or there."""
        return next(filter(None, (_open(folder / name) for folder in self._folders)), None)


@contextlib.contextmanager
def replaced(directory: pathlib.Path, stale: Collection[str] = ()) -> Iterator[pathlib.Path]:
    """An empty folder to write a model's files into, which then replace those of a directory.

    Whenever the process is killed, a `Snapshot` has the old files or the new ones; what is not yet
    in its place is put there by the next `replaced`. Nothing outside the directory is touched,
    whatever links are in it.

    Args:
        directory: path of the directory; made if it is not there.
        stale: names of files that would be taken for the new model's: they go, as do the old
            model's own. All others stay.

    Raises:
        ValueError: another process is saving in the directory.
        OSError: the files cannot be written; the old ones stay, and nothing else.
    """
    directory.mkdir(parents=True, exist_ok=True)
    directory = directory.resolve()  # which may be a link, unlike all that is in it
    with files.lock(directory / LOCK, f"saving in {directory}"):
        try:
            _finish(directory, stale)
            yield from _stage(directory)
            _finish(directory, stale)
        finally:
            (directory / LOCK).unlink(missing_ok=True)


def checksums(directory: pathlib.Path) -> dict[str, str]:
    """SHA-256 of every file beneath a directory, by its path there."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): files.sha256(path) for path in paths}


def _stage(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    staging = directory / WRITING
    files.remove(staging)  # of a process that was killed
    staging.mkdir()
    try:
        yield staging
        settings.write_json(staging / CHECKSUMS_FILE, checksums(staging))
        files.flush(*staging.rglob("*"), staging)
        os.rename(staging, directory / WRITTEN)
    except BaseException as error:
        with contextlib.suppress(OSError):
            files.remove(staging)
        if isinstance(error, OSError) and error.filename is None:  # of writing, not of opening
            error.filename = str(directory)
        raise
    files.flush(directory)


def _finish(directory: pathlib.Path, stale: Collection[str]) -> None:
    """Moves files that are written, but not yet in their place, to where they belong."""
    written = directory / WRITTEN
    if not _is_folder(written):
        files.remove(written)
        return
    old = _names_in(directory)
    new = _names_in(written) or old
    for name in new:
        _move(written, directory, name)
    for name in {*old, *stale} - {*new}:
        _remove(directory, name)
    _move(written, directory, CHECKSUMS_FILE)  # last: until then it says which files are the new
    files.flush(directory)
    files.remove(written)


def _move(source: pathlib.Path, target: pathlib.Path, name: str) -> None:
    """Moves a file, but through no link: that could lead anywhere."""
    path = source / name
    if path.is_symlink() or not path.is_file() or not _is_folder(path.parent):
        return
    folder = (target / name).parent
    if not _is_folder(folder):
        files.remove(folder)
        folder.mkdir()
    os.replace(path, target / name)


def _remove(directory: pathlib.Path, name: str) -> None:
    """Removes a file, and its folder if nothing else is in it."""
    path = directory / name
    if not _is_folder(path.parent) or (path.is_dir() and not path.is_symlink()):
        return
    path.unlink(missing_ok=True)
    if path.parent != directory:
        with contextlib.suppress(OSError):
            path.parent.rmdir()


def _record(directory: pathlib.Path) -> tuple[Any, dict[str, Any] | None]:
    """Which file says what the model is made of, and its content; None and None without one."""
    for folder in (directory / WRITTEN, directory):
        if not _is_folder(folder) and folder != directory:
            continue
        path = folder / CHECKSUMS_FILE
        file = _open(path)
        if file is not None:
            with file:
                state = os.fstat(file.fileno())
                content = settings.parse_json(file.read(MAX_BYTES), path)
                return (state.st_dev, state.st_ino, state.st_mtime_ns), content
    return None, None


def _names_in(folder: pathlib.Path) -> dict[str, str]:
    """The names and sums in the checksums of one folder, if it has some that can be read."""
    path = folder / CHECKSUMS_FILE
    if path.is_symlink() or not path.is_file():
        return {}
    with contextlib.suppress(ValueError):
        return _names(settings.read_json(path), path)
    return {}


def _names(content: dict[str, Any], source: pathlib.Path) -> dict[str, str]:
    for name, checksum in content.items():
        if not _NAME.fullmatch(name) or not isinstance(checksum, str):
            raise ValueError(
                f"{source} must give the SHA-256 of files in its directory, but gives "
                f"{checksum!r:.80} for {name!r:.200}: restore the file, or delete it."
            )
    return content


def _open(path: pathlib.Path) -> BinaryIO | None:
    """A file to read; None if there is none, or what is there is no file."""
    try:
        # A pipe would otherwise wait for somebody who writes into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")


def _is_folder(path: pathlib.Path) -> bool:
    """Whether there is a folder, and no link to one."""
    return path.is_dir() and not path.is_symlink()
