import gzip
import logging

import hypothesis
import hypothesis.strategies as st
import pytest

from keras_bert.data.examples.conll import read_conll, without_position


def test_conll_2003(write, caplog):
    content = (
        "-DOCSTART- -X- -X- O\n\nEU NNP B-NP I-ORG\r\nrejects VBZ  B-VP O\n\n\n"
        "# NN B-NP O\n-DOCSTART- -X- O O\nPeter NNP\tB-NP I-PER"
    )
    path = write("eng.testa", content)
    with caplog.at_level(logging.INFO, logger="absl"):
        examples = read_conll(path)
    assert examples == [
        {"words": ["EU", "rejects"], "labels": ["I-ORG", "O"]},
        {"words": ["#"], "labels": ["O"]},
        {"words": ["Peter"], "labels": ["I-PER"]},
    ]
    assert [row.source for row in examples] == [f"{path}:{n}" for n in (3, 7, 9)]
    assert "left out 2 lines -DOCSTART-" in caplog.text
    chunks = read_conll(path, word_column=2, label_column=3)
    assert chunks[0]["words"] == ["NNP", "VBZ"] and chunks[0]["labels"] == ["B-NP", "B-VP"]


def test_white_space_of_other_scripts_is_a_word(write):
    path = write("a.conll.gz", gzip.compress("\u3000\tO\n\u00a0 O\n\t\nx\tO\n".encode()))
    assert [example["words"] for example in read_conll(path)] == [["\u3000", "\u00a0"], ["x"]]


def test_a_delimiter_keeps_spaces_and_empty_words(write):
    path = write("a.conll", "New York\tB-LOC\n\tO\n")
    [example] = read_conll(path, delimiter="\t")
    assert example["words"] == ["New York", ""] and example["labels"] == ["B-LOC", "O"]


def test_words_that_are_cleaned_keep_their_place(write):
    path = write("a.conll", "科0\tB-ORG\n310\tI-ORG\n\ufffd0\tO\n")
    [example] = read_conll(path, clean=lambda word: without_position(word).strip("\ufffd"))
    assert example["words"] == ["科", "3", ""]
    assert example["labels"] == ["B-ORG", "I-ORG", "O"]
    path = write("b.conll", "科0\tO\n技\tO\n")
    with pytest.raises(ValueError, match=r"b\.conll:2: .*as in '科0', not '技'.*another form"):
        read_conll(path, clean=without_position)


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("a B O\nb O\n", {}, r"a\.conll:2: a line must have 3 columns .*has 2: correct it"),
        ("a O\nb O x\n", {}, r"a\.conll:2: a line must have 2 columns .*has 3"),
        (
            "-DOCSTART-\na\n",
            {"label_column": -1},
            r"a\.conll:2: .*column 1 for words .*-1, for labels",
        ),
        ("a O\n", {"label_column": 3}, r"a\.conll:1: .*another one, 3, for labels.*has 2 columns"),
        ("a O\n", {"word_column": 2}, r"a\.conll:1: .*column 2 for words and another one, -1"),
        ("a O\n", {"word_column": 0}, r"a\.conll:1: a line must have a column 0"),
        ("a O\n", {"word_column": -3}, r"a\.conll:1: a line must have a column -3"),
        (
            "a O\n",
            {"delimiter": "tab", "label_column": "2"},
            r"a\.conll:1: .*has 1 col.*--delimiter",
        ),
        (
            "a O\n",
            {"word_column": "w"},
            r"a\.conll: the first line must name .*'w', but names 'a', 'O'",
        ),
        ("", {"word_column": "w"}, r"a\.conll: the first line must name a column 'w', but names :"),
        ("a\tO\nb\t\n", {"delimiter": "\t"}, r"a\.conll:2: a word must have a label"),
        ("a O\nb\0 O\n", {}, r"a\.conll:2: text must have no NUL"),
        (b"a O\n\xff O\n", {}, r"a\.conll:2: text must be utf-8"),
    ],
)
def test_bad_columns_are_named_by_file_and_line(write, content, arguments, message):
    with pytest.raises(ValueError, match=message):
        read_conll(write("a.conll", content), **arguments)


SENTENCES = [["Anna", "sings", "in", "#", "1"], ["#", "Bonn"]]
LABELS = [["B-PER", "O", "O", "O", "O"], ["O", "B-LOC"]]


def in_columns(*order, header="", comment="", between="\t"):
    """A file with the columns of some letters: (i)ndex, (w)ord, (t)ag, (l)abel, (o)ther label."""
    lines = [header] if header else []
    for words, labels in zip(SENTENCES, LABELS, strict=True):
        lines += [comment] if comment else []
        for index, (word, label) in enumerate(zip(words, labels, strict=True), 1):
            cells = {"i": str(index), "w": word, "t": f"T{len(word) % 2}", "l": label, "o": "O"}
            lines.append(between.join(cells[one] for one in order))
        lines.append("")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("order", "options"),
    [
        ("wl", {}),
        ("wttl", {}),
        ("lw", {"word_column": 2, "label_column": 1}),
        ("wlt", {"label_column": "2"}),
        ("wlt", {"label_column": -2}),
        ("iwlo", {"word_column": "2", "label_column": "3"}),
        ("tw" + "l", {"word_column": 2}),
    ],
)
@pytest.mark.parametrize(
    "comment", ["", "# id 5239d8 domain=en", "#\thttp://a.example [2009]", "#x"]
)
def test_words_and_labels_in_any_columns(write, order, options, comment):
    path = write("a.conll", in_columns(*order, comment=comment))
    rows = read_conll(path, **options)
    assert [row["words"] for row in rows] == SENTENCES
    assert [row["labels"] for row in rows] == LABELS
    header = " ".join(f"c{one}{i}" for i, one in enumerate(order))
    path = write("b.conll", in_columns(*order, header=header, between=" "))
    word, label = (next(f"c{one}{i}" for i, one in enumerate(order) if one == k) for k in "wl")
    assert read_conll(path, word_column=word, label_column=label) == rows


