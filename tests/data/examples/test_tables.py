import csv
import gzip
import json
import logging

import hypothesis
import hypothesis.strategies as st
import pytest

from keras_bert.data.examples.dialects import Dialect
from keras_bert.data.examples.tables import (
    read_json_lists,
    read_jsonl,
    read_lines,
    read_paragraphs,
    read_table,
)


def test_quotation_marks_in_tsv_are_characters(write, sources):
    path = write("dev.tsv", 'text\tlabel\n"a fine\tone\nfilm"\t""\n\t two \n')
    rows = read_table(path)
    assert rows == [
        {"text": '"a fine', "label": "one"},
        {"text": 'film"', "label": '""'},
        {"text": "", "label": " two "},
    ]
    assert sources(rows) == ["dev.tsv:2", "dev.tsv:3", "dev.tsv:4"]


def test_csv_is_quoted_and_lines_are_counted_in_quotations(write, sources):
    content = 'text,label\n"one, ""two""\r\n\r\nthree",x\r\nfour,"y"\n"",z'
    path = write("dev.csv", content)
    rows = read_table(path)
    assert rows == [
        {"text": 'one, "two"\n\nthree', "label": "x"},
        {"text": "four", "label": "y"},
        {"text": "", "label": "z"},
    ]
    assert sources(rows) == ["dev.csv:2", "dev.csv:5", "dev.csv:6"]


def test_either_form_may_be_quoted_or_not(write):
    tsv = write("a.tsv", 'text\tlabel\n"a\tb"\tc\n')
    assert read_table(tsv, dialect=Dialect(quoted=True))[0]["text"] == "a\tb"
    csv = write("a.csv", 'text,label\n"a,b"\n')
    assert read_table(csv, dialect=Dialect(quoted=False))[0]["text"] == '"a'
    other = write("a.txt", 'text;label\n"a;b";c\n')
    assert read_table(other, dialect=Dialect(delimiter=";"))[0]["text"] == "a;b"


def test_named_columns_take_the_place_of_a_header(write):
    path = write("train.tsv", "gj04\t1\t\tA film.\ngj05\t0\t*\tFilm a.\n")
    examples = read_table(path, ("id", "label", "mark", "sentence"))
    assert [example["sentence"] for example in examples] == ["A film.", "Film a."]
    assert examples[0].source == f"{path}:1"
    assert read_table(write("empty.tsv", ""), ("id",)) == []


def test_marks_crlf_and_gzip_are_understood(tmp_path, write, caplog):
    content = "\ufefftext\tlabel\r\nété\u2028hiver\u3000\t1\r\n".encode()
    with caplog.at_level(logging.INFO, logger="absl"):
        [plain] = read_table(write("a.tsv", content))
        [zipped] = read_table(write("b.tsv.gz", gzip.compress(content)))
    assert plain["text"] == zipped["text"] == "été\u2028hiver\u3000"
    assert zipped.source == f"{tmp_path}/b.tsv.gz:2" and plain["label"] == "1"
    assert caplog.text.count("dropped the byte order mark") == 2


