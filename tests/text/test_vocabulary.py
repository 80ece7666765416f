"""Vocabularies: read as published, and written whole."""

import logging
import os

import pytest

import keras_bert as kb

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
HEAD = "\n".join(SPECIAL).encode() + b"\n"


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (b"the\n##s\n", ("the", "##s")),
        (b"the\n##s", ("the", "##s")),
        (b"the\r\n##s\r\n", ("the", "##s")),
        ("a\u2028\n\u2028\n\x85\n\x0b\n ".encode(), ("a\u2028", "\u2028", "\x85", "\x0b", " ")),
    ],
    ids=["plain", "no final newline", "crlf", "odd spaces"],
)
def test_reads_pieces_line_by_line(tmp_path, tail, expected):
    path = tmp_path / "vocab.txt"
    path.write_bytes(HEAD + tail)
    assert kb.read_vocabulary(path) == (*SPECIAL, *expected)
    assert kb.read_vocabulary(str(path), max_size=5 + len(expected)) == (*SPECIAL, *expected)


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"\xef\xbb\xbf" + HEAD, 1, "begins with a byte order mark"),
        (HEAD + b"a\n\xff\n", 7, "is not (invalid start byte)"),
        (b"", 1, "ends without [PAD]"),
        (HEAD + b"a\0b\n", 6, "has a NUL"),
        (HEAD + b"##" + b"x" * 257, 6, "takes 257 bytes"),
        (HEAD.replace(b"[CLS]\n", b""), 4, "ends without [CLS]"),
        (HEAD + b"".join(b"%d\n" % n for n in range(40)), 38, "(45 in all)"),
    ],
)
def test_refuses_a_malformed_file_and_names_the_line(tmp_path, content, line, message):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError) as error:
        kb.read_vocabulary(path, max_size=37)
    assert f"{path}:{line} " in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("tail", "expected", "told"),
    [
        (b"a\n\nb\n", ("a", "", "b"), ":7 is empty: no text becomes the id 6"),
        (b"a\nb\na\n", ("a", "b", "a"), ":6 'a' is again further down: no text becomes the id 5"),
        (b"a\n[MASK]\n", ("a", "[MASK]"), ":5 '[MASK]' is again further down"),
        (b"a\n\n", ("a",), ""),
        (b"a\r\n\r\n\r\n", ("a",), ""),
    ],
)
def test_empty_and_repeated_lines_keep_their_ids(tmp_path, caplog, tail, expected, told):
    path = tmp_path / "vocab.txt"
    path.write_bytes(HEAD + tail)
    with caplog.at_level(logging.WARNING, logger="absl"):
        vocabulary = kb.read_vocabulary(path)
    assert vocabulary == (*SPECIAL, *expected)
    assert told in caplog.text and bool(told) == bool(caplog.text)
    kb.write_vocabulary(tmp_path / "again.txt", vocabulary)
    assert kb.read_vocabulary(tmp_path / "again.txt") == vocabulary
    tokenizer = kb.Tokenizer(vocabulary)
    last = len(vocabulary) - 1 - vocabulary[::-1].index("a")
    assert tokenizer.tokenize(["a  a"]).to_list() == [[last, last]]
    assert tokenizer.special.mask == len(vocabulary) - 1 - vocabulary[::-1].index("[MASK]")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ValueError, match="nowhere.txt: no such file or directory: check the path"):
        kb.read_vocabulary(tmp_path / "nowhere.txt")


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("bert-base-uncased", 30_522),
        ("bert-base-cased", 28_996),
        ("bert-base-chinese", 21_128),
        ("bert-base-multilingual-cased", 119_547),
    ],
)
def test_reads_and_writes_the_published_vocabularies(shared, tmp_path, name, size):
    path = shared / "data" / "vocab" / f"{name}-vocab.txt"
    vocabulary = kb.read_vocabulary(path)
    assert len(vocabulary) == size
    kb.write_vocabulary(tmp_path / "vocab.txt", vocabulary)
    assert (tmp_path / "vocab.txt").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("wrong", ["a\nb", "a\r", "\0", "\ud800", "é" * 129, b"a", None], ids=ascii)
def test_writes_nothing_that_could_not_be_read(tmp_path, wrong):
    path = tmp_path / "new" / "vocab.txt"
    kb.write_vocabulary(path, (*SPECIAL, "old"))
    with pytest.raises(ValueError, match="vocabulary:7 "):
        kb.write_vocabulary(path, (*SPECIAL, "a", wrong))
    assert kb.read_vocabulary(path) == (*SPECIAL, "old")
    assert os.listdir(path.parent) == ["vocab.txt"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "vocab.txt"
    kb.write_vocabulary(path, (*SPECIAL, "old"))

    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        kb.write_vocabulary(path, (*SPECIAL, "new"))
    assert kb.read_vocabulary(path) == (*SPECIAL, "old")
    assert os.listdir(tmp_path) == ["vocab.txt"]
