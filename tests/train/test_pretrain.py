"""Pretraining as a person runs it: finished, gone on from, and refused."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.text.added_tokens import AddedToken
from train import pretrain


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
def folder(tmp_path_factory, corpus):
    """A corpus of small documents and its vocabulary, where runs go too."""
    return shutil.copytree(corpus, tmp_path_factory.mktemp("run") / "pretrain")


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
        "steps.jsonl",
    }
    steps = [json.loads(line) for line in (folder / "bert" / "steps.jsonl").open()]
    assert [line["step"] for line in steps] == [1, 2, 3]
    for what in ("Building the graph of the training step ...\n... took ", "\nEpoch 2/2: loss "):
        assert what in printed
    lines = [json.loads(line) for line in (folder / "bert" / "metrics.jsonl").open()]
    assert [line["step"] for line in lines] == [2, 3]
    assert lines[0]["tokens_per_second"] > 0
    assert "masked_lm accuracy" in printed and "next_sentence accuracy" in printed
    assert "Next: keras-bert predict" in printed


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_pretraining_goes_on_from_a_checkpoint_of_any_size(folder, odd, call, without_graphs):
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


@pytest.mark.slow
def test_pretraining_goes_on_with_more_pieces_and_resumes(folder, odd, call, without_graphs):
    """The flags are all that a resumed run needs."""
    (folder / "words.txt").write_text("redfox\nCATS\n")
    flags = (
        *(f"--input_pattern={folder}/corpus/train/*.txt", "--documents=blank_lines"),
        *("--sequence_length=33", "--batch_size=6", "--num_steps=1", "--max_predictions=5"),
        *(f"--initial_checkpoint={odd}", f"--extend_vocabulary={folder}/words.txt"),
    )
    printed = call("pretrain", *flags, f"--output_dir={folder}/more")
    assert "2 new pieces behind the 58 of the checkpoint: redfox, CATS." in printed
    assert "1 steps are done" in call("pretrain", f"--flagfile={folder}/more/pretrain.flags")
    old, new = kb.load(odd).tokenizer, kb.load(folder / "more").tokenizer
    assert new.vocabulary == (*old.vocabulary, "redfox", "CATS")
    assert not new.lowercase and new.added_tokens == old.added_tokens


@pytest.mark.slow
def test_a_roberta_is_pretrained_of_bytes(folder, call, recwarn, byte_pairs_of, without_graphs):
    """A new one by spans, then with more pieces by words; nobody asked for next sentences."""
    (folder / "bytes").mkdir()
    kb.pretraining.write_pieces(folder / "bytes", byte_pairs_of("Roberta"))
    flags = (
        *(f"--input_pattern={folder}/corpus/train/*.txt", "--documents=blank_lines"),
        *("--sequence_length=33", "--batch_size=6", "--num_steps=1", "--max_predictions=5"),
    )
    own = (f"--vocabulary={folder}/bytes", "--preset=roberta_tiny", "--mask_unit=span")
    printed = call("pretrain", *flags, *own, f"--output_dir={folder}/roberta")
    assert "Text with a <mask>." in printed
    own = (f"--initial_checkpoint={folder}/roberta", "--extend_vocabulary=9", "--mask_unit=word")
    printed = call("pretrain", *flags, *own, f"--output_dir={folder}/roberta_2")
    assert "9 new pieces behind the 263" in printed and "All weights" in printed
    tokenizer = kb.load(folder / "roberta_2").tokenizer
    assert tokenizer.vocabulary_size == 272 and len(tokenizer.merges) == 2 + 9
    assert not [one for one in recwarn if "inputs" in str(one.message)]


@pytest.fixture(scope="module")
def electra(folder, encoder_of):
    """The checkpoint of a small ELECTRA's encoder, to be trained further."""
    tokenizer = kb.Tokenizer(kb.read_vocabulary(folder / "vocab.txt"))
    kb.save(encoder_of("Electra", num_layers=1), folder / "electra", tokenizer)
    return folder / "electra"


def electra_flags(folder, electra, *more):
    return (
        *(f"--input_pattern={folder}/corpus/train/*.txt", "--objective=replaced_tokens"),
        *(f"--initial_checkpoint={electra}", "--documents=blank_lines", "--sequence_length=23"),
        *("--max_predictions=3", "--batch_size=6", "--num_steps=3", "--steps_per_epoch=3"),
        *("--learning_rate=1e-3", "--optimizer=muon", "--num_micro_batches=2", "--log_every=1"),
        *more,
    )