@pytest.mark.parametrize("name", ["a.tsv", "a.csv"])
def test_empty_lines_are_counted(write, caplog, name):
    path = write(name, "text\n\na\n\r\n\nb\n")
    with caplog.at_level(logging.WARNING, logger="absl"):
        examples = read_table(path)
    assert [example.source for example in examples] == [f"{path}:3", f"{path}:6"]
    assert f"{path}: left out 3 empty lines, the first is line 2." in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "a\tb\n1\t2\n1\n", r"a\.tsv:3: a row must have 2 cells, a, b, .*has 1"),
        ("a.tsv", "a\tb\n1\t2\t3\n", r"a\.tsv:2: a row must have 2 cells, .*has 3: correct it"),
        ("a.csv", 'a,b\n"1\n2",3\n4\n', r"a\.csv:4: a row must have 2 cells"),
        ("a.tsv", "a\tb\ta\n", r"a\.tsv:1: a column must have a name.* column 3 is 'a'"),
        ("a.tsv", "\n\na\ta\n", r"a\.tsv:3: a column must have a name"),
        ("a.tsv", "", r"a\.tsv must begin with a line of names"),
        ("a.tsv", "a\nb\nc\0d\n", r"a\.tsv:3: text must have no NUL.*tr -d"),
        (
            "a.tsv",
            b"a\nb\nM\xfcnchen\n",
            r"a\.tsv:3: text must be utf-8.* 0xfc at offset 5.*--encoding=cp1252",
        ),
        ("a.csv", 'a,b\n1,2\n"3,4\n5,6\n', r"a\.csv:3: a quotation must be closed.*unexpected end"),
        ("a.csv", 'a,b\n"1" x,2\n', r"a\.csv:2: a quotation must be closed.*',' expected"),
        ("a.csv", 'a,b\n"1\n', r"a\.csv:2: .*--noquoted .*or --delimiter"),
        ("a.tsv", "a\tb\n".encode("utf-16-le"), r"a\.tsv:1: .*no NUL.*--encoding=utf-16-le"),
        ("a.csv", "a,b\n1\r2,3\n", r"a\.csv:2: a quotation .*new-line character"),
        ("a.csv", f"a,b\n{'x' * 131073},3\n", r"a\.csv:2: .*more than 131072 characters use JSON"),
        ("a.tsv", b"\x1f\x8bnothing", r"must be gzip, but .*a\.tsv is not a whole"),
        (
            "a.tsv",
            gzip.compress(b"a\nb\n" * 99, mtime=0)[:-9],
            r"must be gzip, but .*a\.tsv is not a whole",
        ),
        ("a.txt", "a b\n", r"a\.txt: what stands between .* no delimiter would .*--delimiter=tab"),
        ("a.txt", "a,b;c\nd,e;f\n", r"a\.txt: .* ',' and ';' would part .*say it with --delimiter"),
        ("a.csv", b"PAR1\x15\4" + bytes(9), r"a\.csv must hold text, but is a Parquet .*pandas"),
    ],
)
def test_bad_tables_are_named_by_file_and_line(write, name, content, message):
    with pytest.raises(ValueError, match=message):
        read_table(write(name, content))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": "text"}, r"columns of .*a\.tsv: columns must be a sequence of names"),
        ({"columns": ()}, "columns must be a sequence of names"),
        ({"columns": ("text", "text")}, "column 2 is 'text'"),
        ({"dialect": Dialect(delimiter="||")}, r"a delimiter must be one character, but is '\|\|'"),
        ({"dialect": Dialect(delimiter='"')}, "a delimiter must be one character"),
    ],
)
def test_bad_arguments_are_refused(write, arguments, message):
    path = write("a.tsv", "a\tb\n")
    with pytest.raises(ValueError, match=message):
        read_table(path, **arguments)


def test_json_lines(write, caplog, sources):
    content = '\ufeff{"text": "a\\u2028b\u2028c", "label": 1}\r\n\n{"n": [1.5, null], "m": "\\ud83d'
    content += '\\ude00", "source": 2}'
    path = write("a.jsonl", content)
    with caplog.at_level(logging.WARNING, logger="absl"):
        rows = read_jsonl(path)
    assert rows == [
        {"text": "a\u2028b\u2028c", "label": 1},
        {"n": [1.5, None], "m": "\U0001f600", "source": 2},
    ]
    assert sources(rows) == ["a.jsonl:1", "a.jsonl:3"]
    assert "left out 1 empty lines, the first is line 2" in caplog.text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": 1', r"a\.jsonl:2: this must be JSON, but .* at column 8"),
        ("[1, 2]", r"a\.jsonl:2: a line must hold a JSON object, but this one holds '\[1, 2\]'"),
        ("[" * 9999, r"a\.jsonl:2: JSON must not be nested so deep"),
        ('{"a": "film \\uD83D."}', r"a\.jsonl:2: .*half a surrogate pair, '\\ud83d', after .*film"),
        ('{"a": "\0"}', r"a\.jsonl:2: text must have no NUL"),
        (b'{"a": "\xe4"}', r"a\.jsonl:2: text must be utf-8"),
    ],
)
def test_bad_json_lines_are_named(write, line, message):
    line = line if isinstance(line, bytes) else line.encode()
    with pytest.raises(ValueError, match=message):
        read_jsonl(write("a.jsonl", b'{"a": 1}\n' + line + b"\n"))


def test_lines_of_any_encoding(write, caplog, sources):
    path = write("rt.neg", b"d\xe9j\xe0 vu . \n \nbad\n")
    with caplog.at_level(logging.WARNING, logger="absl"):
        rows = read_lines(path, "sentence", encoding="latin-1", label="negative")
    assert rows == [
        {"sentence": "déjà vu . ", "label": "negative"},
        {"sentence": "bad", "label": "negative"},
    ]
    assert sources(rows) == ["rt.neg:1", "rt.neg:3"]
    assert "rt.neg: left out 1 empty lines" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="absl"):
        kept = read_lines(path, encoding="latin-1")
    assert [row["text"] for row in kept] == ["déjà vu . ", " ", "bad"]
    assert sources(kept)[-1] == "rt.neg:3"
    assert "rt.neg: 1 empty lines are texts like the others, the first is line 2" in caplog.text
    with pytest.raises(ValueError, match=r"rt\.neg:1: text must be utf-8.*--encoding=cp1252 \(W"):
        read_lines(path)
    with pytest.raises(
        ValueError, match="encoding must be one that Python knows, but is 'latin17'"
    ):
        read_lines(path, encoding="latin17")
    with pytest.raises(ValueError, match="column 2 is 'label'"):
        read_lines(path, "label", label="negative")


