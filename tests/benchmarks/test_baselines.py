"""The baselines learn, and BERT by the binary's own run: all of them are told."""

import json

import pytest

import keras_bert as kb
from benchmarks import baselines


@pytest.mark.slow
def test_all_of_them_are_told(tmp_path, encoder_of, tokenizer, capsys):
    kb.save(encoder_of("Bert", num_layers=1), tmp_path / "bert", tokenizer)
    rows = (f"the {word} film {i}\t{word}" for i in range(20) for word in ("fine", "lazy"))
    (tmp_path / "train.tsv").write_text("\n".join(("sentence\tlabel", *rows)) + "\n")
    files = {"train_files": f"{tmp_path}/train.tsv", "checkpoint": f"{tmp_path}/bert"}
    epochs = {"num_epochs": 1, "lstm_epochs": 1, "bag_epochs": 60}
    baselines.main(
        baselines.Arguments(**files, **epochs, eval_share=0.2, num_seeds=1, sequence_length=20)
    )
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    figures = {line["name"].removeprefix("baselines/"): line for line in lines}
    for name in ("bag_of_words", "bilstm", "bert", "together"):
        told = figures[f"{name}/accuracy"]
        assert 0 <= told["value"] <= 100 and told["num_held_out"] == 8
        assert figures[f"{name}/training"]["value"] > 0
    assert figures["bag_of_words/accuracy"]["value"] == 100
