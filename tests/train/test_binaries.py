"""One real step of every binary, as a person runs them, one after the other."""

import dataclasses
import json
import pathlib
import random
import re

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.text.added_tokens import AddedToken

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORDS = ("the", "a", "old", "young", "red", "cat", "dog", "fox", "sees", "likes", "finds", "and")


def pretrain_flags(folder, *more):
    return (
        f"--input_pattern={folder}/corpus/train/*.txt",
        f"--eval_pattern={folder}/corpus/eval/*.txt",
        f"--vocabulary={folder}/vocab.txt",
        f"--output_dir={folder}/bert",
        *("--documents=blank_lines", "--preset=tiny", "--sequence_length=33", "--batch_size=6"),
        *("--num_steps=3", "--steps_per_epoch=2", "--warmup_steps=1", "--max_predictions=5"),
        *more,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory, run):
    """A corpus of small documents and the vocabulary that was learned from it."""
    folder, generator = tmp_path_factory.mktemp("run"), random.Random(1)

    def document():
        sentences = (" ".join(generator.choices(WORDS, k=9)) + ".\n" for _ in range(7))
        return "".join(sentence.capitalize() for sentence in sentences)

    for split, number in (("train", 40), ("eval", 10)):
        (folder / "corpus" / split).mkdir(parents=True)
        text = "\n".join(document() for _ in range(number))
        (folder / "corpus" / split / "text.txt").write_text(text)
    printed = run(
        "learn_vocabulary",
        f"--input_pattern={folder}/corpus/train/*.txt",
        f"--output={folder}/vocab.txt",
        *("--documents=blank_lines", "--vocabulary_size=90"),
    )
    assert "1 files, 40 documents" in printed and "Next: python -m train.pretrain" in printed
    return folder


@pytest.fixture(scope="module")
def pretrained(folder, run):
    """The folder with a finished run in `bert/`, and what the run printed."""
    return folder, run("pretrain", *pretrain_flags(folder))


def test_a_run_leaves_what_it_promises(pretrained):
    folder, printed = pretrained
    names = {path.name for path in (folder / "bert").iterdir()}
    assert names >= {
        *("config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"),
        *("pretrain.flags", "metrics.jsonl", "loss.png", "tensorboard", "checkpoints"),
    }
    lines = [json.loads(line) for line in (folder / "bert" / "metrics.jsonl").open()]
    assert [line["step"] for line in lines] == [2, 3]
    assert lines[0]["tokens_per_second"] > 0
    assert "masked_lm accuracy" in printed and "next_sentence accuracy" in printed
    assert "Next: python -m train.predict" in printed


def test_a_finished_run_says_that_it_is_done(pretrained, call):
    folder, printed = pretrained
    before = (folder / "bert" / "model.safetensors").read_bytes()
    # The run's own flagfile repeats it.
    again = call("pretrain", f"--flagfile={folder}/bert/pretrain.flags")
    assert "3 steps are done" in again
    assert again.splitlines()[-4:] == printed.splitlines()[-4:]
    assert (folder / "bert" / "model.safetensors").read_bytes() == before


def test_another_run_is_not_mixed_in(pretrained, refused):
    folder, _ = pretrained
    error = refused("pretrain", *pretrain_flags(folder, "--learning_rate=3e-4"))
    assert "--learning_rate was 0.0001 and is 0.0003" in error


def test_another_vocabulary_is_not_mixed_in(pretrained, refused):
    folder, _ = pretrained
    path = folder / "vocab.txt"
    before = path.read_text()
    path.write_text("\n".join([*before.split("\n")[:5], *sorted(before.split("\n")[5:-1])[::-1]]))
    error = refused("pretrain", f"--flagfile={folder}/bert/pretrain.flags")
    path.write_text(before)
    assert "goes on with the vocabulary it began with" in error


def test_blanks_are_filled(pretrained, call):
    folder, _ = pretrained
    texts = ("The old [MASK] sees a [MASK].", "A cat, [MASK].")
    printed = call(
        "predict",
        f"--checkpoint={folder}/bert",
        *(f"--text={text}" for text in texts),
        "--top_k=3",
    ).splitlines()
    assert [line for line in printed if not line.startswith("  ")] == list(texts)
    assert sum(line.startswith("  [MASK] ") for line in printed) == 3
    assert all(line.count("%") == 3 for line in printed if line.startswith("  [MASK] "))


def test_tokens_once_written_and_weights_of_another_run_and_of_word_vectors(pretrained, call):
    folder, _ = pretrained
    printed = call(
        "write_token_corpus",
        f"--input_pattern={folder}/corpus/train/*.txt",
        f"--vocabulary={folder}/vocab.txt",
        f"--output_dir={folder}/tokens",
        "--documents=blank_lines",
    )
    assert "40 documents" in printed and f"--input_pattern={folder}/tokens" in printed
    (folder / "vectors.txt").write_text("cat 1 0 2\ndog 0 1 3\nunheard 1 1 1\n")
    more = (
        f"--input_pattern={folder}/tokens",
        f"--output_dir={folder}/bert_2",
        f"--initial_checkpoint={folder}/bert",
        f"--word_vectors={folder}/vectors.txt",
        "--sentence_objective=none",
        "--mask_unit=span",
        "--precision=mixed_bfloat16",
        "--num_micro_batches=3",
    )
    printed = call("pretrain", *pretrain_flags(folder, *more))
    assert "All weights are the checkpoint's." in printed
    assert "2 of 57 pieces start from their vector" in printed


