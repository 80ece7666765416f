import bz2
import gzip
import json
import logging
import lzma

import hypothesis
import hypothesis.strategies as st
import pytest

from keras_bert.data.examples.questions import questions
from keras_bert.data.examples.readers import FORMS, read_examples
from keras_bert.data.examples.reading import Reading
from keras_bert.data.examples.tagging import tagged

JSON = {"question": "Q?", "answers": [{"text": "a", "answer_start": 0}]}
SQUAD = {"data": [{"paragraphs": [{"context": "a", "qas": [{"id": "1", **JSON}]}]}]}
RACE = {"article": "a", "questions": ["Q?"], "options": [["a", "b"]], "answers": ["A"]}
COPA = {"premise": "p", "question": "cause", "choice1": "a", "choice2": "b", "label": 0}
CONLLU = "\t".join(["1", "a", "a", "NOUN", *"______"])
# A file of each form, the name that tells its form, if any does, and a key of its examples.
FILES = {
    "tsv": ("a\tb\n1\t2\n", "x.tsv", "b"),
    "csv": ('a,b\n"1",2\n', "x.csv.gz", "b"),
    "jsonl": ('{"a": 1}\n', "x.jsonl", "a"),
    "json": ('[{"a": 1}]\n', "x.json.xz", "a"),
    "lines": ("a fine film\n", "x.txt", "text"),
    "paragraphs": ("a fine film\n", None, "text"),
    "conll": ("a O\n", "x.conll", "words"),
    "weibo": ("a0 O\n", None, "words"),
    "conllu": (CONLLU, "x.conllu.gz", "words"),
    "squad": (json.dumps(SQUAD), "x.json.bz2", "answer_starts"),
    "swag": ("sent1,sent2,ending0,ending1,label\na,b,c,d,0\n", None, "choices"),
    "copa": (json.dumps(COPA), None, "choices"),
    "arc": ('{"question": {"stem": "Q?", "choices": [{"text": "a", "label": "A"}, '
            '{"text": "b", "label": "B"}]}, "answerKey": "B"}', None, "choices"),
    "race": (json.dumps(RACE), None, "choices"),
}  # fmt: skip


COMPRESSED = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_by_its_name(tmp_path, form):
    content, name, key = FILES[form]
    path = tmp_path / "any.name"
    path.write_text(content)
    [row] = read_examples(str(path), Reading(form=form))
    assert key in row and row.source.startswith(f"{path}:")
    if name:
        path = tmp_path / name
        compress = COMPRESSED.get(path.suffix, bytes)
        path.write_bytes(compress(content.encode()))
        assert read_examples(path.as_posix()) == [row]
        path.write_bytes(COMPRESSED[".xz"](content.encode()))  # whatever its name says
        [again] = read_examples(path.as_posix())
        assert again == row and again.source == row.source.replace("any.name", name)
    if form == "weibo":
        assert row["words"] == ["a"]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_takes_an_encoding(tmp_path, form):
    content = FILES[form][0].replace("fine", "fin\xe9").replace('"a"', '"\xe9"')
    path = tmp_path / "any.name"
    path.write_bytes(content.encode("utf-16"))
    with_mark = read_examples(str(path), Reading(form=form))
    path.write_bytes(content.encode("cp1252"))
    assert read_examples(str(path), Reading(form=form, encoding="cp1252")) == with_mark


