"""Every family from a pretrained checkpoint to a served answer, by the binaries."""

import contextlib
import json

import numpy as np
import pytest
import safetensors.numpy

import keras_bert as kb
from keras_bert.exporting import warmup
from keras_bert.launching import free_addresses
from keras_bert.serving.server.server import Arguments, Server
from keras_bert.tasks.hooks import Start
from keras_bert.tasks.table import TASKS
from keras_bert.training import data_service

NOUNS = ("cat", "dog", "fox", "film")
BYTE_PAIRS = ("Roberta", "ModernBert")


@pytest.fixture(params=("DistilBert", "Electra", "Roberta", "ModernBert"))
def family(request):
    return request.param


@pytest.fixture
def own_tokenizer(family, tokenizer, byte_pairs_of):
    """The tokenizer of the family."""
    return byte_pairs_of(family) if family in BYTE_PAIRS else tokenizer


@pytest.fixture
def encoder(family, encoder_of):
    """A small encoder of the family, with a row of embeddings for each piece."""
    return encoder_of(family, num_layers=1, vocabulary_size=270)


@pytest.fixture
def flags(encoder, own_tokenizer, tmp_path):
    """Those of a fine-tuning on a pretrained checkpoint of the family, but for its output."""
    kb.save(kb.BertPretrainer(encoder, None), tmp_path / "whole", own_tokenizer)
    rows = (
        {"sentence": f"the {noun} is fine", "label": f"{i % 2}"} for i, noun in enumerate(NOUNS)
    )
    (tmp_path / "train.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return (
        *("--task=text_classification", f"--train_files={tmp_path}/train.jsonl"),
        *("--sequence_length=23", "--batch_size=2", "--learning_rate=1e-3", "--num_epochs=1"),
        *("--layer_decay=0.8", f"--checkpoint={tmp_path}/whole"),
    )


@pytest.mark.slow
def test_a_family_is_fine_tuned_asked_and_served(
    encoder, flags, tmp_path, call, eagerly, monkeypatch
):
    monkeypatch.setattr(warmup, "BATCH_SIZES", (2,))
    texts = ["the fox is fine", "", "  A  déjà-vu,\n中文!"]
    with eagerly():
        call("finetune", *flags, f"--output_dir={tmp_path}/own")
        task = kb.finetuning.load_task(tmp_path / "own")
        assert type(task.encoder) is type(encoder)
        said = task(texts)
    call("export", f"--checkpoint={tmp_path}/own", f"--output_dir={tmp_path}/served/own")
    with (
        Server(Arguments(str(tmp_path / "served"), grpc_port=0, rest_port=0)) as server,
        kb.Client(f"http://localhost:{server.rest_port}", "own") as client,
    ):
        answers = client.predict(sentence=texts)
    wanted = [one["probabilities"] for one in said]
    np.testing.assert_allclose(answers["probabilities"], wanted, atol=1e-5)
    assert list(answers["label"]) == [one["label"] for one in said]


@pytest.mark.slow
def test_a_family_begins_with_new_weights(family, own_tokenizer, flags, tmp_path, call, eagerly):
    (tmp_path / "pieces").mkdir()
    kb.pretraining.write_pieces(tmp_path / "pieces", own_tokenizer)
    own = (f"--preset={family.lower()}_tiny", f"--vocabulary={tmp_path}/pieces")
    with eagerly():
        told = call("finetune", *flags[:-1], *own, f"--output_dir={tmp_path}/own")
    assert "All weights are new." in told
    checkpoint = kb.load(tmp_path / "own")
    assert type(checkpoint.encoder).__name__ == f"{family}Encoder"
    assert checkpoint.tokenizer.settings() == own_tokenizer.settings()
    assert checkpoint.model("the fox is fine")["label"] in ("0", "1")


@pytest.mark.slow
def test_on_two_devices_a_family_learns_what_it_does_on_one(flags, tmp_path, call, without_graphs):
    learned = {}
    for strategy in ("none", "mirrored"):
        folder = tmp_path / strategy
        call("finetune", *flags, "--dropout=0", f"--strategy={strategy}", f"--output_dir={folder}")
        learned[strategy] = safetensors.numpy.load_file(folder / "model.safetensors")
    for name, expected in learned["none"].items():
        np.testing.assert_allclose(learned["mirrored"][name], expected, atol=1e-5, err_msg=name)


