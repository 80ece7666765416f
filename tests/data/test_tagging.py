import gzip
import itertools
import logging

import pytest

from keras_bert.data.tagging import (
    SCHEMES,
    check_labels,
    in_iob2,
    read_conll,
    read_conllu,
    tagging_scheme,
    to_iob2,
    without_position,
)


def write(folder, name, content):
    """A file of text or bytes."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def sentences(*labels):
    """Examples with labels, given as strings of them."""
    return [
        {"labels": sentence.split(), "source": f"dev.conll:{i}"}
        for i, sentence in enumerate(labels)
    ]


def test_conll_2003(tmp_path, caplog):
    content = (
        "-DOCSTART- -X- -X- O\n\nEU NNP B-NP I-ORG\r\nrejects VBZ  B-VP O\n\n\n"
        "# NN B-NP O\n-DOCSTART- -X- O O\nPeter NNP\tB-NP I-PER"
    )
    path = write(tmp_path, "eng.testa", content)
    with caplog.at_level(logging.INFO, logger="absl"):
        examples = read_conll(path)
    assert examples == [
        {"words": ["EU", "rejects"], "labels": ["I-ORG", "O"], "source": f"{path}:3"},
        {"words": ["#"], "labels": ["O"], "source": f"{path}:7"},
        {"words": ["Peter"], "labels": ["I-PER"], "source": f"{path}:9"},
    ]
    assert "left out 2 lines -DOCSTART-" in caplog.text
    chunks = read_conll(path, word_column=1, label_column=2)
    assert chunks[0]["words"] == ["NNP", "VBZ"] and chunks[0]["labels"] == ["B-NP", "B-VP"]


def test_white_space_of_other_scripts_is_a_word(tmp_path):
    path = write(tmp_path, "a.conll.gz", gzip.compress("\u3000\tO\n\u00a0 O\n\t\nx\tO\n".encode()))
    assert [example["words"] for example in read_conll(path)] == [["\u3000", "\u00a0"], ["x"]]


def test_a_delimiter_keeps_spaces_and_empty_words(tmp_path):
    path = write(tmp_path, "a.conll", "New York\tB-LOC\n\tO\n")
    [example] = read_conll(path, delimiter="\t")
    assert example["words"] == ["New York", ""] and example["labels"] == ["B-LOC", "O"]


def test_words_that_are_cleaned_keep_their_place(tmp_path):
    path = write(tmp_path, "a.conll", "科0\tB-ORG\n310\tI-ORG\n\ufffd0\tO\n")
    [example] = read_conll(path, clean=lambda word: without_position(word).strip("\ufffd"))
    assert example["words"] == ["科", "3", ""]
    assert example["labels"] == ["B-ORG", "I-ORG", "O"]
    path = write(tmp_path, "b.conll", "科0\tO\n技\tO\n")
    with pytest.raises(ValueError, match=r"b\.conll:2: .*as in '科0', not '技'.*another `clean`"):
        read_conll(path, clean=without_position)


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("a B O\nb O\n", {}, r"a\.conll:2: a line must have 3 columns .*has 2: correct it"),
        ("a O\nb O x\n", {}, r"a\.conll:2: a line must have 2 columns .*has 3"),
        ("-DOCSTART-\na\n", {}, r"a\.conll:2: .*column 0 for words .*-1, for labels.*has 1"),
        ("a O\n", {"label_column": 2}, r"a\.conll:1: .*another one, 2, for labels.*has 2 columns"),
        ("a O\n", {"word_column": -3}, r"a\.conll:1: a line must have a column -3"),
        ("a O\n", {"delimiter": "\t"}, r"a\.conll:1: .*has 1 columns: .*another delimiter"),
        ("a\tO\nb\t\n", {"delimiter": "\t"}, r"a\.conll:2: a word must have a label"),
        ("a O\nb\0 O\n", {}, r"a\.conll:2: text must have no NUL"),
        (b"a O\n\xff O\n", {}, r"a\.conll:2: text must be utf-8"),
    ],
)
def test_bad_columns_are_named_by_file_and_line(tmp_path, content, arguments, message):
    with pytest.raises(ValueError, match=message):
        read_conll(write(tmp_path, "a.conll", content), **arguments)


def conllu(*rows):
    """Lines of CoNLL-U: id, form and tag of words, or comments."""
    lines = [
        "\t".join((row[0], row[1], "_", row[2], "x", *"_____")) if len(row) == 3 else row
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def test_conllu(tmp_path, caplog):
    content = conllu(
        *("# sent_id = 1", ("1-2", "zum", "_"), ("1", "zu", "ADP"), ("2", "dem", "DET")),
        *(("2.1", "sehr", "ADV"), ("3", "New York", "PROPN"), "", "# text", ("1", "#", "SYM")),
    )
    path = write(tmp_path, "a.conllu", content)
    with caplog.at_level(logging.INFO, logger="absl"):
        examples = read_conllu(path)
    assert examples == [
        {
            "words": ["zu", "dem", "New York"],
            "labels": ["ADP", "DET", "PROPN"],
            "source": f"{path}:3",
        },
        {"words": ["#"], "labels": ["SYM"], "source": f"{path}:9"},
    ]
    assert "left out 1 lines of several words and 1 of words that are not" in caplog.text
    assert read_conllu(path, label_column=4)[1]["labels"] == ["x"]


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (conllu(("a", "b", "X")), {}, r"a\.conllu:1: a line must begin with a word's number"),
        ("# x\n1\ta\ta\tX\n", {}, r"a\.conllu:2: a line must have 10 columns"),
        (conllu(("1", "b", "X")).replace("\t", " "), {}, r"a\.conllu:1: .*10 columns .*has 1"),
        (conllu(("1", "b", "X")), {"label_column": 10}, r"a\.conllu:1: .*10, for labels"),
        (conllu(("1", "b", "")), {}, r"a\.conllu:1: a word must have a label"),
    ],
)
def test_bad_conllu_is_named_by_file_and_line(tmp_path, content, arguments, message):
    with pytest.raises(ValueError, match=message):
        read_conllu(write(tmp_path, "a.conllu", content), **arguments)


def spans_of(labels, scheme):
    """Entities (first, last + 1, type) of well-formed labels, by each scheme's definition."""
    spans, start = [], None
    for i, label in enumerate(labels):
        after = labels[i + 1] if i + 1 < len(labels) else "O"
        before = labels[i - 1] if i else "O"
        if label == "O":
            continue
        if scheme in ("bioes", "bmes"):
            begins, ends = label[0] in "BS", label[0] in "ES"
        else:
            begins = label[0] == "B" or before[1:] != label[1:]
            ends = after[1:] != label[1:] or after[0] == "B"
        start = i if begins else start
        if ends:
            spans.append((start, i + 1, label[2:]))
    return spans


