"""Two workers learn a task on every family as one does."""

import json

import pytest

import keras_bert as kb

# Beside what is killed there is no time for it.
pytestmark = pytest.mark.slow
NOUNS = ("cat", "dog", "fox", "film")
BYTE_PAIRS = ("Roberta", "ModernBert")


@pytest.mark.parametrize("family", ["DistilBert", "Electra", *BYTE_PAIRS])
def test_two_workers_learn_on_a_family_as_one(
    family, encoder_of, byte_pairs_of, tokenizer, tmp_path, run_workers, assert_weights
):
    own = byte_pairs_of(family) if family in BYTE_PAIRS else tokenizer
    encoder = encoder_of(family, num_layers=1, vocabulary_size=270)
    kb.save(kb.BertPretrainer(encoder, None), tmp_path / "whole", own)
    rows = ({"sentence": f"the {noun}", "label": f"{i % 2}"} for i, noun in enumerate(NOUNS * 2))
    (tmp_path / "train.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    flags = (
        *("--task=text_classification", f"--train_files={tmp_path}/train.jsonl", "--dropout=0"),
        *("--sequence_length=23", "--batch_size=3", "--num_epochs=2", "--learning_rate=1e-3"),
        f"--checkpoint={tmp_path}/whole",
    )
    for number in (1, 2):
        output = f"--output_dir={tmp_path}/of-{number}"
        run_workers(number, tmp_path, "-m", "train.finetune", *flags, output)
    assert_weights(tmp_path / "of-2", tmp_path / "of-1", atol=1e-5)
