import dataclasses

import pytest

import keras_bert as kb
from keras_bert.finetuning.card import model_card, write_card


@pytest.fixture(scope="module")
def task(tokenizer, config):
    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1))
    return kb.TextClassifier(encoder, kb.Packer(tokenizer, 9), ("no", "yes"))


def test_a_model_card_without_held_out_examples_has_no_scores(task):
    card = model_card(task, "mine", {}, {}, "python")
    assert "None: no examples were held out" in card and "| score |" not in card


def test_a_model_card_says_what_a_reader_asks(task, tmp_path):
    card = model_card(
        task,
        "checkpoints/mine",
        {"learned from": "train.tsv (7 examples)"},
        {"accuracy": 0.91234, "f1": (0.9, 0.01)},
        "keras-bert finetune --flagfile=checkpoints/mine/finetune.flags",
    )
    for part in (
        "`TextClassifier`",
        "- learned from: train.tsv (7 examples)",
        "| accuracy | 0.9123 |",
        "| f1 | 0.9000 ± 0.0100 |",
        "keras-bert finetune",
        'kb.load("checkpoints/mine")',
    ):
        assert part in card
    write_card(card, tmp_path / "README.md")
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == card