@pytest.mark.slow
def test_a_detector_and_its_generator_are_pretrained_and_resume_bit_for_bit(
    folder, electra, call, without_graphs
):
    own = ("--save_every=1", f"--eval_pattern={folder}/corpus/eval/*.txt")
    flags = electra_flags(folder, electra, f"--output_dir={folder}/electra_2", *own)
    printed = call("pretrain", *flags)
    assert "New weights: replaced_tokens_dense and replaced_tokens; all others" in printed
    assert f"The generator is new, since there is no {electra}/generator, 1 layers of 4." in printed
    assert "AUC 0" in printed and "always 'original': " in printed and "masked_lm acc" in printed
    assert f"keras-bert predict --checkpoint={folder}/electra_2/generator --text=" in printed
    [line] = map(json.loads, (folder / "electra_2" / "metrics.jsonl").open())
    points = [json.loads(line) for line in (folder / "electra_2" / "steps.jsonl").open()]
    assert [point["step"] for point in points] == [1, 2, 3]
    names = {f"replaced_tokens_{name}" for name in ("loss", "accuracy", "recall", "auc")}
    for found in (line, points[0]):
        assert names | {"masked_lm_loss", "masked_lm_accuracy"} <= set(found)
    assert line["loss"] == pytest.approx(
        line["masked_lm_loss"] + 50 * line["replaced_tokens_loss"], rel=1e-5
    )
    kinds = [kb.load(folder / "electra_2" / part).model for part in ("", "generator")]
    assert [type(one) for one in kinds] == [kb.ReplacedTokenDetector, kb.BertPretrainer]
    # As if it had been killed after the second step.
    before = {
        name: (folder / "electra_2" / name).read_bytes()
        for name in ("model.safetensors", "generator/model.safetensors", "steps.jsonl")
    }
    shutil.rmtree(folder / "electra_2" / "checkpoints" / "step-00000003")
    (folder / "electra_2" / "model.safetensors").unlink()
    call("pretrain", f"--flagfile={folder}/electra_2/pretrain.flags", "--save_every=1")
    after = {name: (folder / "electra_2" / name).read_bytes() for name in before}
    for name in ("model.safetensors", "generator/model.safetensors"):
        assert after[name] == before[name], name


@pytest.mark.slow
def test_a_detector_goes_on_with_its_generator_and_more_pieces(
    folder, electra, call, without_graphs
):
    (folder / "pieces.txt").write_text("redfox\ncats\ndogcat\n")
    call("pretrain", *electra_flags(folder, electra, f"--output_dir={folder}/electra_3"))
    more = (
        *(f"--output_dir={folder}/electra_4", f"--extend_vocabulary={folder}/pieces.txt"),
        *("--final_mask_rate=0.1", "--mask_unit=token", "--optimizer=lamb", "--num_sequences=2"),
        *("--precision=mixed_bfloat16", "--recompute"),
    )
    printed = call("pretrain", *electra_flags(folder, folder / "electra_3", *more))
    assert "All weights are the checkpoint's. The generator is that of" in printed
    sizes = {
        kb.load(folder / "electra_4" / part).tokenizer.vocabulary_size for part in ("", "generator")
    }
    assert len(sizes) == 1 and "3 new pieces" in printed
    refused = electra_flags(folder, folder / "electra_3", "--generator_share=1")
    with pytest.raises(ValueError, match="is a width of 18, but the generator in .* has 4: leave"):
        call("pretrain", *refused, f"--output_dir={folder}/electra_5")


@pytest.fixture(scope="module")
def teacher(folder, encoder_of, drawn):
    """The checkpoint of a pretrainer of four blocks."""
    tokenizer = kb.Tokenizer(kb.read_vocabulary(folder / "vocab.txt"))
    encoder = encoder_of("Bert", num_layers=4, max_sequence_length=40)
    model = drawn(kb.BertPretrainer(encoder, "sentence_order"))
    kb.save(model, folder / "teacher", tokenizer)
    return folder / "teacher"


def student_flags(folder, teacher, *more):
    return (
        *(f"--input_pattern={folder}/corpus/train/*.txt", f"--teacher={teacher}"),
        *("--documents=blank_lines", "--sequence_length=33", "--batch_size=6", "--num_steps=2"),
        *("--max_predictions=5", "--learning_rate=1e-3", *more),
    )


