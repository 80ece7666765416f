import bz2
import gzip
import io
import lzma
import sys
import tarfile
import types
import zipfile

import pytest

from keras_bert.data import compression
from keras_bert.data.compression import file_content, opened, plain_name

TEXT = b"a fine film\n" * 99


class Zstd:
    """A stand-in for a frame's decompressor of zstandard: a magic number, a length, the bytes."""

    def __init__(self):
        self.eof, self.unused_data, self._got = False, b"", b""

    def decompress(self, data):
        self._got += data
        size = int.from_bytes(self._got[4:6], "big")
        if self._got[:4] not in (MAGIC, b""):
            raise ZstdError("unknown frame")
        if len(self._got) < 6 + size:
            return b""
        self.eof, self.unused_data = True, self._got[6 + size :]
        return self._got[6 : 6 + size]


class ZstdError(Exception):
    pass


MAGIC = b"\x28\xb5\x2f\xfd"


@pytest.fixture
def zstandard(monkeypatch):
    module = types.ModuleType("zstandard")
    module.ZstdError = ZstdError
    module.ZstdDecompressor = lambda: types.SimpleNamespace(decompressobj=Zstd)
    monkeypatch.setitem(sys.modules, "zstandard", module)


def zstd(content):
    return MAGIC + len(content).to_bytes(2, "big") + content


def frames(content):
    """Two frames, as parallel compressors write."""
    return zstd(content[:100]) + zstd(content[100:])


COMPRESS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
    "zstd frames": frames,
    "gzip members": lambda content: gzip.compress(content[:7]) + gzip.compress(content[7:]),
    "nothing": bytes,
}


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("name", ["a.csv", "a.gz", "a"])
def test_files_are_opened_by_their_first_bytes(tmp_path, kind, name, zstandard):
    (tmp_path / name).write_bytes(COMPRESS[kind](TEXT))
    assert file_content(tmp_path / name) == TEXT
    with opened(tmp_path / name) as file:
        assert file.readline() == b"a fine film\n" and file.read(1) == b"a"
    (tmp_path / name).write_bytes(COMPRESS[kind](b""))
    assert file_content(tmp_path / name) == b""


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd", "zstd frames"])
@pytest.mark.parametrize("damage", [lambda data: data[:-5], lambda data: data[:13]])
def test_files_that_are_cut_are_refused(tmp_path, kind, damage, zstandard):
    (tmp_path / "a").write_bytes(damage(COMPRESS[kind](TEXT)))
    kind = kind.split()[0]
    with pytest.raises(ValueError, match=rf"must be {kind}, but .*a is not a whole {kind} file"):
        file_content(tmp_path / "a")


def test_standard_input_is_read_like_a_file(monkeypatch):
    piped = io.TextIOWrapper(io.BytesIO(gzip.compress(TEXT)))
    monkeypatch.setattr(sys, "stdin", piped)
    compression._standard_input.cache_clear()
    try:
        assert file_content("-") == TEXT and file_content("-") == TEXT
    finally:
        compression._standard_input.cache_clear()


def test_zstd_that_is_followed_by_something_else_is_refused(tmp_path, zstandard):
    (tmp_path / "a").write_bytes(zstd(TEXT) + b"nonsense")
    with pytest.raises(ValueError, match="not a whole zstd file .unknown frame"):
        file_content(tmp_path / "a")


def test_zstd_needs_a_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    (tmp_path / "a.zst").write_bytes(zstd(TEXT))
    with pytest.raises(ValueError, match=r"a\.zst .*pip install zstandard, or .* `zstd -d`"):
        file_content(tmp_path / "a.zst")


def archive(*names):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name in names:
            file.writestr(zipfile.ZipInfo(name), "x")
    return stream.getvalue()


def tar():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        file.addfile(tarfile.TarInfo("a.txt"))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive("a.csv"), "a ZIP archive: unzip it first"),
        (archive("word/document.xml"), "a Word document: write its text"),
        (archive("xl/workbook.xml"), "an Excel sheet: save it as CSV"),
        (tar(), "a tar archive: unpack it"),
        (gzip.compress(tar(), mtime=0), "a tar archive: unpack it"),
        (bz2.compress(archive("a")), "a ZIP archive"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"PAR1\x15\x04", "a Parquet file: .*pandas"),
        (b"ARROW1\0\0", "an Arrow file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document: save it as CSV"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"\xff\xd8\xff\xe0", "a picture"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\x80\x04\x95\x10", "a Python pickle"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS.*`git lfs pull`"),
        (b"\n<!doctype html>\n<html>", "a web page, .*download the file itself"),
    ],
)
def test_what_is_no_text_is_told_what_it_is(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.csv must hold text, but is {message}"):
        file_content(tmp_path / "a.csv")


@pytest.mark.parametrize(
    "text",
    ["BZh is no file", "PAR1 is a word", "ID3 makes trees", "MZ", "RIFFs", "Rar!", "GIF89", "%PDF"],
)
def test_texts_that_begin_like_something_else_are_texts(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    assert file_content(tmp_path / "a.txt") == text.encode()


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("a.csv.bz2", "a.csv"),
        ("a/b.JSON.GZ", "a/b.JSON"),
        ("a.csv", "a.csv"),
        ("a.gz", "a"),
        ("a", "a"),
    ],
)
def test_names_without_the_compression(path, plain):
    assert plain_name(path) == plain
