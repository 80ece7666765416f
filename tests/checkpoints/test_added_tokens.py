"""Added tokens of a directory, whatever cuts its words; with words in test_word_pieces.py."""

import json

import pytest

import keras_bert as kb
from keras_bert.checkpoints import added_tokens
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.text.added_tokens import AddedToken

CONFIG = kb.BertConfig(vocabulary_size=9)
PIECES = ("<pad>", "<s>", "a", "", "b")


def read(folder, special=("<s>",), **files):
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return added_tokens.read(Snapshot(folder), special)


def placed(folder, **ids):
    tokens = {name: (AddedToken(name), id_) for name, id_ in ids.items()}
    return added_tokens.placed(PIECES, tokens, CONFIG, Snapshot(folder))


def test_without_files_there_are_none(tmp_path):
    assert read(tmp_path) == {}


def test_the_first_file_that_says_a_token_counts_and_the_first_that_says_an_id(tmp_path):
    marked = {"content": "<e>", "lstrip": True, "special": True}
    found = read(
        tmp_path,
        special_tokens_map={"additional_special_tokens": ["<e>", "<f>"]},
        tokenizer_config={"additional_special_tokens": [marked]},
        added_tokens={"<e>": 7, "word": 8},
    )
    assert found == {
        "<e>": (AddedToken("<e>"), 7),
        "word": (AddedToken("word", normalized=True, special=False), 8),
        "<f>": (AddedToken("<f>"), None),
    }


def test_a_familys_own_special_tokens_are_special_where_a_file_does_not_say(tmp_path):
    assert read(tmp_path, added_tokens={"<s>": 1})["<s>"] == (AddedToken("<s>"), 1)
    ours = read(tmp_path, special=())["<s>"][0]
    assert ours == AddedToken("<s>", normalized=True, special=False)


def test_tokens_without_an_id_take_their_pieces_or_the_next_ones(tmp_path):
    base, added = placed(tmp_path, new=None, b=None, word=5)
    assert base == list(PIECES)
    assert [token.content for token in added] == ["b", "word", "new"]


def test_a_token_may_take_an_id_without_a_piece(tmp_path):
    base, added = placed(tmp_path, new=3)
    assert base == ["<pad>", "<s>", "a", "new", "b"] and added == [AddedToken("new")]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ({"new": 2}, "'new' must have an id of its own, but 2 is 'a'"),
        ({"a": 5}, "which has the token at 2"),
        ({"new": 9}, "id 9, for which the model, with vocab_size=9, has no embedding"),
        ({"new": 5, "old": 8}, "must follow each other, but are 5, 8"),
    ],
)
def test_ids_that_cannot_be(tmp_path, ids, message):
    with pytest.raises(ValueError, match=message):
        placed(tmp_path, **ids)


@pytest.mark.parametrize(("entry", "text"), [("<s>", "<s>"), ({"content": "<s>"}, "<s>")])
def test_a_token_is_a_text_or_an_object_with_one(entry, text):
    assert added_tokens.text_of(entry, "mine", "cls_token") == text
    with pytest.raises(ValueError, match="mine: cls_token must be a text"):
        added_tokens.text_of({"content": 5}, "mine", "cls_token")


@pytest.mark.parametrize(
    ("values", "expected"), [([0, 5], True), ([-1], False), ([True], False), (["5"], False)]
)
def test_ids_are_whole_numbers(values, expected):
    assert added_tokens.are_ids(values) is expected
