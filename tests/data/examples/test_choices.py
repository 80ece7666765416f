import copy
import gzip
import json
import logging

import pytest

from keras_bert.data.examples.choices import read_arc, read_copa, read_race, read_swag


def without(record, *path):
    """A copy of nested JSON without one key, or with another value at it (the last of the path)."""
    record = copy.deepcopy(record)
    *path, key, value = path
    place = record
    for step in path:
        place = place[step]
    if value is None:
        del place[key]
    else:
        place[key] = value
    return record


SWAG = ",video-id,sent1,sent2,ending0,ending1,ending2,label\n"


def test_swag(write):
    content = SWAG + '0,v1,"Ann, who sits.",Bob,"stands\nup.",sits.,lies.,2\n1,v2,A.,B,c,d,e,0\n'
    path = write("train.csv", content)
    assert read_swag(path) == [
        {
            "context": "Ann, who sits.",
            "question": "Bob",
            "choices": ["stands\nup.", "sits.", "lies."],
            "label": 2,
        },
        {
            "context": "A.",
            "question": "B",
            "choices": ["c", "d", "e"],
            "label": 0,
        },
    ]
    assert [row.source for row in read_swag(path)] == [f"{path}:2", f"{path}:4"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            SWAG + "0,v,a,b,c, ,e,0\n",
            r"a\.csv:2: there must be at least two choices.*\['c', ' ', 'e'",
        ),
        (SWAG + "0,v,a,b,c,d,e,3\n", r"a\.csv:2: one of the 3 choices must be the right .* is 3"),
        (SWAG + "0,v,a,b,c,d,e,-2\n", r"a\.csv:2: one of the 3 choices .* is -2"),
        (SWAG + "0,v,a,b,c,d,e,x\n", r"a\.csv:2: one of the 3 choices .* is 'x'"),
        (SWAG + "0,v,a,b,c,d,1\n", r"a\.csv:2: a row must have 8 cells"),
        (SWAG + "0,v, , ,c,d,e,1\n", r"a\.csv:2: there must be a question"),
        (
            SWAG.replace("ending1", "end") + "0,v,a,b,c,d,e,1\n",
            r"a\.csv: .*must have the columns .*but ending1 are",
        ),
        (SWAG.replace("sent2", "") + "0,v,a,b,c,d,e,1\n", r"a\.csv: .*but sent2 are missing"),
        (SWAG, r"a\.csv: .*but sent1, sent2, ending0, ending1 are missing"),
        ("", r"a\.csv must begin with a line of names"),
    ],
)
def test_bad_swag_is_named_by_file_and_line(write, content, message):
    with pytest.raises(ValueError, match=message):
        read_swag(write("a.csv", content))


COPA = {
    "premise": "I left.",
    "choice1": "Bad.",
    "choice2": "Fine.",
    "question": "effect",
    "label": 1,
}


def test_copa(write):
    records = [COPA, {**COPA, "question": "cause", "choice3": "Long.", "label": 0, "idx": 5}]
    path = write("val.jsonl", "\n".join(map(json.dumps, records)))
    assert read_copa(path) == [
        {
            "context": "I left.",
            "question": "What happened as a result?",
            "choices": ["Bad.", "Fine."],
            "label": 1,
        },
        {
            "context": "I left.",
            "question": "What was the cause of this?",
            "choices": ["Bad.", "Fine.", "Long."],
            "label": 0,
        },
    ]
    assert read_copa(path, {"cause": "Warum?", "effect": "Was nun?"})[0]["question"] == "Was nun?"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (without(COPA, "choice2", None), r"a\.jsonl:1: .*at least two choices.*\['Bad\.'\]"),
        (without(COPA, "choice1", None), r"a\.jsonl:1: .*at least two choices.*\[\]"),
        (without(COPA, "choice2", 5), r"a\.jsonl:1: .*at least two choices.*\['Bad\.', 5\]"),
        (without(COPA, "label", 2), r"a\.jsonl:1: one of the 2 choices .* is 2"),
        (without(COPA, "label", "1"), r"a\.jsonl:1: one of the 2 choices .* is '1'"),
        (without(COPA, "premise", None), r"a\.jsonl:1: 'premise' must be a text"),
        (without(COPA, "question", "why"), r"a\.jsonl:1: 'question' must be one of cause, effect"),
    ],
)
def test_bad_copa_is_named_by_file_and_line(write, record, message):
    with pytest.raises(ValueError, match=message):
        read_copa(write("a.jsonl", record))


@pytest.mark.parametrize("name", ["xcopa_it_val", "xcopa_zh_val"])
def test_real_copa(shared, name):
    examples = read_copa(shared / "data" / "mc" / f"{name}.jsonl")
    assert len(examples) == 100 and all(len(example["choices"]) == 2 for example in examples)
    assert {example["label"] for example in examples} == {0, 1}


def arc(key, **choices):
    """A question of ARC with choices by their labels."""
    listed = [{"text": text, "label": label.strip("_")} for label, text in choices.items()]
    return {"id": "q", "question": {"stem": "Which?", "choices": listed}, "answerKey": key}


def test_arc_in_its_own_form(write):
    records = [
        arc("C", A="x", B="y", C="z"),
        arc("1", _1="x", _2="y"),
        arc("E", **dict(zip("ABCDE", "vwxyz", strict=True))),
    ]
    path = write("a.jsonl", "\n".join(map(json.dumps, records)))
    examples = read_arc(path)
    assert examples[0] == {
        "context": "Which?",
        "question": "",
        "choices": ["x", "y", "z"],
        "label": 2,
    }
    assert [example["label"] for example in examples] == [2, 0, 4]