def written(spans, length, scheme):
    """Labels of entities in a scheme."""
    labels = ["O"] * length
    for start, end, kind in spans:
        touches = start and labels[start - 1][2:] == kind
        first, middle, last, single = {
            "iob1": ("B" if touches else "I", "I", "I", "B" if touches else "I"),
            "iob2": ("B", "I", "I", "B"),
            "bioes": ("B", "I", "E", "S"),
            "bmes": ("B", "M", "E", "S"),
        }[scheme]
        prefixes = single if end - start == 1 else first + middle * (end - start - 2) + last
        labels[start:end] = [f"{prefix}-{kind}" for prefix in prefixes]
    return labels


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_segmentation_keeps_its_entities(scheme):
    """All ways to put entities of two types into four words."""
    length, number = 4, 0
    for cuts in itertools.product((False, True), repeat=length - 1):
        edges = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), length]
        pieces = list(itertools.pairwise(edges))
        for kinds in itertools.product(("", "x", "y-z"), repeat=len(pieces)):
            spans = [(*piece, kind) for piece, kind in zip(pieces, kinds, strict=True) if kind]
            labels = written(spans, length, scheme)
            assert spans_of(labels, scheme) == spans
            assert to_iob2(labels, scheme) == written(spans, length, "iob2")
            number += 1
    assert number == 3 * 4**3


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_sequence_is_converted_or_refused(scheme):
    """What is accepted is what some entities are written as; what is repaired is IOB2."""
    alphabet = ["O", *(f"{prefix}-{kind}" for prefix in SCHEMES[scheme] for kind in "xy")]
    accepted = 0
    for labels in itertools.product(alphabet, repeat=3):
        repaired = to_iob2(labels, scheme, repair=True)
        assert to_iob2(repaired, "iob2") == repaired
        assert [one[1:] for one in repaired] == [one[1:] for one in labels]
        try:
            spans = spans_of(to_iob2(labels, scheme), "iob2")
        except ValueError as error:
            assert "have such labels repaired" in str(error)
            continue
        assert written(spans, 3, scheme) == list(labels)
        accepted += 1
    # As many as there are segmentations of three words with two types of entities, or none.
    assert accepted == len(
        {
            tuple(written(spans_of(labels, "iob2"), 3, "iob2"))
            for labels in itertools.product(["O", "B-x", "B-y", "I-x", "I-y"], repeat=3)
        }
    )