@pytest.mark.parametrize(
    ("order", "options", "message"),
    [
        ("lw", {}, "words, but the first one holds 'B-PER',.*_column=2 --label_column=1"),
        ("iwl", {}, "words, but the first one holds running numbers.*_column=2 --label_column=-1"),
        ("iwlt", {}, "words, but the first one holds running numbers.*_column=2 --label_column=3"),
        ("iwl", {"label_column": 3}, "words, but the first one holds running numbers"),
        ("wlt", {}, "labels, but the last one holds 'T0', .* column 2 'B-PER',.*=2 or 3"),
        ("wlt", {"word_column": 1}, "labels, but the last one holds 'T0'"),
    ],
)  # fmt: skip
def test_columns_that_are_something_else_are_refused(write, order, options, message):
    with pytest.raises(ValueError, match=rf"a\.conll: .*{message}"):
        read_conll(write("a.conll", in_columns(*order)), **options)


def test_words_are_no_labels(write):
    """A column of as many values as there are words is refused, unless it is named."""
    lines = "\n".join(f"word{i} lemma{i % 60}" for i in range(200))
    path = write("a.conll", lines)
    with pytest.raises(ValueError, match="holds 60 different ones, such as 'lemma0'.*200 words"):
        read_conll(path)
    assert len(set(read_conll(path, label_column=2)[0]["labels"])) == 60


def test_a_single_column_is_words_to_be_tagged(write):
    path = write("b.conll", "Anna\nsings\n\n\nBonn\n")
    assert read_conll(path) == [{"words": ["Anna", "sings"]}, {"words": ["Bonn"]}]
    with pytest.raises(ValueError, match=r"b\.conll:1: .*-1, for labels, but has 1 columns"):
        read_conll(path, label_column=-1)
    path = write("c.conll", "Anna,B-PER\nsings,O\n")
    with pytest.raises(ValueError, match=r"c\.conll: .*all lines have ',': say --delimiter=','"):
        read_conll(path)
    assert read_conll(path, delimiter=",")[0]["labels"] == ["B-PER", "O"]


def test_numbers_may_be_words(write):
    path = write("a.conll", "1 O\n2 O\n\n2 B-x\n7 O\n")
    assert read_conll(path)[1]["words"] == ["2", "7"]
    path = write("c.conll", "# O\na B-x\n")  # no other word is outside
    assert read_conll(path)[0]["words"] == ["#", "a"]
    path = write("b.conll", "# B-x\n\n#tag O\n\n# #\n")
    assert [row["words"] for row in read_conll(path)] == [["#"], ["#tag"], ["#"]]


def test_real_characters_have_their_positions_taken_off(shared):
    path = shared / "data" / "ner" / "weibo_train.conll"
    words = [
        word for example in read_conll(path, clean=without_position) for word in example["words"]
    ]
    assert "".join(words[:12]) == "科技全方位资讯智能，快捷"
    # But for what once were emoji, all are single characters.
    assert {word for word in words if len(word) != 1} == {"\ufffd\ufffd"}


WORD = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r\n\t \ufeff"), min_size=1, max_size=4
)
WORDS = st.one_of(WORD, st.sampled_from(["#", "#a", "1", "2", ",", "O", "B-x"]))
LABELLED = st.tuples(
    WORDS.filter(lambda word: not word.startswith("-DOCSTART-")),
    st.sampled_from(["O", "B-x", "I-x"]),
)


def written(sentences, line, end, between):
    """Lines of words, an empty one after each sentence, and the number of each sentence's first."""
    text, lines, places = [], 1, []
    for sentence in sentences:
        places.append(lines)
        text += [line(number, *one) + end for number, one in enumerate(sentence, 1)]
        text += [end] * between
        lines += len(sentence) + between
    return "".join(text), places


def as_rows(sentences):
    return [{name: [one[i] for one in sentence] for i, name in enumerate(("words", "labels"))}
            for sentence in sentences]  # fmt: skip


TAGGED = st.lists(st.lists(LABELLED, min_size=1, max_size=5), max_size=4)
ENDS = st.sampled_from(["\n", "\r\n"])


@hypothesis.given(TAGGED, ENDS, st.sampled_from([" ", "\t", " \t "]), st.integers(1, 3))
def test_what_is_written_in_columns_is_read(tmp_path_factory, sentences, end, blank, between):
    path = tmp_path_factory.getbasetemp() / "any.conll"
    text, places = written(sentences, lambda _, word, label: f"{word}{blank}{label}", end, between)
    path.write_bytes(text.encode())
    rows = read_conll(path, word_column=1, label_column=2)
    assert rows == as_rows(sentences)
    assert [row.source for row in rows] == [f"{path}:{place}" for place in places]