def test_arc_in_csv(write, caplog):
    content = '"Which, a?",x,y,z,B\nWhich b?,x,y,,1\nWhich c?,,,,2\nd?,x,y,,C\n'
    path = write("a.csv.gz", gzip.compress(content.encode()))
    with caplog.at_level(logging.WARNING, logger="absl"):
        examples = read_arc(path)
    assert [(e["context"], e["choices"], e["label"], e.source) for e in examples] == [
        ("Which, a?", ["x", "y", "z"], 1, f"{path}:1"),
        ("Which b?", ["x", "y"], 0, f"{path}:2"),
    ]
    assert f"left out 2 questions whose right choice is not there, the first: {path}:3." in (
        caplog.text
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", arc("D", A="x", B="y", C="z"), r"a\.jsonl:1: one of the 3 choices .* is 'D'"),
        ("a.jsonl", arc("A", A="x", _A="y"), r"a\.jsonl:1: one of the 2 choices .* is 'A'"),
        ("a.jsonl", arc("A", A="x"), r"a\.jsonl:1: there must be at least two choices"),
        (
            "a.jsonl",
            arc("A", A="x", B=""),
            r"a\.jsonl:1: 'text' must be a text",
        ),
        ("a.jsonl", {"question": "Which?"}, r"a\.jsonl:1: 'question' must be an object"),
        ("a.csv", "q,x,y,z,A\nq,x,,z,A\n", r"a\.csv:2: .*at least two choices.*\['x', '', 'z'\]"),
        ("a.csv", "q,x,y,z,A\nq,x,,,A\n", r"a\.csv:2: .*at least two choices.*\['x'\]"),
        ("a.csv", "q,x,y,z,A\nq,x,y,z,a\n", r"a\.csv:2: one of the 3 choices .* is 'a'"),
        ("a.csv", "q,x,y,z,A\nq,x,y,A\n", r"a\.csv:2: a row must have 5 cells, question, choice 1"),
    ],
)
def test_bad_arc_is_named_by_file_and_line(write, name, content, message):
    with pytest.raises(ValueError, match=message):
        read_arc(write(name, content))


def test_real_arc(shared, caplog):
    with caplog.at_level(logging.WARNING, logger="absl"):
        examples = read_arc(shared / "data" / "mc" / "arc_easy.csv")
    # Whoever made the file lost the choices where they are numbered, and each fifth choice.
    assert len(examples) == 2251 - 104
    assert "left out 104 questions whose right choice is not there" in caplog.text
    assert [sum(len(e["choices"]) == n for e in examples) for n in (3, 4)] == [5, 2142]
    assert {example["label"] for example in examples} == {0, 1, 2, 3}


RACE = {
    "article": "A film.",
    "questions": ["How is _ ?", "Who?"],
    "options": [["Bad.", "Fine."], ["Ann.", "Bob.", "I."]],
    "answers": ["B", "C"],
    "id": "high1.txt",
}


def test_race(tmp_path, write):
    first = write("1.txt", RACE)
    second = write("middle/2.json", {**RACE, "article": "A book."})
    examples = read_race(tmp_path)
    assert examples[1] == {
        "context": "A film.",
        "question": "Who?",
        "choices": ["Ann.", "Bob.", "I."],
        "label": 2,
    }
    assert examples[1].source == f"{first}:questions[1]"
    assert [example["context"] for example in examples] == ["A film."] * 2 + ["A book."] * 2
    assert read_race(f"{tmp_path}/*/*.json") == read_race(second) == examples[2:]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (without(RACE, "article", None), r"a\.txt: 'article' must be a text"),
        (without(RACE, "options", None), r"a\.txt: 'options' must be a list"),
        (without(RACE, "answers", 1, None), r"a\.txt: there must be as many .* are 2, 2, 1"),
        (without(RACE, "answers", 1, "D"), r"a\.txt:questions\[1\]: one of the 3 choices .* is 3"),
        (without(RACE, "answers", 0, None), r"a\.txt: there must be as many"),
        (without(RACE, "options", 1, 0, " "), r"a\.txt:questions\[1\]: .*at least two choices"),
        (without(RACE, "options", 0, "ab"), r"a\.txt:questions\[0\]: .*at least two choices.*'ab'"),
        (without(RACE, "questions", 0, 7), r"a\.txt:questions\[0\]: there must be a question.* 7"),
    ],
)
def test_bad_race_is_named_by_file_and_question(write, record, message):
    path = write("a.txt", record)
    with pytest.raises(ValueError, match=message):
        read_race(path)


@pytest.mark.parametrize("label", [None, "", -1])
def test_choices_without_a_right_one_are_to_be_answered(write, label):
    rows = [
        *read_copa(write("a.jsonl", {**COPA, "label": label})),
        *read_swag(write("a.csv", f"{SWAG}0,v,a,b,c,d,e,{'' if label is None else label}\n")),
        *read_swag(write("b.csv", SWAG.replace(",label", "") + "0,v,a,b,c,d,e\n")),
        *read_arc(write("c.jsonl", {**arc("A", A="x", B="y"), "answerKey": label})),
    ]
    assert len(rows) == 4
    for row in rows:
        assert set(row) == {"context", "question", "choices"} and len(row["choices"]) >= 2
