import logging

import pytest

from keras_bert.data.text_files import file_lines, file_text, filled_lines, read_json


def write(folder, content):
    (folder / "a.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / "a.txt"


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("", []),
        ("\n", [""]),
        ("a", ["a"]),
        ("a\r\nb\n\n", ["a", "b", ""]),
        # Only "\n" ends lines, unless there is none.
        ("a\u2028b\x0bc\n", ["a\u2028b\x0bc"]),
        ("a\rb\nc\n", ["a\rb", "c"]),
        ("a\rb\r\rc", ["a", "b", "", "c"]),
        ("a\r", ["a"]),
        ("a\r\n", ["a"]),
    ],
)
def test_ends_of_lines(tmp_path, content, lines):
    assert file_lines(write(tmp_path, content)) == lines


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_marks_say_the_encoding(tmp_path, caplog, encoding):
    path = write(tmp_path, "é".encode(encoding))
    with caplog.at_level(logging.INFO, logger="absl"):
        assert file_text(path) == file_text(path, "cp1252") == "é"
    assert f"dropped the byte order mark of {encoding.removesuffix('-sig')}" in caplog.text


@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        (
            b"a\n\xe9",
            None,
            r"a\.txt:2: text must be utf-8, .* 0xe9 at offset 2: .*=cp1252",
        ),
        (b"\xff\xfea", None, r"a\.txt:1: text must be utf-16, but here is byte"),
        (b"a", "utf-99", "Python knows, but is 'utf-99': try --encoding=cp1252"),
        (b"a\n\0b", None, r"a\.txt:2: text must have no NUL, .*tr -d"),
        ("ab".encode("utf-16-be"), None, "NUL, .*if it is UTF-16, say --encoding=utf-16-be"),
        (b"\x81", "cp1252", "text must be cp1252, but here is byte 0x81"),
    ],
)
def test_other_encodings_are_refused_with_the_flag(tmp_path, content, encoding, message):
    with pytest.raises(ValueError, match=message) as error:
        file_text(write(tmp_path, content), encoding)
    assert "iconv" not in str(error.value)


def test_empty_lines_are_reported(tmp_path, caplog):
    assert list(filled_lines(write(tmp_path, "\na\n \n"))) == [(2, "a")]
    assert "left out 2 empty lines, the first is line 1" in caplog.text


def test_numbers_that_python_does_not_read_are_named_by_line(tmp_path):
    path = write(tmp_path, f'{{"a": {"9" * 5000}}}')
    with pytest.raises(ValueError, match=r"a\.txt:1: this cannot be read \(.*digits"):
        read_json(path)


def test_json_is_named_by_line(tmp_path):
    with pytest.raises(ValueError, match=r"a\.txt:2: this must be JSON, but .* column 1"):
        read_json(write(tmp_path, '{"a":\n}'))
