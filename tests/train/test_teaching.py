"""Students as a person trains them."""

import dataclasses
import json
import pathlib
import re

import pytest
import safetensors.numpy
from matplotlib.figure import Figure

import keras_bert as kb
from keras_bert.training.callbacks import SaveCheckpoints

NOUNS = ("cat", "dog", "fox", "film", "quick", "brown", "jump", "over", "fine")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer, config, drawn):
    """Two teachers, and files with labels and without."""
    folder = tmp_path_factory.mktemp("students")
    for i in range(2):
        encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=2))
        packer = kb.Packer(tokenizer, 15)
        task = kb.TextClassifier(encoder, packer, ("lazy", "fine"), ("text",), label_key="mood")
        kb.save(drawn(task), folder / f"teacher-{i}")
    rows = [f"the {noun} is {i % 2}\t{'fine' if i % 2 else 'lazy'}" for i, noun in enumerate(NOUNS)]
    (folder / "train.tsv").write_text("text\tmood\n" + "\n".join(rows) + "\n")
    (folder / "more.txt").write_text("".join(f"a {noun}\n" for noun in NOUNS[:5]))
    kb.write_vocabulary(folder / "vocab.txt", tokenizer.vocabulary)
    return folder


def flags_of(folder, *others):
    return (
        *("--task=text_classification", "--text_keys=text", "--label_key=mood"),
        *(f"--eval_files={folder}/train.tsv", "--num_epochs=2", "--batch_size=4"),
        *("--learning_rate=1e-2", *others),
    )


def test_a_student_of_two_teachers_is_as_good_as_its_table_says(
    folder, call, monkeypatch, without_graphs
):
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **_: pathlib.Path(path).touch())
    flags = flags_of(
        folder,
        *(f"--teacher={folder}/teacher-0,{folder}/teacher-1", "--num_layers=1"),
        *(f"--train_files={folder}/train.tsv", f"--unlabelled_files={folder}/more.txt"),
        *("--balance_labels", "--num_epochs=1", f"--output_dir={folder}/student"),
    )
    said = call("finetune", *flags)
    assert "9 examples to learn from, 5 without labels, 9 held out." in said
    assert "All weights are the checkpoint's, those of the head too." in said
    figures = json.loads((folder / "student" / "metrics.json").read_text())
    assert [*figures["teachers"]] == [f"{folder}/teacher-0", f"{folder}/teacher-1", "student"]
    student = figures["teachers"]["student"]
    assert student["scores"] == pytest.approx(figures["scores"])
    assert student["parameters"] < figures["teachers"][f"{folder}/teacher-0"]["parameters"]
    assert kb.load(folder / "student").config.num_layers == 1
    card = (folder / "student" / "README.md").read_text()
    assert f"- taught by: {folder}/teacher-0,{folder}/teacher-1, outputs" in card
    assert "- without labels:" in card and "- temperature: 2.0" in card
    assert kb.load(folder / "student").model.labels == ("lazy", "fine")


@pytest.mark.slow
def test_a_run_without_labels_that_was_killed_ends_as_if_it_had_not_been(
    folder, call, monkeypatch, without_graphs
):
    flags = flags_of(
        folder,
        *(f"--teacher={folder}/teacher-0", "--preset=tiny", f"--vocabulary={folder}/vocab.txt"),
        *(f"--unlabelled_files={folder}/more.txt,{folder}/train.tsv", "--distil=outputs,relations"),
        *("--sequence_length=15", "--num_micro_batches=2", "--precision=mixed_bfloat16"),
        "--batch_size=2",
    )
    call("finetune", *flags, f"--output_dir={folder}/whole")

    class Killed(BaseException):
        pass

    def die(self, batch, logs=None):
        if self.checkpoint.step == self.params["steps"] + 1:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(SaveCheckpoints, "on_train_batch_end", die)
        with pytest.raises(Killed):
            call("finetune", *flags, f"--output_dir={folder}/killed")
    call("finetune", *flags, f"--output_dir={folder}/killed")
    whole, killed = (
        safetensors.numpy.load_file(folder / name / "model.safetensors")
        for name in ("whole", "killed")
    )
    assert all((whole[name] == killed[name]).all() for name in whole)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--temperature=3",), "--temperature is for what a teacher says: give --teacher"),
        (("--unlabelled_files=a.txt",), "--unlabelled_files is for what a teacher says"),
        (("--teacher=no", "--distil=output"), "must be some of outputs, hidden_states"),
        (("--teacher=no", "--teacher_share=0"), r"share must lie in \(0, 1\]"),
    ],
)
def test_what_only_a_teacher_has_use_for_is_refused(folder, flags, message, refused):
    given = flags_of(folder, "--train_files=a.tsv", "--checkpoint=no", "--output_dir=none", *flags)
    assert re.search(message, refused("finetune", *given))
