import pytest

import keras_bert as kb
from keras_bert.finetuning.teaching import (
    compared,
    read_unlabelled,
    table_of,
    teacher_of,
)
from keras_bert.tasks.table import task_class


@pytest.fixture(scope="module")
def directory(tmp_path_factory, tokenizer, encoder_of, drawn):
    """A classifier's checkpoint."""
    directory = tmp_path_factory.mktemp("teacher")
    packer = kb.Packer(tokenizer, 9)
    kb.save(drawn(kb.TextClassifier(encoder_of("Bert"), packer, ("a", "b"))), directory)
    return directory


def test_a_teacher_is_one_of_checkpoints(directory):
    teacher = teacher_of([directory, directory])
    assert [member.labels for member in teacher.members] == [("a", "b")] * 2


@pytest.mark.parametrize(
    ("name", "content", "options", "columns"),
    [
        ("a.tsv", "text\tmood\tid\nfine\tgood\t7\n", {"label_key": "mood"}, {"text", "id"}),
        ("b.txt", "fine\nlazy\n", {"label_key": None}, {"text"}),
        ("c.csv", "text,x,y\nfine,0,1\n", {"label_key": "x,y"}, {"text"}),
    ],
)
def test_labels_of_what_is_not_to_have_some_go(tmp_path, name, content, options, columns):
    (tmp_path / name).write_text(content)
    files = kb.finetuning.ExampleFiles(str(tmp_path / name))
    options = {**options, "text_keys": ("text",), "problem": "multi_label_classification"}
    rows = read_unlabelled(task_class("text_classification"), files, options)
    assert {*rows[0]} == columns and rows[0].source.startswith(str(tmp_path))


def test_students_stand_beside_their_teachers(directory, eagerly):
    task = kb.load(directory).model
    held_out = [{"sentence": "fine", "label": "a"}, {"sentence": "lazy", "label": "b"}]
    with eagerly():
        figures = compared({"teacher": task, "student": task}, held_out)
    assert figures["teacher"]["scores"] == task.scored(held_out)
    assert figures["student"]["parameters"] == task.count_params()
    lines = table_of(figures).splitlines()
    assert lines[0].split()[:3] == ["accuracy", "f1", "matthews"]
    assert [line.split()[0] for line in lines[1:]] == ["teacher", "student"]
    assert lines[2].count("1.00x") == 2
