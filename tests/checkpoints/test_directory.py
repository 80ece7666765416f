import dataclasses
import errno
import itertools
import json
import logging
import os
import re
import shutil
import threading

import numpy as np
import pytest
import safetensors.numpy

import keras_bert as kb

B, T = 2, 7


def inputs(positions=True):
    ids = np.random.default_rng(5).integers(5, 97, [B, T]).astype("int32")
    features = {"token_ids": ids, "segment_ids": ids % 2, "padding_mask": np.ones_like(ids)}
    if positions:
        features["mask_positions"] = np.array([[1, 2, 6], [3, 0, 0]], "int32")
    return features


@pytest.fixture
def saved(tmp_path, tokenizer, config):
    model = kb.BertPretrainer(kb.BertEncoder(config))
    kb.save(model, tmp_path / "bert", tokenizer)
    return model, tmp_path / "bert"


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"norm_first": True},
        {"positions": "sinusoidal"},
        {"positions": "rotary"},
        {"activation": "gelu_tanh"},
    ],
    ids=lambda change: str(change),
)
@pytest.mark.parametrize("objective", ["next_sentence", "sentence_order", None])
def test_what_is_saved_comes_back(tmp_path, tokenizer, change, objective, config):
    model = kb.BertPretrainer(kb.BertEncoder(dataclasses.replace(config, **change)), objective)
    kb.save(model, tmp_path, tokenizer)
    checkpoint = kb.load(tmp_path)
    assert checkpoint.config == model.encoder.config
    assert checkpoint.model.sentence_objective == objective
    assert checkpoint.tokenizer.vocabulary == tokenizer.vocabulary
    for name, value in model(inputs()).items():
        np.testing.assert_array_equal(checkpoint.model(inputs())[name], value)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checksums.json",
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.txt",
    ]


def test_a_checkpoint_says_what_it_is(saved):
    _, saved = saved
    said = repr(kb.load(saved))
    assert said.startswith("<Checkpoint: BertEncoder of 2 x 18, <Tokenizer: 97 pieces, ")
    assert len(said) < 300


def test_encoder_alone(tmp_path, tokenizer, config):
    encoder = kb.BertEncoder(config)
    kb.save(encoder, tmp_path, tokenizer)
    checkpoint = kb.load(tmp_path)
    assert checkpoint.model is None
    np.testing.assert_array_equal(
        checkpoint.encoder(inputs(False))["pooled_output"], encoder(inputs(False))["pooled_output"]
    )


@pytest.mark.parametrize(
    "settings",
    [(True, None, True), (False, None, True), (True, False, False), (False, True, True)],
)
def test_tokenizer_settings_come_back(tmp_path, vocabulary, settings, config):
    lowercase, strip_accents, split_cjk = settings
    tokenizer = kb.Tokenizer(
        vocabulary, lowercase, strip_accents=strip_accents, split_cjk=split_cjk
    )
    kb.save(kb.BertEncoder(config), tmp_path, tokenizer)
    loaded = kb.load(tmp_path).tokenizer
    for name in ("lowercase", "strip_accents", "split_cjk"):
        assert getattr(loaded, name) == getattr(tokenizer, name)


def test_variants_that_transformers_lacks_have_a_model_type_of_their_own(
    tmp_path, tokenizer, config
):
    kb.save(kb.BertEncoder(dataclasses.replace(config, norm_first=True)), tmp_path, tokenizer)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "keras_bert"


def remove(name):
    return lambda folder: (folder / name).unlink()


def truncate(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-9])


def edit_config(**change):
    def edit(folder):
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))

    return edit


def edit_tensors(change):
    def edit(folder):
        tensors = safetensors.numpy.load_file(folder / "model.safetensors")
        safetensors.numpy.save_file(change(tensors), folder / "model.safetensors")

    return edit


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove("config.json"), "there is no .*config.json"),
        (remove("vocab.txt"), "there is no .*vocab.txt"),
        (remove("model.safetensors"), "there is no .*model.safetensors"),
        (truncate, "model.safetensors must be a whole safetensors file"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json must be JSON"),
        (edit_config(model_type="t5"), "config.json must describe a BERT.*'t5'"),
        (edit_config(hidden_act="swish"), "config.json: hidden_act must be one of.*'swish'"),
        (edit_config(num_attention_heads=5), "config.json: hidden_dim must be a multiple"),
        (edit_config(intermediate_size=32), r"intermediate.dense.* shape \(18, 32\).*\(18, 31\)"),
        (edit_config(num_hidden_layers=3), "encoder.layer.2.attention.*are missing"),
        (edit_config(num_hidden_layers=1), "encoder.layer.1.attention.*not known"),
        (edit_config(vocab_size=90), r"word_embeddings.* shape \(90, 18\).* has \(101, 18\)"),
        (
            edit_tensors(lambda t: {k: v for k, v in t.items() if "query.bias" not in k}),
            "query.bias.* are missing",
        ),
        (edit_tensors(lambda t: {**t, "lm.extra": np.zeros(3, "float32")}), "lm.extra.*not known"),
    ],
)
def test_damage_is_named(saved, damage, message):
    _, folder = saved
    (folder / "checksums.json").unlink()
    damage(folder)
    with pytest.raises(ValueError, match=message):
        kb.load(folder)