def test_paragraphs_are_lines_where_none_is_empty(write, sources):
    rows = read_paragraphs(write("a.txt", "\n\n a \r\nb\n \n\nc\n\n"))
    assert [row["text"] for row in rows] == ["a b", "c"] and sources(rows) == ["a.txt:3", "a.txt:7"]
    rows = read_paragraphs(write("b.txt", "\na\nb\n\n"), "note")
    assert rows == [{"note": "a"}, {"note": "b"}] and sources(rows) == ["b.txt:2", "b.txt:3"]
    assert read_paragraphs(write("c.txt", " \n")) == []


def test_json_lists(write, sources):
    path = write("a.json", '{"train": [["a", "x"], {"text": "b"}],\n "oos": [["c"]], "n": 1}')
    rows = read_json_lists(path, "train", ("text", "intent"))
    assert rows == [{"text": "a", "intent": "x"}, {"text": "b"}]
    assert sources(rows) == ["a.json:train[0]", "a.json:train[1]"]
    with pytest.raises(ValueError, match=r"a\.json:oos\[0\]: a row must have 2 cells"):
        read_json_lists(path, "oos", ("text", "intent"))
    for part in ("dev", "n"):
        with pytest.raises(ValueError, match=rf"with a list '{part}', but holds \['train', 'oos'"):
            read_json_lists(path, part, ("text", "intent"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "with a list 'train', but holds 'list'"),
        ('{"train": ["ab"]}', r"a\.json:train\[0\]: a row must be a list, but is 'ab'"),
        ('{"train":\n[1,]}', r"a\.json:2: this must be JSON"),
        ('{"train":\n["\\udc00"]}', r"a\.json: strings must be text"),
    ],
)
def test_bad_json_lists_are_named(write, content, message):
    with pytest.raises(ValueError, match=message):
        read_json_lists(write("a.json", content), "train", ("text", "intent"))


@pytest.mark.parametrize(
    ("name", "number", "columns"),
    [
        ("pair/snli_validation.tsv", 9842, None),
        ("pair/stsb_en_dev.csv", 1500, ("first", "second", "score")),
        ("pair/stsb_en_train.csv", 5749, ("first", "second", "score")),
        ("pair/stsb_zh_dev.csv", 1500, ("first", "second", "score")),
        ("pair/stsb_zh_train.csv", 5749, ("first", "second", "score")),
    ],
)
def test_real_tables(shared, name, number, columns):
    examples = read_table(shared / "data" / name, columns)
    assert len(examples) == number
    if columns:
        assert all(0 <= float(example["score"]) <= 5 for example in examples)
    else:
        assert {example["label"] for example in examples} == {"0", "1", "2"}


def test_real_lines(shared, caplog):
    folder = shared / "data" / "cls"
    for name in ("neg", "pos"):
        assert len(read_lines(folder / "sentence_polarity" / f"rt-polarity.{name}")) == 5331
    for name in ("plot", "quote"):
        assert len(read_lines(folder / "subjectivity" / f"{name}.tok.gt9.5000")) == 5000
    path = shared / "data" / "seq2seq" / "tatoeba_cmn_eng.txt"
    with caplog.at_level(logging.INFO, logger="absl"):
        examples = read_table(path, ("english", "chinese", "attribution"), Dialect(delimiter="\t"))
    # Its last line, the 29156th, is empty.
    assert len(examples) == 29155 and not examples[0]["english"].startswith("\ufeff")
    assert "left out 1 empty lines, the first is line 29156" in caplog.text
    assert "dropped the byte order mark" in caplog.text


def test_real_json(shared):
    path = shared / "data" / "cls" / "clinc150_full.json"
    sizes = {"train": 15000, "val": 3000, "test": 4500, "oos_train": 100, "oos_val": 100}
    for part, size in {**sizes, "oos_test": 1000}.items():
        examples = read_json_lists(path, part, ("text", "intent"))
        assert len(examples) == size
        assert len({e["intent"] for e in examples}) == (1 if part.startswith("oos") else 150)
    assert len(read_jsonl(shared / "data" / "mc" / "xcopa_it_val.jsonl")) == 100