def test_files_come_from_patterns_folders_and_lists(tmp_path, caplog):
    (tmp_path / "b").mkdir()
    for name in ("1.tsv", "2.tsv", "b/3.tsv"):
        (tmp_path / name).write_text(f"a\n{name}\n")
    (tmp_path / "c.csv").write_text("c\n4\n")
    with caplog.at_level(logging.INFO, logger="absl"):
        examples = read_examples(f"{tmp_path}/*.?sv, {tmp_path}/b")
    assert [example.get("a", example.get("c")) for example in examples] == [
        *("1.tsv", "2.tsv", "b/3.tsv", "4")
    ]
    assert "/b: 4 examples." in caplog.text
    assert read_examples([tmp_path / "1.tsv", tmp_path / "b"]) == [examples[0], examples[2]]
    [example] = read_examples([tmp_path / "1.tsv"], Reading(columns=("one",)))[1:]
    assert example["one"] == "1.tsv"


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("{}/a.tsv", {"form": "table"}, "form must be one of tsv, csv, .* but is 'table'"),
        ("{}/a.pb", {}, r"none is given and .*a\.pb has none of the names \.tsv, .*--form"),
        ("{}/a.tsv", {}, r"There must be examples, but '.*a\.tsv' has none"),
        ("{}/b.*", {}, r"b\.\*' matches none"),
        ("{}/b.tsv", {}, r"b\.tsv' matches none .*Near to it are 'a.tsv'"),
        ("", {}, "must name"),
        ("{}/a.txt", {"form": "squad", "columns": ("a",)}, "form squad, .*no use for columns"),
        ("{}/a.txt", {"columns": ("a", "b")}, r"a\.txt has a text on every line.* --form=tsv"),
        ("{}/a.txt", {"quoted": True}, r"a\.txt is of the form lines, .* no use for quoted: leave"),
        ("{}/a.txt", {"word_column": 1}, "form lines, which has no use for word_column"),
        (
            "x={}/b.txt",
            {},
            "There must be a file 'x=.*b.txt', or, of the label 'x', '.*/b.tx",
        ),
        ("{}/year=1/a.tsv", {}, "There must be a file '.*/year=1/a.tsv', or, .*neither is there"),
        ("x={}/a.txt", {"quoted": False}, "form lines, which has no use for quoted"),
        ("tfds:a@b", {"delimiter": ","}, "form tfds:, which has no use for delimiter"),
        ("{}/a.json@train", {}, r"a\.json' matches none"),
        ("{}/a.parquet", {}, r"a\.parquet must hold text, but is a Parquet file: .*pandas"),
        ("tfds:glue", {}, "must have a name and a split, but is 'tfds:glue'"),
        ("tfds:@train", {}, "must have a name and a split"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, path, options, message):
    for name in ("a.tsv", "a.txt", "a.pb"):
        (tmp_path / name).write_text("text\tlabel\n")
    (tmp_path / "a.parquet").write_bytes(b"PAR1\x15")
    with pytest.raises(ValueError, match=message):
        read_examples(path.replace("{}", str(tmp_path)), Reading(**options))