def test_a_vocabulary_larger_than_the_model_is_not_saved(tmp_path, tokenizer, config):
    small = kb.BertEncoder(dataclasses.replace(config, vocabulary_size=90))
    with pytest.raises(ValueError, match="vocabulary_size=90 pieces, but has 97"):
        kb.save(small, tmp_path, tokenizer)


def test_saving_again_replaces_and_leaves_other_files(saved, tokenizer, config):
    model, folder = saved
    (folder / "notes.txt").write_text("mine")
    other = kb.BertPretrainer(kb.BertEncoder(config))
    kb.save(other, folder, tokenizer)
    assert (folder / "notes.txt").read_text() == "mine"
    loaded = kb.load(folder).model(inputs())["masked_lm"]
    np.testing.assert_array_equal(loaded, other(inputs())["masked_lm"])
    assert not np.array_equal(loaded, model(inputs())["masked_lm"])


def test_numbers_of_transformers(shared):
    """The pretraining heads of a model that transformers saved, to 1e-5."""
    folder = shared / "golden" / "hf_bert_3x48" / "pretraining"
    expected = np.load(folder / "expected.npz")
    features = {name: expected[name] for name in ("token_ids", "segment_ids", "padding_mask")}
    batch, length = features["token_ids"].shape
    everywhere = np.tile(np.arange(length, dtype="int32"), [batch, 1])
    checkpoint = kb.load(folder)
    outputs = checkpoint.model({**features, "mask_positions": everywhere})
    there = features["padding_mask"] == 1
    for name, value in (
        ("masked_lm", expected["prediction_logits"]),
        ("next_sentence", expected["seq_relationship_logits"]),
    ):
        ours = np.asarray(outputs[name])
        where = there if value.ndim == 3 else slice(None)
        np.testing.assert_allclose(ours[where], value[where], atol=1e-5)


@pytest.mark.reference("torch", "transformers")
@pytest.mark.parametrize("objective", ["next_sentence", None])
def test_transformers_opens_what_is_saved(tmp_path, tokenizer, objective, config, drawn):
    import torch
    import transformers

    model = drawn(kb.BertPretrainer(kb.BertEncoder(config), objective))
    kb.save(model, tmp_path, tokenizer)
    architecture = transformers.BertForPreTraining if objective else transformers.BertForMaskedLM
    theirs, report = architecture.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"] and not report["mismatched_keys"]
    features = inputs()
    with torch.no_grad():
        outputs = theirs(
            input_ids=torch.tensor(features["token_ids"]),
            token_type_ids=torch.tensor(features["segment_ids"]),
            attention_mask=torch.tensor(features["padding_mask"]),
        )
    logits = (outputs.prediction_logits if objective else outputs.logits).numpy()
    gathered = np.stack([logits[b, features["mask_positions"][b]] for b in range(B)])
    ours = model(features)
    np.testing.assert_allclose(ours["masked_lm"], gathered, atol=1e-5)
    if objective:
        theirs = outputs.seq_relationship_logits.numpy()
        np.testing.assert_allclose(ours["next_sentence"], theirs, atol=1e-5)
    reader = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = "The quick brown fox, unaffordable."
    assert reader(text)["input_ids"][1:-1] == tokenizer.tokenize(text).numpy().tolist()


def kill_after(monkeypatch, name, number):
    """Makes the n-th call of a function of `os` the last thing that a process does."""
    real, calls = getattr(os, name), []

    def call(*arguments):
        calls.append(arguments)
        if len(calls) > number:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(os, name, call)