def test_labels_without_types_are_converted():
    assert to_iob2(["B", "M", "E", "S"], "bmes") == ["B", "I", "I", "B"]
    assert to_iob2([], "iob2") == []


@pytest.mark.parametrize(
    ("labels", "scheme", "message"),
    [
        (
            "O O I-x",
            "iob2",
            "word 2 .*in IOB2 I-x must follow on a label of the same .*follows on O",
        ),
        ("I-x", "iob2", "word 0 .*but begins the sentence"),
        ("B-y I-x", "iob2", "word 1 .*but follows on B-y"),
        ("O B-x", "iob1", "word 1 .*in IOB1 B-x must follow on an entity of its type.*on O"),
        ("S-x I-x", "bioes", "word 1 .*in BIOES I-x must follow on a label of the same"),
        ("B-x O", "bioes", "word 1 .*O must not follow on an entity without its end, .*on B-x"),
        (
            "B-x M-x",
            "bmes",
            "word 2 .*in BMES the end must not follow on an entity without its end",
        ),
        ("O L-x", "bioes", "word 1 .*must be 'O' or begin with one of B- I- E- S-, but is 'L-x'"),
        ("B-x E-x", "iob2", "word 1 .*one of B- I-, but is 'E-x': correct it, or choose another"),
        ("B-", "iob2", "word 0 .*but is 'B-'"),
        ("-x", "iob2", "word 0 .*but is '-x'"),
        ("BI-x", "iob2", "word 0 .*but is 'BI-x'"),
        ("O-x", "iob2", "word 0 .*but is 'O-x'"),
        ("O", "iob", "scheme must be one of .*'iob1'.* but is 'iob'"),
    ],
)
def test_labels_that_break_a_scheme_are_refused(labels, scheme, message):
    with pytest.raises(ValueError, match=message):
        to_iob2(labels.split(), scheme)


@pytest.mark.parametrize(
    ("labels", "scheme"),
    [
        (["B-x I-x O", "B-y"], "iob2"),
        (["I-x O", "I-x B-x", "I-y"], "iob1"),
        # I- begins entities, but so does B-: IOB2 with a fault.
        (["B-x I-x", "I-x O B-x"], "iob2"),
        (["O", "O O"], "iob2"),
        (["B-x E-x", "I-x"], "bioes"),
        (["O S-x"], "bioes"),
        (["B-x M-x E-x"], "bmes"),
        (["B M E", "S S"], "bmes"),
        (["B I O"], "iob2"),
        (["DET NOUN", "X S"], None),
        # Positions in tags, as Perseus has them, are no prefixes; nor are types alone.
        (["n-s---fn- v3spia--- I-x"], None),
        (["PER O", "LOC O"], None),
    ],
)
def test_schemes_are_found_and_logged(labels, scheme, caplog):
    with caplog.at_level(logging.INFO, logger="absl"):
        assert tagging_scheme(sentences(*labels)) == scheme
    assert (f"in {scheme.upper()}, with" if scheme else "tags without a scheme") in caplog.text


