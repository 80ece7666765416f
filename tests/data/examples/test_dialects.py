import csv
import logging

import pytest

from keras_bert.data.examples.dialects import Dialect
from keras_bert.data.examples.tables import read_table


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
@pytest.mark.parametrize("delimiter", [";", "|", "\t", ","])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_delimiters_are_told_from_all_lines(write, caplog, name, delimiter, mark):
    rows = [("sentence", "score"), ("fine, or not", "3,5"), ("no; not", "1,5"), ("it is", "2,0")]
    if delimiter == "," or name == "a.csv":  # cells are quoted where they must be
        lines = [delimiter.join(f'"{c}"' if delimiter in c else c for c in row) for row in rows]
    else:
        rows = [tuple(c.replace(delimiter, "") for c in row) for row in rows]
        lines = [delimiter.join(row) for row in rows]
    path = write(name, mark + "\r\n".join(lines) + "\r\n")
    with caplog.at_level(logging.WARNING, logger="absl"):
        found = read_table(path)
    assert [tuple(row.values()) for row in found] == rows[1:]
    assert list(found[0]) == ["sentence", "score"]
    usual = {"a.csv": ",", "a.tsv": "\t"}.get(name)
    assert ("as its lines agree" in caplog.text) == (delimiter != usual)
    said = Dialect(delimiter={"\t": "tab"}.get(delimiter, delimiter))
    assert read_table(path, dialect=said) == found


def test_delimiters_in_texts_part_nothing(write):
    """What stands between cells must be on all lines, and in the header."""
    path = write("a.csv", "sentence\nfine; or not\nbad; very\n")
    assert read_table(path)[0] == {"sentence": "fine; or not"}
    path = write("b.csv", "a;b,c\n1;2,3\n")
    assert read_table(path) == [{"a;b": "1;2", "c": "3"}]
    path = write("c.tsv", "a,b\tc\n1,2\t3\n")
    assert read_table(path) == [{"a,b": "1,2", "c": "3"}]
    path = write("d.csv", "a;1\nb;0\n")
    assert read_table(path, ("text", "label"))[1] == {"text": "b", "label": "0"}
    path = write("e.csv", "sep=;\na;b\n1;2\n")
    assert read_table(path) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "cp1251"]
)
def test_encodings_are_told_by_their_mark_or_named(write, encoding):
    text = "тонкий" if encoding == "cp1251" else "déjà vu"
    path = write("a.tsv", f"text\tlabel\r\n{text}\t1\r\n".encode(encoding))
    marked = encoding in ("utf-8-sig", "utf-16", "utf-32")
    dialect = Dialect(encoding=None if marked else encoding)
    assert read_table(path, dialect=dialect)[0]["text"] == text
    if marked:  # a mark says more than the command
        assert read_table(path, dialect=Dialect(encoding="cp1252"))[0]["text"] == text


def test_lines_of_old_macs(write, sources):
    path = write("a.csv", "text,label\ra,1\rb,0\r")
    rows = read_table(path)
    assert rows == [{"text": "a", "label": "1"}, {"text": "b", "label": "0"}]
    assert sources(rows) == ["a.csv:2", "a.csv:3"]


# Texts with marks, tabs and ends of lines.
ROWS = [
    ["sentence", "label"],
    ['"one look" at a girl', "1"],
    ["a fine, long film", "0"],
    ['a "fine" film', "1"],
    ["it is\tnot\nlong", "0"],
    ["", "1"],
]


def written(path, rows, quoting):
    """A file in tabs as pandas writes it, which is how `csv` does."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter="\t", quoting=quoting, lineterminator="\n").writerows(rows)
    return path


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("rows", [ROWS, ROWS[:3], ROWS[:3] + ROWS[4:]])
def test_quoted_tsv_is_read_as_pandas_writes_it(tmp_path, caplog, quoting, rows):
    path = written(tmp_path / "pd.tsv", rows, quoting)
    with caplog.at_level(logging.WARNING, logger="absl"):
        found = read_table(path)
    assert [list(row.values()) for row in found] == rows[1:]
    assert "its cells are quoted, which --noquoted denies" in caplog.text
    assert read_table(path, dialect=Dialect(quoted=True)) == found


def test_quoted_tsv_as_excel_writes_it(write):
    """It quotes a cell for a comma, too."""
    text = 'sentence\tlabel\r\n"fine, or not"\t1\r\n"a ""good"" one"\t0\r\n'
    path = write("a.txt", text.encode("utf-16"))
    assert [row["sentence"] for row in read_table(path)] == ["fine, or not", 'a "good" one']


GLUE = [
    # Marks that stand alone, at the beginning, the end or both, and within.
    ['"a fine" film\t1', "no film\t0"],
    ['"a fine film\t1', 'no film"\t0'],
    ['"a fine film"\t1', "no film\t0"],
    ['a "fine" film\t1', '"\t0'],
    ['"" a fine film ""\t1', '""\t0'],
    ['"a fine\t1', 'film"\t0', 'bad"\t1'],
    ['she said "" fine ""\t1', '"no" and "no"\t0'],
    # Some cells look quoted, but others cannot be.
    ['"a ""fine"" film"\t1', 'a "good" one\t0'],
    ['"a ""fine"" film"\t1', '"no\t0'],
]


@pytest.mark.parametrize("lines", GLUE)
def test_marks_of_glue_stay_characters(write, lines):
    path = write("dev.tsv", "\n".join(["sentence\tlabel", *lines]) + "\n")
    assert ["\t".join(row.values()) for row in read_table(path)] == lines
    assert read_table(path, dialect=Dialect(quoted=False)) == read_table(path)


@pytest.mark.parametrize(
    "lines",
    [
        ['"a ""fine"" film"\t1', 'a "good" one\t0'],
        ['"fine, long"\t1'],
        ['"one\ttwo', 'three"\tfour'],
    ],
)
def test_what_may_be_quoted_is_told(write, caplog, lines):
    path = write("dev.tsv", "\n".join(["sentence\tlabel", *lines]) + "\n")
    with caplog.at_level(logging.WARNING, logger="absl"):
        read_table(path)
        assert "say --quoted if they only enclose cells, --noquoted if" in caplog.text
        caplog.clear()
        read_table(path, dialect=Dialect(quoted=False))
    assert not caplog.text
