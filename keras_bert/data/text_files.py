"""Text files to text: decompressed, decoded, and cut into lines that are counted."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from absl import logging

from keras_bert.data.compression import file_content
from keras_bert.data.rows import Path

ENCODINGS = (
    "--encoding=cp1252 (Western European, and latin-1), --encoding=cp1251 (Cyrillic), "
    "--encoding=gb18030 (Chinese), --encoding=shift_jis (Japanese)"
)

# That of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


def file_text(path: Path, encoding: str | None = None) -> str:
    """The text of a file, plain or compressed.

    A byte order mark says the encoding, whatever `encoding` says; it is dropped, and logged.

    Args:
        path: path of the file.
        encoding: str, that of the file, such as "cp1252"; None is UTF-8.

    Raises:
        ValueError: it is not in the encoding, or has a NUL; there is no such encoding; it is no
            text file.
    """
    content = file_content(path)
    mark = next((mark for mark in _MARKS if content.startswith(mark)), None)
    if mark:
        logging.info("%s: dropped the byte order mark of %s.", path, _MARKS[mark])
    text = _decoded(content, path, _MARKS[mark] if mark else encoding or "utf-8")
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        raise ValueError(
            f"{path}:{text.count(chr(10), 0, text.index(chr(0))) + 1}: text must have no NUL, but "
            f"here is one: {_advice_on_nuls(content)}."
        )
    return text


def file_lines(path: Path, encoding: str | None = None) -> list[str]:
    r"""All lines of a text file, without their ends.

    Lines end with "\n" or "\r\n" and with nothing else: text may hold U+2028. Only where there is
    no "\n" at all they end with "\r", as those of old Macs do.

    Args:
        path: path of the file.
        encoding: as in `file_text`.

    Raises:
        ValueError: as `file_text`.
    """
    text = file_text(path, encoding)
    if "\n" not in text.rstrip("\n") and "\r" in text.rstrip("\r\n"):
        logging.info("%s: its lines end in carriage returns alone.", path)
        text = text.replace("\r", "\n")
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def filled_lines(path: Path, encoding: str | None = None) -> Iterator[tuple[int, str]]:
    """Numbers and lines of a text file, but for lines of white space, which are reported.

    Raises:
        ValueError: as `file_text`.
    """
    empty = []
    for number, line in enumerate(file_lines(path, encoding), 1):
        if line.strip():
            yield number, line
        else:
            empty.append(number)
    report_empty(path, empty)


def report_empty(path: Path, numbers: Sequence[int]) -> None:
    """Logs that lines were left out since nothing is in them."""
    if numbers:
        logging.warning(
            "%s: left out %d empty lines, the first is line %d.", path, len(numbers), numbers[0]
        )


def read_json(path: Path, encoding: str | None = None) -> Any:
    """The value in a JSON file.

    Raises:
        ValueError: it is no JSON; the message names file and line.
    """
    return parsed_json(file_text(path, encoding), path, 1)


def parsed_json(text: str, path: Path, line: int) -> Any:
    """The value of JSON text that begins at a line of a file.

    Raises:
        ValueError: it is no JSON, or has strings that are no text, or numbers of too many digits.
    """
    try:
        value = json.loads(text)
        if _HALF_PAIR.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}:{line + error.lineno - 1}: this must be JSON, but {error.msg} at column "
            f"{error.colno}: restore the file, or name the form that it has (--form)."
        ) from error
    except RecursionError as error:
        raise ValueError(
            f"{path}:{line}: JSON must not be nested so deep: restore the file."
        ) from error
    except UnicodeEncodeError as error:
        near = error.object[max(0, error.start - 30) : error.start]
        place = path if "\n" in text else f"{path}:{line}"
        raise ValueError(
            f"{place}: strings must be text, but one has half a surrogate pair, "
            f"{ascii(error.object[error.start])}, after {near!r}: restore the file."
        ) from error
    except ValueError as error:  # Python reads numbers of some thousands of digits at most
        raise ValueError(f"{path}:{line}: this cannot be read ({error}): correct it.") from error
    return value


def _decoded(content: bytes, path: Path, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except LookupError as error:
        raise ValueError(
            f"encoding must be one that Python knows, but is {encoding!r}: try --encoding=cp1252."
        ) from error
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        line = content.count(b"\n", 0, start) + 1
        raise ValueError(
            f"{path}:{line}: text must be {encoding}, but here is byte {content[start]:#04x} at "
            f"offset {start}: restore the file, or name the encoding that it has, such as "
            f"{ENCODINGS}."
        ) from error


def _advice_on_nuls(content: bytes) -> str:
    """What to do about NULs, which every other byte of English in UTF-16 is."""
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if content[first::2].count(0) * 2 > len(content[first::2]):
            return f"if it is UTF-16, say --encoding={encoding}"
    return "restore the file, or delete it with `tr -d '\\000'`"