@pytest.fixture(scope="module")
def odd(folder, config):
    """A checkpoint of no published size, whose vocabulary has an added token: an encoder alone."""
    tokenizer = kb.Tokenizer(
        kb.read_vocabulary(folder / "vocab.txt"),
        lowercase=False,
        added_tokens=(AddedToken("<e>"),),
    )
    config = dataclasses.replace(config, num_layers=1, max_sequence_length=40)
    kb.save(kb.BertEncoder(config), folder / "odd", tokenizer)
    return folder / "odd"


def test_pretraining_goes_on_from_a_checkpoint_of_any_size(folder, odd, call):
    flags = (
        *(f"--input_pattern={folder}/corpus/train/*.txt", f"--initial_checkpoint={odd}"),
        *("--documents=blank_lines", "--sequence_length=33", "--batch_size=6", "--num_steps=2"),
        *("--max_predictions=5", f"--output_dir={folder}/odd_2"),
    )
    printed = call("pretrain", *flags)
    assert "New weights: masked_lm and next_sentence; all others are the checkpoint's." in printed
    before, after = kb.load(odd), kb.load(folder / "odd_2")
    assert after.config == before.config
    assert after.tokenizer.vocabulary == before.tokenizer.vocabulary
    assert not after.tokenizer.lowercase and after.tokenizer.added_tokens
    # Two steps have moved a norm's bias by little: the weights were not drawn anew.
    drift = np.abs(np.subtract(*(one.encoder.get_weights()[0] for one in (before, after))))
    assert 0 < drift.max() < 1e-3


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--preset=tiny", "hidden_dim is 18 there and 128 here"),
        ("--lowercase", "lowercase is False there and True here"),
        ("--positions=sinusoidal", "positions is 'learned' there and 'sinusoidal' here"),
        ("--norm_first", "norm_first is False there and True here"),
        ("--vocabulary={}/other.txt", "its vocabulary is another one"),
        ("--sequence_length=41", "at most the model's 40 positions, not 41"),
        ("--initial_checkpoint=", "Give --vocabulary, .* or --initial_checkpoint"),
    ],
)
def test_what_contradicts_the_checkpoint_is_told(folder, odd, flag, message, refused):
    pieces = kb.read_vocabulary(folder / "vocab.txt")
    kb.write_vocabulary(folder / "other.txt", pieces[:-1])
    flags = (
        *(f"--input_pattern={folder}/corpus/train/*.txt", f"--initial_checkpoint={odd}"),
        *(f"--output_dir={folder}/none", "--sequence_length=33", flag.replace("{}", str(folder))),
    )
    assert re.search(message, refused("pretrain", *flags))
    assert not (folder / "none").exists()


def test_a_pretraining_is_not_taken_for_a_fine_tuning(pretrained, refused):
    folder, _ = pretrained
    flags = (f"--checkpoint={folder}/bert", f"--output_dir={folder}/bert", "--train_files=x.tsv")
    error = refused("finetune", "--task=text_classification", *flags)
    assert "bert holds a run of pretraining" in error


def test_a_checkpoint_is_converted(pretrained, call, refused):
    folder, _ = pretrained
    source = f"--source={folder}/bert"
    printed = call("convert", source, f"--output_dir={folder}/bert_hub")
    assert "a BertPretrainer with" in printed
    error = refused("convert", source, f"--output_dir={folder}/google", "--format=google")
    assert "gelu by its tanh formula" in error


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--input_pattern=/nowhere/*.txt", "'/nowhere/*.txt' matches none"),
        ("--sequence_length=600", "sequence_length must be at most the model's 512 positions"),
        ("--vocabulary=setup.cfg", "setup.cfg"),
    ],
)
def test_bad_input_is_told_before_anything_is_written(folder, flag, message, refused):
    assert message in refused(
        "pretrain", *pretrain_flags(folder, f"--output_dir={folder}/new", flag)
    )
    assert not (folder / "new").exists()


def test_a_refusal_is_a_message_and_status_1(tmp_path, run):
    error = run("convert", "--source=/nowhere", f"--output_dir={tmp_path}/new", code=1)
    assert "/nowhere" in error and "Traceback" not in error


FINE_TUNING = ("demo_packages", "finetune", "glue", "squad", "conll", "swag")


def test_recipes_are_flags_of_their_binary(parsed):
    given = {
        "pretrain": ("--input_pattern=x", "--output_dir=y", "--vocabulary=z"),
        "finetune": ("--task=text_classification", "--output_dir=y"),
    }
    recipes = sorted((ROOT / "train" / "recipes").glob("*.flags"))
    assert len(recipes) >= 20
    for recipe in recipes:
        binary = "finetune" if recipe.name.startswith(FINE_TUNING) else "pretrain"
        arguments = parsed(binary, *given[binary], f"--flagfile={recipe}")
        assert arguments.batch_size > 0 and arguments.learning_rate > 0
