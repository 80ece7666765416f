"""Every family from a pretrained checkpoint to a served answer, by the binaries."""

import json

import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.exporting import warmup
from keras_bert.tasks.hooks import Start

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


@pytest.mark.slow
def test_a_family_is_fine_tuned_asked_and_served(
    encoder, own_tokenizer, tmp_path, call, eagerly, monkeypatch
):
    kb.save(kb.BertPretrainer(encoder, None), tmp_path / "whole", own_tokenizer)
    rows = (
        {"sentence": f"the {noun} is fine", "label": f"{i % 2}"} for i, noun in enumerate(NOUNS)
    )
    (tmp_path / "train.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    monkeypatch.setattr(warmup, "BATCH_SIZES", (2,))
    with eagerly():
        call(
            "finetune",
            *("--task=text_classification", f"--train_files={tmp_path}/train.jsonl"),
            *("--sequence_length=23", "--batch_size=2", "--learning_rate=1e-3", "--num_epochs=1"),
            *(
                "--layer_decay=0.8",
                f"--checkpoint={tmp_path}/whole",
                f"--output_dir={tmp_path}/own",
            ),
        )
        task = kb.finetuning.load_task(tmp_path / "own")
        assert type(task.encoder) is type(encoder)
        [said] = task(["the fox is fine"])
    call("export", f"--checkpoint={tmp_path}/own", f"--output_dir={tmp_path}/served")
    served = tf.saved_model.load(str(tmp_path / "served" / "1")).signatures["serving_default"]
    answer = served(sentence=tf.constant(["the fox is fine"]))
    np.testing.assert_allclose(answer["probabilities"][0], said["probabilities"], atol=1e-5)


# What each task learns from; the others' heads are read by the tests of checkpoints.
TASKS = {
    kb.TextClassifier: {"sentence": "the fox", "label": "fine"},
    kb.TokenClassifier: {"words": ["the", "fox"], "labels": ["O", "B-X"]},
    kb.QuestionAnswerer: {
        "question": "what",
        "context": "the fox",
        "answers": ["fox"],
        "answer_starts": [4],
    },
    kb.MultipleChoice: {"context": "a", "question": "so", "choices": ["fox", "dog"], "label": 0},
    kb.SentenceEmbedder: {"text": "the fox", "positive": "a fox"},
    kb.FillMask: {"text": "the [MASK]", "answers": ["fox"]},
}
FIRST, *OTHERS = TASKS


@pytest.mark.parametrize(
    "kind", [FIRST, *(pytest.param(kind, marks=pytest.mark.slow) for kind in OTHERS)]
)
def test_a_family_learns_a_task(kind, encoder, own_tokenizer, tmp_path, without_graphs):
    """A step in half precision; what is saved is opened, and says the same."""
    encoder = encoder.copy("mixed_bfloat16")
    packer, example = kb.Packer(own_tokenizer, 23), dict(TASKS[kind])
    if kind is kb.FillMask:
        example["text"] = example["text"].replace("[MASK]", own_tokenizer.mask_token)
    options = {"labels": ("fine", "lazy")} if kind is kb.TextClassifier else {}
    on = Start(encoder, packer, kb.BertPretrainer(encoder, None))
    task = kind.from_examples(on, [example], **options)
    task.compile(kb.AdamW(1e-3), **task.objective())
    batches = task.dataset([example] * 2, batch_size=2, training=True)
    assert np.isfinite(task.fit(batches, verbose=0).history["loss"][0])
    kb.save(task, tmp_path)
    again, exact = kb.load(tmp_path).model, task.copy("float32")
    assert type(again) is kind and type(again.encoder) is type(encoder)
    features = task.features(task.input_columns([example]))
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
