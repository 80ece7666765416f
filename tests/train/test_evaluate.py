import dataclasses
import json

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.tasks import ensembles

ROWS = [{"text": text, "animal": animal} for text, animal in (
    ("a fine fox", "fox"), ("the lazy dog", "dog"), ("quick brown fox", "fox"), ("over", "dog"),
)]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer, config):
    """A folder with two classifiers of animals, one of other labels, and labelled texts."""
    folder = tmp_path_factory.mktemp("evaluate")
    small = dataclasses.replace(config, num_layers=1, initializer_range=0.3)
    for name, labels in (("one", "dog fox"), ("other", "dog fox"), ("alien", "cat dog")):
        task = kb.TextClassifier(kb.BertEncoder(small), kb.Packer(tokenizer, 9), labels.split())
        kb.save(task, folder / name)
    lines = [f"{row['text']}\t{row['animal']}\n" for row in ROWS]
    (folder / "animals.tsv").write_text("".join(["text\tanimal\n", *lines]))
    (folder / "cats.tsv").write_text("".join(["text\tanimal\n", *lines, "a cat\tcat\n"]))
    return folder


@pytest.fixture
def flags(folder, tmp_path):
    """Those that read the labelled texts and say where the answers go."""
    columns = ("--text_keys=text", "--label_key=animal")
    return (f"--eval_files={folder}/animals.tsv", *columns, f"--output_dir={tmp_path}/scored")


def members(folder, *names):
    """Tasks as the binary loads them, to read the columns of the file."""
    loaded = [kb.load(folder / name).model for name in names]
    for task in loaded:
        task.text_keys = ("text",)
    return loaded


@pytest.mark.parametrize("combine", [None, "outputs", "average"])
def test_files_are_scored_and_answered(folder, tmp_path, flags, combine, call, without_graphs):
    names = ["one", "other"] if combine else ["one"]
    paths = ",".join(str(folder / name) for name in names)
    how = (f"--combine={combine}",) if combine else ()
    printed = call("evaluate", f"--checkpoint={paths}", *flags, *how)
    loaded = members(folder, *names)
    combined = {"outputs": ensembles.ensemble, "average": ensembles.average}
    task = combined[combine](loaded) if combine else loaded[0]
    answers = task([{"text": row["text"]} for row in ROWS])
    examples = [{"text": row["text"], "label": row["animal"]} for row in ROWS]
    scores = json.loads(printed[printed.index("{") : printed.index("}") + 1])
    assert scores == pytest.approx({"examples": 4, **task.scores(examples, answers)}, nan_ok=True)
    lines = (tmp_path / "scored" / "predictions.jsonl").read_text().splitlines()
    written = [json.loads(line)["answer"]["probability"] for line in lines]
    assert written == pytest.approx([answer["probability"] for answer in answers], abs=1e-5)
    metrics = json.loads((tmp_path / "scored" / "metrics.json").read_text())
    members_alone = metrics.pop("members", {})
    assert {"examples": 4, **metrics} == scores
    if combine == "outputs":
        assert [*members_alone] == paths.split(",")
        assert members_alone[paths.split(",")[1]] == pytest.approx(loaded[1].scored(examples))
        assert printed.splitlines()[3].startswith("together")


@pytest.mark.slow
def test_checkpoints_and_files_are_scored_side_by_side(folder, tmp_path, call, without_graphs):
    """What is written by `predict` counts as the checkpoint that wrote it."""
    columns = ("--text_keys=text", "--label_key=animal")
    files, said = f"{folder}/animals.tsv", {}
    for name in ("jsonl", "csv"):
        said[name] = tmp_path / f"said.{name}"
        flags = (f"--checkpoint={folder}/other", f"--input_files={files}", *columns)
        call("predict", *flags, f"--output_file={said[name]}")
    printed = []
    for other in (folder / "other", said["jsonl"], said["csv"]):
        both = (f"--checkpoint={folder}/one,{other}", f"--eval_files={files}", *columns)
        flags = ("--combine=mean", f"--held_out_files={files}", f"--output_dir={tmp_path}/out")
        printed.append(call("evaluate", *both, *flags))
        lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
        printed[-1] = [json.loads(line)["answer"]["probabilities"] for line in lines]
    for found in printed[1:]:
        assert np.abs(np.array(found) - printed[0]).max() < 1e-5
    both = f"--checkpoint={folder}/one,{said['csv']}"
    asked = call("predict", both, "--combine=vote", *columns, "--text=over")
    assert asked.splitlines()[0] == "over" and "label" in asked


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--member_weights=1,x", "must be numbers with commas"),
        ("--member_weights=1,2,3", "weights must be 2 numbers"),
        ("--member_weights=1,2 --held_out_files=a.tsv", "one of them"),
        ("--member_weights=1,2 --combine=average", "there is --combine=average: leave them out"),
    ],
)
def test_weights_that_count_for_nothing_are_refused(folder, flags, message, refused):
    both = f"--checkpoint={folder}/one,{folder}/other"
    eval_files = f"--eval_files={folder}/animals.tsv"
    one = f"--checkpoint={folder}/one"
    assert "is for several models" in refused("evaluate", one, eval_files, "--combine=vote")
    assert message in refused("evaluate", both, eval_files, *flags.split())


def test_texts_that_are_cut_are_told(folder, flags, call, caplog, without_graphs):
    call("evaluate", f"--checkpoint={folder}/one", *flags, "--sequence_length=4")
    assert "3 of 4 examples are longer than 4 pieces and are cut" in caplog.text


def test_members_that_differ_and_labels_that_are_none_are_refused(folder, tmp_path, flags, refused):
    both = f"--checkpoint={folder}/one,{folder}/alien"
    assert "labels is ('dog', 'fox') of the first" in refused("evaluate", both, *flags)
    cats = f"--eval_files={folder}/cats.tsv"
    error = refused("evaluate", f"--checkpoint={folder}/one", *flags, cats)
    assert "cats.tsv:6: a label must be one of 'dog', 'fox', but is 'cat'" in error
    assert not (tmp_path / "scored").exists()
