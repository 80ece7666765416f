import copy
import gzip
import json
import logging

import pytest

from keras_bert.data.questions import read_arc, read_copa, read_race, read_squad, read_swag


def write(folder, name, content):
    """A file of text, bytes, or JSON."""
    path = folder / name
    if not isinstance(content, str | bytes):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


CONTEXT = "\U0001f3ac A fine film, says Ann. " + "It is not long. " * 5 + "Ann is fine."


def question(id_, *answers, **others):
    """A question with answers, given as pairs of text and start."""
    answers = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": id_, "question": "Who or how?", "answers": answers, **others}


def squad(*questions):
    """The content of a file with one paragraph."""
    paragraphs = [{"context": CONTEXT, "qas": list(questions)}]
    return {"version": "1.1", "data": [{"title": "A film", "paragraphs": paragraphs}]}


def test_squad(tmp_path):
    content = squad(
        question("a", ("Ann", 20), ("fine", 4)),
        question(7, is_impossible=True),
        question("c", ("A", 2)),
    )
    del content["data"][0]["title"]
    content["data"].append({"title": "Empty", "paragraphs": []})
    content["data"] += squad(question("d", ("Ann", 20), is_impossible=False))["data"]
    path = write(tmp_path, "dev.json.gz", gzip.compress(json.dumps(content).encode()))
    examples = read_squad(path, strict=True)
    assert examples[0] == {
        "id": "a",
        "question": "Who or how?",
        "context": CONTEXT,
        "answers": ["Ann", "fine"],
        "answer_starts": [20, 4],
        "impossible": False,
        "source": f"{path}:a",
    }
    assert [example["id"] for example in examples] == ["a", "7", "c", "d"]
    assert [example["impossible"] for example in examples] == [False, True, False, False]
    assert examples[1]["answers"] == examples[1]["answer_starts"] == []
    assert examples[3]["title"] == "A film"


def test_answers_that_are_not_at_their_offset(tmp_path, caplog):
    path = write(
        tmp_path,
        "train.json",
        squad(
            # Twice in the context, once near the offset.
            question("near", ("Ann", 22)),
            # Once in all the context, far from the offset.
            question("far", ("film", 99)),
            # More than once, near or far; and never.
            question("vague", ("It is", 50), ("fine", 4), ("Bob", 0)),
            question("lost", ("not", 60), ("Bob", 3)),
            # From the end, as -1 would be understood, it would be in place.
            question("negative", (".", -1)),
            question("right", ("Ann", 20)),
        ),
    )
    with caplog.at_level(logging.WARNING, logger="absl"):
        examples = read_squad(path)
    found = {e["id"]: list(zip(e["answers"], e["answer_starts"], strict=True)) for e in examples}
    assert found == {
        "near": [("Ann", 20)],
        "far": [("film", 9)],
        "vague": [("fine", 4)],
        "negative": [(".", 23)],
        "right": [("Ann", 20)],
    }
    for text, start in (pair for pairs in found.values() for pair in pairs):
        assert CONTEXT[start:].startswith(text)
    assert f"{path}: moved 3 answers to where they are in the context, the first: {path}:near." in (
        caplog.text
    )
    assert (
        f"left out 4 answers that are not at their offset, nor at one place, the first: {path}:v"
        in (caplog.text)
    )
    assert f"left out 1 questions whose answers are not in place, the first: {path}:lost." in (
        caplog.text
    )
    with pytest.raises(ValueError, match=r"train\.json:near: an answer must be .* 1 are not"):
        read_squad(path, strict=True)


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


