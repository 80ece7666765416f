"""Fine-tuning, evaluation and prediction as a person runs them, one after the other."""

import collections
import dataclasses
import json
import re

import pytest

import keras_bert as kb
from keras_bert.tasks.table import task_class
from train import finetune, predict
from train.examples import options_of

WORDS = ("the", "a", "old", "young", "red", "cat", "dog", "fox", "sees", "likes", "finds", "and")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer, config):
    """A folder with a vocabulary and a small checkpoint."""
    folder = tmp_path_factory.mktemp("run")
    kb.write_vocabulary(folder / "vocab.txt", tokenizer.vocabulary)
    small = dataclasses.replace(config, num_layers=1)
    kb.save(kb.BertPretrainer(kb.BertEncoder(small)), folder / "bert", tokenizer)
    return folder


def test_a_checkpoint_is_fine_tuned_and_asked(folder, call):
    rows = [
        f"{'A cat' if i % 2 else 'The dog'} sees {WORDS[i % 12]} {i}\t{i % 2}" for i in range(30)
    ]
    (folder / "animals.tsv").write_text("text\tanimal\n" + "\n".join(rows) + "\n")
    flags = (
        *("--task=text_classification", f"--checkpoint={folder}/bert", "--sequence_length=16"),
        *(f"--train_files={folder}/animals.tsv", "--text_keys=text", "--label_key=animal"),
        *("--eval_share=0.2", "--num_epochs=2", "--batch_size=7", "--learning_rate=1e-3"),
        *("--num_seeds=2", "--layer_decay=0.9", "--label_smoothing=0.1", "--balance_labels"),
        f"--output_dir={folder}/animals",
    )
    printed = call("finetune", *flags)
    assert "24 examples to learn from, 6 held out." in printed
    assert "New weights: classifier/kernel, classifier/bias" in printed
    assert "the most frequent label" in printed
    names = {path.name for path in (folder / "animals").iterdir()}
    assert names >= {
        *("config.json", "model.safetensors", "vocab.txt", "finetune.flags", "README.md"),
        *("metrics.json", "predictions.jsonl", "confusion.png", "scores.png", "seed-0", "seed-1"),
    }
    figures = json.loads((folder / "animals" / "metrics.json").read_text())
    assert len(figures["runs"]) == 2 and figures["scores"] in figures["runs"]
    assert set(figures["scores"]) == {"accuracy", "f1", "matthews"}
    for name, steps in (("metrics", [4, 8]), ("steps", [1, 2, 3, 4, 5, 6, 7, 8])):
        record = [json.loads(line) for line in (folder / f"animals/seed-0/{name}.jsonl").open()]
        assert [line["step"] for line in record] == steps
        assert {"loss", "accuracy", "learning_rate"} < {*record[0]}
        assert ("val_loss" in record[0]) == (name == "metrics")
    assert re.search(r"\nEpoch 2/2: loss .*; held out: loss \d.\d+, accuracy ", printed)
    assert "is done" in call("finetune", *flags)

    said = call("predict", f"--checkpoint={folder}/animals", "--text=A cat sees a fox")
    assert said.splitlines()[0] == "A cat sees a fox" and "  label: " in said


