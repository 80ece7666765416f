"""Files in columns, a word and its labels on every line, to rows of words and labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from absl import logging

from keras_bert.data.examples.schemes import ENTITY_LABEL, OUTSIDE
from keras_bert.data.rows import Path, Row
from keras_bert.data.text_files import file_lines

Column = int | str

_POSITION = re.compile(r"(.+?)[0-9]+", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]+")
_TAB = ("\\t", "tab")
# So many labels, or so many for the words there are, look like words.
_MANY_LABELS, _FEW_LABELS, _WORDS_A_LABEL = 500, 20, 5


def read_conll(
    path: Path,
    *,
    word_column: Column | None = None,
    label_column: Column | None = None,
    delimiter: str | None = None,
    clean: Callable[[str], str] | None = None,
    encoding: str | None = None,
) -> list[Row]:
    r"""Reads a file with a word and its labels on every line and an empty line after a sentence.

    That is the form of [CoNLL-2003](https://aclanthology.org/W03-0419), whose lines that begin with
    -DOCSTART- are left out, and logged; of WNUT-17, GermEval, MultiCoNER and of Weibo NER, too. So
    are comments before a sentence: lines of "#" that have no label in the column for labels. A
    file of a single column has words without labels, to be answered.

    Args:
        path: path of the file, plain or compressed.
        word_column: int, counted from 1, or from the end by negative numbers (-1 is the last); or
            str, its name in the first line. None is the first column, but refuses one that holds
            labels or running numbers.
        label_column: int or str, likewise. None is the last column, but refuses one that holds no
            labels of entities where another one does, or as many labels as words have.
        delimiter: str, what stands between columns; None is one or more spaces and tabs.
        clean: function of a word as it is in the file to the word as it is meant, such as
            `without_position`. Words may become empty: they keep their place and label.
        encoding: str, that of the file; None is UTF-8, or what a byte order mark says.

    Returns:
        list of Row, `words` and `labels`, lists of str; `source` is "path:line" of the first word;
        a row a sentence.

    Raises:
        ValueError: a line lacks a column, has more or fewer columns than the first line, or an
            empty label, or cannot be cleaned; a column is not what it is taken for; the file has a
            NUL or is not in the encoding.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.examples.conll import read_conll
    >>> path = os.path.join(tempfile.mkdtemp(), "eng.testa")
    >>> _ = open(path, "w").write("EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nPeter NNP B-NP B-PER\n")
    >>> [(row["words"], row["labels"]) for row in read_conll(path)]
    [(['EU', 'rejects'], ['B-ORG', 'O']), (['Peter'], ['B-PER'])]
    """
    delimiter = "\t" if delimiter in _TAB else delimiter
    lines = [
        _Line(n, *_cells_of(t, delimiter)) for n, t in enumerate(file_lines(path, encoding), 1)
    ]
    lines, named = _without_header(path, lines, (word_column, label_column))
    lines = _without_comments(path, lines, named[1])
    filled = [line.cells for line in lines if line.cells]
    _check_columns(path, filled, word_column is None, label_column is None)
    word, label = 1 if named[0] is None else named[0], named[1]
    if label is None and filled and len(filled[0]) == 1:
        _check_single_column(path, filled, delimiter)
        logging.info("%s: its single column has words without labels.", path)
    elif label is None:
        label = -1
    return sentences(path, _conll_words(path, lines, (word, label), clean))


def without_position(word: str) -> str:
    """A character without the number after it, its position in its word, as Weibo NER has it.

    ([Peng and Dredze, 2016](https://aclanthology.org/P16-2025))

    Raises:
        ValueError: there is no number after a character.

    Example:

    >>> from keras_bert.data.examples.conll import without_position
    >>> without_position("科0"), without_position("311")
    ('科', '3')
    """
    match = _POSITION.fullmatch(word)
    if not match:
        raise ValueError(f"a character must have its position behind it, as in '科0', not {word!r}")
    return match[1]


class _Line(NamedTuple):
    """One line of a file in columns, without cells where a sentence ends."""

    number: int
    cells: list[str]
    is_document: bool


class Word(NamedTuple):
    """One line that is a word, with its label if the file has any."""

    line: int
    word: str
    label: str | None


def _cells_of(line: str, delimiter: str | None) -> tuple[list[str], bool]:
    """The cells of a line, and whether it begins a document."""
    text = line.strip(" \t")
    if not text or line.startswith("-DOCSTART-"):
        return [], bool(text)
    # Not str.split, which also splits at characters that may be words, such as U+3000.
    return line.split(delimiter) if delimiter else re.split("[ \t]+", text), False


def _without_header(
    path: Path, lines: list[_Line], columns: Sequence[Column | None]
) -> tuple[list[_Line], list[int | None]]:
    """Lines and the numbers of columns, of which names are looked up in the first line."""
    if all(column is None or is_number(column) for column in columns):
        return lines, [None if column is None else int(column) for column in columns]
    first = next((index for index, line in enumerate(lines) if line.cells), len(lines))
    header = lines[first].cells if first < len(lines) else []
    numbers = [None if column is None else _number_of(path, column, header) for column in columns]
    return lines[:first] + lines[first + 1 :], numbers


def is_number(column: Column) -> bool:
    """Whether a column is given by its number, not by its name."""
    return isinstance(column, int) or bool(_NUMBER.fullmatch(column))


def _number_of(path: Path, column: Column, header: Sequence[str]) -> int:
    """The number of a column that is given by it, or by its name in the first line."""
    if isinstance(column, int) or _NUMBER.fullmatch(column):
        return int(column)
    if column not in header:
        raise ValueError(
            f"{path}: the first line must name a column {column!r}, but names "
            f"{', '.join(map(repr, header)):.300}: correct --word_column or --label_column, or "
            "give numbers counted from 1."
        )
    return header.index(column) + 1


def _without_comments(path: Path, lines: list[_Line], label_column: int | None) -> list[_Line]:
    """Lines without those of "#" before a sentence that are no words."""
    if not any(line.cells and line.cells[0].startswith("#") for line in lines):
        return lines
    words = [line.cells for line in lines if line.cells and not line.cells[0].startswith("#")]
    width = len(words[0]) if words else 0
    column = -1 if label_column is None else label_column - (label_column > 0)
    known = {cells[column] for cells in words if -len(cells) <= column < len(cells)}
    kept, begins = [], True
    for line in lines:
        if begins and line.cells and line.cells[0].startswith("#"):
            is_word = len(line.cells) == width and -width <= column < width
            label = line.cells[column] if is_word else ""
            is_label = label in (*known, OUTSIDE, "#") or ENTITY_LABEL.fullmatch(label)
            if words and not is_label:
                continue
        begins = not line.cells
        kept.append(line)
    if len(kept) < len(lines):
        logging.info("%s: left out %d comments.", path, len(lines) - len(kept))
    return kept


def _check_columns(
    path: Path, rows: Sequence[Sequence[str]], words_first: bool, labels_last: bool
) -> None:
    """Refuses to take running numbers or labels for words, or words for labels, unless told so."""
    width = len(rows[0]) if rows else 0
    if width < 2 or any(len(cells) != width for cells in rows):
        return  # there is nothing to choose, or what is wrong is told by line
    columns = list(zip(*rows, strict=True))
    entities = [i for i, cells in enumerate(columns, 1) if _are_entity_labels(cells)]
    usual = -1 if width in entities or not entities else entities[0]
    fault = ""
    if words_first and columns[0].count("2") and set(columns[0]) <= _numbers(len(rows)):
        fault = f"words, but the first one holds running numbers{_advice(2, usual)}"
    elif words_first and 1 in entities:
        fault = f"words, but the first one holds {_some(columns[0])}{_advice(width, 1)}"
    elif labels_last and usual > 0:
        fault = (
            f"labels, but the last one holds {_some(columns[-1])}, and column {usual} "
            f"{_some(columns[usual - 1])}{_advice(1, usual)} or {width}"
        )
    elif labels_last and not entities and _are_many(columns[-1]):
        fault = (
            f"labels, but the last one holds {len(set(columns[-1]))} different ones, such as "
            f"{_some(columns[-1])}, for {len(rows)} words{_advice(1, -1)}"
        )
    if fault:
        raise ValueError(f"{path}: one of its columns must be {fault}.")


def _check_single_column(path: Path, rows: Sequence[Sequence[str]], delimiter: str | None) -> None:
    for other in ",;|":
        if delimiter is None and len(rows) > 1 and all(other in cells[-1] for cells in rows):
            raise ValueError(
                f"{path}: columns must have spaces or tabs between them, but all lines have "
                f"{other!r}: say --delimiter={other!r} if that is between them."
            )


def _advice(word_column: int, label_column: int) -> str:
    return (
        f": say which one it is, such as --word_column={word_column} --label_column={label_column}"
    )


def _numbers(last: int) -> set[str]:
    return {str(number) for number in range(last + 1)}


def _are_many(labels: Sequence[str]) -> bool:
    number = len(set(labels))
    return number > _MANY_LABELS or (number > _FEW_LABELS and number * _WORDS_A_LABEL > len(labels))


def _are_entity_labels(cells: Sequence[str]) -> bool:
    used = set(cells) - {OUTSIDE}
    return bool(used) and all("-" in cell and ENTITY_LABEL.fullmatch(cell) for cell in used)


def _some(cells: Sequence[str]) -> str:
    return ", ".join(map(repr, list(dict.fromkeys(cells))[:3]))


def sentences(path: Path, words: Iterable[Word | None]) -> list[Row]:
    """A row a sentence, of words with None between sentences; `source` is "path:line"."""
    rows: list[Row] = []
    begins = True
    for word in words:
        if word is None:
            begins = True
            continue
        if begins:
            labels: dict[str, list[str]] = {} if word.label is None else {"labels": []}
            rows.append(Row({"words": [], **labels}, f"{path}:{word.line}"))
            begins = False
        rows[-1]["words"].append(word.word)
        if word.label is not None:
            rows[-1]["labels"].append(word.label)
    return rows


def _conll_words(
    path: Path,
    lines: Sequence[_Line],
    columns: tuple[int, int | None],
    clean: Callable[[str], str] | None,
) -> Iterator[Word | None]:
    width = None
    for number, cells, _ in lines:
        if not cells:
            yield None
            continue
        place = f"{path}:{number}"
        width = width or len(cells)
        word, label = cells_at(cells, columns, width, place)
        yield Word(number, _cleaned(word, clean, place) if clean else word, label)
    num_documents = sum(line.is_document for line in lines)
    if num_documents:
        logging.info("%s: left out %d lines -DOCSTART-.", path, num_documents)


def _cleaned(word: str, clean: Callable[[str], str], place: str) -> str:
    try:
        return clean(word)
    except ValueError as error:
        raise ValueError(f"{place}: {error}: correct it, or name another form (--form).") from error


def cells_at(
    cells: Sequence[str], columns: tuple[int, int | None], width: int, place: str
) -> tuple[str, str | None]:
    """A line's word and label.

    Args:
        cells: sequence of str, those of the line.
        columns: the numbers of the columns for words and for labels, counted from 1, or from the
            end by negative numbers; None for labels where there are none.
        width: int, how many cells a line must have.
        place: str, "path:line".

    Raises:
        ValueError: there is no such column, the line has more or fewer cells, or an empty label.
    """
    word_index = _index(columns[0], width)
    label_index = None if columns[1] is None else _index(columns[1], width)
    there = all(i is None or 0 <= i < width for i in (word_index, label_index))
    if word_index == label_index or not there:
        raise ValueError(
            f"{place}: a line must have a column {columns[0]} for words and another one, "
            f"{columns[1]}, for labels, but has {len(cells)} columns: say which ones they are, "
            "counted from 1 (--word_column, --label_column), or what is between them (--delimiter)."
        )
    if len(cells) != width:
        raise ValueError(
            f"{place}: a line must have {width} columns as the file has, but this one has "
            f"{len(cells)}: correct it, or say what is between columns, such as --delimiter=tab."
        )
    if label_index is None:
        return cells[word_index], None
    if not cells[label_index]:
        raise ValueError(f"{place}: a word must have a label, but this one is empty: correct it.")
    return cells[word_index], cells[label_index]


def _index(column: int, width: int) -> int:
    """Where a column is that is counted from 1, or by negative numbers from the end."""
    return column + width if column < 0 else column - 1
