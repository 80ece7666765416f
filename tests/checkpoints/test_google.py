import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.checkpoints import google


@pytest.fixture
def config(config):
    """The small model with gelu as Google's code computes it."""
    return dataclasses.replace(config, activation="gelu_tanh")


@pytest.fixture
def written(tmp_path, tokenizer, config):
    model = kb.BertPretrainer(kb.BertEncoder(config))
    kb.save_google(model, tmp_path / "google", tokenizer)
    return model, tmp_path / "google"


@pytest.fixture(scope="module")
def golden(shared):
    return shared / "golden" / "google_bert_3x48"


def test_numbers_of_googles_code(golden):
    """Encoder and both heads' log probabilities from Google's own checkpoint, to 1e-5."""
    expected = np.load(golden / "expected.npz")
    names = ("token_ids", "segment_ids", "padding_mask", "mask_positions")
    checkpoint = kb.load(golden)
    assert checkpoint.config.activation == "gelu_tanh"
    outputs = checkpoint.model({name: expected[name] for name in names})
    masked_lm = tf.nn.log_softmax(tf.reshape(outputs["masked_lm"], [-1, 211]))
    np.testing.assert_allclose(masked_lm, expected["mlm_log_probs"], atol=1e-5)
    next_sentence = tf.nn.log_softmax(outputs["next_sentence"])
    np.testing.assert_allclose(next_sentence, expected["nsp_log_probs"], atol=1e-5)


def test_written_back_every_name_shape_and_value_is_the_same(golden, tmp_path):
    checkpoint = kb.load(golden)
    kb.save_google(checkpoint.model, tmp_path / "back", checkpoint.tokenizer)
    theirs, ours = (
        dict(google.Tensors(folder / google.WEIGHTS_PREFIX))
        for folder in (golden, tmp_path / "back")
    )
    assert list(theirs) == list(ours) and len(ours) > 50
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value)
    settings = [
        json.loads((f / google.CONFIG_FILE).read_text()) for f in (golden, tmp_path / "back")
    ]
    assert settings[0] == settings[1]


def test_a_real_checkpoint_of_tensorflow_1_opens(shared):
    checkpoint = kb.load(shared / "data" / "ckpt" / "tf1_tiny_keras_bert")
    assert checkpoint.config.hidden_dim == 4 and checkpoint.tokenizer.lowercase
    [[blank]] = kb.FillMask(checkpoint.model, kb.Packer(checkpoint.tokenizer, 16), top_k=3)(
        ["all work and no [MASK]"]
    )
    assert len(blank) == 3


@pytest.mark.parametrize("objective", ["next_sentence", None])
def test_what_is_written_opens(tmp_path, tokenizer, objective, config):
    model = kb.BertPretrainer(kb.BertEncoder(config), objective)
    kb.save_google(model, tmp_path / "google", tokenizer)
    checkpoint = kb.load(tmp_path / "google")
    assert checkpoint.config == config
    assert checkpoint.model.sentence_objective == objective
    for ours, theirs in zip(model.weights, checkpoint.model.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_encoder_alone(tmp_path, tokenizer, config):
    kb.save_google(kb.BertEncoder(config), tmp_path / "google", tokenizer)
    assert kb.load(tmp_path / "google").model is None


@pytest.mark.parametrize(
    "change",
    [
        {"activation": "gelu"},
        {"norm_first": True},
        {"positions": "sinusoidal"},
        {"positions": "rotary"},
    ],
)
def test_what_google_has_not_is_refused(tmp_path, tokenizer, change, config):
    config = dataclasses.replace(config, **change)
    with pytest.raises(ValueError, match=f"{next(iter(change))}="):
        kb.save_google(kb.BertEncoder(config), tmp_path / "google", tokenizer)


def flip_a_byte(folder):
    [path] = folder.glob("*.data-*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(folder):
    [path] = folder.glob("*.data-*")
    path.write_bytes(path.read_bytes()[:-1000])


def set_config(**change):
    def edit(folder):
        path = folder / google.CONFIG_FILE
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))

    return edit


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip_a_byte, "must be readable"),
        (cut, "must be readable"),
        (lambda folder: (folder / "bert_model.ckpt.index").unlink(), "must be a whole checkpoint"),
        (lambda folder: (folder / "vocab.txt").unlink(), "there is no .*vocab.txt"),
        (lambda folder: (folder / google.CONFIG_FILE).write_text("[]"), "must be a JSON object"),
        (lambda folder: (folder / google.CONFIG_FILE).write_text("{}"), "does not say vocab_size"),
        (set_config(num_hidden_layers=3), "bert/encoder/layer_2/.*are missing"),
        (set_config(num_hidden_layers=1), "bert/encoder/layer_1/.*are not known"),
        (set_config(intermediate_size=32), r"layer_0/intermediate/dense/.*\(.*32.*has \(.*31"),
        (set_config(hidden_act="swish"), "hidden_act must be one of"),
        (set_config(vocab_size=90), r"word_embeddings .* shape \(90, 18\).* has \(101, 18\)"),
        (set_config(hidden_dropout_prob="0.1"), "hidden_dropout_prob must be a number, not '0.1'"),
        (set_config(num_hidden_layers=10**6), "bert/encoder/layer_2/.*are missing"),
        (set_config(max_position_embeddings=10**7), r"position_embeddings .*\(10000000, 18\)"),
    ],
)
def test_damage_is_named(written, damage, message):
    _, folder = written
    damage(folder)
    with pytest.raises(ValueError, match=message):
        kb.load(folder)


