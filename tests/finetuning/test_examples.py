"""Files as each task takes them, to learn from and when it is made."""

import dataclasses

import pytest

import keras_bert as kb
from keras_bert.finetuning.examples import read_for, read_to_learn
from keras_bert.tasks.columns import ExampleFiles
from keras_bert.tasks.table import task_class

CLASSIFIER = task_class("text_classification")


@pytest.fixture
def write(tmp_path):
    """A function of a file's name and content that gives the file."""

    def file_of(name: str, content: str) -> ExampleFiles:
        (tmp_path / name).write_text(content)
        return ExampleFiles(str(tmp_path / name))

    return file_of


def test_held_out_rows_without_a_label_are_those_without_one_of_the_learned(write, caplog):
    train = write("train.csv", "sentence,label\na,0\nb,1\nc,2\n")
    dev = write("dev.csv", "sentence,label\nd,-1\ne,2\n")
    examples, held_out = read_to_learn(CLASSIFIER, train, dev, {"stride": 3})
    assert [row["label"] for row in examples] == ["0", "1", "2"]
    assert [row["sentence"] for row in held_out] == ["e"]
    assert "Left out 1 of 2 examples, which have no label (label is '-1' at " in caplog.text
    assert "dev.csv:2" in caplog.text
    with pytest.raises(ValueError, match="No example has a label"):
        read_to_learn(CLASSIFIER, train, write("none.csv", "sentence,label\nd,-1\n"), {})


def test_nothing_may_be_held_out(write):
    examples, held_out = read_to_learn(
        CLASSIFIER, write("a.csv", "sentence,label\na,0\n"), None, {}
    )
    assert len(examples) == 1 and held_out == []


@pytest.fixture(scope="module")
def task(tokenizer, config):
    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1))
    return CLASSIFIER(encoder, kb.Packer(tokenizer, 9), ("0", "1"), ("text",), label_key="mood")


def test_the_settings_of_a_task_count(task, write):
    files = write("a.csv", "text,mood,label\na,1,x\nb,-1,y\nc,0,z\n")
    rows = read_for(task, files, {"label_key": "label", "text_keys": None})
    assert [row["mood"] for row in rows] == ["1", "0"]


def test_what_is_only_answered_needs_no_label(task, write):
    rows = read_for(task, write("a.txt", "a fine film\nthe fox\n"), {}, labelled=False)
    assert rows == [{"text": "a fine film"}, {"text": "the fox"}]
    with pytest.raises(ValueError, match="there must be a column 'mood'"):
        read_for(task, write("b.csv", "text,label\na,1\n"), {})
