import itertools
import logging

import hypothesis
import hypothesis.strategies as st
import pytest

from keras_bert.data.examples.conll import read_conll, without_position
from keras_bert.data.examples.schemes import SCHEMES, check_labels, in_iob2, tagging_scheme, to_iob2
from keras_bert.data.rows import Row
from keras_bert.metrics import entities


def sentences(*labels):
    """Rows of labels, given as strings of them."""
    return [
        Row({"labels": sentence.split()}, f"dev.conll:{i}") for i, sentence in enumerate(labels)
    ]


def spans_of(labels, scheme):
    """Entities (first, last + 1, type) of well-formed labels, by each scheme's definition."""
    spans, start = [], None
    for i, label in enumerate(labels):
        after = labels[i + 1] if i + 1 < len(labels) else "O"
        before = labels[i - 1] if i else "O"
        if label == "O":
            continue
        if scheme not in ("iob1", "iob2"):
            begins, ends = label[0] in "BSUW", label[0] in "ESLUW"
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
            "bilou": ("B", "I", "L", "U"),
            "bmewo": ("B", "M", "E", "W"),
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


@st.composite
def segmentations(draw):
    """Entities of a sentence, some of which touch, and its length."""
    kinds = st.sampled_from(["", "x", "y-z"])
    pieces = draw(st.lists(st.tuples(st.integers(1, 4), kinds), max_size=6))
    edges = [0, *itertools.accumulate(length for length, _ in pieces)]
    places = zip(itertools.pairwise(edges), pieces, strict=True)
    return [(start, end, kind) for (start, end), (_, kind) in places if kind], edges[-1]


@pytest.mark.parametrize("scheme", SCHEMES)
@hypothesis.given(st.lists(segmentations(), max_size=4))
def test_entities_survive_the_way_from_any_scheme(scheme, sentences):
    rows = [Row({"labels": written(*one, scheme)}, f"a:{i}") for i, one in enumerate(sentences)]
    wanted = [written(*one, "iob2") for one in sentences]
    assert [to_iob2(row["labels"], scheme) for row in rows] == wanted
    assert [row["labels"] for row in in_iob2(rows, prefer=scheme)] == wanted
    for (spans, length), labels in zip(sentences, wanted, strict=True):
        assert spans_of(labels, "iob2") == spans
        assert written(spans_of(labels, "iob2"), length, scheme) == written(spans, length, scheme)


@pytest.mark.parametrize("scheme", ["iob1", "iob2", "bioes", "bmes"])
@hypothesis.given(segmentations())
def test_scores_find_the_entities_of_every_scheme_that_they_know(scheme, one):
    spans, length = one
    found = entities(written(spans, length, scheme))
    assert found == [(kind, start, end) for start, end, kind in spans]


@pytest.mark.parametrize("scheme", SCHEMES)
@hypothesis.given(st.data())
def test_what_is_repaired_is_iob2_of_the_same_words(scheme, data):
    tags = ["O", *(f"{prefix}-{kind}" for prefix in SCHEMES[scheme] for kind in "xy")]
    labels = data.draw(st.lists(st.sampled_from(tags), max_size=12))
    repaired = to_iob2(labels, scheme, repair=True)
    assert to_iob2(repaired, "iob2") == repaired
    assert [one[1:] for one in repaired] == [one[1:] for one in labels]
    # What one letter says is kept: what begins an entity still does.
    begins = [i for i, label in enumerate(labels) if label[0] in "BSUW"]
    assert all(repaired[i][0] == "B" for i in begins)


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
        ("B-x I-x", "bilou", "word 2 .*in BILOU the end must not follow on an entity without"),
        ("L-x", "bilou", "word 0 .*in BILOU L-x must follow on a label of the same"),
        ("B-x U-x", "bilou", "word 1 .*in BILOU U-x must not follow on an entity without its end"),
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
        # I- begins entities, but so does B-: that which the fewest break.
        (["B-x I-x", "I-x O B-x"], "iob2"),
        (["I-x I-x", "I-x O B-x"], "iob1"),
        (["O", "O O"], "iob2"),
        (["B-x E-x", "I-x"], "bioes"),
        (["O S-x"], "bioes"),
        (["B-x M-x E-x"], "bmes"),
        (["B M E", "S S"], "bmes"),
        (["B-x L-x", "I-x"], "bilou"),
        (["O U-x"], "bilou"),
        (["B-x M-x E-x", "W-y"], "bmewo"),
        (["I-x I-x O"], "iob1"),
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


@pytest.mark.parametrize("label", ["V-x", "x", "b-x", "B-"])
def test_mixed_labels_are_named_by_source_and_word(label):
    with pytest.raises(ValueError, match=rf"dev\.conll:1, word 2 .*but is '{label}'"):
        tagging_scheme(sentences("B-x O O", f"O O {label} O"))


