import gzip
import logging
import re

import pytest

from keras_bert.data.tables import (
    matching_files,
    read_json_lists,
    read_jsonl,
    read_labeled_lines,
    read_table,
)


def write(folder, name, content):
    """A file of text or bytes."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def without_folder(examples, folder):
    """Examples with sources that begin at the file's name."""
    return [
        {**example, "source": example["source"].removeprefix(f"{folder}/")} for example in examples
    ]


def test_quotation_marks_in_tsv_are_characters(tmp_path):
    path = write(tmp_path, "dev.tsv", 'text\tlabel\n"a fine\tone\nfilm"\t""\n\t two \n')
    assert without_folder(read_table(path), tmp_path) == [
        {"text": '"a fine', "label": "one", "source": "dev.tsv:2"},
        {"text": 'film"', "label": '""', "source": "dev.tsv:3"},
        {"text": "", "label": " two ", "source": "dev.tsv:4"},
    ]


def test_csv_is_quoted_and_lines_are_counted_in_quotations(tmp_path):
    content = 'text,label\n"one, ""two""\r\n\r\nthree",x\r\nfour,"y"\n"",z'
    path = write(tmp_path, "dev.csv", content)
    assert without_folder(read_table(path), tmp_path) == [
        {"text": 'one, "two"\n\nthree', "label": "x", "source": "dev.csv:2"},
        {"text": "four", "label": "y", "source": "dev.csv:5"},
        {"text": "", "label": "z", "source": "dev.csv:6"},
    ]


def test_either_form_may_be_quoted_or_not(tmp_path):
    tsv = write(tmp_path, "a.tsv", 'text\tlabel\n"a\tb"\tc\n')
    assert read_table(tsv, quoted=True)[0]["text"] == "a\tb"
    csv = write(tmp_path, "a.csv", 'text,label\n"a,b"\n')
    assert read_table(csv, quoted=False)[0]["text"] == '"a'
    other = write(tmp_path, "a.txt", 'text;label\n"a;b";c\n')
    assert read_table(other, delimiter=";")[0]["text"] == "a;b"


def test_named_columns_take_the_place_of_a_header(tmp_path):
    path = write(tmp_path, "train.tsv", "gj04\t1\t\tA film.\ngj05\t0\t*\tFilm a.\n")
    examples = read_table(path, ("id", "label", "mark", "sentence"))
    assert [example["sentence"] for example in examples] == ["A film.", "Film a."]
    assert examples[0]["source"] == f"{path}:1"
    assert read_table(write(tmp_path, "empty.tsv", ""), ("id",)) == []


def test_marks_crlf_and_gzip_are_understood(tmp_path, caplog):
    content = "\ufefftext\tlabel\r\nété\u2028hiver\u3000\t1\r\n".encode()
    with caplog.at_level(logging.INFO, logger="absl"):
        [plain] = read_table(write(tmp_path, "a.tsv", content))
        [zipped] = read_table(write(tmp_path, "b.tsv.gz", gzip.compress(content)))
    assert plain["text"] == zipped["text"] == "été\u2028hiver\u3000"
    assert zipped["source"] == f"{tmp_path}/b.tsv.gz:2" and plain["label"] == "1"
    assert caplog.text.count("dropped the byte order mark") == 2


@pytest.mark.parametrize("name", ["a.tsv", "a.csv"])
def test_empty_lines_are_counted(tmp_path, caplog, name):
    path = write(tmp_path, name, "text\n\na\n\r\n\nb\n")
    with caplog.at_level(logging.WARNING, logger="absl"):
        examples = read_table(path)
    assert [example["source"] for example in examples] == [f"{path}:3", f"{path}:6"]
    assert f"{path}: left out 3 empty lines, the first is line 2." in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "a\tb\n1\t2\n1\n", r"a\.tsv:3: a row must have 2 cells, a, b, .*has 1"),
        ("a.tsv", "a\tb\n1\t2\t3\n", r"a\.tsv:2: a row must have 2 cells, .*has 3: correct it"),
        ("a.csv", 'a,b\n"1\n2",3\n4\n', r"a\.csv:4: a row must have 2 cells"),
        ("a.tsv", "a\t\tb\n", r"a\.tsv:1: a column must have a name.* column 2 is ''"),
        ("a.csv", ",a,b\n", r"a\.csv:1: a column must have a name.* column 1 is ''"),
        ("a.tsv", "a\tb\ta\n", r"a\.tsv:1: a column must have a name.* column 3 is 'a'"),
        ("a.tsv", "a\tsource\n", r"a\.tsv:1: .*that is not 'source'.* column 2 is 'source'"),
        ("a.tsv", "\n\na\t\n", r"a\.tsv:3: a column must have a name"),
        ("a.tsv", "", r"a\.tsv must begin with a line of names"),
        ("a.tsv", "a\nb\nc\0d\n", r"a\.tsv:3: text must have no NUL.*tr -d"),
        ("a.tsv", b"a\nb\nM\xfcnchen\n", r"a\.tsv:3: text must be utf-8.* 0xfc at offset 5.*iconv"),
        ("a.csv", 'a,b\n1,2\n"3,4\n5,6\n', r"a\.csv:3: a quotation must be closed.*unexpected end"),
        ("a.csv", 'a,b\n"1" x,2\n', r"a\.csv:2: a quotation must be closed.*',' expected"),
        ("a.csv", "a,b\n1\r2,3\n", r"a\.csv:2: a quotation .*new-line character"),
        ("a.csv", f"a,b\n{'x' * 131073},3\n", r"a\.csv:2: .*more than 131072 characters use JSON"),
        ("a.tsv", b"\x1f\x8bnothing", r"must be gzip, but .*a\.tsv is not a whole"),
        (
            "a.tsv",
            gzip.compress(b"a\nb\n" * 99, mtime=0)[:-9],
            r"must be gzip, but .*a\.tsv is not a whole",
        ),
        ("a.txt", "a\tb\n", r"named \.tsv or \.csv, .*a\.txt is neither"),
    ],
)
def test_bad_tables_are_named_by_file_and_line(tmp_path, name, content, message):
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path, name, content))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": "text"}, r"columns of .*a\.tsv: columns must be a sequence of names"),
        ({"columns": ()}, "columns must be a sequence of names"),
        ({"columns": ("text", "text")}, "column 2 is 'text'"),
        ({"delimiter": "||"}, r"a delimiter must be one character, but is '\|\|'"),
        ({"delimiter": '"'}, "a delimiter must be one character"),
    ],
)
def test_bad_arguments_are_refused(tmp_path, arguments, message):
    path = write(tmp_path, "a.tsv", "a\tb\n")
    with pytest.raises(ValueError, match=message):
        read_table(path, **arguments)