@pytest.mark.parametrize(
    ("name", "number", "new"), [("rename", 0, False), ("replace", 1, True), ("replace", 4, True)]
)
def test_killed_while_saving_the_directory_holds_one_whole_model(
    saved, tokenizer, monkeypatch, name, number, new, config
):
    model, folder = saved
    other = kb.BertPretrainer(kb.BertEncoder(config))
    with monkeypatch.context() as patch:
        # write_vocabulary, before the moment of saving, renames a file too.
        kill_after(patch, name, number)
        with pytest.raises(KeyboardInterrupt):
            kb.save(other, folder, tokenizer)
    loaded = kb.load(folder).model(inputs())["masked_lm"]
    np.testing.assert_array_equal(loaded, (other if new else model)(inputs())["masked_lm"])
    kb.save(other, folder, tokenizer)
    assert not list(folder.glob(".w*"))
    loaded = kb.load(folder).model(inputs())["masked_lm"]
    np.testing.assert_array_equal(loaded, other(inputs())["masked_lm"])


def test_a_copied_checkpoint_is_the_same(saved, tmp_path):
    model, folder = saved
    shutil.copytree(folder, tmp_path / "copy")
    np.testing.assert_array_equal(
        kb.load(tmp_path / "copy").model(inputs())["masked_lm"], model(inputs())["masked_lm"]
    )


def fast_tokenizer(vocabulary, **changes):
    normalizer = {"type": "BertNormalizer", "lowercase": False, "strip_accents": True}
    ids = {piece: i for i, piece in enumerate(vocabulary)}
    model = {"type": "WordPiece", "vocab": {**ids, **changes.pop("vocab", {})}}
    return {"normalizer": {**normalizer, "handle_chinese_chars": False}, "model": model, **changes}


def with_fast_tokenizer(folder, content):
    for name in ("vocab.txt", "tokenizer_config.json", "checksums.json"):
        (folder / name).unlink(missing_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return kb.load(folder).tokenizer


def test_a_vocabulary_may_be_in_a_tokenizer_json(saved, tokenizer):
    _, folder = saved
    loaded = with_fast_tokenizer(folder, fast_tokenizer(tokenizer.vocabulary))
    assert loaded.vocabulary == tokenizer.vocabulary
    assert (loaded.lowercase, loaded.strip_accents, loaded.split_cjk) == (False, True, False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalizer": {"type": "NFC"}}, "BERT's normalization"),
        ({"model": {"type": "BPE", "vocab": {}}}, "must hold a WordPiece vocabulary"),
        ({"vocab": {"the": 1}}, "ids from 0 to 96, each once"),
    ],
)
def test_a_tokenizer_json_of_another_model(saved, tokenizer, changes, message):
    _, folder = saved
    with pytest.raises(ValueError, match=f"tokenizer.json .*{message}"):
        with_fast_tokenizer(folder, fast_tokenizer(tokenizer.vocabulary, **changes))


def test_a_vocabulary_may_be_shorter_than_the_table(tmp_path, tokenizer, config, caplog):
    """dbmdz' Italian models have 1,000 embeddings more than pieces."""
    larger = dataclasses.replace(config, vocabulary_size=97 + 64)
    with caplog.at_level(logging.WARNING, logger="absl"):
        kb.save(kb.BertEncoder(larger), tmp_path, tokenizer)
        assert kb.load(tmp_path).tokenizer.vocabulary == tokenizer.vocabulary
    assert caplog.text.count("97 pieces, the model 161 embeddings: the last 64 stand for none") == 2


def test_a_vocabulary_longer_than_the_table_is_refused(saved, tokenizer):
    _, folder = saved
    (folder / "checksums.json").unlink()
    pieces = (*tokenizer.vocabulary, *"ABCDE")
    (folder / "vocab.txt").write_text("\n".join(pieces))
    with pytest.raises(ValueError, match=r"at most 101 pieces; .*vocab.txt:102 is one more"):
        kb.load(folder)


def test_an_embedder_leaves_no_modules_to_another_model(tmp_path, tokenizer, config):
    packer = kb.Packer(tokenizer, 9)
    kb.save(kb.SentenceEmbedder(kb.BertEncoder(config), packer), tmp_path)
    assert (tmp_path / "1_Pooling" / "config.json").is_file()
    kb.save(kb.TextClassifier(kb.BertEncoder(config), packer, ("no", "yes")), tmp_path)
    assert not (tmp_path / "modules.json").exists()
    assert isinstance(kb.load(tmp_path).model, kb.TextClassifier)