@pytest.mark.parametrize(
    "content",
    [
        # The index of pandas, or of Excel; a comma at the end of the header, or of every line.
        ",sentence,label\n0,a,1\n1,b,0\n",
        " ,sentence, label\n0,a,1\n1,b,0\n",
        "sentence,label,\na,1\nb,0\n",
        "sentence,label,\na,1,\nb,0,\n,,\n",
        ",sentence,,label,\n0,a,x,1,\n1,b,y,0,\n",
        # A comma at the end of all lines but the header; R's numbers, which have no name.
        "sentence,label\na,1,\nb,0,\n",
        "sentence,label\n1,a,1\n2,b,0\n",
        '"sentence","label"\n"1","a",1\n"2","b",0\n',
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_columns_without_a_name_are_left_aside(write, content, delimiter):
    name = "a.tsv" if delimiter == "\t" else "a.csv"
    path = write(name, content.replace(",", delimiter))
    assert read_table(path) == [{"sentence": "a", "label": "1"}, {"sentence": "b", "label": "0"}]


def test_a_table_without_any_name_is_refused(write):
    with pytest.raises(ValueError, match=r"a\.csv:1: columns must be .* name them all"):
        read_table(write("a.csv", ",,\n1,2,3\n"), dialect=Dialect(delimiter=","))


def test_blanks_behind_commas_are_no_text(write):
    """If names have them, too."""
    path = write("a.csv", 'text, label\na, 1\n   \n"b, c", "0"\n')
    assert read_table(path) == [{"text": "a", "label": "1"}, {"text": "b, c", "label": "0"}]
    path = write("b.csv", "text,label\na, 1\n")
    assert read_table(path) == [{"text": "a", "label": " 1"}]


def test_any_name_may_be_a_columns(write):
    names = ["source", "weight", "label", "answer", "id", "index", "keys", "get"]
    path = write("a.csv", f"{','.join(names)}\n{','.join('12345678')}\n")
    [row] = read_table(path)
    assert row == dict(zip(names, "12345678", strict=True)) and row.source == f"{path}:2"


# All that UTF-8 can hold, but for NUL, and the byte order mark, which may be no text.
LETTERS = st.characters(codec="utf-8", exclude_characters="\0\r\ufeff")
ENDS = st.sampled_from(["\n", "\r\n"])
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=4)


@st.composite
def tables(draw, letters, least=1):
    """Names of columns, and rows of cells, in each of which something is."""
    names = draw(st.lists(NAMES.filter(lambda name: not name.lower().startswith("sep=")),
                          min_size=least, max_size=4, unique=True))  # fmt: skip
    cells = st.text(letters, max_size=6)
    row = st.lists(cells, min_size=len(names), max_size=len(names))
    rows = draw(st.lists(row.filter(lambda cells: "".join(cells).strip()), max_size=4))
    return names, rows


def expected(names, rows):
    return [dict(zip(names, cells, strict=True)) for cells in rows]


@hypothesis.given(tables(LETTERS.filter(lambda letter: letter not in "\t\n")), ENDS)
def test_what_is_written_with_tabs_is_read(tmp_path_factory, table, end):
    path = tmp_path_factory.getbasetemp() / "any.tsv"
    path.write_bytes("".join("\t".join(cells) + end for cells in [table[0], *table[1]]).encode())
    rows = read_table(path, dialect=Dialect(delimiter="tab", quoted=False))
    assert rows == expected(*table)
    assert [row.source for row in rows] == [f"{path}:{n}" for n in range(2, len(rows) + 2)]


@hypothesis.given(
    tables(LETTERS, least=2),
    st.sampled_from(",;|\t"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    ENDS,
)
def test_what_csv_writes_is_read(tmp_path_factory, table, delimiter, quoting, end):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=end)
        writer.writerows([table[0], *table[1]])
    told = read_table(path, dialect=Dialect(delimiter=delimiter, quoted=True))
    assert told == expected(*table)
    if delimiter == ",":  # as the name says
        assert read_table(path) == told
    lines = path.read_bytes().decode().split("\n")
    for row in told:  # the place is the line that the row begins in
        line = lines[int(row.source.rpartition(":")[2]) - 1]
        first = next(iter(row.values())).split("\n")[0].replace('"', '""')
        assert line.lstrip('"').startswith(first.lstrip('"'))


TEXTS = st.text(max_size=4)
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
OBJECTS = st.dictionaries(TEXTS, VALUES | st.lists(VALUES, max_size=3), max_size=4)


@hypothesis.given(st.lists(OBJECTS, max_size=4), st.booleans())
def test_json_that_is_written_is_read(tmp_path_factory, objects, ensure_ascii):
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    lines = [json.dumps(one, ensure_ascii=ensure_ascii) + "\n" for one in objects]
    path.write_text("".join(lines), encoding="utf-8", newline="")
    rows = read_jsonl(path)
    assert rows == objects
    assert [row.source for row in rows] == [f"{path}:{n}" for n in range(1, len(rows) + 1)]
