"""What is asked is answered as it was asked, or refused: no flag is lost."""

import csv
import dataclasses
import io
import json

import pytest

import keras_bert as kb
from keras_bert.data import compression


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer, config):
    """A folder with a pretrained model, classifiers of one text and of two, and a tagger."""
    folder = tmp_path_factory.mktemp("predict")
    packer = kb.Packer(tokenizer, 23)

    def encoder():
        return kb.BertEncoder(dataclasses.replace(config, num_layers=1))

    kb.save(kb.BertPretrainer(encoder()), folder / "bert", tokenizer)
    kb.save(encoder(), folder / "bare", tokenizer)
    kb.save(kb.TextClassifier(encoder(), packer, ("bad", "fine")), folder / "one")
    pair = kb.TextClassifier(encoder(), packer, ("bad", "fine"), ("first", "other"))
    kb.save(pair, folder / "two")
    kb.save(kb.TokenClassifier(encoder(), packer, ("O", "B-A")), folder / "tags")
    tags = kb.load(folder / "tags").model
    tags.get_layer("classifier").bias.assign([9.0, -9.0])
    kb.save(tags, folder / "outside")
    return folder


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--checkpoint=one", "Give --text, .*or --input_files"),
        ("--checkpoint=one --text=a --second=b", "reads one text, .*--text_keys=first,second"),
        ("--checkpoint=two --text=a", r"as many --second \(other\) as --text \(first\), but .* 0"),
        ("--checkpoint=one --text=a --choice=b", "--choice is for multiple choice"),
        ("--checkpoint=one --text=a --top_k=3", "--top_k is for models that fill blanks"),
        ("--checkpoint=bare --text=a", "bare must hold a model with a head"),
        ("--checkpoint=one --text=a --input_files=x.txt", "one of them"),
        ("--checkpoint=one --input_files=x.txt --second=b", "files have columns for them"),
        ("--checkpoint=nowhere --text=a --output_file=out.xls", "ends in '.xls': name it so"),
        ("--checkpoint=tags --input_files=no.txt --output_file=a.npy", r"a\.npy holds an array"),
        ("--checkpoint=one --input_files=x.csv", "x.csv: .*'sentence', .*are text.*--text_keys"),
        ("--checkpoint=nowhere --text=a", "nowhere"),
    ],
)
def test_what_would_be_lost_is_refused(folder, flags, message, call, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "x.csv").write_text("text,id\nfine,1\n")
    with pytest.raises(ValueError, match=message):
        call("predict", *flags.split())


def test_the_texts_of_a_pair_both_count(folder, call):
    flags = (f"--checkpoint={folder}/two", "--text=the film", "--text=the film")
    said = call("predict", *flags, "--second=fine", "--second=the lazy dog").splitlines()
    probabilities = [line for line in said if "probabilities" in line]
    assert said[0] == "the film | fine" and len(set(probabilities)) == 2


def test_files_without_labels_are_answered(folder, call, without_graphs):
    (folder / "lines.txt").write_text("a fine film\nthe lazy dog\n")
    (folder / "own.csv").write_text("id,review\n7,a fine film\n8,the lazy dog\n")
    for name, flags in (("lines.txt", ()), ("own.csv", ("--text_keys=review",))):
        call(
            "predict",
            *(f"--checkpoint={folder}/one", f"--input_files={folder}/{name}", *flags),
            f"--output_file={folder}/said.jsonl",
        )
        rows = [json.loads(line) for line in (folder / "said.jsonl").open()]
        assert [row["answer"]["label"] in ("bad", "fine") for row in rows] == [True, True]
    assert [row["id"] for row in rows] == ["7", "8"]


def test_each_line_that_is_piped_in_has_an_answer(
    folder, call, tmp_path, monkeypatch, without_graphs
):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a fine film\n\nthe fox\n")))
    compression._standard_input.cache_clear()
    said = call(
        "predict",
        *(f"--checkpoint={folder}/one", "--input_files=-", f"--output_file={tmp_path}/said.csv"),
        "--sequence_length=5",
    )
    compression._standard_input.cache_clear()
    assert said == f"{tmp_path}/said.csv: 3 answers.\n"
    with (tmp_path / "said.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["sentence"], row["source"]) for row in rows] == [
        *(("a fine film", "-:1"), ("", "-:2"), ("the fox", "-:3"))
    ]
    assert all(
        float(row[f"probability_{row['label']}"]) == float(row["probability"]) for row in rows
    )


def test_a_text_without_entities_is_told(folder, call, without_graphs):
    said = call("predict", f"--checkpoint={folder}/outside", "--text=the fine fox")
    assert said.splitlines() == ["the fine fox", "  no entities"]


def test_as_many_candidates_as_wanted(folder, call, without_graphs):
    said = call("predict", f"--checkpoint={folder}/bert", "--text=a [MASK]", "--top_k=2")
    assert said.count("%") == 2


def test_blanks_are_filled(folder, call):
    texts = ("The old [MASK] sees a [MASK].", "A cat, [MASK].")
    flags = (f"--checkpoint={folder}/bert", *(f"--text={text}" for text in texts), "--top_k=3")
    printed = call("predict", *flags).splitlines()
    assert [line for line in printed if not line.startswith("  ")] == list(texts)
    assert sum(line.startswith("  [MASK] ") for line in printed) == 3
    assert all(line.count("%") == 3 for line in printed if line.startswith("  [MASK] "))