FIRST, *OTHERS = (getattr(kb, name) for name in TASKS.values())


@pytest.mark.parametrize(
    "kind", [FIRST, *(pytest.param(kind, marks=pytest.mark.slow) for kind in OTHERS)]
)
def test_a_family_learns_a_task(
    kind, encoder, own_tokenizer, two_examples, tmp_path, without_graphs
):
    """A step in half precision; what is saved is opened, and says the same."""
    encoder = encoder.copy("mixed_bfloat16")
    packer, examples = kb.Packer(own_tokenizer, 23), two_examples(kind, own_tokenizer)
    on = Start(encoder, packer, kb.BertPretrainer(encoder, None))
    task = kind.from_examples(on, examples)
    task.compile(kb.AdamW(1e-3), **task.objective())
    batches = task.dataset(examples, batch_size=2, training=True)
    assert np.isfinite(task.fit(batches, verbose=0).history["loss"][0])
    kb.save(task, tmp_path)
    again, exact = kb.load(tmp_path).model, task.copy("float32")
    assert type(again) is kind and type(again.encoder) is type(encoder)
    features = task.features(task.input_columns(examples))
    for name, value in exact.outputs_of(features).items():
        np.testing.assert_allclose(again.outputs_of(features)[name], value, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["DistilBert", "Electra"], indirect=True)
def test_pretraining_goes_on_from_a_family_and_its_checkpoints_are_converted(
    encoder, own_tokenizer, tmp_path, call, refused, without_graphs
):
    """Rows of several sequences, masked by word."""
    kb.save(kb.BertPretrainer(encoder, None), tmp_path / "whole", own_tokenizer)
    text = "the fox jumps over the lazy dog.\n" * 9 + "\n"
    (tmp_path / "text.txt").write_text(text * 4)
    call(
        "pretrain",
        *(f"--input_pattern={tmp_path}/text.txt", f"--initial_checkpoint={tmp_path}/whole"),
        *("--documents=blank_lines", "--sequence_length=23", "--batch_size=4", "--num_steps=2"),
        *("--max_predictions=5", "--sentence_objective=none", "--num_sequences=2"),
        *("--mask_unit=word", f"--output_dir={tmp_path}/more"),
    )
    flags = (f"--source={tmp_path}/more", f"--output_dir={tmp_path}/copy")
    call("convert", *flags)
    before, after = (kb.load(tmp_path / name) for name in ("more", "copy"))
    assert after.config == before.config == encoder.config
    for one, other in zip(before.model.weights, after.model.weights, strict=True):
        if one.path not in before.new:
            np.testing.assert_array_equal(one, other)
    assert "Google's code has no" in refused("convert", *flags, "--format=google")


@pytest.mark.slow
@pytest.mark.parametrize("family", BYTE_PAIRS, indirect=True)
def test_data_workers_make_the_batches_of_a_byte_level_pretraining(
    encoder, own_tokenizer, tmp_path, call
):
    """Their graphs have the tokenizer's tables, and are run by others."""
    kb.save(kb.BertPretrainer(encoder, None), tmp_path / "whole", own_tokenizer)
    for name, noun in zip("ab", NOUNS, strict=False):
        (tmp_path / f"{name}.txt").write_text(f"The {noun} jumps. It is fine.\n\n" * 9)
    flags = (
        *(f"--input_pattern={tmp_path}/[ab].txt", f"--initial_checkpoint={tmp_path}/whole"),
        *("--documents=blank_lines", "--sequence_length=23", "--batch_size=4", "--num_steps=2"),
        *("--max_predictions=5", "--sentence_objective=none", "--num_sequences=1"),
        "--num_shards=2",
    )
    learned = []
    with contextlib.ExitStack() as stack:
        addresses = free_addresses(4)[::2]
        for address in addresses:
            stack.enter_context(data_service.serving(address))
        for service in ((), (f"--data_service={','.join(addresses)}",)):
            folder = tmp_path / f"by-{len(service)}"
            call("pretrain", *flags, *service, f"--output_dir={folder}")
            learned.append(safetensors.numpy.load_file(folder / "model.safetensors"))
    for name, expected in learned[0].items():
        np.testing.assert_array_equal(learned[1][name], expected, err_msg=name)
