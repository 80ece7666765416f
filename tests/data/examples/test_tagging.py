import json
import logging

import pytest

from keras_bert.data.examples.tagging import tagged
from keras_bert.data.rows import Row

WORDS = ["Ann", "Lee", "is", "in", "Rome", "."]
LABELS = ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]
NAMES = ["O", "B-PER", "I-PER", "B-LOC"]
IDS = [NAMES.index(label) for label in LABELS]
TEXT = "Ann Lee is in Rome."
DONE = {"words": WORDS, "labels": LABELS}


def rows(*columns):
    return [Row(one, f"a.jsonl:{index}") for index, one in enumerate(columns, 1)]


@pytest.mark.parametrize(
    "columns",
    [
        {"tokens": WORDS, "ner_tags": LABELS},
        {"id": "0", "tokens": WORDS, "pos_tags": [3] * 6, "ner_tags": LABELS},
        {"words": WORDS, "labels": LABELS, "text": TEXT},
        {"Tokens": WORDS, "Tags": LABELS},
        # Lists as text, as Python and JSON write them; words with spaces between.
        {"tokens": str(WORDS), "ner_tags": str(LABELS)},
        {"tokens": json.dumps(WORDS), "ner_tags": json.dumps(LABELS)},
        {"words": " ".join(WORDS), "tags": " ".join(LABELS)},
        {"sentence": " ".join(WORDS), "labels": " ".join(LABELS)},
        # spaCy's, doccano's, Prodigy's.
        {"text": TEXT, "entities": [[0, 7, "PER"], [14, 18, "LOC"]]},
        {"id": 1, "text": TEXT, "label": [[14, 18, "LOC"], [0, 7, "PER"]], "Comments": []},
        {"data": TEXT, "labels": [(0, 7, "PER"), (14, 18, "LOC")]},
        {"text": TEXT, "entities": [{"label": "PER", "start_offset": 0, "end_offset": 7, "id": 7},
                                    {"label": "LOC", "start_offset": 14, "end_offset": 18}],
         "relations": []},
        {"text": TEXT, "tokens": [{"text": "Ann", "start": 0, "end": 3, "id": 0}], "_input_hash": 1,
         "spans": [{"start": 0, "end": 7, "label": "PER", "token_start": 0},
                   {"start": 14, "end": 18, "label": "LOC"}], "answer": "accept"},
        {"text": TEXT, "label": [{"start": 0, "end": 7, "text": "Ann Lee", "labels": ["PER"]},
                                 {"start": 14, "end": 18, "text": "Rome", "labels": ["LOC"]}]},
        {"text": TEXT, "entities": str([[0, 7, "PER"], [14, 18, "LOC"]])},
    ],
)  # fmt: skip
def test_rows_as_data_sets_write_them(columns):
    [row] = tagged(rows(columns))
    assert row == DONE and row.source == "a.jsonl:1"
    assert tagged([row]) == [row]


@pytest.mark.parametrize(
    ("columns", "keys"),
    [
        ({"tokens": WORDS, "ner_tags": ["O"] * 6, "fine": LABELS}, ("tokens", "fine")),
        ({"w": WORDS, "l": LABELS}, ("w", "l")),
        ({"Sentence": " ".join(WORDS), "Tag": str(LABELS)}, ("Sentence", "Tag")),
        ({"body": TEXT, "marks": [[0, 7, "PER"], [14, 18, "LOC"]]}, ("body", "marks")),
    ],
)
def test_columns_may_be_named(columns, keys):
    assert tagged(rows(columns), words_key=keys[0], labels_key=keys[1]) == [DONE]


@pytest.mark.parametrize(
    "ids", [IDS, [float(one) for one in IDS], [str(one) for one in IDS], LABELS]
)
@pytest.mark.parametrize("kind", ["list", "commas", "lines", "json", "id2label", "label2id"])
def test_numbers_have_names(tmp_path, ids, kind):
    path = tmp_path / ("tags.txt" if kind == "lines" else "config.json")
    contents = {
        "json": NAMES,
        "id2label": {"id2label": {str(i): name for i, name in enumerate(NAMES)}},
        "label2id": {name: i for i, name in enumerate(NAMES)},
    }
    path.write_text("\n".join(NAMES) if kind == "lines" else json.dumps(contents.get(kind)))
    names = {"list": NAMES, "commas": ", ".join(NAMES)}.get(kind, str(path))
    assert tagged(rows({"tokens": WORDS, "ner_tags": ids}), tag_names=names) == [DONE]


@pytest.mark.parametrize("ids", [IDS, [float(one) for one in IDS], str(IDS)])
def test_numbers_without_names_are_refused(ids):
    with pytest.raises(
        ValueError, match=r"a\.jsonl:1: labels must be names, .* number 1.*_names=O,"
    ):
        tagged(rows({"tokens": WORDS, "ner_tags": ids}))


@pytest.mark.parametrize("again", ["", None, float("nan"), "same"])
def test_a_word_a_row(again):
    """Kaggle's cells of the sentence are empty where it goes on; others repeat its number."""
    table = []
    for number in (1, 2):
        for word, label in zip(WORDS, LABELS, strict=True):
            first = word == WORDS[0]
            name = f"Sentence: {number}" if first or again == "same" else again
            table.append({"Sentence #": name, "Word": word, "POS": "X", "Tag": label})
    found = tagged(rows(*table))
    assert found == [DONE, DONE]
    assert [row.source for row in found] == ["a.jsonl:1", "a.jsonl:7"]
    for row in table:
        del row["Tag"], row["POS"]
    assert tagged(rows(*table)) == [{"words": WORDS}] * 2


