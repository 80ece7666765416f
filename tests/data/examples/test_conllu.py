import logging

import hypothesis
import hypothesis.strategies as st
import pytest

from keras_bert.data.examples.conllu import read_conllu
from keras_bert.data.examples.schemes import check_labels, tagging_scheme


def conllu(*rows):
    """Lines of CoNLL-U: id, form and tag of words, or comments."""
    lines = [
        "\t".join((row[0], row[1], "_", row[2], "x", *"_____")) if len(row) == 3 else row
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def test_conllu(write, caplog):
    content = conllu(
        *("# sent_id = 1", ("1-2", "zum", "_"), ("1", "zu", "ADP"), ("2", "dem", "DET")),
        *(("2.1", "sehr", "ADV"), ("3", "New York", "PROPN"), "", "# text", ("1", "#", "SYM")),
    )
    path = write("a.conllu", content)
    with caplog.at_level(logging.INFO, logger="absl"):
        examples = read_conllu(path)
    assert examples == [
        {"words": ["zu", "dem", "New York"], "labels": ["ADP", "DET", "PROPN"]},
        {"words": ["#"], "labels": ["SYM"]},
    ]
    assert [row.source for row in examples] == [f"{path}:3", f"{path}:9"]
    assert "left out 1 lines of several words and 1 of words that are not" in caplog.text
    assert read_conllu(path, label_column=5)[1]["labels"] == ["x"]


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (conllu(("a", "b", "X")), {}, r"a\.conllu:1: a line must begin with a word's number"),
        ("# x\n1\ta\ta\tX\n", {}, r"a\.conllu:2: a line must have 10 columns"),
        (conllu(("1", "b", "X")).replace("\t", " "), {}, r"a\.conllu:1: .*10 columns .*has 1"),
        (conllu(("1", "b", "X")), {"label_column": 11}, r"a\.conllu:1: .*11, for labels"),
        (conllu(("1", "b", "")), {}, r"a\.conllu:1: a word must have a label"),
        (conllu(("1", "b", "X")), {"word_column": "FORM"}, r"a\.conllu: .*numbers .*one is 'FORM'"),
    ],
)
def test_bad_conllu_is_named_by_file_and_line(write, content, arguments, message):
    with pytest.raises(ValueError, match=message):
        read_conllu(write("a.conllu", content), **arguments)


@pytest.mark.parametrize(
    ("name", "number", "num_ranges", "num_empty"),
    [
        ("ner/en_ewt_dev", 2001, 359, 4),
        ("ner/zh_gsdsimp_dev", 500, 0, 0),
        ("multi/en_pud", 1000, 129, 7),
        ("multi/zh_pud", 1000, 0, 0),
    ],
)
def test_real_tags(shared, name, number, num_ranges, num_empty, caplog):
    with caplog.at_level(logging.INFO, logger="absl"):
        examples = read_conllu(shared / "data" / f"{name}.conllu")
    assert len(examples) == number
    assert tagging_scheme(examples) is None
    left_out = f"left out {num_ranges} lines of several words and {num_empty} of words"
    assert (left_out in caplog.text) == bool(num_ranges)
    universal = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"
    check_labels(examples, universal.split())


CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r\n\t\ufeff"), min_size=1, max_size=4
)
SENTENCES = st.lists(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5), max_size=4)


@hypothesis.given(SENTENCES, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_is_written_is_read(tmp_path_factory, sentences, end, comments):
    lines, places = [], []
    for sentence in sentences:
        lines += ["# sent_id = 1"] if comments else []
        places.append(len(lines) + 1)
        for number, (word, tag) in enumerate(sentence, 1):
            lines.append("\t".join([str(number), word, "_", tag, *"______"]))
        lines.append("")
    path = tmp_path_factory.getbasetemp() / "any.conllu"
    path.write_bytes("".join(line + end for line in lines).encode())
    rows = read_conllu(path)
    assert [row["words"] for row in rows] == [[word for word, _ in one] for one in sentences]
    assert [row["labels"] for row in rows] == [[tag for _, tag in one] for one in sentences]
    assert [row.source for row in rows] == [f"{path}:{place}" for place in places]