def test_a_file_that_is_there_wins_over_what_its_name_could_mean(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = "sentence\tlabel\nfine\t1\n"
    for name in ("year=2024/train.tsv", "a, b=c/[1] é @x.tsv", "x.json@y.tsv", "pos=a.tsv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(table)
        [row] = read_examples(name)
        assert row == {"sentence": "fine", "label": "1"} and row.source == f"{name}:2"
    (tmp_path / "a.tsv").write_text("fine\n")
    assert len(read_examples("year=*/*.tsv,a, b=c/[1] é @x.tsv,pos=a.tsv")) == 3
    assert len(read_examples("year=2024,x.json@y.tsv")) == 2


def test_a_file_a_label(tmp_path):
    (tmp_path / "neg, all.txt").write_text("bad\n\nno\n")
    (tmp_path / "year=1").mkdir()
    (tmp_path / "year=1" / "p.txt").write_bytes(b"d\xe9j\xe0\n")
    files = f"neg={tmp_path}/neg, all.txt, pos={tmp_path}/year=1/*.txt"
    rows = read_examples(files, Reading(encoding="cp1252"))
    assert [tuple(row.values()) for row in rows] == [("bad", "neg"), ("no", "neg"), ("déjà", "pos")]
    assert rows[1].source == f"{tmp_path}/neg, all.txt:3" and list(rows[0]) == ["sentence", "label"]
    assert "review" in read_examples(files, Reading(columns=("review",), encoding="cp1252"))[0]


def test_parts_of_json(tmp_path):
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(b'{"train": [["fine", "x"]], "dev": []}'))
    assert read_examples(f"{path}@train") == [{"sentence": "fine", "label": "x"}]
    assert read_examples(f"{path}@train", Reading(columns=("a", "b"))) == [{"a": "fine", "b": "x"}]


FLAT = {"id": "1", "question": "Q?", "context": "a b",
        "answers": {"text": ["b"], "answer_start": [2]}}  # fmt: skip


@pytest.mark.parametrize("kind", ["list", "data", "lines", "one a line", "squad"])
def test_rows_in_json_whatever_stands_around_them(tmp_path, kind):
    second = {**FLAT, "id": "2"}
    content = {
        "list": json.dumps([FLAT, second], indent=1),
        "data": json.dumps({"version": "1", "data": [FLAT, second]}),
        "lines": f"{json.dumps(FLAT)}\n{json.dumps(second)}\n",
        "one a line": f"\n{json.dumps(FLAT)}\r\n\r\n{json.dumps(second)}",
        "squad": json.dumps(SQUAD),
    }[kind]
    (tmp_path / "a.json").write_text(content)
    rows = read_examples(f"{tmp_path}/a.json")
    sources = {
        "list": ["[0]", "[1]"],
        "data": ["data[0]", "data[1]"],
        "lines": ["1", "2"],
        "one a line": ["2", "4"],
        "squad": ["1"],
    }
    assert [row.source for row in rows] == [f"{tmp_path}/a.json:{one}" for one in sources[kind]]
    starts = [[0]] if kind == "squad" else [[2], [2]]
    assert [row["answer_starts"] for row in questions(rows)] == starts


def test_a_single_row(tmp_path):
    (tmp_path / "a.json").write_text('{"text": "a", "label": 1}')
    assert read_examples(f"{tmp_path}/a.json") == [{"text": "a", "label": 1}]


def test_spacys_pairs(tmp_path):
    (tmp_path / "a.json").write_text('[["Ann sings", {"entities": [[0, 3, "PER"]]}]]')
    assert tagged(read_examples(f"{tmp_path}/a.json")) == [
        {"words": ["Ann", "sings"], "labels": ["B-PER", "O"]}
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"text": {"0": "a"}}',
            r"must hold a list .* an object of text: .*orient='records'",
        ),
        ("7", "must hold a list of rows, alone or under 'data', but holds 7"),
        ("[1]", r"a\.json:\[0\]: a row must be an object, but is 1"),
        ('{"train": [{"a": 1}]}', "but holds an object of train: name the list .*train.json@part"),
        ('{"data": [[1]]}', r"a\.json:data\[0\]: a row must be an object"),
        ("[{]", r"a\.json:1: this must be JSON"),
    ],
)
def test_json_without_rows_is_refused(tmp_path, content, message):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_examples(f"{tmp_path}/a.json")


def test_words_of_tables_and_of_columns_are_named_alike(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"w": ["Ann", "sings"], "l": [1, 0]}\n')
    done = [{"words": ["Ann", "sings"], "labels": ["B-PER", "O"]}]
    options = {"word_column": "w", "label_column": "l"}
    assert (
        read_examples(f"{tmp_path}/a.jsonl", Reading(tag_names=["O", "B-PER"], **options)) == done
    )
    (tmp_path / "a.conll").write_text("l w\nB-PER Ann\nO sings\n")
    assert read_examples(f"{tmp_path}/a.conll", Reading(**options)) == done
    (tmp_path / "b.conll").write_text("Ann 1\nsings 0\n")
    assert read_examples(f"{tmp_path}/b.conll", Reading(tag_names="O,B-PER")) == done


def test_a_feature_file_names_classes(tmp_path):
    names = {"names": ["O", "B-PER"], "_type": "ClassLabel"}
    features = {"ner_tags": {"feature": names, "_type": "Sequence"}, "tokens": {"feature": {}}}
    (tmp_path / "dataset_info.json").write_text(json.dumps({"features": features}))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.jsonl").write_text('{"tokens": ["Ann", "sings"], "ner_tags": [1, 0]}\n')
    rows = read_examples(f"{tmp_path}/data/a.jsonl")
    assert tagged(rows) == [{"words": ["Ann", "sings"], "labels": ["B-PER", "O"]}]