def test_a_model_saved_over_another_librarys_directory_is_alone_in_it(saved, tokenizer, config):
    """Their tokenizer.json, shards' index and added tokens would be taken for the new model's."""
    _, folder = saved
    (folder / "checksums.json").unlink()
    for name in ("tokenizer.json", "model.safetensors.index.json", "added_tokens.json"):
        (folder / name).write_text("of another model")
    kb.save(kb.BertEncoder(config), folder, tokenizer)
    assert kb.load(folder).model is None
    assert len(list(folder.iterdir())) == 5


def test_a_file_of_another_library_that_came_later_is_left_aside_and_told(saved, caplog):
    _, folder = saved
    (folder / "added_tokens.json").write_text("{}")
    with caplog.at_level(logging.WARNING, logger="absl"):
        kb.load(folder)
    assert "added_tokens.json is left aside: the model was saved without" in caplog.text


def test_a_load_beside_a_save_is_one_model_and_disturbs_nothing(tmp_path, tokenizer):
    """Weights, config and tokenizer of two models are saved in turns while another one loads."""
    config = kb.BertConfig(
        vocabulary_size=97, num_layers=1, num_heads=1, hidden_dim=2, intermediate_dim=3
    )
    models = []
    for mark in (1, 2):
        encoder = kb.BertEncoder(dataclasses.replace(config, num_segments=mark))
        encoder.set_weights([np.full(w.shape, mark, "float32") for w in encoder.get_weights()])
        models.append((encoder, kb.Tokenizer(tokenizer.vocabulary, lowercase=mark == 1)))
    kb.save(models[0][0], tmp_path, models[0][1])
    stop, failures = threading.Event(), []

    def save_in_turns():
        for i in itertools.takewhile(lambda _: not stop.is_set(), itertools.count(1)):
            try:
                kb.save(models[i % 2][0], tmp_path, models[i % 2][1])
            except Exception as error:
                failures.append(error)

    writer = threading.Thread(target=save_in_turns)
    writer.start()
    try:
        loaded = [kb.load(tmp_path) for _ in range(6)]
    finally:
        stop.set()
        writer.join()
    assert not failures
    for one in loaded:
        mark = one.config.num_segments
        assert all((np.asarray(weight) == mark).all() for weight in one.encoder.get_weights())
        assert one.tokenizer.lowercase == (mark == 1)


def test_a_load_writes_nothing(saved):
    """Killed after the moment of saving, the new model is read where it is."""
    model, folder = saved
    written = folder / ".written"
    written.mkdir()
    for name in ("checksums.json", "model.safetensors", "vocab.txt"):
        (folder / name).rename(written / name)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    loaded = kb.load(folder).model(inputs())["masked_lm"]
    np.testing.assert_array_equal(loaded, model(inputs())["masked_lm"])
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_what_cannot_be_read_is_said_as_such(saved, monkeypatch):
    _, folder = saved

    def refuse(path, *arguments):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ValueError, match=r"checksums.json: permission denied: permit it"):
        kb.load(folder)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EROFS, errno.EACCES])
def test_what_cannot_be_written_is_an_error_of_the_disk(saved, config, monkeypatch, number):
    model, folder = saved
    before = sorted(folder.iterdir())

    def fail(*_):
        raise OSError(number, os.strerror(number), str(folder))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=re.escape(os.strerror(number))):
        kb.save(model, folder, kb.load(folder).tokenizer)
    monkeypatch.undo()
    assert sorted(folder.iterdir()) == before
    assert kb.load(folder).model is not None


def test_an_old_config_beside_or_in_place_of_the_new_one(saved):
    """pytorch-pretrained-bert's name; without a TF1 checkpoint it makes none of Google's."""
    model, folder = saved
    (folder / "checksums.json").unlink()
    shutil.copy(folder / "config.json", folder / "bert_config.json")
    for _ in range(2):
        loaded = kb.load(folder).model(inputs())["masked_lm"]
        np.testing.assert_array_equal(loaded, model(inputs())["masked_lm"])
        (folder / "config.json").unlink(missing_ok=True)


def test_a_vocabulary_with_empty_and_repeated_lines_is_saved_again_as_it_was(tmp_path, config):
    pieces = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "", "fox", "the", "a")
    kb.save(kb.BertEncoder(config), tmp_path / "a", kb.Tokenizer(pieces))
    loaded = kb.load(tmp_path / "a")
    assert loaded.tokenizer.tokenize("the fox a").numpy().tolist() == [8, 7, 9]
    kb.save(loaded.encoder, tmp_path / "b", loaded.tokenizer)
    assert kb.load(tmp_path / "b").tokenizer.vocabulary == pieces