def test_unknown_prefixes_alone_are_refused():
    with pytest.raises(ValueError, match=r"dev\.conll:0, word 1 .*but is 'V-x'"):
        tagging_scheme(sentences("O V-x O"))


@pytest.mark.parametrize("labels", ["B_PER I_PER O", "PER-B PER_I O", "b-per O o", "O I-x b-y"])
def test_labels_of_another_spelling_are_no_tags(labels):
    with pytest.raises(ValueError, match=r"dev\.conll:0, word . .*label"):
        tagging_scheme(sentences(labels))


def test_a_data_set_is_converted_or_refused_by_place(caplog):
    words = {"words": ["a", "b"], "weight": 2.0}
    examples = [one.with_columns({**words, **one}) for one in sentences("S-x O", "B-x E-x")]
    converted = in_iob2(examples)
    assert [one["labels"] for one in converted] == [["B-x", "O"], ["B-x", "I-x"]]
    assert all(one.items() >= words.items() for one in converted)
    assert [one.source for one in converted] == ["dev.conll:0", "dev.conll:1"]
    assert examples[0]["labels"] == ["S-x", "O"]

    broken = sentences("B-x I-x", "O I-x", "B-x", "I-y O", "B-y O")
    with pytest.raises(ValueError, match=r"dev\.conll:1, word 1 .*--repair\)\. \(2 such labels"):
        in_iob2(broken)
    with caplog.at_level(logging.WARNING, logger="absl"):
        assert in_iob2(broken, repair=True)[3]["labels"] == ["B-y", "O"]
    assert "Repaired 2 labels that broke IOB2, the first is dev.conll:1, word 1" in caplog.text

    tags = sentences("DET NOUN")
    assert in_iob2(tags) == tags
    with pytest.raises(ValueError, match=r"dev\.conll:0, word 0 .*in one scheme .* 'M-x' is one"):
        in_iob2(sentences("M-x", "I-x"), repair=True)


def test_examples_without_labels_stay():
    examples = [Row({"words": ["a"]}, "a:1"), *sentences("U-x")]
    assert in_iob2(examples) == [{"words": ["a"]}, {"labels": ["B-x"]}]
    assert in_iob2(examples[:1]) == examples[:1]


def conll_2003(num_sentences):
    """Sentences in IOB1 as CoNLL-2003 has them: B- between two entities of a type alone."""
    kinds = ["I-PER I-PER O O I-LOC", "I-ORG O I-ORG I-ORG B-ORG O", "O O I-MISC", "I-LOC I-PER O"]
    return [kinds[i % len(kinds)] for i in range(num_sentences)]


def test_conll_2003_is_iob1_with_two_stray_labels(caplog):
    """The genuine training file has two B- that follow on nothing."""
    examples = sentences(*conll_2003(400), "O B-MISC O", "B-ORG O")
    with caplog.at_level(logging.INFO, logger="absl"):
        assert tagging_scheme(examples) == "iob1"
    assert "in IOB1, with 4 types of entities; 2 labels break it" in caplog.text
    with pytest.raises(ValueError, match=r"dev\.conll:400, word 1 .*IOB1 B-MISC .*\(2 such labels"):
        in_iob2(examples)
    converted = in_iob2(examples, repair=True)
    assert converted[1]["labels"] == ["B-ORG", "O", "B-ORG", "I-ORG", "B-ORG", "O"]
    assert converted[3]["labels"] == ["B-LOC", "B-PER", "O"]
    assert converted[-2]["labels"] == ["O", "B-MISC", "O"]


@pytest.mark.parametrize("train", ["iob1", "iob2", "bioes", "bilou", "bmes", None])
@pytest.mark.parametrize("scheme", ["iob1", "iob2", "bioes", "bilou", "bmes", "bmewo"])
def test_held_out_labels_come_out_the_same_whatever_was_learned_from(train, scheme):
    """Though some schemes cannot be told apart in them."""
    for spans in (
        [(0, 1, "x")],
        [(0, 2, "x")],
        [(0, 2, "x"), (3, 4, "x")],
        [(1, 2, "x"), (2, 4, "y")],
    ):
        [row] = in_iob2(sentences(" ".join(written(spans, 5, scheme))), prefer=train)
        assert row["labels"] == written(spans, 5, "iob2")


def test_the_scheme_that_was_learned_from_decides_where_others_fit_as_well():
    examples = sentences("I-x O", "B-x O")
    assert tagging_scheme(examples) == tagging_scheme(examples, "iob2") == "iob2"
    assert tagging_scheme(examples, prefer="iob1") == "iob1"


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
