"""Models that lose heads and columns while they are fine-tuned, as a person trains them."""

import dataclasses
import json
import pathlib
import re
import shutil

import numpy as np
import pytest
from matplotlib.figure import Figure

import keras_bert as kb
from keras_bert.finetuning import cutting
from keras_bert.models.static import StaticEncoder
from train.cutting import Cutting, check_cutting, cut_of

WORDS = ("cat", "dog", "fox", "film", "quick", "brown", "jump", "over", "fine")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer, config, drawn):
    """A classifier and examples."""
    folder = tmp_path_factory.mktemp("cutting")
    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=2))
    task = kb.TextClassifier(encoder, kb.Packer(tokenizer, 15), ("lazy", "fine"), ("text",))
    kb.save(drawn(task), folder / "whole")
    rows = [f"the {word} is {i % 2}\t{'fine' if i % 2 else 'lazy'}" for i, word in enumerate(WORDS)]
    (folder / "train.tsv").write_text("text\tlabel\n" + "\n".join(rows) + "\n")
    return folder


def flags_of(folder, *others):
    return (
        *("--task=text_classification", "--text_keys=text", f"--train_files={folder}/train.tsv"),
        *(f"--checkpoint={folder}/whole", "--num_epochs=3", "--batch_size=5", "--seed=3"),
        *("--learning_rate=1e-2", "--remove_heads=0.5", "--remove_columns=0.7", *others),
    )


def test_what_is_left_is_smaller_and_as_good_as_was_said(folder, call, monkeypatch, without_graphs):
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **_: pathlib.Path(path).touch())
    monkeypatch.setattr(cutting, "save", lambda task, path: saved.append(task) or save(task, path))
    saved, save = [], kb.save
    output = (f"--eval_files={folder}/train.tsv", f"--output_dir={folder}/smaller")
    output = (*output, "--num_epochs=2")
    said = call("finetune", *flags_of(folder, *output))
    whole, smaller = (kb.load(folder / name).model for name in ("whole", "smaller"))
    config = smaller.encoder.config
    assert (sum(config.layer_heads), sum(config.layer_intermediate_dims)) == (3, 62 - 43)
    gone = 3 * (4 * 18 * 6 + 3 * 6) + 43 * (2 * 18 + 1)
    assert smaller.count_params() == whole.count_params() - gone
    numbers = f"{whole.count_params():,} numbers are now {smaller.count_params():,}"
    assert f"Removed are 3 of 6 heads and 43 of 62 columns: {numbers}." in said
    figures = json.loads((folder / "smaller" / "metrics.json").read_text())
    held_out = [json.loads(line) for line in (folder / "smaller/predictions.jsonl").open()]
    # The scores are of an epoch at whose end all was cut.
    epochs = [json.loads(line) for line in (folder / "smaller" / "metrics.jsonl").open()]
    assert figures["scores"]["accuracy"] == max(line["val_accuracy"] for line in epochs[1:])
    assert smaller.scored(held_out) == pytest.approx(figures["scores"], abs=1e-5)
    assert "- remove_columns: 0.7" in (folder / "smaller" / "README.md").read_text()
    assert len(saved) == 1


@pytest.mark.slow
def test_a_run_that_was_killed_ends_as_if_it_had_not_been(folder, call, without_graphs):
    own = (
        *(f"--teacher={folder}/whole", "--distil=outputs,relations", "--num_micro_batches=1"),
        *("--precision=mixed_bfloat16", f"--output_dir={folder}/killed", "--dropout=0.1"),
    )
    call("finetune", *flags_of(folder, *own))
    before = (folder / "killed" / "model.safetensors").read_bytes()
    # As if it had been killed in the second epoch, when some is cut.
    steps = sorted((folder / "killed" / "checkpoints").iterdir())
    shutil.rmtree(steps[-1])
    (folder / "killed" / "metrics.json").unlink()
    (folder / "killed" / "model.safetensors").unlink()
    call("finetune", *flags_of(folder, *own))
    assert (folder / "killed" / "model.safetensors").read_bytes() == before


@pytest.mark.slow
def test_two_devices_cut_what_one_does(folder, run):
    for name, more in (("one", ()), ("two", ("--strategy=mirrored", "--logical_devices=2"))):
        flags = flags_of(folder, "--dropout=0", "--batch_size=4", *more)
        run("finetune", *flags, f"--output_dir={folder}/of_{name}")
    one, two = (kb.load(folder / f"of_{name}").model for name in ("one", "two"))
    assert one.encoder.config == two.encoder.config and one.encoder.config.is_pruned
    for own, other in zip(one.weights, two.weights, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-3, err_msg=own.path)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--remove_heads=1",), r"--remove_heads must be a share in \[0, 1\), not 1"),
        (("--frozen_layers=1",), "which --frozen_layers does not train: leave it out, or use"),
        (("--checkpoint={}/other",), "a table of vectors has none: make a smaller one"),
    ],
)
def test_what_cannot_be_cut_is_refused(folder, flags, message, refused, tokenizer):
    if not (folder / "other").exists():
        table = StaticEncoder(kb.StaticConfig(vocabulary_size=tokenizer.vocabulary_size))
        kb.save(table, folder / "other", tokenizer)
    given = (flag.replace("{}", str(folder)) for flag in flags)
    flags = flags_of(folder, *given, f"--output_dir={folder}/none")
    assert re.search(message, refused("finetune", *flags))
    assert not (folder / "none").exists()


def test_flags_say_what_is_cut():
    assert cut_of(Cutting(), 30, 3) is None
    cut = cut_of(Cutting(remove_columns=0.25), 30, 3)
    assert cut == kb.finetuning.Cut(0.0, 0.25, 3, 20)
    check_cutting(Cutting(), frozen_layers=2)