def test_a_student_is_pretrained_from_some_of_its_teachers_blocks(
    folder, teacher, call, without_graphs
):
    own = ("--num_layers=2", "--distil=outputs,cosine", f"--output_dir={folder}/student")
    own = (*own, "--sentence_objective=none", "--num_steps=1")
    printed = call("pretrain", *student_flags(folder, teacher, *own))
    assert "All weights are the checkpoint's." in printed
    assert f"Taught by {teacher}: outputs, cosine." in printed
    [line] = map(json.loads, (folder / "student" / "metrics.jsonl").open())
    parts = ("masked_lm_loss", "soft_masked_lm_loss", "cosine_loss")
    assert line["loss"] == pytest.approx(sum(line[name] for name in parts) / 2, rel=1e-5)
    whole, student = kb.load(teacher), kb.load(folder / "student")
    assert student.config.num_layers == 2
    # A teacher is not saved with its student.
    assert student.model.count_params() < whole.model.count_params()
    last = [one.encoder.blocks[-1].attention.query.kernel.numpy() for one in (whole, student)]
    assert 0 < np.abs(last[0] - last[1]).max() < 0.05


@pytest.mark.slow
def test_a_student_of_joined_rows_that_was_killed_ends_as_if_it_had_not_been(
    folder, teacher, call, without_graphs
):
    own = (
        *("--num_sequences=2", "--sentence_objective=sentence_order", "--teacher_share=1"),
        *("--preset=tiny", "--num_micro_batches=2", "--recompute", "--precision=mixed_bfloat16"),
        *("--steps_per_epoch=2", "--save_every=1", "--dropout=0.1"),
        *(f"--output_dir={folder}/taught", f"--eval_pattern={folder}/corpus/eval/*.txt"),
    )
    said = call("pretrain", *student_flags(folder, teacher, *own))
    assert re.search(r"[\d,]+ of [\d,]+ numbers are the teacher's, all others are new", said)
    assert "masked_lm accuracy" in said and "sentence_order accuracy" in said
    before = (folder / "taught" / "model.safetensors").read_bytes()
    shutil.rmtree(folder / "taught" / "checkpoints" / "step-00000002")
    (folder / "taught" / "model.safetensors").unlink()
    call("pretrain", f"--flagfile={folder}/taught/pretrain.flags", "--save_every=1")
    assert (folder / "taught" / "model.safetensors").read_bytes() == before
    # It has its teacher's pieces, and weights of its own.
    assert kb.load(folder / "taught").tokenizer.settings() == kb.load(teacher).tokenizer.settings()


@pytest.mark.slow
def test_a_student_on_two_devices_is_that_of_one(folder, teacher, run):
    own = ("--num_layers=1", "--distil=outputs,relations,attention", "--dropout=0")
    own = (*own, "--sentence_objective=sentence_order")
    for name, more in (("one", ()), ("two", ("--strategy=mirrored", "--logical_devices=2"))):
        flags = student_flags(folder, teacher, *own, *more)
        run("pretrain", *flags, f"--output_dir={folder}/of_{name}")
    one, two = (kb.load(folder / f"of_{name}").model for name in ("one", "two"))
    for own, other in zip(one.weights, two.weights, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-4, err_msg=own.path)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--objective=replaced_tokens", "--teacher says which pieces are missing, but --objective"),
        ("--extend_vocabulary=9", "adds to the vocabulary of --initial_checkpoint"),
        ("--extend_vocabulary=9 --initial_checkpoint={}/bert", "gives that one more pieces: leave"),
        ("--lowercase", "Whether to lower-case is the teacher's: leave --lowercase out"),
        ("--distil=output", "must be some of outputs, hidden_states"),
        ("--teacher= --temperature=3", "--temperature is for what a teacher says: give --teacher"),
        ("--num_layers=0", "--num_layers must be at least 1, not 0"),
        ("--preset=tiny --vocabulary={}/fewer.txt", "their vocabularies, .* are others: leave"),
        ("--preset=tiny --distil=cosine", "asks for the teacher's hidden_dim, 18, but the student"),
    ],
)
def test_what_a_teacher_does_not_go_with_is_refused(folder, teacher, flags, message, refused):
    pieces = kb.read_vocabulary(folder / "vocab.txt")
    kb.write_vocabulary(folder / "fewer.txt", pieces[:-1])
    own = (*flags.replace("{}", str(folder)).split(), f"--output_dir={folder}/none")
    assert re.search(message, refused("pretrain", *student_flags(folder, teacher, *own)))
    assert not (folder / "none").exists()


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--objective=replaced_tokens", "by an ELECTRA, but this is a Bert: choose"),
        ("--preset=roberta_tiny", "family is 'Bert' there and 'Roberta' here"),
        ("--extend_vocabulary={}/vocab.txt", "has no piece that the vocabulary lacks"),
        ("--preset=tiny", "hidden_dim is 18 there and 128 here"),
        ("--lowercase", "lowercase is False there and True here"),
        ("--positions=sinusoidal", "positions is 'learned' there and 'sinusoidal' here"),
        ("--norm_first", "norm_first is False there and True here"),
        ("--vocabulary={}/other.txt", "its vocabulary is another one"),
        ("--sequence_length=41", "at most the model's 40 positions, not 41"),
        ("--initial_checkpoint=", "Give --vocabulary, .* or --initial_checkpoint"),
        ("--initial_checkpoint= --extend_vocabulary=9", "adds to the vocabulary of --initial"),
    ],
)
def test_what_contradicts_the_checkpoint_is_told(folder, odd, flag, message, refused):
    pieces = kb.read_vocabulary(folder / "vocab.txt")
    kb.write_vocabulary(folder / "other.txt", pieces[:-1])
    flags = (
        *(f"--input_pattern={folder}/corpus/train/*.txt", f"--initial_checkpoint={odd}"),
        *(f"--output_dir={folder}/none", "--sequence_length=33"),
        *flag.replace("{}", str(folder)).split(),
    )
    assert re.search(message, refused("pretrain", *flags))
    assert not (folder / "none").exists()