def rename(folder, name):
    for path in folder.glob("bert_model.ckpt.*"):
        path.rename(folder / path.name.replace("bert_model.ckpt", name))


def test_checkpoints_of_a_training(written):
    """run_classifier and BioBERT call theirs model.ckpt-STEP; a state file may name the newest."""
    _, folder = written
    rename(folder, "model.ckpt-1000")
    assert isinstance(kb.load(folder).model, kb.BertPretrainer)
    copy_of = (folder / "model.ckpt-1000.index").read_bytes()
    (folder / "model.ckpt-500.index").write_bytes(copy_of)
    with pytest.raises(
        ValueError, match=r"holds model.ckpt-1000.index, model.ckpt-500.index: rename the files"
    ):
        kb.load(folder)
    (folder / "checkpoint").write_text(
        'model_checkpoint_path: "/of/another/machine/model.ckpt-1000"\n'
        'all_model_checkpoint_paths: "model.ckpt-500"\n'
    )
    assert isinstance(kb.load(folder).model, kb.BertPretrainer)


def test_a_checkpoint_without_its_config(written):
    _, folder = written
    (folder / google.CONFIG_FILE).unlink()
    with pytest.raises(ValueError, match=r"bert_model.ckpt.index.* needs its bert_config.json"):
        kb.load(folder)


def test_a_classifier_may_read_pairs(tmp_path, tokenizer, config):
    task = kb.TextClassifier(kb.BertEncoder(config), kb.Packer(tokenizer, 9), ("no", "yes"))
    kb.save_google(task, tmp_path, tokenizer)
    assert kb.load(tmp_path).model.text_keys == ("sentence",)
    assert kb.load(tmp_path, text_keys=("a", "b")).model.text_keys == ("a", "b")


def test_nothing_is_overwritten(written, tokenizer):
    model, folder = written
    with pytest.raises(ValueError, match="must be empty"):
        kb.save_google(model, folder, tokenizer)


def test_byte_level_pieces_are_refused(config, byte_pairs_of, tmp_path):
    with pytest.raises(ValueError, match="word pieces, but this is a BytePairTokenizer: save it"):
        kb.save_google(kb.BertEncoder(config), tmp_path / "google", byte_pairs_of("ModernBert"))


def test_what_cannot_be_written_leaves_nothing(tmp_path, tokenizer, config, monkeypatch):
    def fail(**_):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.raw_ops, "SaveV2", fail)
    with pytest.raises(OSError, match="No space left on device: .*bert_model.ckpt"):
        kb.save_google(kb.BertEncoder(config), tmp_path / "google", tokenizer)
    assert not list(tmp_path.iterdir())


def test_google_to_hub_and_back(written, tmp_path):
    _, folder = written
    checkpoint = kb.load(folder)
    kb.save(checkpoint.model, tmp_path / "hub", checkpoint.tokenizer)
    shutil.rmtree(folder)
    again = kb.load(tmp_path / "hub")
    assert again.config == checkpoint.config
    for ours, theirs in zip(again.model.weights, checkpoint.model.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