FINE = squad(question("q1", ("Ann", 20)))
PARAGRAPH = ("data", 0, "paragraphs", 0)
QUESTION = (*PARAGRAPH, "qas", 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (without(FINE, *PARAGRAPH, "context", " "), r"a\.json:q1: 'context' must be .* is ' '"),
        (without(FINE, *PARAGRAPH, "context", None), r"a\.json:q1: 'context' must .* is missing"),
        (without(FINE, *QUESTION, "question", None), r"a\.json:q1: 'question' must .* is missing"),
        (without(FINE, *QUESTION, "answers", None), r"a\.json:q1: 'answers' must be a list"),
        (without(FINE, *QUESTION, "answers", 0, "text", None), r"a\.json:q1: 'text' must"),
        (without(FINE, *QUESTION, "answers", 0, "text", ""), r"a\.json:q1: 'text' must .* is ''"),
        (
            without(FINE, *QUESTION, "answers", 0, "answer_start", "20"),
            r"a\.json:q1: 'answer_start' must be an integer, but is '20'",
        ),
        (
            without(FINE, *QUESTION, "answers", 0, "answer_start", True),
            r"a\.json:q1: 'answer_start' must be an integer, but is True",
        ),
        (without(FINE, *QUESTION, "answers", []), r"a\.json:q1: .* is_impossible: true.* neither"),
        (without(FINE, *QUESTION, "is_impossible", True), r"a\.json:q1: .* but has both"),
        (without(FINE, *QUESTION, "is_impossible", 1), r"a\.json:q1: .*must be true or false"),
        (
            without(FINE, *QUESTION, "id", None),
            r"a\.json:data\[0\]\.paragraphs\[0\]\.qas\[0\]: 'id' must be a text, but is missing",
        ),
        (without(FINE, *PARAGRAPH, "qas", 0, "x"), r"\.qas\[0\]: 'id' must be .* is missing"),
        (without(FINE, *PARAGRAPH, "qas", None), r"a\.json:data\[0\]\.paragraphs\[0\]: 'qas' must"),
        (
            without(FINE, "data", 0, "paragraphs", {}),
            r"a\.json:data\[0\]: 'paragraphs' must be a l",
        ),
        ([], r"a\.json: 'data' must be a list, but is missing: .*name the form"),
        (
            squad(question("q1", ("Ann", 20)), question("q1", ("fine", 4))),
            r"a\.json:q1: a question must have an id of its own.*'Who or how\?' is the second",
        ),
        ('{"data":\n[}', r"a\.json:2: this must be JSON"),
    ],
)
def test_bad_squad_is_named_by_file_and_id(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_squad(write(tmp_path, "a.json", content))


@pytest.mark.parametrize(
    ("name", "number", "num_impossible", "num_moved"),
    [
        ("cmrc2018_trial", 1002, 0, 5),
        ("drcd_dev", 3524, 0, 0),
        ("policyqa_dev", 3809, 0, 0),
        ("squad_v1_fixture", 5, 0, 0),
        ("squad_v1_train_part_tokenised", 4284, 0, 0),
        ("squad_v2_dev_small", 14, 6, 0),
        ("xquad.de", 1190, 0, 0),
        ("xquad.en", 1190, 0, 0),
        ("xquad.zh", 1190, 0, 0),
    ],
)
def test_real_squad(shared, caplog, name, number, num_impossible, num_moved):
    path = shared / "data" / "qa" / f"{name}.json"
    with caplog.at_level(logging.WARNING, logger="absl"):
        examples = read_squad(path)
    assert len(examples) == len({example["source"] for example in examples}) == number
    assert sum(example["impossible"] for example in examples) == num_impossible
    assert caplog.text.count("left out") == 0
    assert (f"moved {num_moved} answers" in caplog.text) == bool(num_moved)
    for example in examples:
        assert bool(example["answers"]) != example["impossible"]
        for text, start in zip(example["answers"], example["answer_starts"], strict=True):
            assert example["context"][start : start + len(text)] == text
    if num_moved:
        with pytest.raises(ValueError, match=f"{name}.json:TRIAL_210_QUERY_0: an answer must"):
            read_squad(path, strict=True)


def test_empty_questions_are_counted(tmp_path, caplog):
    path = write(tmp_path, "a.json", without(FINE, *QUESTION, "question", " "))
    with caplog.at_level(logging.WARNING, logger="absl"):
        assert read_squad(path)[0]["question"] == " "
    assert f"{path}: 1 questions are empty, the first: {path}:q1." in caplog.text


def test_real_ids_that_are_there_twice_are_refused(shared):
    with pytest.raises(
        ValueError, match=r"fixture\.json:5733be284776f41900661182: .*id of its own"
    ):
        read_squad(shared / "data" / "qa" / "squad_v2_fixture.json")


SWAG = ",video-id,sent1,sent2,ending0,ending1,ending2,label\n"


def test_swag(tmp_path):
    content = SWAG + '0,v1,"Ann, who sits.",Bob,"stands\nup.",sits.,lies.,2\n1,v2,A.,B,c,d,e,0\n'
    path = write(tmp_path, "train.csv", content)
    assert read_swag(path) == [
        {
            "context": "Ann, who sits.",
            "question": "Bob",
            "choices": ["stands\nup.", "sits.", "lies."],
            "label": 2,
            "source": f"{path}:2",
        },
        {
            "context": "A.",
            "question": "B",
            "choices": ["c", "d", "e"],
            "label": 0,
            "source": f"{path}:4",
        },
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            SWAG + "0,v,a,b,c, ,e,0\n",
            r"a\.csv:2: there must be at least two choices.*\['c', ' ', 'e'",
        ),
        (SWAG + "0,v,a,b,c,d,e,3\n", r"a\.csv:2: one of the 3 choices must be the right .* is 3"),
        (SWAG + "0,v,a,b,c,d,e,-1\n", r"a\.csv:2: one of the 3 choices .* is '-1'"),
        (SWAG + "0,v,a,b,c,d,e,\n", r"a\.csv:2: one of the 3 choices .* is ''"),
        (SWAG + "0,v,a,b,c,d,1\n", r"a\.csv:2: a row must have 8 cells"),
        (SWAG + "0,v, , ,c,d,e,1\n", r"a\.csv:2: there must be a question"),
        (SWAG.replace("ending1", "end"), r"a\.csv:1: .*must have the columns .*but ending1 are"),
        (SWAG.replace("sent2", ""), r"a\.csv:1: a column must have a name"),
        (SWAG.replace(",label", ""), r"a\.csv:1: .*but label are missing"),
        ("", r"a\.csv:1: .*but sent1, sent2, ending0, ending1, label are missing"),
    ],
)
def test_bad_swag_is_named_by_file_and_line(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_swag(write(tmp_path, "a.csv", content))


COPA = {
    "premise": "I left.",
    "choice1": "Bad.",
    "choice2": "Fine.",
    "question": "effect",
    "label": 1,
}


def test_copa(tmp_path):
    records = [COPA, {**COPA, "question": "cause", "choice3": "Long.", "label": 0, "idx": 5}]
    path = write(tmp_path, "val.jsonl", "\n".join(map(json.dumps, records)))
    assert read_copa(path) == [
        {
            "context": "I left.",
            "question": "What happened as a result?",
            "choices": ["Bad.", "Fine."],
            "label": 1,
            "source": f"{path}:1",
        },
        {
            "context": "I left.",
            "question": "What was the cause of this?",
            "choices": ["Bad.", "Fine.", "Long."],
            "label": 0,
            "source": f"{path}:2",
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
        (without(COPA, "label", None), r"a\.jsonl:1: 'label' must be an integer, but is missing"),
        (without(COPA, "premise", None), r"a\.jsonl:1: 'premise' must be a text"),
        (without(COPA, "question", "why"), r"a\.jsonl:1: 'question' must be one of cause, effect"),
    ],
)
def test_bad_copa_is_named_by_file_and_line(tmp_path, record, message):
    with pytest.raises(ValueError, match=message):
        read_copa(write(tmp_path, "a.jsonl", record))


@pytest.mark.parametrize("name", ["xcopa_it_val", "xcopa_zh_val"])
def test_real_copa(shared, name):
    examples = read_copa(shared / "data" / "mc" / f"{name}.jsonl")
    assert len(examples) == 100 and all(len(example["choices"]) == 2 for example in examples)
    assert {example["label"] for example in examples} == {0, 1}


def arc(key, **choices):
    """A question of ARC with choices by their labels."""
    listed = [{"text": text, "label": label.strip("_")} for label, text in choices.items()]
    return {"id": "q", "question": {"stem": "Which?", "choices": listed}, "answerKey": key}


def test_arc_in_its_own_form(tmp_path):
    records = [
        arc("C", A="x", B="y", C="z"),
        arc("1", _1="x", _2="y"),
        arc("E", **dict(zip("ABCDE", "vwxyz", strict=True))),
    ]
    path = write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, records)))
    examples = read_arc(path)
    assert examples[0] == {
        "context": "Which?",
        "question": "",
        "choices": ["x", "y", "z"],
        "label": 2,
        "source": f"{path}:1",
    }
    assert [example["label"] for example in examples] == [2, 0, 4]


