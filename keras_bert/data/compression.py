"""Files as their first bytes tell them: compressed ones are opened, what is no text is refused."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import os
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from keras_bert.data.rows import Path

# What compressed files are called: behind the name that says what is in them.
SUFFIXES = (".gz", ".gzip", ".bgz", ".bz2", ".xz", ".zst")
# A path that is standard input: its content, which may be compressed as that of files is.
STANDARD_INPUT = "-"
# What reading a compressed file that is cut or damaged raises.
FAULTS = (gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError, OSError)

_HEAD_BYTES = 512
_PART_BYTES = 1 << 16
_COMPRESSED = {
    "gzip": re.compile(rb"\x1f\x8b"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\0"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
}
# Their files are read as others are, though typeshed says of none that it is a BinaryIO.
_OPENERS: dict[str, Callable[[Path], object]] = {
    "gzip": gzip.GzipFile,
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
}
_TEXT = "write its text to a text file"
# First bytes of files that are no text, what they are, and what to do.
_OTHERS = (
    (rb"PK\x03\x04|PK\x05\x06", "a ZIP archive", "unzip it first"),
    (rb"(?s).{257}ustar", "a tar archive", "unpack it first, with `tar -xf`"),
    (rb"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"),
    (rb"Rar!\x1a\x07", "a RAR archive", "unpack it first"),
    (rb"%PDF-", "a PDF document", _TEXT),
    (rb"\{\\rtf", "an RTF document", _TEXT),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document", "save it as CSV or text"),
    (rb"PAR1[^ -~]", "a Parquet file", "write it as JSON lines, with pandas' `to_json`"),
    (
        rb"(?:ARROW1|FEA1)\0|\xff\xff\xff\xff",
        "an Arrow file",
        "write it as JSON lines, with `to_json`",
    ),
    (rb"SQLite format 3\0", "an SQLite database", "write a table as CSV"),
    (rb"\x89HDF\r\n", "an HDF5 file", "write a table as CSV"),
    (rb"\x93NUMPY", "a NumPy array", "write a table as CSV"),
    (rb"\x80[\x02-\x05]", "a Python pickle", "write a table as CSV"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|II\*\0|MM\0\*", "a picture", "give text"),
    (rb"(?s)RIFF.{4}(?:WAVE|AVI |WEBP)|ID3[\x02-\x04]|OggS\0|fLaC\0", "no text", "give text"),
    (rb"\x7fELF|MZ\x90\0", "a program", "give text"),
    (
        rb"version https://git-lfs\.github\.com",
        "a pointer of Git LFS, not the file itself",
        "fetch the file with `git lfs pull`",
    ),
    (
        rb"(?i)(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html[\s>])",
        "a web page, as a link to a page in place of its file gives",
        "download the file itself",
    ),
)
_IN_ZIP = {
    "word/": ("a Word document", _TEXT),
    "xl/": ("an Excel sheet", "save it as CSV"),
    "ppt/": ("a PowerPoint document", _TEXT),
    "content.xml": ("an OpenDocument file", "save it as CSV or text"),
}


def plain_name(path: Path) -> str:
    """A path without the ending that says how the file is compressed: "a.csv" of "a.csv.bz2"."""
    path = os.fspath(path)
    stem, suffix = os.path.splitext(path)
    return stem if suffix.lower() in SUFFIXES else path


def file_content(path: Path) -> bytes:
    """The bytes of a file, decompressed where they begin as gzip, bzip2, xz or zstd do.

    Its name does not matter.

    Args:
        path: path of the file.

    Raises:
        ValueError: it is cut or damaged; it is an archive, a document, a picture or another file
            that is no text.
    """
    with opened(path) as file:
        try:
            return file.read()
        except FAULTS as error:
            raise damaged(path, error) from error


def opened(path: Path) -> BinaryIO:
    """A file opened to be read as `file_content` does; what reading raises is among `FAULTS`.

    Raises:
        ValueError: it is no text, or zstd without a package that reads it.
    """
    with open(_place_of(path), "rb") as file:
        head = file.read(_HEAD_BYTES)
    name = compression_of(head)
    if not name:
        check_text(path, head)
        return open(_place_of(path), "rb")
    with _decompressed(path, name) as file:
        try:
            head = file.read(_HEAD_BYTES)
        except FAULTS as error:
            raise damaged(path, error) from error
    check_text(path, head)
    return _decompressed(path, name)


def compression_of(head: bytes) -> str:
    """How a file is compressed that begins so, "" if it is not."""
    return next((name for name, start in _COMPRESSED.items() if start.match(head)), "")


def damaged(path: Path, error: Exception) -> Exception:
    """The error to raise of a compressed file that cannot be read to its end."""
    if getattr(error, "errno", None):  # of the system, not of what is in the file
        return error
    with open(_place_of(path), "rb") as file:
        name = compression_of(file.read(_HEAD_BYTES)) or "plain"
    return ValueError(
        f"A file that begins like {name} must be {name}, but {os.fspath(path)} is not a whole "
        f"{name} file ({error}). Compress or copy it again."
    )


def check_text(path: Path, head: bytes) -> None:
    """Checks that a file that begins so may be text.

    Raises:
        ValueError: it is known to be something else; the message says what, and what to do.
    """
    for start, what, advice in _OTHERS:
        if re.match(start, head):
            if what == "a ZIP archive":
                what, advice = _in_zip(path, (what, advice))
            raise ValueError(f"{path} must hold text, but is {what}: {advice}.")


def _place_of(path: Path) -> Path:
    """Where the bytes of a path stand: files are opened more than once, standard input is not."""
    return _standard_input().name if os.fspath(path) == STANDARD_INPUT else path


@functools.cache
def _standard_input() -> Any:
    """A file with all of standard input, which ends with the process."""
    file = tempfile.NamedTemporaryFile(prefix="keras-bert-")  # noqa: SIM115
    shutil.copyfileobj(sys.stdin.buffer, file)
    file.flush()
    return file


def _in_zip(path: Path, otherwise: tuple[str, str]) -> tuple[str, str]:
    """What a ZIP archive is: documents of Office are ZIP archives, too."""
    try:
        names = zipfile.ZipFile(_place_of(path)).namelist()
    except (zipfile.BadZipFile, OSError):
        return otherwise
    return next(
        (known for start, known in _IN_ZIP.items() if any(n.startswith(start) for n in names)),
        otherwise,
    )


def _decompressed(path: Path, name: str) -> BinaryIO:
    if name in _OPENERS:
        return cast(BinaryIO, _OPENERS[name](_place_of(path)))
    try:
        import zstandard
    except ImportError as error:
        raise ValueError(
            f"{path} is compressed by zstd, which needs the package zstandard, but it cannot be "
            f"imported ({error}): pip install zstandard, or decompress the file with `zstd -d`."
        ) from error
    return io.BufferedReader(_Zstd(zstandard, _place_of(path)))


class _Zstd(io.RawIOBase):
    """A zstd file as raw bytes, all its frames; a cut or damaged one is an EOFError.

    (The reader of the package ends where a frame is cut, and says nothing.)
    """

    def __init__(self, zstandard: Any, path: Path):
        self._package = zstandard
        self._file = io.FileIO(path)
        self._frame: Any = None  # what decompresses the frame that is being read
        self._rest, self._ready = b"", b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while not self._ready and self._fill():
            pass
        content = self._ready[: len(buffer)]
        self._ready = self._ready[len(content) :]
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self._file.close()
        super().close()

    def _fill(self) -> bool:
        """Decompresses a part more; False at the end."""
        part = self._rest or self._file.read(_PART_BYTES)
        self._rest = b""
        if not part:
            if self._frame is not None:
                raise EOFError("its end is missing")
            return False
        self._frame = self._frame or self._package.ZstdDecompressor().decompressobj()
        try:
            self._ready = self._frame.decompress(part)
        except self._package.ZstdError as error:
            raise EOFError(str(error)) from error
        if self._frame.eof:
            self._frame, self._rest = None, self._frame.unused_data
        return True