def test_a_delimiter_makes_a_table_of_any_name(tmp_path):
    (tmp_path / "a.txt").write_text("a~b\n1~2\n")
    assert read_examples(f"{tmp_path}/a.txt", Reading(delimiter="~")) == [{"a": "1", "b": "2"}]
    assert read_examples(f"{tmp_path}/a.txt", Reading(columns=("review",)))[0] == {"review": "a~b"}


def test_real_files_by_their_names(shared):
    data = shared / "data"
    assert len(read_examples(f"{data}/ner/wnut17_*.conll")) == 3394 + 1009
    assert len(read_examples(f"{data}/ner/weibo_*", Reading(form="weibo"))) == 1350 + 270 + 270
    assert len(read_examples(f"{data}/qa/xquad.*.json,{data}/multi/*.conllu")) == 3 * 1190 + 2000
    assert len(read_examples(f"{data}/mc/xcopa_*", Reading(form="copa"))) == 200


# How files begin that are compressed, marked, or no text at all.
STARTS = [b"", b"\x1f\x8b\x08\0", b"BZh91AY&SY", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"PK\3\4"]
STARTS += [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"\0\0\xfe\xff"]
# What files of the forms are made of, and what is near to it.
PIECES = ["\n", "\n", "\n\n", "\r\n", "\r", "\t", "\t", " ", ",", ",", ";", "|", '"', '""', "#"]
PIECES += ["sep=;", "a", "b c", "0", "1", "-1", "1-2", "1.1", "9" * 5000, "_", "A", "é", "\0"]
PIECES += ["O", "B-x", "I-x", "S-", "-DOCSTART-", "# x", "1\ta\tb\tX\t_\t_\t_\t_\t_\t_\n"]
PIECES += ["sent1,sent2,ending0,ending1,label\n", "a,b,c,d,0\n", "Q?,x,y,A\n", "text\tlabel\n"]
PIECES += ["{", "}", "[", "]", ":", '{"a": 1}', '{"a": 1}\n', '"\\ud83d"', "null", "1e999", "NaN"]
KEYS = ["data", "paragraphs", "context", "qas", "id", "question", "answers", "text", "answer_start"]
KEYS += ["is_impossible", "title", "answer", "premise", "choice1", "choice2", "label", "stem"]
KEYS += ["choices", "answerKey", "article", "questions", "options", "cause", "effect", "A", "B", ""]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(KEYS)
    | st.floats() | st.text(max_size=3) | st.sampled_from(["[1, 'a']", "{[]: 1}", "[" * 99]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


def is_row_of(path, row):
    return isinstance(row, dict) and row.source.startswith(f"{path}:")


def assert_read_or_refused(path, reading):
    """All rows have their places, or one error says what file is to blame."""
    try:
        rows = read_examples([path], reading)
    except ValueError as error:
        assert str(path) in str(error)
        return []
    assert rows and all(is_row_of(path, row) for row in rows)
    return rows


@pytest.mark.parametrize("form", FORMS)
@hypothesis.given(st.sampled_from(STARTS), st.binary(max_size=90))
def test_any_bytes_are_rows_or_an_error_that_names_the_file(tmp_path_factory, form, start, rest):
    path = tmp_path_factory.getbasetemp() / "any.bytes"
    path.write_bytes(start + rest)
    assert_read_or_refused(path, Reading(form=form))


@pytest.mark.parametrize("form", FORMS)
@hypothesis.given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_any_text_is_rows_or_an_error_that_names_the_file(tmp_path_factory, form, text):
    path = tmp_path_factory.getbasetemp() / "any.text"
    path.write_bytes(text.encode())
    assert_read_or_refused(path, Reading(form=form))


@pytest.mark.parametrize("form", ["jsonl", "json", "squad", "copa", "arc", "race"])
@hypothesis.given(st.lists(VALUES, min_size=1, max_size=3), st.sampled_from(["\n", " ", "\n\n"]))
def test_any_json_is_rows_or_an_error_that_names_the_file(tmp_path_factory, form, values, between):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(between.join(map(json.dumps, values)))
    rows = assert_read_or_refused(path, Reading(form=form))
    for make in (questions, tagged):
        try:
            assert all(is_row_of(path, row) for row in make(rows))
        except ValueError as error:
            assert str(path) in str(error)