@pytest.mark.parametrize("label", ["U-x", "x", "b-x", "B-"])
def test_mixed_labels_are_named_by_source_and_word(label):
    with pytest.raises(ValueError, match=rf"dev\.conll:1, word 2 .*but is '{label}'"):
        tagging_scheme(sentences("B-x O O", f"O O {label} O"))


def test_unknown_prefixes_alone_are_refused():
    with pytest.raises(ValueError, match=r"dev\.conll:0, word 1 .*but is 'U-x'"):
        tagging_scheme(sentences("O U-x O"))


def test_a_data_set_is_converted_or_refused_by_place(caplog):
    words = {"words": ["a", "b"], "weight": 2.0}
    examples = [{**words, **one} for one in sentences("S-x O", "B-x E-x")]
    converted = in_iob2(examples)
    assert [one["labels"] for one in converted] == [["B-x", "O"], ["B-x", "I-x"]]
    assert all(one.items() >= words.items() for one in converted)
    assert [one["source"] for one in converted] == ["dev.conll:0", "dev.conll:1"]
    assert examples[0]["labels"] == ["S-x", "O"]

    broken = sentences("B-x I-x", "O I-x", "B-x", "I-y O")
    with pytest.raises(ValueError, match=r"dev\.conll:1, word 1 .*\(2 such labels in all\)"):
        in_iob2(broken)
    with caplog.at_level(logging.WARNING, logger="absl"):
        assert in_iob2(broken, repair=True)[3]["labels"] == ["B-y", "O"]
    assert "Repaired 2 labels that broke IOB2, the first is dev.conll:1, word 1" in caplog.text

    tags = sentences("DET NOUN")
    assert in_iob2(tags) == tags
    with pytest.raises(ValueError, match=r"dev\.conll:1, word 0 .*in BMES .*but is 'I-x'"):
        in_iob2(sentences("M-x", "I-x"), repair=True)


def test_unknown_labels_are_named_by_source_and_word():
    examples = sentences("O B-x", "O B-y B-z")
    check_labels(examples, ("O", "B-x", "B-y", "B-z"))
    with pytest.raises(ValueError, match=r"dev\.conll:1, word 1 .*one of B-x, O, but is 'B-y' \(2"):
        check_labels(examples, ("O", "B-x"))
    with pytest.raises(ValueError, match=r"the example \{'labels': \['A'\]\}, word 0"):
        check_labels([{"labels": ["A"]}], ("O",))


@pytest.mark.parametrize(
    ("name", "number", "num_faults"),
    [
        ("wnut17_train", 3394, 0),
        ("wnut17_dev", 1009, 0),
        ("weibo_train", 1350, 10),
        ("weibo_dev", 270, 0),
        ("weibo_test", 270, 4),
    ],
)
def test_real_entities(shared, name, number, num_faults, caplog):
    path = shared / "data" / "ner" / f"{name}.conll"
    clean = without_position if name.startswith("weibo") else None
    examples = read_conll(path, clean=clean)
    assert len(examples) == number
    assert tagging_scheme(examples) == "iob2"
    if not num_faults:
        assert in_iob2(examples) == examples
        return
    with pytest.raises(ValueError, match=rf"{name}\.conll:\d+, word .*\({num_faults} such labels"):
        in_iob2(examples)
    with caplog.at_level(logging.WARNING, logger="absl"):
        in_iob2(in_iob2(examples, repair=True))
    assert caplog.text.count(f"Repaired {num_faults} labels") == 1


def test_real_characters_have_their_positions_taken_off(shared):
    path = shared / "data" / "ner" / "weibo_train.conll"
    words = [
        word for example in read_conll(path, clean=without_position) for word in example["words"]
    ]
    assert "".join(words[:12]) == "科技全方位资讯智能，快捷"
    # But for what once were emoji, all are single characters.
    assert {word for word in words if len(word) != 1} == {"\ufffd\ufffd"}


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