def test_rows_to_be_answered_have_no_labels():
    assert tagged(rows({"tokens": WORDS})) == [{"words": WORDS}]
    assert tagged(rows({"tokens": WORDS, "ner_tags": None})) == [{"words": WORDS}]
    assert tagged(rows({"text": TEXT, "id": 1})) == [{"text": TEXT}]
    assert tagged([]) == []


def test_words_are_cut_where_entities_and_berts_words_are():
    text = "NewYork-based, 在北京 हिन्दी"
    spans = [[3, 7, "LOC"], [16, 18, "LOC"]]
    [row] = tagged(rows({"text": text, "entities": spans}))
    assert row["words"] == ["New", "York", "-", "based", ",", "在", "北", "京", "हिन्दी"]
    assert row["labels"] == ["O", "B-LOC", "O", "O", "O", "O", "B-LOC", "I-LOC", "O"]
    # Two entities of a type that touch, and one that ends in a blank.
    [row] = tagged(rows({"text": "ab cd", "entities": [[0, 1, "X"], [1, 3, "X"]]}))
    assert row == {"words": ["a", "b", "cd"], "labels": ["B-X", "B-X", "O"]}
    # A text without any entity, among others that have some.
    found = tagged(rows({"text": "a", "entities": [[0, 1, "X"]]}, {"text": "b", "entities": []}))
    assert found[1] == {"words": ["b"], "labels": ["O"]}


def test_what_was_rejected_in_prodigy_is_left_out(caplog):
    row = {"text": "a", "spans": [{"start": 0, "end": 1, "label": "X"}], "_input_hash": 1}
    with caplog.at_level(logging.WARNING, logger="absl"):
        found = tagged(rows(row, {**row, "answer": "reject"}, {**row, "answer": "accept"}))
    assert len(found) == 2 and "Left out 1 rows that are not accepted" in caplog.text


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"a": 1, "b": 2}, {}, "words and labels, .* has the columns 'a', 'b': .*--word_c"),
        ({"tokens": WORDS}, {"labels_key": "x"}, "must be a column 'x', but there are 'tokens'"),
        ({"tokens": WORDS, "ner_tags": LABELS[:5]}, {}, "6 words in 'tokens' and 5 labels in"),
        ({"tokens": WORDS, "ner_tags": [None] * 6}, {}, "a label must be a name, but is None"),
        ({"tokens": WORDS, "ner_tags": [[1]] * 6}, {}, r"a label must be a name, but is \[1\]"),
        ({"tokens": WORDS, "ner_tags": [-100] * 6}, {"tag_names": NAMES}, "below 4.* is -100"),
        ({"tokens": WORDS, "ner_tags": [4] * 6}, {"tag_names": NAMES}, "below 4, .* is 4"),
        ({"tokens": WORDS, "ner_tags": ["X"] * 6}, {"tag_names": NAMES}, "a name of .* is 'X'"),
        ({"tokens": WORDS, "ner_tags": IDS}, {"tag_names": "nowhere"}, "'nowhere' is nei"),
        ({"tokens": WORDS, "ner_tags": 7}, {}, "'ner_tags' must be a list, but is 7"),
        ({"tokens": "['a' 'b']", "ner_tags": "['O' 'O']"}, {}, r"'tokens' must be a list, but is"),
        ({"tokens": "[{[]: 1}]", "ner_tags": LABELS}, {}, "'tokens' must be a list, but is"),
        ({"tokens": [1, 2], "ner_tags": LABELS}, {"words_key": "tokens"}, "texts, .* has 1"),
        ({"tokens": [], "ner_tags": []}, {}, "words must be texts, but 'tokens' has none"),
        ({"word": "Ann", "tag": "O"}, {}, "must tell its sentence, .*--form=conll"),
        ({"text": "ab", "entities": [[0, 3, "X"]]}, {}, r"within its text of 2 .* is \[0, 3"),
        ({"text": "ab", "entities": [[1, 1, "X"]]}, {}, "within its text"),
        ({"text": "ab", "entities": [[-1, 1, "X"]]}, {}, "within its text"),
        ({"text": "abc", "entities": [[0, 2, "X"], [1, 3, "Y"]]}, {}, "but 'ab' and 'bc'"),
        ({"text": "ab", "entities": [["0", 1, "X"]]}, {}, "must be .start, end, type."),
        ({"text": "ab", "entities": [{"start": 0}]}, {}, "must be .start, end, type."),
        ({"text": "abc", "entities": [{"start": 0, "end": 1, "label": "X", "text": "bc"}]}, {},
         "'bc' is said to be at 0 to 1, where 'a' is"),
        ({"text": " ", "entities": [[0, 1, "X"]]}, {}, "'text' must be a text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_row(columns, options, message):
    with pytest.raises(ValueError, match=message) as error:
        tagged(rows(columns), **options)
    assert "a.jsonl:1: " in str(error.value) or "tag_names" in str(error.value)


def test_a_later_row_without_the_columns_is_named():
    with pytest.raises(
        ValueError, match=r"a\.jsonl:2: there must be a column 'tokens', .* 'words'"
    ):
        tagged(rows({"tokens": WORDS, "ner_tags": LABELS}, {"words": WORDS, "ner_tags": LABELS}))
