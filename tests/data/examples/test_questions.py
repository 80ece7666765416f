import copy
import gzip
import json
import logging

import pytest

from keras_bert.data.examples.questions import questions, read_squad
from keras_bert.data.rows import Row

CONTEXT = "\U0001f3ac A fine film, says Ann. " + "It is not long. " * 5 + "Ann is fine."


def question(id_, *answers, **others):
    """A question with answers, given as pairs of text and start."""
    answers = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": id_, "question": "Who or how?", "answers": answers, **others}


def squad(*questions):
    """The content of a file with one paragraph."""
    paragraphs = [{"context": CONTEXT, "qas": list(questions)}]
    return {"version": "1.1", "data": [{"title": "A film", "paragraphs": paragraphs}]}


def test_squad(write):
    content = squad(
        question("a", ("Ann", 20), ("fine", 4)),
        question(7, is_impossible=True),
        question("c", ("A", 2)),
    )
    del content["data"][0]["title"]
    content["data"].append({"title": "Empty", "paragraphs": []})
    content["data"] += squad(question("d", ("Ann", 20), is_impossible=False))["data"]
    path = write("dev.json.gz", gzip.compress(json.dumps(content).encode()))
    examples = read_squad(path, strict=True)
    assert examples[0] == {
        "id": "a",
        "question": "Who or how?",
        "context": CONTEXT,
        "answers": ["Ann", "fine"],
        "answer_starts": [20, 4],
        "impossible": False,
    }
    assert [row.source for row in examples] == [f"{path}:{id_}" for id_ in ("a", "7", "c", "d")]
    assert [example["id"] for example in examples] == ["a", "7", "c", "d"]
    assert [example["impossible"] for example in examples] == [False, True, False, False]
    assert examples[1]["answers"] == examples[1]["answer_starts"] == []
    assert examples[3]["title"] == "A film"


def test_answers_that_are_not_at_their_offset(write, caplog):
    path = write(
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
    assert f"Moved 3 answers to where they are in the context, the first: {path}:near." in (
        caplog.text
    )
    assert (
        f"Left out 4 answers that are not at their offset, nor at one place, the first: {path}:v"
        in (caplog.text)
    )
    assert f"Left out 1 questions whose answers are not in place, the first: {path}:lost." in (
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
        (without(FINE, *PARAGRAPH, "context", None), r"a\.json:q1: .*but context is missing"),
        (without(FINE, *QUESTION, "question", None), r"a\.json:q1: .*but question is missing"),
        (without(FINE, *QUESTION, "answers", None), r"a\.json:q1: 'answers' must be a list"),
        (without(FINE, *QUESTION, "answers", 0, "text", None), r"a\.json:q1: 'text' must"),
        (without(FINE, *QUESTION, "answers", 0, "text", ""), r"a\.json:q1: 'text' must .* is ''"),
        (
            without(FINE, *QUESTION, "answers", 0, "answer_start", "20 or 21"),
            r"a\.json:q1: 'answer_start' must be an integer, but is '20 or 21'",
        ),
        (
            without(FINE, *QUESTION, "answers", 0, "answer_start", float("inf")),
            r"a\.json:q1: 'answer_start' must be an integer, but is inf",
        ),
        (
            without(FINE, *QUESTION, "answers", 0, "answer_start", True),
            r"a\.json:q1: 'answer_start' must be an integer, but is True",
        ),
        (without(FINE, *QUESTION, "answers", []), r"a\.json:q1: .* is_impossible: true.* neither"),
        (without(FINE, *QUESTION, "is_impossible", True), r"a\.json:q1: .* but has both"),
        (without(FINE, *QUESTION, "is_impossible", "no"), r"a\.json:q1: .*must be true or false"),
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
def test_bad_squad_is_named_by_file_and_id(write, content, message):
    with pytest.raises(ValueError, match=message):
        read_squad(write("a.json", content))


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
    assert len(examples) == len({example.source for example in examples}) == number
    assert sum(example["impossible"] for example in examples) == num_impossible
    assert caplog.text.count("Left out") == 0
    assert (f"Moved {num_moved} answers" in caplog.text) == bool(num_moved)
    for example in examples:
        assert bool(example["answers"]) != example["impossible"]
        for text, start in zip(example["answers"], example["answer_starts"], strict=True):
            assert example["context"][start : start + len(text)] == text
    if num_moved:
        with pytest.raises(ValueError, match=f"{name}.json:TRIAL_210_QUERY_0: an answer must"):
            read_squad(path, strict=True)


def test_empty_questions_are_counted(write, caplog):
    path = write("a.json", without(FINE, *QUESTION, "question", " "))
    with caplog.at_level(logging.WARNING, logger="absl"):
        assert read_squad(path)[0]["question"] == " "
    assert f"1 questions are empty, the first: {path}:q1." in caplog.text


def test_real_ids_that_are_there_twice_are_refused(shared):
    with pytest.raises(
        ValueError, match=r"fixture\.json:5733be284776f41900661182: .*id of its own"
    ):
        read_squad(shared / "data" / "qa" / "squad_v2_fixture.json")


def test_an_answer_that_is_empty_is_none_of_an_impossible_question(write, caplog):
    """As annotation tools write it; and plausible answers are no answers."""
    empty = {"plausible_answers": [{"text": "Ann", "answer_start": 20}]}
    path = write(
        "answers.json",
        squad(
            question(1, ("Ann", "20"), is_impossible="false"),
            question(2, ("", -1), is_impossible=True, **empty),
            question(3, (" ", 0), is_impossible=True),
        ),
    )
    rows = read_squad(path)
    assert [row["impossible"] for row in rows] == [False, True, True]
    assert [row["answers"] for row in rows] == [["Ann"], [], []]
    assert rows[0]["answer_starts"] == [20] and not caplog.text


ASKED = {"question": "Who?", "context": CONTEXT}
FOUND = {**ASKED, "answers": ["film"], "answer_starts": [9], "impossible": False}
NONE = {**ASKED, "answers": [], "answer_starts": [], "impossible": True}


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ({"answers": {"text": ["film"], "answer_start": [9]}}, FOUND),
        ({"answers": {"text": ["film"], "answer_start": ["9"]}, "source": "x"}, FOUND),
        ({"answers": {"text": [], "answer_start": []}}, NONE),
        ({"answers": [{"text": "film", "answer_start": 9}], "is_impossible": False}, FOUND),
        ({"answers": ["film"], "answer_starts": [9], "impossible": False}, FOUND),
        ({"answers": [], "answer_starts": [], "impossible": True}, NONE),
        ({"answers": {"text": [""], "answer_start": [-1]}, "is_impossible": True}, NONE),
        # Of tables.
        ({"answer": "film"}, FOUND),
        ({"answer_text": "film", "answer_start": "9"}, FOUND),
        ({"answer": "film", "answer_start": 9.0, "is_impossible": "False"}, FOUND),
        ({"answer": "film", "answer_start": float("nan")}, FOUND),
        ({"answer": "", "answer_start": "", "is_impossible": "True"}, NONE),
        ({"answers": "{'text': ['film'], 'answer_start': [9]}"}, FOUND),
        ({"answers": '{"text": ["film"], "answer_start": [9]}'}, FOUND),
        ({"answers": "film"}, FOUND),
        ({"answers": "{'text': array(['film'], dtype=object), 'answer_start': array([9])}"}, FOUND),
        ({"answers": "{'text': array([], dtype=object), 'answer_start': array([])}"}, NONE),
        # To be answered.
        ({}, ASKED),
        ({"topic": "x"}, ASKED),
    ],
)
def test_flat_rows(columns, row):
    [found] = questions([Row({"id": "a", "title": None, **ASKED, **columns}, "a.csv:2")])
    assert found == {"id": "a", **row} and found.source == "a.csv:2"
    assert questions([found]) == [found]
    [found] = questions([Row({**ASKED, **columns}, "a.csv:2")])
    assert found["id"] == "a.csv:2"