def test_arc_in_csv(tmp_path, caplog):
    content = '"Which, a?",x,y,z,B\nWhich b?,x,y,,1\nWhich c?,,,,2\nd?,x,y,,C\n'
    path = write(tmp_path, "a.csv.gz", gzip.compress(content.encode()))
    with caplog.at_level(logging.WARNING, logger="absl"):
        examples = read_arc(path)
    assert [(e["context"], e["choices"], e["label"], e["source"]) for e in examples] == [
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
        (
            "a.jsonl",
            without(arc("A", A="x", B="y"), "answerKey", None),
            r"a\.jsonl:1: 'answerKey' must be a text, but is missing",
        ),
        ("a.csv", "q,x,y,z,A\nq,x,,z,A\n", r"a\.csv:2: .*at least two choices.*\['x', '', 'z'\]"),
        ("a.csv", "q,x,y,z,A\nq,x,,,A\n", r"a\.csv:2: .*at least two choices.*\['x'\]"),
        ("a.csv", "q,x,y,z,A\nq,x,y,z,a\n", r"a\.csv:2: one of the 3 choices .* is 'a'"),
        ("a.csv", "q,x,y,z,A\nq,x,y,A\n", r"a\.csv:2: a row must have 5 cells, question, choice 1"),
    ],
)
def test_bad_arc_is_named_by_file_and_line(tmp_path, name, content, message):
    with pytest.raises(ValueError, match=message):
        read_arc(write(tmp_path, name, content))


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


def test_race(tmp_path):
    (tmp_path / "middle").mkdir()
    first = write(tmp_path, "1.txt", RACE)
    second = write(tmp_path / "middle", "2.json", {**RACE, "article": "A book."})
    examples = read_race(tmp_path)
    assert examples[1] == {
        "context": "A film.",
        "question": "Who?",
        "choices": ["Ann.", "Bob.", "I."],
        "label": 2,
        "source": f"{first}:questions[1]",
    }
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
def test_bad_race_is_named_by_file_and_question(tmp_path, record, message):
    path = write(tmp_path, "a.txt", record)
    with pytest.raises(ValueError, match=message):
        read_race(path)