def test_a_pretraining_is_not_taken_for_a_fine_tuning(pretrained, refused):
    folder, _ = pretrained
    flags = (f"--checkpoint={folder}/bert", f"--output_dir={folder}/bert", "--train_files=x.tsv")
    error = refused("finetune", "--task=text_classification", *flags)
    assert "bert holds a run of pretraining" in error


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


@pytest.fixture(scope="module")
def arguments(tmp_path_factory, vocabulary):
    """Flags of a small run: three of four masked, two sequences a row at most, all recomputed."""
    folder = tmp_path_factory.mktemp("pretrain")
    paragraphs = (f"a fine film {i}.\nthe quick fox, want {i}?\nlazy {i}.\n\n" for i in range(40))
    (folder / "corpus.txt").write_text("".join(paragraphs))
    kb.write_vocabulary(folder / "vocab.txt", vocabulary)
    return pretrain.Arguments(
        input_pattern=str(folder / "corpus.txt"),
        output_dir=str(folder / "bert"),
        vocabulary=str(folder / "vocab.txt"),
        documents="blank_lines",
        preset="tiny",
        sequence_length=40,
        num_sequences=2,
        mask_unit="token",
        mask_rate=0.75,
        mask_share=1.0,
        random_share=0.0,
        max_predictions=30,
        batch_size=7,
        recompute=True,
    )


def test_flags_of_rows_and_masks_reach_the_data(arguments, tokenizer):
    shards, held_out = pretrain.datasets(arguments, tokenizer, "next_sentence")
    assert held_out is None and shards.number == 1
    [(x, y, weights)] = shards.dataset(0, range(1)).take(1)
    assert x["padding_mask"].shape == (7, 40) and np.max(x["padding_mask"]) == 2
    assert y["next_sentence"].shape == (7, 2)
    is_mask = np.equal(x["token_ids"], tokenizer.mask_id)
    np.testing.assert_array_equal(is_mask.sum(axis=1), np.sum(weights["masked_lm"], axis=1))
    special = np.isin(x["token_ids"], (tokenizer.cls_id, tokenizer.sep_id))
    num_tokens = ((x["padding_mask"].numpy() > 0) & ~special).sum(axis=1)
    np.testing.assert_array_equal(is_mask.sum(axis=1), np.round(0.75 * num_tokens))


def test_flags_of_the_model_reach_it(arguments):
    checkpoint = pretrain.starting_point(arguments)
    model = pretrain.build_model(arguments, checkpoint)
    assert model.encoder.recompute and len(model.output["next_sentence"].shape) == 3
    plain = dataclasses.replace(arguments, num_sequences=1, recompute=False)
    model = pretrain.build_model(plain, pretrain.starting_point(plain))
    assert not model.encoder.recompute and len(model.output["next_sentence"].shape) == 2