def test_answers_without_a_start(caplog):
    rows = [
        Row({**ASKED, "answer": text}, f"a.csv:{n}") for n, text in enumerate(("Ann", "Bob"), 2)
    ]
    with caplog.at_level(logging.WARNING, logger="absl"):
        [row] = questions(rows)
    assert row["answer_starts"] == [CONTEXT.index("Ann")]
    assert "1 answers without a start are in their context several times" in caplog.text
    assert "Left out 1 questions whose answers are not in place, the first: a.csv:3" in caplog.text


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"context": None}, "'context' must be a text, but is None"),
        ({"question": 7}, "'question' must be a text, but is 7"),
        ({"answer": ""}, "must have answers or is_impossible: true, but has neither"),
        ({"answers": None}, "but has neither"),
        ({"answer": "film", "is_impossible": "1"}, "but has both"),
        ({"is_impossible": False}, "but has neither"),
        ({"answer": "Bob"}, "must be parts of their contexts, but none of 1 questions"),
        ({"answers": "{7"}, "'answers' must be a list, a text, or an object"),
        ({"answers": 7}, "'answers' must be a list, a text, or an object of text and answer_start"),
        ({"answers": {"text": ["a", "b"], "answer_start": [1]}}, "2 answers and 1 starts"),
        ({"answers": {"answer_start": [1]}}, "'answers' must be a list, a text, or an object"),
        ({"answers": [["film", 9]]}, "'text' must be a text, but is"),
        ({"answers": [{"answer_start": 9}]}, "'text' must be a text, but is missing"),
        ({"answer": "film", "answer_start": 9.5}, "'answer_start' must be an integer, but is 9.5"),
    ],
)
def test_wrong_flat_rows_are_named(columns, message):
    with pytest.raises(ValueError, match=rf"a\.csv:2: .*{message}"):
        questions([Row({**ASKED, **columns}, "a.csv:2")])


def test_columns_that_are_there_are_named():
    row = Row({"question": "Who?", "passage": "x", "answer": "y"}, "a.csv:2")
    with pytest.raises(
        ValueError, match="a.csv:2: .* but context is missing, .* question, passage"
    ):
        questions([row])
