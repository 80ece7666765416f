"""Fine-tuning, evaluation and prediction as a person runs them, one after the other."""

import collections
import dataclasses
import json
import re

import pytest

import keras_bert as kb
from train import finetune, predict, tasks

WORDS = ("the", "a", "old", "young", "red", "cat", "dog", "fox", "sees", "likes", "finds", "and")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer, config):
    """A folder with a vocabulary and a small checkpoint."""
    folder = tmp_path_factory.mktemp("run")
    kb.write_vocabulary(folder / "vocab.txt", tokenizer.vocabulary)
    small = dataclasses.replace(config, num_layers=1)
    kb.save(kb.BertPretrainer(kb.BertEncoder(small)), folder / "bert", tokenizer)
    return folder


def test_a_checkpoint_is_fine_tuned_scored_and_asked(folder, run, call):
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
    printed = run("finetune", *flags)
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
    assert "is done" in call("finetune", *flags)

    members = f"{folder}/animals/seed-0,{folder}/animals/seed-1"
    for combine, evaluate in (("ensemble", run), ("average", call)):
        scored = evaluate(
            "evaluate",
            f"--checkpoint={members}",
            f"--eval_files={folder}/animals.tsv",
            *("--label_key=animal", f"--combine={combine}", f"--output_dir={folder}/scored"),
        )
        assert '"examples": 30' in scored and '"accuracy"' in scored
    assert len((folder / "scored" / "predictions.jsonl").read_text().splitlines()) == 30

    said = run("predict", f"--checkpoint={folder}/animals", "--text=A cat sees a fox")
    assert said.splitlines()[0] == "A cat sees a fox" and "  label: " in said


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "Give --checkpoint, or --preset and --vocabulary"),
        (("--train_files=",), "Give --train_files"),
        (("--label_key=colour",), "a label must be one of"),
    ],
)
def test_what_finetune_lacks(folder, flags, message, refused):
    (folder / "few.tsv").write_text("text\tanimal\na cat\tx\na dog\ty\n")
    error = refused(
        "finetune",
        *("--task=text_classification", f"--output_dir={folder}/none", "--text_keys=text"),
        *(f"--train_files={folder}/few.tsv", "--labels=x,y", "--label_key=animal"),
        *((f"--vocabulary={folder}/vocab.txt", "--preset=tiny") if flags else ()),
        *flags,
    )
    assert message in error


@pytest.mark.parametrize(
    ("task", "text_keys"),
    [
        *(("text_classification", keys) for keys in ("sentence", "first,second")),
        *((name, "sentence") for name in ("question_answering", "multiple_choice")),
    ],
)
def test_the_next_command_gives_one_example(folder, task, text_keys):
    arguments = finetune.Arguments(task=task, output_dir="", text_keys=text_keys, labels="x,y")
    given = collections.defaultdict(tuple)
    for flag, text in re.findall(r"--(\w+)='(.+?)'", finetune.example_flags(arguments)):
        given[flag] += (text,)
    made = tasks.make(arguments, kb.load(folder / "bert"), [{"impossible": False}])
    [example] = predict.examples_of(predict.Arguments(checkpoint="", **given), made)
    assert len(made([example])) == 1