def test_json_lines(tmp_path, caplog):
    content = '\ufeff{"text": "a\\u2028b\u2028c", "label": 1}\r\n\n{"n": [1.5, null], "m": "\\ud83d'
    content += '\\ude00"}'
    path = write(tmp_path, "a.jsonl", content)
    with caplog.at_level(logging.WARNING, logger="absl"):
        examples = read_jsonl(path)
    assert without_folder(examples, tmp_path) == [
        {"text": "a\u2028b\u2028c", "label": 1, "source": "a.jsonl:1"},
        {"n": [1.5, None], "m": "\U0001f600", "source": "a.jsonl:3"},
    ]
    assert "left out 1 empty lines, the first is line 2" in caplog.text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": 1', r"a\.jsonl:2: this must be JSON, but .* at column 8"),
        ("[1, 2]", r"a\.jsonl:2: a line must hold a JSON object, but this one holds '\[1, 2\]'"),
        ('{"source": "x"}', r"a\.jsonl:2: no key may be 'source'"),
        ('{"a": "film \\uD83D."}', r"a\.jsonl:2: .*half a surrogate pair, '\\ud83d', after .*film"),
        ('{"a": "\0"}', r"a\.jsonl:2: text must have no NUL"),
        (b'{"a": "\xe4"}', r"a\.jsonl:2: text must be utf-8"),
    ],
)
def test_bad_json_lines_are_named(tmp_path, line, message):
    line = line if isinstance(line, bytes) else line.encode()
    with pytest.raises(ValueError, match=message):
        read_jsonl(write(tmp_path, "a.jsonl", b'{"a": 1}\n' + line + b"\n"))


def test_labeled_lines_of_any_encoding(tmp_path, caplog):
    paths = {
        "negative": write(tmp_path, "rt.neg", b"d\xe9j\xe0 vu . \n \nbad\n"),
        "positive": write(tmp_path, "rt.pos", b"fine\n"),
    }
    with caplog.at_level(logging.WARNING, logger="absl"):
        examples = read_labeled_lines(paths, "text", "latin-1")
    assert without_folder(examples, tmp_path) == [
        {"text": "déjà vu . ", "label": "negative", "source": "rt.neg:1"},
        {"text": "bad", "label": "negative", "source": "rt.neg:3"},
        {"text": "fine", "label": "positive", "source": "rt.pos:1"},
    ]
    assert "rt.neg: left out 1 empty lines" in caplog.text
    with pytest.raises(ValueError, match=r"rt\.neg:1: text must be utf-8.*'latin-1', 'cp1252'"):
        read_labeled_lines(paths)
    with pytest.raises(
        ValueError, match="encoding must be one that Python knows, but is 'latin17'"
    ):
        read_labeled_lines(paths, encoding="latin17")
    with pytest.raises(ValueError, match="column 2 is 'label'"):
        read_labeled_lines(paths, "label")


def test_json_lists(tmp_path):
    path = write(
        tmp_path, "a.json", '{"train": [["a", "x"], ["b", "y"]],\n "oos": [["c"]], "n": 1}'
    )
    assert without_folder(read_json_lists(path, "train", ("text", "intent")), tmp_path) == [
        {"text": "a", "intent": "x", "source": "a.json:train[0]"},
        {"text": "b", "intent": "y", "source": "a.json:train[1]"},
    ]
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
def test_bad_json_lists_are_named(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_json_lists(write(tmp_path, "a.json", content), "train", ("text", "intent"))


def test_files_are_paths_globs_folders_and_lists_of_them(tmp_path):
    (tmp_path / "b" / "c").mkdir(parents=True)
    files = [write(tmp_path, name, "") for name in ("a[1].tsv", "b/2.tsv", "b/c/3.tsv")]
    files = [str(file) for file in files]
    assert matching_files(f"{tmp_path}/b, {files[0]}") == files
    assert matching_files([tmp_path / "b", tmp_path / "*.tsv", files[0]]) == files
    with pytest.raises(ValueError, match=re.escape(f"'{tmp_path}/x' matches none")):
        matching_files(f"{tmp_path}/b,{tmp_path}/x")


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
    paths = {name: folder / "sentence_polarity" / f"rt-polarity.{name}" for name in ("neg", "pos")}
    examples = read_labeled_lines(paths)
    assert [sum(e["label"] == name for e in examples) for name in ("neg", "pos")] == [5331, 5331]
    paths = {name: folder / "subjectivity" / f"{name}.tok.gt9.5000" for name in ("plot", "quote")}
    assert len(read_labeled_lines(paths)) == 10_000
    path = shared / "data" / "seq2seq" / "tatoeba_cmn_eng.txt"
    with caplog.at_level(logging.INFO, logger="absl"):
        examples = read_table(path, ("english", "chinese", "attribution"), delimiter="\t")
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