COMMON = ("--task=text_classification", "--train_files=few.tsv", "--text_keys=text")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--checkpoint=",), "Give --checkpoint, or --preset and --vocabulary"),
        (("--train_files=",), "Give --train_files"),
        (("--label_key=colour",), "few.tsv: there must be a column 'colour', .*text, animal"),
        (("--vocabulary=vocab.txt",), "--checkpoint and --vocabulary exclude each other"),
        (("--nolowercase",), "Whether to lower-case is the checkpoint's"),
        (("--dataset=tfds:x",), "--dataset and --train_files exclude each other"),
        (("--eval_files=few.tsv", "--eval_share=0.5"), "--eval_files and --eval_share exclude"),
        (("--eval_share=1.5",), "--eval_share must lie between 0 and 1, not 1.5"),
        (("--metric=f1",), "--metric is of held-out examples, but there are none"),
        (("--patience=2",), "--patience is of held-out examples"),
        (("--eval_files=few.tsv", "--metric=acuracy"), "must be one of accuracy, .* not 'acuracy'"),
        (("--num_epochs=0",), "--num_epochs must be at least 1, not 0"),
        (("--log_every=0",), "--log_every must be at least 1, not 0"),
        (("--sequence_length=1024",), "at most the model's 23 positions, not 1024"),
        (("--word_column=2",), "text_classification has no --word_column, .* token_class"),
        (("--task=fill_mask", "--stride=9"), "fill_mask has no --stride, which is for text"),
        (("--problem=regression", "--balance_labels"), "--balance_labels is for --problem=single"),
        (("--problem=regression", "--label_smoothing=0.1"), "--label_smoothing is for labels"),
        (("--eval_files=other.tsv",), "other.tsv:3: a label must be one of 'x', 'y', but is 'z'"),
        (("--eval_files=neither.tsv",), "neither.tsv: there must be a column 'text'"),
        (("--output_dir=few.tsv",), "few.tsv is a file"),
        (("--output_dir=bert",), "bert holds a model that no run of fine-tuning has made"),
        (("--checkpoint=nowhere",), "nowhere"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_trained_or_written(
    folder, flags, message, refused, monkeypatch
):
    monkeypatch.chdir(folder)
    (folder / "few.tsv").write_text("text\tanimal\na cat\tx\na dog\ty\n")
    (folder / "other.tsv").write_text("text\tanimal\na cat\tx\na dog\tz\n")
    (folder / "neither.tsv").write_text("sentence\tanimal\na cat\tx\n")
    given = ("--label_key=animal", "--checkpoint=bert", "--output_dir=none", *flags)
    assert re.search(message, refused("finetune", *COMMON, *given))
    assert not (folder / "none").exists()


def test_scores_of_which_less_is_better_choose_the_least(folder, call, without_graphs):
    rows = (f"the {WORDS[i % 12]}\t{i % 5}" for i in range(9))
    (folder / "stars.tsv").write_text("sentence\tlabel\n" + "\n".join(rows) + "\n")
    call(
        "finetune",
        *("--task=text_classification", "--problem=regression", f"--checkpoint={folder}/bert"),
        *(f"--train_files={folder}/stars.tsv", f"--eval_files={folder}/stars.tsv"),
        *("--metric=mean_squared_error", "--num_seeds=2", "--num_epochs=2", "--batch_size=9"),
        *("--learning_rate=1e-2", f"--output_dir={folder}/stars"),
    )
    figures = json.loads((folder / "stars" / "metrics.json").read_text())
    of_runs = [run["mean_squared_error"] for run in figures["runs"]]
    assert figures["scores"]["mean_squared_error"] == min(of_runs) < max(of_runs)
    for seed, kept in enumerate(of_runs):
        lines = (folder / "stars" / f"seed-{seed}" / "metrics.jsonl").read_text().splitlines()
        assert kept == min(json.loads(line)["val_mean_squared_error"] for line in lines)


@pytest.mark.parametrize(
    ("task", "text_keys"),
    [
        *(("text_classification", keys) for keys in ("sentence", "first,second")),
        *((name, None) for name in ("question_answering", "multiple_choice")),
    ],
)
def test_the_next_command_gives_one_example(folder, task, text_keys):
    arguments = finetune.Arguments(task=task, output_dir="", text_keys=text_keys, labels="x,y")
    given = collections.defaultdict(tuple)
    made = kb.finetuning.make_task(
        *(task_class(task), kb.load(folder / "bert"), [{"impossible": False}], None),
        options_of(arguments),
    )
    for flag, text in re.findall(r"--(\w+)='(.+?)'", made.asking):
        given[flag] += (text,)
    [example] = predict.examples_of(predict.Arguments(checkpoint="", **given), made)
    assert len(made([example])) == 1
