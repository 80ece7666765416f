"""Files as the whole house writes them: there whole or not at all, and by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import BinaryIO

import filelock

# What is being written stands beside its place under this prefix. The name is always the same, so
# that what a killed process left behind is found, and cleared, by the next one that writes there.
WRITING = ".writing-"
LOCK = ".lock"

_ADVICE = {
    errno.ENOSPC: "make space on the disk",
    errno.EDQUOT: "make space within your quota",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EROFS: "choose a place that can be written to",
    errno.EACCES: "permit it, or choose another place",
    errno.EPERM: "permit it, or choose another place",
    errno.ENOENT: "check the path",
    errno.EEXIST: "choose another place, or remove what is there",
    errno.ENOTDIR: "choose another place, or remove the file that stands where a folder must",
    errno.EISDIR: "name a file, not a folder",
}


@contextlib.contextmanager
def lock(path: str | os.PathLike, what: str) -> Iterator[None]:
    """Holds a lock file, which ends with the process; the file itself stays.

    Args:
        path: path of the lock file; its folder is made if it is not there.
        what: what a second process may not do, for its error: "training in runs/mine".

    Raises:
        ValueError: another process holds it.
        OSError: the file cannot be made.

    Example:

    >>> import os, tempfile
    >>> from keras_bert import files
    >>> path = os.path.join(tempfile.mkdtemp(), ".lock")
    >>> with files.lock(path, "training here"):
    ...     with files.lock(path, "training here"):
    ...         pass
    Traceback (most recent call last):
    ...
    ValueError: Another process is training here: wait for its end, or choose another place.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        holder = filelock.FileLock(path, timeout=0).acquire()
    except filelock.Timeout:
        raise ValueError(
            f"Another process is {what}: wait for its end, or choose another place."
        ) from None
    with holder:
        yield


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """A path to write to; what stands there in the end becomes `path`, flushed, in one moment.

    Killed or failing before that moment, `path` stays what it was.

    Args:
        path: path of the file; its folder is made if it is not there.

    Raises:
        ValueError: another process is writing the same file.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_bert import files
    >>> path = pathlib.Path(tempfile.mkdtemp(), "notes.txt")
    >>> with files.whole_file(path) as staging:
    ...     _ = staging.write_text("all of it")
    ...     path.exists()
    False
    >>> path.read_text()
    'all of it'
    """
    path = pathlib.Path(path)
    staging = path.with_name(f"{WRITING}{path.name}")
    with _alone(staging, path):
        file = staging / path.name
        try:
            with system_errors(path):
                yield file
                flush(file)
                os.replace(file, path)
        finally:
            _clear(staging)
            (staging / LOCK).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # another process may be there already
                staging.rmdir()
    flush(path.parent)


@contextlib.contextmanager
def whole_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """An empty folder to write into, which in the end becomes `path`, flushed, in one moment.

    Args:
        path: path of a folder that is not there, or is empty.

    Raises:
        ValueError: another process is writing the same folder.
        OSError: at the end there is something at `path`.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_bert import files
    >>> path = pathlib.Path(tempfile.mkdtemp(), "corpus")
    >>> with files.whole_folder(path) as staging:
    ...     _ = (staging / "part").write_text("some")
    >>> [one.name for one in path.iterdir()]
    ['part']
    """
    path = pathlib.Path(path)
    staging = path.with_name(f"{WRITING}{path.name}")
    with _alone(staging, path):
        try:
            with system_errors(path):
                yield staging
                (staging / LOCK).unlink()
                flush(*staging.rglob("*"), staging)
                os.rename(staging, path)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
    flush(path.parent)


@contextlib.contextmanager
def _alone(staging: pathlib.Path, path: pathlib.Path) -> Iterator[None]:
    """Holds the lock in a staging folder, which is empty but for it.

    The lock is a file of its own: some versions of filelock empty the file that they lock.
    """
    if staging.is_symlink() or staging.is_file():
        staging.unlink()
    with lock(staging / LOCK, f"writing {path}"):
        _clear(staging)
        yield


def _clear(staging: pathlib.Path) -> None:
    """Removes what was left in a staging folder, by a process that was killed or by this one."""
    for left in staging.iterdir():
        if left.name != LOCK:
            remove(left)


def remove(path: pathlib.Path) -> None:
    """Removes a file, a link or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def flush(*paths: pathlib.Path) -> None:
    """Waits until files, or the lists of names that folders are, are on the disk."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sha256(path: str | os.PathLike) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return sha256_of(file)


def sha256_of(file: BinaryIO) -> str:
    """The SHA-256 of an open file from its beginning, in hexadecimal digits."""
    digest = hashlib.sha256()  # hashlib.file_digest came with Python 3.11
    file.seek(0)
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def system_errors(path: str | os.PathLike) -> Iterator[None]:
    """A context in which what a library says of a full or forbidden disk is an OSError with a path.

    TensorFlow and others have errors of their own for it, which carry the words of the system. What
    the system itself says of writing, and not of opening, names no file.

    Args:
        path: what is being written, for the error.

    Example:

    >>> from keras_bert import files
    >>> with files.system_errors("runs/mine"):
    ...     raise RuntimeError("ResourceExhausted: state; No space left on device")
    Traceback (most recent call last):
    ...
    OSError: [Errno 28] No space left on device: 'runs/mine'
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = os.fspath(path)
        raise
    except ValueError:
        raise
    except Exception as error:  # of a class that only its library has, which is not imported here
        code = next((code for code in errno.errorcode if os.strerror(code) in str(error)), None)
        if code is None:
            raise
        raise OSError(code, os.strerror(code), os.fspath(path)) from error


def reason(error: OSError) -> str:
    """What an error of the system means for a person, in one sentence with what to do.

    Example:

    >>> from keras_bert import files
    >>> try:
    ...     open("nowhere.txt")
    ... except OSError as error:
    ...     print(files.reason(error))
    nowhere.txt: no such file or directory: check the path.
    """
    said = error.strerror or str(error)
    place = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
    code = -1 if error.errno is None else error.errno
    advice = _ADVICE.get(code, "see to it, and run the same command again")
    return f"{place}{said[:1].lower()}{said[1:]}: {advice}."
